"""This file is texts that once were good tokens: cut, worn, spliced and dressed up."""

import json
from collections.abc import Callable
from random import Random
from typing import Final
from urllib.parse import quote

WORN: Final = 'AQgwBZaz019-_.=+/~ ,;:"\\\t\n\0\x7f\x85\xa0\xff'
"""Characters of a header's bytes, which stand for one character each."""


def worn(chance: Random, token: str, other: str) -> str:
    """Return another text than the token, perhaps with parts of the other in it, whose letters are of one byte each."""
    while True:
        text = chance.choice(_CHANGES)(chance, token, other)
        if text != token:
            return text


def _flipped(chance: Random, token: str, _other: str) -> str:
    """One bit of one character."""
    at = chance.randrange(len(token))
    return token[:at] + chr(ord(token[at]) ^ 1 << chance.randrange(8)) + token[at + 1 :]


def _replaced(chance: Random, token: str, _other: str) -> str:
    at = chance.randrange(len(token))
    return token[:at] + chance.choice(WORN) + token[at + 1 :]


def _inserted(chance: Random, token: str, _other: str) -> str:
    at = chance.randint(0, len(token))
    return token[:at] + chance.choice(WORN) + token[at:]


def _cut(chance: Random, token: str, _other: str) -> str:
    start, end = sorted(chance.randint(0, len(token)) for _ in range(2))
    return chance.choice([token[:start], token[end:], token[start:end], token[:start] + token[end:]])


def _swapped(chance: Random, token: str, _other: str) -> str:
    at = chance.randrange(len(token) - 1)
    return token[:at] + token[at + 1] + token[at] + token[at + 2 :]


def _spliced(chance: Random, token: str, other: str) -> str:
    """Parts of two tokens, or of one in another order."""
    parts, others = token.split("."), other.split(".")
    mixed = [chance.choice(pair) for pair in zip(parts, others, strict=False)]
    return ".".join(
        chance.choice([mixed, parts[::-1], parts[:2] + others, parts + others[-1:], others[:1] + parts[1:]])
    )


def _joined(chance: Random, token: str, other: str) -> str:
    return (
        token
        + chance.choice([" ", ",", ", ", ";", ".", "\n", "\t", "&", "", ", Bearer "])
        + chance.choice([token, other, "x"])
    )


def _dressed(chance: Random, token: str, _other: str) -> str:
    """The token in another form, or within another text."""
    parts = token.split(".")
    serialised = json.dumps(dict(zip(("protected", "payload", "signature"), parts, strict=False)))
    padded = ".".join(part + "=" * (-len(part) % 4) for part in parts)
    others = [token.upper(), token.lower(), token.swapcase(), token[::-1], quote(token, safe=""), token.encode().hex()]
    others += [f'"{token}"', f"<{token}>", f"Bearer {token}", f"token={token}", f"{token}==", f"atoll_{token}"]
    others += [
        serialised,
        padded,
        token.replace("-", "+").replace("_", "/"),
        token.replace(".", chance.choice(":,;/ ~")),
    ]
    others += [
        token.replace(".", ".."),
        token + "." * chance.randint(1, 4_000),
        "." + token,
        token + ".e30",
        token * 40,
    ]
    return chance.choice(others)


_CHANGES: Final[tuple[Callable[[Random, str, str], str], ...]] = (
    _flipped,
    _flipped,
    _replaced,
    _inserted,
    _cut,
    _swapped,
    _spliced,
    _joined,
    _dressed,
)
