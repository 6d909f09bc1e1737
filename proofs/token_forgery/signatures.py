"""This file is signatures that do not make a token good, by whoever knows what the issuer publishes and no more."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.oidc.fake_issuer import ABSENT, SigningKey, changed, encoded, signing_key
from tests.oidc.forgeries import GOOD_KEYS

SIZES: Final = {"RS256": 256, "PS256": 256, "ES256": 64, "EdDSA": 64}
P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ED25519_ORDER: Final = 2**252 + 27742317777372353535851937790883648493


@dataclass(frozen=True)
class Draft:
    """A token before it is signed."""

    key: SigningKey
    header: Mapping[str, object]
    claims: Mapping[str, object]

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{encoded(self.header)}.{encoded(self.claims)}"

    def under(self, **header: object) -> "Draft":
        """Return the draft with members of the header changed, or ABSENT."""
        return replace(self, header=changed(self.header, header))

    def saying(self, **claims: object) -> "Draft":
        """Return the draft with claims changed, or ABSENT."""
        return replace(self, claims=changed(self.claims, claims))

    def signature(self) -> bytes:
        """Return the signature of a good token."""
        return _sign(self.text, self.key.private, self.key.alg)

    def signed(self) -> str:
        """Return the token."""
        return self.with_signature(self.signature())

    def with_signature(self, signature: bytes) -> str:
        """Return the token with any bytes for its signature."""
        return f"{self.text}.{encoded(signature)}"


def by_another_key(chance: Random, draft: Draft) -> str:
    """Return the token signed with a key of the forger's own, which the header may offer in each known way."""
    own = signing_key(f"own {draft.key.alg}", draft.key.alg)
    kid = chance.choice([draft.key.kid, draft.key.kid, own.kid, ABSENT])
    offered: dict[str, object] = {
        "jwk": own.published(kid=kid),
        "jku": f"{draft.claims.get('iss')}/own",
        "x5u": "https://evil.example/own.pem",
        "x5c": [encoded(_public(own, Encoding.DER))],
        "jwks": {"keys": [own.published(kid=kid)]},
    }
    names = chance.sample(sorted(offered), chance.randrange(3))
    told = draft.under(kid=kid, **{name: offered[name] for name in names})
    return told.with_signature(_sign(told.text, own.private, own.alg))


def by_a_published_secret(chance: Random, draft: Draft) -> str:
    """Return the token signed with what is published of a key, as if that were a secret that both sides share."""
    alg, of = chance.choice(("HS256", "HS384", "HS512")), chance.choice(GOOD_KEYS)
    pem, jwk = _public(of, Encoding.PEM), of.published()
    number = str(jwk.get("n", jwk.get("x"))).encode()
    secret = chance.choice(
        [
            pem,
            pem.strip(),
            pem + b"\n",
            _public(of, Encoding.DER),
            json.dumps(jwk).encode(),
            number,
            of.kid.encode(),
            b"",
        ]
    )
    told = draft.under(kid=of.kid, alg=chance.choice([alg, alg, of.alg]))
    return told.with_signature(_sign(told.text, secret, alg))


def by_nobody(chance: Random, draft: Draft) -> str:
    """Return the token with bytes for a signature that nobody made, or none, said to be unsigned or not."""
    size = SIZES[draft.key.alg]
    order = P256_ORDER.to_bytes(32)
    made = [b"", b"\0" * size, b"\xff" * size, chance.randbytes(size), chance.randbytes(chance.randrange(1, 600))]
    made += [order + order, (1).to_bytes(32) + (1).to_bytes(32), (1).to_bytes(32) + order]
    none = "".join(chance.choice((letter, letter.upper())) for letter in "none")
    return draft.under(alg=chance.choice([none, draft.key.alg, draft.key.alg])).with_signature(chance.choice(made))


def of_another_text(chance: Random, draft: Draft) -> str:
    """Return the token with the true signature of something else."""
    header, _, claims = draft.text.partition(".")
    key = draft.key
    others = [header, claims, f"{claims}.{header}", f"{header}.", f".{claims}", draft.text + ".", draft.text + "=", ""]
    others += [json.dumps(draft.claims), json.dumps(draft.header) + json.dumps(draft.claims), draft.text.lower()]
    others += [draft.saying(sub="user:nobody").text, draft.under(typ="x").text]
    return draft.with_signature(_sign(chance.choice(others), key.private, key.alg))


def written_otherwise(chance: Random, draft: Draft) -> str:
    """Return the token with its true signature in a form that is not that of its algorithm."""
    signature, alg = draft.signature(), draft.key.alg
    others = [
        signature[::-1],
        signature + b"\0",
        b"\0" + signature,
        signature[:-1],
        signature + signature,
        signature.hex().encode(),
    ]
    halves = [int.from_bytes(signature[:32]), int.from_bytes(signature[32:])]
    if alg == "ES256":
        others += [encode_dss_signature(*halves), signature[32:] + signature[:32]]
    elif alg == "EdDSA":
        scalar = int.from_bytes(signature[32:], "little") + ED25519_ORDER
        others += [signature[:32] + scalar.to_bytes(32, "little")]
    else:
        modulus = draft.key.private.public_key().public_numbers().n
        others += [(int.from_bytes(signature) + modulus).to_bytes(257)]
        others += [_sign(draft.text, draft.key.private, "PS256" if alg == "RS256" else "RS256")]
        others += [_sign(draft.text, draft.key.private, alg.replace("256", size)) for size in ("384", "512")]
    return draft.with_signature(chance.choice(others))


FORGED_SIGNATURES: Final[tuple[Callable[[Random, Draft], str], ...]] = (
    by_another_key,
    by_a_published_secret,
    by_nobody,
    of_another_text,
    written_otherwise,
)


def _public(key: SigningKey, encoding: Encoding) -> bytes:
    public: bytes = key.private.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
    return public


def _sign(text: str, key: Any, alg: str) -> bytes:
    return jwt.get_algorithm_by_name(alg).sign(text.encode(), key)
