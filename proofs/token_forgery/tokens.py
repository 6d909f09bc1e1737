"""Random bearer tokens: valid ones, and forged ones that no check may accept.

An ES256 signature has a second valid form, computable without the key. That form authenticates the same text, so it
is no forgery, and no token here uses it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final, NamedTuple

from proofs.token_forgery.corruption import CORRUPT_CHARACTERS, corrupt
from proofs.token_forgery.lookalikes import invalid_timestamp, non_string, random_case, similar_text
from proofs.token_forgery.signatures import SIGNATURE_FORGERIES, UnsignedToken
from store.tokens import token_digest
from tests.oidc.fake_issuer import ABSENT, AUDIENCE, NOW, FakeIssuer, SigningKey, encoded, signed
from tests.oidc.forgeries import (
    ENCRYPTION,
    FORGED,
    GOOD_KEYS,
    P384,
    PRIVATE,
    SHORT,
    SIGN_ONLY,
    STRANGER,
    TWIN,
    USELESS_KEYS,
)

USERS: Final = ("user:ann", "user:zoé")
LEAVER: Final = "user:gone"
NON_USERS: Final = ("group:lab", "everyone", "public", "user:nobody", LEAVER)
ALGORITHMS: Final = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "ES256",
    "ES384",
    "ES512",
    "ES256K",
    "EdDSA",
    "Ed25519",
)
INVALID_ALGORITHMS: Final[tuple[object, ...]] = (
    "none",
    "HS256",
    "HS384",
    "HS512",
    "dir",
    "RSA1_5",
    "",
    "*",
    None,
    0,
    [],
    {},
    ["RS256"],
)
TYPES: Final = ("JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", ABSENT)
CLAIMS: Final = ("iss", "aud", "sub", "exp", "iat", "nbf")
WRONG_KEYS: Final = (STRANGER, SHORT, P384, ENCRYPTION, PRIVATE, SIGN_ONLY, TWIN)
# Without "space before": a valid header may have several spaces before the token.
KNOWN_FORGERIES: Final = tuple(
    forge for forged in FORGED.values() for name, forge in forged.items() if name != "space before"
)


@dataclass(frozen=True)
class ApiTokens:
    """The deployment's own API tokens: valid ones by user, and those that ended.

    These expired, were revoked, were created with a token that was revoked, or are of a deactivated user.
    """

    valid: Mapping[str, str]
    ended: Sequence[str]


class ForgedToken(NamedTuple):
    """Invalid token, and the method of forging it."""

    method: str
    token: str


class TokenForger:
    """Generator of valid and forged tokens."""

    def __init__(self, random: Random, fake: FakeIssuer, ours: ApiTokens) -> None:
        """Use the issuer whose tokens are forged, and API tokens of the deployment."""
        self._random, self._issuer, self._api_tokens = random, fake, ours
        self._valid = set(ours.valid.values())
        self._methods = (  # a method listed twice is chosen twice as often
            self._wrong_claims,
            self._unknown_user,
            self._unknown_user,
            self._wrong_header,
            self._malformed_json,
            self._wrong_signature,
            self._wrong_signature,
            self._corrupted,
            self._corrupted,
            self._too_long,
            self._known_forgery,
            self._known_forgery,
            self._noise,
            self._former_api_token,
            self._corrupted_api_token,
            self._invented_api_token,
        )

    def valid_token(self) -> tuple[str, str]:
        """Return a user and one of their valid tokens, an API token or the issuer's."""
        user = self._random.choice(USERS)
        return user, self.issued_token(user) if self._random.randrange(3) else self._api_tokens.valid[user]

    def forged_token(self) -> ForgedToken:
        """Return a forged token."""
        while True:
            make = self._random.choice(self._methods)
            token = make()
            if token.lstrip(" ").rstrip(" \t") not in self._valid:  # whitespace around it would be part of the header
                return ForgedToken(make.__name__.strip("_").replace("_", " "), token)

    def issued_token(self, user: str | None = None) -> str:
        """Return a valid token of the issuer."""
        token = self._unsigned(user).signed()
        self._valid.add(token)
        return token

    def _unsigned(self, user: str | None = None) -> UnsignedToken:
        """Return a valid token before it is signed."""
        random, key = self._random, self._random.choice(GOOD_KEYS)
        claims = self._issuer.claims(
            sub=random.choice(USERS) if user is None else user,
            aud=random.choice([AUDIENCE, [AUDIENCE], ["https://other.test", AUDIENCE]]),
            exp=NOW + random.uniform(-29, 10_000),
            iat=NOW - random.uniform(-29, 10_000),
            nbf=random.choice([ABSENT, NOW - random.uniform(-29, 10_000)]),
            scope=random.choice([ABSENT, "openid profile"]),
        )
        return UnsignedToken(key, self._issuer.header(key, typ=random.choice(TYPES)), claims)

    def _wrong_claims(self) -> str:
        """Return a signed token with one or two wrong claims: missing, malformed, or for another audience or time."""
        unsigned = self._unsigned()
        return unsigned.with_claims(
            **{claim: self._wrong_claim(claim, unsigned) for claim in self._pick_one_or_two(CLAIMS)}
        ).signed()

    def _wrong_claim(self, claim: str, unsigned: UnsignedToken) -> object:
        random, url = self._random, self._issuer.url
        if claim == "iss":
            return random.choice([ABSENT, AUDIENCE, similar_text(random, url), non_string(random, url)])
        if claim == "aud":
            other = similar_text(random, AUDIENCE)
            lists = [[], [other, url], [AUDIENCE, 1], [[AUDIENCE]], {AUDIENCE: True}]
            return random.choice([ABSENT, None, url, other, random.choice(lists)])
        if claim == "sub":
            user = str(unsigned.claims["sub"])
            unprintable = user + random.choice("\n\0\x7f\u202e\ud800\u2028")
            return random.choice([ABSENT, unprintable, "a" * 256, non_string(random, user)])
        second = NOW - random.uniform(30, 10_000) if claim == "exp" else NOW + random.uniform(31, 10_000)
        return random.choice([second, invalid_timestamp(random, NOW), second if claim == "nbf" else ABSENT])

    def _unknown_user(self) -> str:
        """Return a token that the issuer signed for a subject that is not a user."""
        other = self._random.choice([*(similar_text(self._random, user) for user in USERS), *NON_USERS])
        return self._unsigned(other).signed()

    def _wrong_header(self) -> str:
        """Return a token that the issuer signed, with one or two wrong header parameters."""
        unsigned = self._unsigned()
        names = self._pick_one_or_two(("alg", "kid", "typ", "crit"))
        return unsigned.with_header(**{name: self._wrong_member(name, unsigned.key) for name in names}).signed()

    def _wrong_member(self, name: str, key: SigningKey) -> object:
        random = self._random
        if name == "alg":
            others = [alg for alg in ALGORITHMS if alg != key.alg]
            return random.choice(
                [ABSENT, similar_text(random, key.alg), random.choice(others), random.choice(INVALID_ALGORITHMS)]
            )
        if name == "kid":
            published = [entry["kid"] for entry in USELESS_KEYS if isinstance(entry, dict) and "kid" in entry]
            others = [*published, *(other.kid for other in GOOD_KEYS if other != key)]
            return random.choice(
                [ABSENT, similar_text(random, key.kid), non_string(random, key.kid), random.choice(others)]
            )
        if name == "typ":
            return random.choice(["JWE", "logout+jwt", "dpop+jwt", "", "at+jwt ", "jwt\0", non_string(random, "JWT")])
        return random.choice([[], ["exp"], ["b64"], ["alg"], None, "exp", {}, 0])

    def _pick_one_or_two(self, names: Sequence[str]) -> list[str]:
        return self._random.sample(names, self._random.choice((1, 1, 1, 2)))

    def _malformed_json(self) -> str:
        """Return a signed token whose header or claims are not a plain JSON object."""
        unsigned, random = self._unsigned(), self._random
        header, claims = (json.dumps(part).encode() for part in (unsigned.header, unsigned.claims))
        if random.randrange(2):
            header = self._malformed_object(unsigned.header)
        else:
            claims = self._malformed_object(unsigned.claims)
        return signed(header, claims, unsigned.key.private, unsigned.key.alg)

    def _malformed_object(self, members: Mapping[str, object]) -> bytes:
        random, text = self._random, json.dumps(members)
        name = random.choice(sorted(members))
        value = json.dumps(random.choice([members[name], *USERS, NOW + 300, "none", None]))
        other_name = "".join(random.choice((letter, f"\\u{ord(letter):04x}")) for letter in name)
        more = [
            f'"{other_name}": {value}',
            f'"{name}": {value}',
            '"x": [{"a": 1, "a": 2}]',
            '"x": NaN',
            '"x": -Infinity',
        ]
        more += ['"x": "\n"', "x: 1", "", f'"x": {"9" * 5_000}', '"x": 01']
        added = random.choice(more)
        others = ["{" + added + ", " + text[1:], text[:-1] + ", " + added + "}", f"[{text}]", json.dumps(text)]
        others += [
            text[: random.randrange(1, len(text))],
            text + random.choice(["{}", ",", "\0", " //", "]"]),
            "null",
            "1",
        ]
        encoding = random.choice(["utf-8"] * 5 + ["utf-8-sig", "utf-16", "utf-32"])
        return (random.choice(others) if encoding == "utf-8" else text).encode(encoding)

    def _wrong_signature(self) -> str:
        """Return a token not signed by the issuer, or not with one of its signing keys."""
        random, unsigned = self._random, self._unsigned()
        if not random.randrange(8):
            key = random.choice(WRONG_KEYS)
            return replace(unsigned, key=key).with_header(kid=key.kid, alg=key.alg).signed()
        return random.choice(SIGNATURE_FORGERIES)(random, unsigned)

    def _corrupted(self) -> str:
        """Return a corrupted token of the issuer."""
        return corrupt(self._random, self.issued_token(), self.issued_token())

    def _too_long(self) -> str:
        """Return a signed token longer than the server reads."""
        unsigned = self._unsigned()
        least = 8_192 - len(unsigned.signed())
        return unsigned.with_claims(padding="a" * self._random.randint(least, 3 * least)).signed()

    def _known_forgery(self) -> str:
        """Return one of the handwritten forgeries."""
        return self._random.choice(KNOWN_FORGERIES)(self._issuer)

    def _noise(self) -> str:
        """Return random text."""
        random = self._random
        parts = [encoded(random.randbytes(random.randrange(60))) for _ in range(random.randint(1, 6))]
        return random.choice(
            [
                ".".join(parts),
                "".join(random.choices(CORRUPT_CHARACTERS, k=random.randrange(200))),
                "." * random.randrange(9_000),
            ]
        )

    def _former_api_token(self) -> str:
        """Return an API token that ended."""
        return self._random.choice(self._api_tokens.ended)

    def _corrupted_api_token(self) -> str:
        """Return a corrupted API token."""
        good = list(self._api_tokens.valid.values())
        return corrupt(self._random, self._random.choice(good), self._random.choice([*good, *self._api_tokens.ended]))

    def _invented_api_token(self) -> str:
        """Return a text that resembles an API token."""
        random, token = self._random, self._api_tokens.valid[self._random.choice(USERS)]
        secret = token.removeprefix("atoll_")
        others = [
            secret,
            token_digest(token),
            "",
            *USERS,
            "' or 1=1 --",
            "%",
            "*",
            "\0",
            "None",
            "null",
            random_case(random, secret),
        ]
        others += ["".join(random.choices(CORRUPT_CHARACTERS, k=43)), encoded(random.randbytes(32)), "a" * 9_000]
        return random.choice(["atoll_", "atoll_", "atoll_", "ATOLL_", "Atoll_", "atoll", ""]) + random.choice(others)
