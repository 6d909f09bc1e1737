"""This file is bearer tokens made at random: good ones, and ones that no check may let pass.

A signature of ES256 has a twin, reckoned from it without the key, that verifies as well. It is no forgery: it says what
was signed. No token here is such a twin.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final, NamedTuple

from permissions.viewer import token_digest
from proofs.token_forgery.corruption import WORN, worn
from proofs.token_forgery.lookalikes import near, no_moment, not_text, other_case
from proofs.token_forgery.signatures import FORGED_SIGNATURES, Draft
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
NOT_USERS: Final = ("group:lab", "everyone", "public", "user:nobody")
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
NO_ALGORITHMS: Final[tuple[object, ...]] = (
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
NO_SIGNERS: Final = (STRANGER, SHORT, P384, ENCRYPTION, PRIVATE, SIGN_ONLY, TWIN)
# A space before a token is the header's, which may have several.
BY_HAND: Final = tuple(forge for forged in FORGED.values() for name, forge in forged.items() if name != "space before")


@dataclass(frozen=True)
class ApiTokens:
    """Tokens of ours: by user those that are good, and those that were."""

    good: Mapping[str, str]
    expired: Sequence[str]
    revoked: Sequence[str]


class Forgery(NamedTuple):
    """A token that is not good, and how it was made."""

    how: str
    token: str


class Forger:
    """Makes tokens, with a chance of its own."""

    def __init__(self, chance: Random, fake: FakeIssuer, ours: ApiTokens) -> None:
        """Take the issuer whose tokens are forged, and tokens of ours."""
        self._chance, self._fake, self._ours = chance, fake, ours
        self._good = set(ours.good.values())
        self._ways = (  # each as often as it stands here
            self._wrong_claims,
            self._of_nobody,
            self._of_nobody,
            self._wrong_header,
            self._wrong_json,
            self._wrong_signature,
            self._wrong_signature,
            self._worn,
            self._worn,
            self._too_long,
            self._by_hand,
            self._by_hand,
            self._noise,
            self._of_ours_once,
            self._of_ours_worn,
            self._of_ours_made_up,
        )

    def good(self) -> tuple[str, str]:
        """Return a user and a good token of theirs, of ours or the issuer's."""
        user = self._chance.choice(USERS)
        return user, self.issued(user) if self._chance.randrange(3) else self._ours.good[user]

    def forged(self) -> Forgery:
        """Return a token that is not good."""
        while True:
            make = self._chance.choice(self._ways)
            token = make()
            if token.lstrip(" ").rstrip(" \t") not in self._good:  # blanks around it would be the header's
                return Forgery(make.__name__.strip("_").replace("_", " "), token)

    def issued(self, user: str | None = None) -> str:
        """Return a good token of the issuer's."""
        token = self._draft(user).signed()
        self._good.add(token)
        return token

    def _draft(self, user: str | None = None) -> Draft:
        """Return what a good token is made of."""
        chance, key = self._chance, self._chance.choice(GOOD_KEYS)
        claims = self._fake.claims(
            sub=chance.choice(USERS) if user is None else user,
            aud=chance.choice([AUDIENCE, [AUDIENCE], ["https://other.test", AUDIENCE]]),
            exp=NOW + chance.uniform(-29, 10_000),
            iat=NOW - chance.uniform(-29, 10_000),
            nbf=chance.choice([ABSENT, NOW - chance.uniform(-29, 10_000)]),
            scope=chance.choice([ABSENT, "openid profile"]),
        )
        return Draft(key, self._fake.header(key, typ=chance.choice(TYPES)), claims)

    def _wrong_claims(self) -> str:
        """Return a token that the issuer signed, one or two claims of which are not for us, not now, or no claims."""
        draft = self._draft()
        return draft.saying(**{claim: self._wrong_claim(claim, draft) for claim in self._one_or_two(CLAIMS)}).signed()

    def _wrong_claim(self, claim: str, draft: Draft) -> object:
        chance, url = self._chance, self._fake.url
        if claim == "iss":
            return chance.choice([ABSENT, AUDIENCE, near(chance, url), not_text(chance, url)])
        if claim == "aud":
            other = near(chance, AUDIENCE)
            lists = [[], [other, url], [AUDIENCE, 1], [[AUDIENCE]], {AUDIENCE: True}]
            return chance.choice([ABSENT, None, url, other, chance.choice(lists)])
        if claim == "sub":
            user = str(draft.claims["sub"])
            unprintable = user + chance.choice("\n\0\x7f\u202e\ud800\u2028")
            return chance.choice([ABSENT, unprintable, "a" * 256, not_text(chance, user)])
        second = NOW - chance.uniform(30, 10_000) if claim == "exp" else NOW + chance.uniform(31, 10_000)
        return chance.choice([second, no_moment(chance, NOW), second if claim == "nbf" else ABSENT])

    def _of_nobody(self) -> str:
        """Return a token that the issuer signed, and that names no user."""
        other = self._chance.choice([*(near(self._chance, user) for user in USERS), *NOT_USERS])
        return self._draft(other).signed()

    def _wrong_header(self) -> str:
        """Return a token that the issuer signed, one or two members of whose header do not fit."""
        draft = self._draft()
        names = self._one_or_two(("alg", "kid", "typ", "crit"))
        return draft.under(**{name: self._wrong_member(name, draft.key) for name in names}).signed()

    def _wrong_member(self, name: str, key: SigningKey) -> object:
        chance = self._chance
        if name == "alg":
            others = [alg for alg in ALGORITHMS if alg != key.alg]
            return chance.choice([ABSENT, near(chance, key.alg), chance.choice(others), chance.choice(NO_ALGORITHMS)])
        if name == "kid":
            published = [entry["kid"] for entry in USELESS_KEYS if isinstance(entry, dict) and "kid" in entry]
            others = [*published, *(other.kid for other in GOOD_KEYS if other != key)]
            return chance.choice([ABSENT, near(chance, key.kid), not_text(chance, key.kid), chance.choice(others)])
        if name == "typ":
            return chance.choice(["JWE", "logout+jwt", "dpop+jwt", "", "at+jwt ", "jwt\0", not_text(chance, "JWT")])
        return chance.choice([[], ["exp"], ["b64"], ["alg"], None, "exp", {}, 0])

    def _one_or_two(self, names: Sequence[str]) -> list[str]:
        return self._chance.sample(names, self._chance.choice((1, 1, 1, 2)))

    def _wrong_json(self) -> str:
        """Return a token that the issuer signed, whose header or claims are no plain JSON object."""
        draft, chance = self._draft(), self._chance
        header, claims = (json.dumps(part).encode() for part in (draft.header, draft.claims))
        if chance.randrange(2):
            header = self._no_object(draft.header)
        else:
            claims = self._no_object(draft.claims)
        return signed(header, claims, draft.key.private, draft.key.alg)

    def _no_object(self, members: Mapping[str, object]) -> bytes:
        chance, text = self._chance, json.dumps(members)
        name = chance.choice(sorted(members))
        value = json.dumps(chance.choice([members[name], *USERS, NOW + 300, "none", None]))
        other_name = "".join(chance.choice((letter, f"\\u{ord(letter):04x}")) for letter in name)
        more = [
            f'"{other_name}": {value}',
            f'"{name}": {value}',
            '"x": [{"a": 1, "a": 2}]',
            '"x": NaN',
            '"x": -Infinity',
        ]
        more += ['"x": "\n"', "x: 1", "", f'"x": {"9" * 5_000}', '"x": 01']
        added = chance.choice(more)
        others = ["{" + added + ", " + text[1:], text[:-1] + ", " + added + "}", f"[{text}]", json.dumps(text)]
        others += [
            text[: chance.randrange(1, len(text))],
            text + chance.choice(["{}", ",", "\0", " //", "]"]),
            "null",
            "1",
        ]
        encoding = chance.choice(["utf-8"] * 5 + ["utf-8-sig", "utf-16", "utf-32"])
        return (chance.choice(others) if encoding == "utf-8" else text).encode(encoding)

    def _wrong_signature(self) -> str:
        """Return a token that the issuer did not sign, or not with a key that it signs tokens with."""
        chance, draft = self._chance, self._draft()
        if not chance.randrange(8):
            key = chance.choice(NO_SIGNERS)
            return replace(draft, key=key).under(kid=key.kid, alg=key.alg).signed()
        return chance.choice(FORGED_SIGNATURES)(chance, draft)

    def _worn(self) -> str:
        """Return what became of a good token of the issuer's."""
        return worn(self._chance, self.issued(), self.issued())

    def _too_long(self) -> str:
        """Return a token that the issuer signed, of more characters than are read."""
        draft = self._draft()
        least = 8_192 - len(draft.signed())
        return draft.saying(padding="a" * self._chance.randint(least, 3 * least)).signed()

    def _by_hand(self) -> str:
        """Return one of the tokens that were thought out by hand."""
        return self._chance.choice(BY_HAND)(self._fake)

    def _noise(self) -> str:
        """Return a text that never was a token."""
        chance = self._chance
        parts = [encoded(chance.randbytes(chance.randrange(60))) for _ in range(chance.randint(1, 6))]
        return chance.choice(
            [".".join(parts), "".join(chance.choices(WORN, k=chance.randrange(200))), "." * chance.randrange(9_000)]
        )

    def _of_ours_once(self) -> str:
        """Return a token of ours that was good."""
        return self._chance.choice([*self._ours.expired, *self._ours.revoked])

    def _of_ours_worn(self) -> str:
        """Return what became of a token of ours."""
        good = list(self._ours.good.values())
        return worn(self._chance, self._chance.choice(good), self._chance.choice([*good, *self._ours.revoked]))

    def _of_ours_made_up(self) -> str:
        """Return a text that looks like a token of ours."""
        chance, token = self._chance, self._ours.good[self._chance.choice(USERS)]
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
            other_case(chance, secret),
        ]
        others += ["".join(chance.choices(WORN, k=43)), encoded(chance.randbytes(32)), "a" * 9_000]
        return chance.choice(["atoll_", "atoll_", "atoll_", "ATOLL_", "Atoll_", "atoll", ""]) + chance.choice(others)
