"""Forged bearer tokens by the reason for which each must be rejected, and unusual valid ones.

A forged token differs from a valid one in one respect, so that only one check can reject it.
"""

import base64
import json
from collections.abc import Callable
from typing import Final

import jwt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.oidc.fake_issuer import ABSENT, AUDIENCE, NOW, FakeIssuer, encoded, signed, signing_key

RSA, PSS = signing_key("rsa", "RS256"), signing_key("pss", "PS256")
EC, EDDSA = signing_key("ec", "ES256"), signing_key("ed", "EdDSA")
GOOD_KEYS: Final = (RSA, PSS, EC, EDDSA)
STRANGER, SHORT = signing_key("stranger", "RS256"), signing_key("short", "RS256", 1024)
P384 = signing_key("p384", "ES384")
ENCRYPTION, PRIVATE = signing_key("encryption", "RS256"), signing_key("private", "ES256")
SIGN_ONLY, TWIN, OTHER_TWIN = (signing_key(kid, "ES256") for kid in ("sign-only", "twin", "other twin"))
SECRET: Final = b"a shared secret of more than 32 bytes"
PEM: Final = RSA.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
USELESS_KEYS: Final[tuple[object, ...]] = (
    SHORT.published(),
    P384.published(),
    ENCRYPTION.published(use="enc"),
    PRIVATE.published(d=jwt.get_algorithm_by_name("ES256").to_jwk(PRIVATE.private, as_dict=True)["d"]),
    SIGN_ONLY.published(key_ops=["sign"]),
    TWIN.published(),
    OTHER_TWIN.published(kid="twin"),
    {"kty": "oct", "kid": "oct", "alg": "HS256", "k": base64.urlsafe_b64encode(SECRET).decode().rstrip("=")},
    {"kty": "RSA", "kid": "broken", "n": 1},
    {"kty": "RSA", "kid": "even", "n": "AAAA", "e": "AQAB"},
    {"kty": "EC", "crv": "P-256", "kid": 7, "x": "AA", "y": "AA"},
    {"kty": ["EC"], "crv": {}, "alg": []},
    "no key",
)
"""Entries of the key set that must neither verify a token nor disable other keys."""

Forge = Callable[[FakeIssuer], str]


def header(alg: str = "EdDSA", **changes: object) -> Forge:
    """Forge by changes to the header, signed with the valid key of this algorithm."""
    return lambda fake: fake.token(next(key for key in GOOD_KEYS if key.alg == alg), changes)


def declared(alg: object) -> Forge:
    """Forge by a header whose `alg` differs from the algorithm of the signature, which is the RSA key's."""
    return lambda fake: fake.token(RSA, {"alg": alg})


def claims(**changes: object) -> Forge:
    """Forge by changes to the claims, signed with a valid key."""
    return lambda fake: fake.token(EDDSA, None, **changes)


def by_other(alg: str, key: object, **changes: object) -> Forge:
    """Forge by signing with another key or algorithm under the RSA key's id."""
    return lambda fake: signed(fake.header(RSA, **{"alg": alg, **changes}), fake.claims(), key, alg)


def raw_header(write: Callable[[str], str]) -> Forge:
    """Forge by rewriting the JSON text of the header, signed with a valid key."""
    return lambda fake: signed(_bytes(write(json.dumps(fake.header(EDDSA)))), fake.claims(), EDDSA.private, "EdDSA")


def raw_claims(write: Callable[[str], str]) -> Forge:
    """Forge by rewriting the JSON text of the claims, signed with a valid key."""
    return lambda fake: signed(fake.header(EDDSA), _bytes(write(json.dumps(fake.claims()))), EDDSA.private, "EdDSA")


def text(change: Callable[[str], str]) -> Forge:
    """Forge by a change to the complete token."""
    return lambda fake: change(fake.token(EDDSA))


def unsigned(alg: object) -> Forge:
    """Forge by omitting the signature."""
    return lambda fake: f"{encoded(fake.header(RSA, alg=alg))}.{encoded(fake.claims())}."


def insert(member: str) -> Callable[[str], str]:
    """Insert a member at the start of a JSON object."""
    return lambda written: "{" + member + ", " + written[1:]


def _bytes(written: str) -> bytes:
    return written.encode("utf-8", "surrogateescape")


FORGED: dict[str, dict[str, Forge]] = {
    "too long": {
        "100,000 parts": lambda _: "." * 99_999,
        "9 kB": claims(padding="a" * 9_000),
    },
    "not three parts of base64url": {
        "alg none": unsigned("none"),
        "alg None": unsigned("None"),
        "alg NONE": unsigned("NONE"),
        "alg nOnE": unsigned("nOnE"),
        "alg empty": unsigned(""),
        "alg null": unsigned(None),
        "no signature under a good alg": unsigned("RS256"),
        "empty": lambda _: "",
        "one word": lambda _: "token",
        "2 parts": text(lambda token: token.rpartition(".")[0]),
        "4 parts": text(lambda token: token + ".e30"),
        "5 parts": text(lambda token: token + ".e30.e30"),
        "5,000 parts": lambda _: "." * 4_999,
        "a part empty": text(lambda token: ".".join([token.split(".")[0], "", token.split(".")[2]])),
        "padded header": text(lambda token: token.replace(".", "=.", 1)),
        "padded signature": text(lambda token: token + "=="),
        "line break behind": text(lambda token: token + "\n"),
        "space before": text(lambda token: " " + token),
        "space within": text(lambda token: token[:40] + " " + token[40:]),
        "base64 of the other alphabet": text(lambda token: token.replace("-", "+").replace("_", "/") + "+"),
        "digits of another script": text(lambda token: "\uff11" + token[1:]),
        "word Bearer left in": text(lambda token: "Bearer " + token),
        "two tokens": text(lambda token: f"{token},{token}"),
        "JSON serialisation": lambda fake: json.dumps({"payload": encoded(fake.claims()), "signatures": []}),
    },
    "not a plain JSON object": {
        "kid twice": raw_header(insert('"kid": "rsa"')),
        "alg twice": raw_header(insert('"alg": "none"')),
        "header a list": raw_header(lambda written: f"[{written}]"),
        "header a string": raw_header(json.dumps),
        "header with NaN": raw_header(insert('"x": NaN')),
        "header cut short": raw_header(lambda written: written[:-1]),
        "header in UTF-16": lambda fake: signed(
            json.dumps(fake.header(EDDSA)).encode("utf-16"), fake.claims(), EDDSA.private, "EdDSA"
        ),
        "exp NaN": claims(exp=float("nan")),
        "exp Infinity": claims(exp=float("inf")),
        "exp of 5,000 digits": raw_claims(
            lambda written: written.replace(f'"exp": {NOW + 300}', f'"exp": {"9" * 5000}')
        ),
        "nbf -Infinity": claims(nbf=float("-inf")),
        "sub twice": raw_claims(insert('"sub": "user:eve"')),
        "exp twice": raw_claims(insert(f'"exp": {NOW + 300}')),
        "a name twice far within": raw_claims(insert('"x": [{"a": 1, "a": 2}]')),
        "claims a list": raw_claims(lambda written: f"[{written}]"),
        "claims with more behind": raw_claims(lambda written: written + "{}"),
        "claims no JSON": raw_claims(lambda _: "sub=user:ann"),
        "claims no UTF-8": raw_claims(insert('"x": "\udcff"')),
        "header a pit": raw_header(insert('"x": ' + "[" * 2_000 + "]" * 2_000)),
    },
    "a critical extension": {
        "crit unknown": header(crit=["exp"]),
        "crit empty": header(crit=[]),
        "crit null": header(crit=None),
        "crit b64": header(crit=["b64"], b64=True),
    },
    "another type of token": {
        "typ of a logout token": header(typ="logout+jwt"),
        "typ of an encrypted token": header(typ="JWE"),
        "typ null": header(typ=None),
        "typ a list": header(typ=["JWT"]),
    },
    "a key id that is no string": {
        "kid null": header(kid=None),
        "kid a number": header(kid=1),
        "kid a list": header(kid=["ed"]),
    },
    "no such key": {
        "HS256 with a published secret": by_other("HS256", SECRET, kid="oct"),
        "HS256 without kid": by_other("HS256", SECRET, kid=ABSENT),
        "another's key under its own id": lambda fake: fake.token(STRANGER),
        "no kid among several keys": header(kid=ABSENT),
        "kid empty": header(kid=""),
        "kid in look-alike letters": header(kid="еd"),  # noqa: RUF001 - a Cyrillic letter is the point
        "kid of full-width letters": header(kid="\uff45\uff44"),
        "kid with a trailing space": header(kid="ed "),
        "kid in upper case": header(kid="ED"),
        "kid half of a surrogate pair": header(kid="\ud800"),
        "kid a path": header(kid="../../dev/null"),
        "key for encryption": lambda fake: fake.token(ENCRYPTION),
        "key published with its private half": lambda fake: fake.token(PRIVATE),
        "key not for verifying": lambda fake: fake.token(SIGN_ONLY),
        "key on another curve": lambda fake: fake.token(P384),
        "one id of two keys": lambda fake: fake.token(TWIN),
        "own key in jwk, no kid": by_other("RS256", STRANGER.private, jwk=STRANGER.published(), kid=ABSENT),
        "own key in jwk under its id": lambda fake: fake.token(STRANGER, {"jwk": STRANGER.published()}),
        "own key at jku": lambda fake: fake.token(STRANGER, {"jku": fake.url + "/strange"}),
        "own key at x5u": lambda fake: fake.token(STRANGER, {"x5u": fake.url + "/strange"}),
    },
    "another algorithm than the key's": {
        "alg none, yet a signature": declared("none"),
        "no alg": declared(ABSENT),
        "alg is a list": declared(["RS256"]),
        "alg in lower case": declared("rs256"),
        "HS256 with the public key's PEM": by_other("HS256", PEM),
        "HS256 with the public key's PEM, stripped": by_other("HS256", PEM.strip()),
        "HS256 with the published modulus": by_other("HS256", str(RSA.published()["n"]).encode()),
        "RS256 token said to be PS256": declared("PS256"),
        "PS256 by the key of RS256": by_other("PS256", RSA.private),
        "RS512 by a good key": by_other("RS512", RSA.private),
        "ES256 under the RSA key's id": by_other("ES256", EC.private),
        "EdDSA under the RSA key's id": by_other("EdDSA", EDDSA.private),
        "ES256 said to be EdDSA": lambda fake: fake.token(EC, {"alg": "EdDSA"}),
        "another good key's id": header("RS256", kid="pss"),
    },
    "a signature that does not verify": {
        "another's key under a good id": by_other("RS256", STRANGER.private),
        "key of 1,024 bits": lambda fake: fake.token(SHORT),
        "b64 false": header(b64=False),
        "own key in jwk": by_other("RS256", STRANGER.private, jwk=STRANGER.published()),
        "own key in x5c": by_other("RS256", STRANGER.private, x5c=[PEM.decode()]),
        "data behind": text(lambda token: token + "AAAA"),
        "spare bits set": text(lambda token: token[:-1] + chr(ord(token[-1]) + 1)),
    },
    "another issuer": {
        "no iss": claims(iss=ABSENT),
        "iss with a trailing slash": lambda fake: fake.token(EDDSA, iss=fake.url + "/"),
        "iss in other letters": lambda fake: fake.token(EDDSA, iss=fake.url.upper()),
        "iss another": claims(iss="https://login.evil.example"),
        "iss a list": lambda fake: fake.token(EDDSA, iss=[fake.url]),
        "iss null": claims(iss=None),
    },
    "no usable aud": {
        "no aud": claims(aud=ABSENT),
        "aud null": claims(aud=None),
        "aud a list in a list": claims(aud=[[AUDIENCE]]),
        "aud a list with a number": claims(aud=[AUDIENCE, 1]),
        "aud an object": claims(aud={AUDIENCE: True}),
    },
    "another audience": {
        "aud another": claims(aud="https://other.test"),
        "aud empty": claims(aud=""),
        "aud without a part": claims(aud=AUDIENCE[:-1]),
        "aud a list without ours": claims(aud=["https://other.test", AUDIENCE + "/"]),
        "aud an empty list": claims(aud=[]),
    },
    "no usable exp": {
        "no exp": claims(exp=ABSENT),
        "exp null": claims(exp=None),
        "exp a string": claims(exp=str(NOW + 300)),
        "exp true": claims(exp=True),
        "exp negative": claims(exp=-1),
        "exp 1e999": raw_claims(lambda written: written.replace(f'"exp": {NOW + 300}', '"exp": 1e999')),
        "exp huge": claims(exp=10**30),
        "exp a list": claims(exp=[NOW + 300]),
        "exp of the year 10000": claims(exp=253_402_300_800),
    },
    "expired": {
        "exp past": claims(exp=NOW - 30),
    },
    "no usable iat": {
        "no iat": claims(iat=ABSENT),
        "iat a string": claims(iat=str(NOW)),
        "iat false": claims(iat=False),
        "iat huge": claims(iat=-(10**400)),
    },
    "issued in the future": {
        "iat in the future": claims(iat=NOW + 31),
    },
    "no usable nbf": {
        "nbf a string": claims(nbf=str(NOW)),
        "nbf null": claims(nbf=None),
        "nbf true": claims(nbf=True),
    },
    "not valid yet": {
        "nbf in the future": claims(nbf=NOW + 31),
    },
    "no usable sub": {
        "no sub": claims(sub=ABSENT),
        "sub empty": claims(sub=""),
        "sub null": claims(sub=None),
        "sub a number": claims(sub=1),
        "sub a list": claims(sub=["user:ann"]),
        "sub of 256 characters": claims(sub="a" * 256),
        "sub with a line break": claims(sub="user:ann\n"),
        "sub with a zero byte": claims(sub="user:ann\0"),
        "sub with a delete": claims(sub="user:ann\x7f"),
        "sub written backwards": claims(sub="user:\u202eann"),
        "sub half of a surrogate pair": claims(sub="\udfff"),
    },
}
"""Forged tokens by the reason for which they must be rejected."""

ACCEPTED: dict[str, tuple[Forge, str]] = {
    "aud a list with ours": (claims(aud=["https://other.test", AUDIENCE]), "user:ann"),
    "typ JWT": (header(typ="JWT"), "user:ann"),
    "typ jwt": (header(typ="jwt"), "user:ann"),
    "typ application/at+jwt": (header(typ="application/at+jwt"), "user:ann"),
    "no typ": (header(typ=ABSENT), "user:ann"),
    "exp just past, within the leeway": (claims(exp=NOW - 29), "user:ann"),
    "iat ahead, within the leeway": (claims(iat=NOW + 30), "user:ann"),
    "nbf ahead, within the leeway": (claims(nbf=NOW + 30), "user:ann"),
    "whole seconds": (claims(exp=int(NOW) + 300, iat=int(NOW)), "user:ann"),
    "claims Atoll has no use for": (claims(scope="a b", roles=["x"]), "user:ann"),
    "sub of 255 characters": (claims(sub="a" * 255), "a" * 255),
    "sub in another script": (claims(sub="Ånn 安"), "Ånn 安"),
    "another's key in jwk, jku and x5u, unheeded": (
        header(jwk=STRANGER.published(), jku="https://evil.example", x5u="https://evil.example"),
        "user:ann",
    ),
}
"""Valid tokens with their subjects."""
