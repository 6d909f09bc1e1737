"""Signatures that must not verify: forged, made for another text, or encoded in a form that is not allowed."""

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

SIGNATURE_BYTES: Final = {"RS256": 256, "PS256": 256, "ES256": 64, "EdDSA": 64}
P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ED25519_ORDER: Final = 2**252 + 27742317777372353535851937790883648493


@dataclass(frozen=True)
class UnsignedToken:
    """Header and claims of a token, with the key to sign it."""

    key: SigningKey
    header: Mapping[str, object]
    claims: Mapping[str, object]

    @property
    def signing_input(self) -> str:
        """The bytes to sign, as text (RFC 7515, section 5.1)."""
        return f"{encoded(self.header)}.{encoded(self.claims)}"

    def with_header(self, **header: object) -> "UnsignedToken":
        """Return the token with changed header parameters; ABSENT removes one."""
        return replace(self, header=changed(self.header, header))

    def with_claims(self, **claims: object) -> "UnsignedToken":
        """Return the token with changed claims; ABSENT removes one."""
        return replace(self, claims=changed(self.claims, claims))

    def signature(self) -> bytes:
        """Return the valid signature."""
        return _sign(self.signing_input, self.key.private, self.key.alg)

    def signed(self) -> str:
        """Return the signed token."""
        return self.with_signature(self.signature())

    def with_signature(self, signature: bytes) -> str:
        """Return the token with these bytes as its signature."""
        return f"{self.signing_input}.{encoded(signature)}"


def sign_with_another_key(random: Random, token: UnsignedToken) -> str:
    """Sign with the attacker's own key, offered in the header in every known way."""
    own = signing_key(f"own {token.key.alg}", token.key.alg)
    kid = random.choice([token.key.kid, token.key.kid, own.kid, ABSENT])
    offered: dict[str, object] = {
        "jwk": own.published(kid=kid),
        "jku": f"{token.claims.get('iss')}/own",
        "x5u": "https://evil.example/own.pem",
        "x5c": [encoded(_public_key(own, Encoding.DER))],
        "jwks": {"keys": [own.published(kid=kid)]},
    }
    names = random.sample(sorted(offered), random.randrange(3))
    forged = token.with_header(kid=kid, **{name: offered[name] for name in names})
    return forged.with_signature(_sign(forged.signing_input, own.private, own.alg))


def sign_with_published_key(random: Random, token: UnsignedToken) -> str:
    """Sign with a published key as if it were a shared secret (algorithm confusion)."""
    alg, public_key = random.choice(("HS256", "HS384", "HS512")), random.choice(GOOD_KEYS)
    pem, jwk = _public_key(public_key, Encoding.PEM), public_key.published()
    number = str(jwk.get("n", jwk.get("x"))).encode()
    secret = random.choice(
        [
            pem,
            pem.strip(),
            pem + b"\n",
            _public_key(public_key, Encoding.DER),
            json.dumps(jwk).encode(),
            number,
            public_key.kid.encode(),
            b"",
        ]
    )
    forged = token.with_header(kid=public_key.kid, alg=random.choice([alg, alg, public_key.alg]))
    return forged.with_signature(_sign(forged.signing_input, secret, alg))


def invent_signature(random: Random, token: UnsignedToken) -> str:
    """Use arbitrary bytes or nothing as the signature, with or without `alg: none`."""
    size = SIGNATURE_BYTES[token.key.alg]
    order = P256_ORDER.to_bytes(32)
    signatures = [b"", b"\0" * size, b"\xff" * size, random.randbytes(size), random.randbytes(random.randrange(1, 600))]
    signatures += [order + order, (1).to_bytes(32) + (1).to_bytes(32), (1).to_bytes(32) + order]
    none = "".join(random.choice((letter, letter.upper())) for letter in "none")
    return token.with_header(alg=random.choice([none, token.key.alg, token.key.alg])).with_signature(
        random.choice(signatures)
    )


def sign_another_text(random: Random, token: UnsignedToken) -> str:
    """Use the valid signature of a different text."""
    header, _, claims = token.signing_input.partition(".")
    key = token.key
    others = [
        header,
        claims,
        f"{claims}.{header}",
        f"{header}.",
        f".{claims}",
        token.signing_input + ".",
        token.signing_input + "=",
        "",
    ]
    others += [
        json.dumps(token.claims),
        json.dumps(token.header) + json.dumps(token.claims),
        token.signing_input.lower(),
    ]
    others += [token.with_claims(sub="user:nobody").signing_input, token.with_header(typ="x").signing_input]
    return token.with_signature(_sign(random.choice(others), key.private, key.alg))


def reencode_signature(random: Random, token: UnsignedToken) -> str:
    """Use the valid signature in a form that its algorithm does not allow."""
    signature, alg = token.signature(), token.key.alg
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
        modulus = token.key.private.public_key().public_numbers().n
        others += [(int.from_bytes(signature) + modulus).to_bytes(257)]
        others += [_sign(token.signing_input, token.key.private, "PS256" if alg == "RS256" else "RS256")]
        others += [_sign(token.signing_input, token.key.private, alg.replace("256", size)) for size in ("384", "512")]
    return token.with_signature(random.choice(others))


SIGNATURE_FORGERIES: Final[tuple[Callable[[Random, UnsignedToken], str], ...]] = (
    sign_with_another_key,
    sign_with_published_key,
    invent_signature,
    sign_another_text,
    reencode_signature,
)


def _public_key(key: SigningKey, encoding: Encoding) -> bytes:
    public: bytes = key.private.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
    return public


def _sign(text: str, key: Any, alg: str) -> bytes:
    return jwt.get_algorithm_by_name(alg).sign(text.encode(), key)
