"""Corrupted tokens: valid ones cut, altered, spliced and re-encoded."""

import json
from collections.abc import Callable
from random import Random
from typing import Final
from urllib.parse import quote

CORRUPT_CHARACTERS: Final = 'AQgwBZaz019-_.=+/~ ,;:"\\\t\n\0\x7f\x85\xa0\xff'
"""Characters that a header carries as one byte each."""


def corrupt(random: Random, token: str, other: str) -> str:
    """Return a corrupted token, possibly with parts of the other one. Its characters are one byte each."""
    while True:
        text = random.choice(_CORRUPTIONS)(random, token, other)
        if text != token:
            return text


def _flip_bit(random: Random, token: str, _other: str) -> str:
    """Flip one bit of one character."""
    at = random.randrange(len(token))
    return token[:at] + chr(ord(token[at]) ^ 1 << random.randrange(8)) + token[at + 1 :]


def _replace(random: Random, token: str, _other: str) -> str:
    at = random.randrange(len(token))
    return token[:at] + random.choice(CORRUPT_CHARACTERS) + token[at + 1 :]


def _insert(random: Random, token: str, _other: str) -> str:
    at = random.randint(0, len(token))
    return token[:at] + random.choice(CORRUPT_CHARACTERS) + token[at:]


def _cut_out(random: Random, token: str, _other: str) -> str:
    start, end = sorted(random.randint(0, len(token)) for _ in range(2))
    return random.choice([token[:start], token[end:], token[start:end], token[:start] + token[end:]])


def _swap(random: Random, token: str, _other: str) -> str:
    at = random.randrange(len(token) - 1)
    return token[:at] + token[at + 1] + token[at] + token[at + 2 :]


def _splice(random: Random, token: str, other: str) -> str:
    """Combine parts of two tokens, or reorder the parts of one."""
    parts, others = token.split("."), other.split(".")
    mixed = [random.choice(pair) for pair in zip(parts, others, strict=False)]
    return ".".join(
        random.choice([mixed, parts[::-1], parts[:2] + others, parts + others[-1:], others[:1] + parts[1:]])
    )


def _join(random: Random, token: str, other: str) -> str:
    return (
        token
        + random.choice([" ", ",", ", ", ";", ".", "\n", "\t", "&", "", ", Bearer "])
        + random.choice([token, other, "x"])
    )


def _reencode(random: Random, token: str, _other: str) -> str:
    """Return the token in another encoding or inside another string."""
    parts = token.split(".")
    serialised = json.dumps(dict(zip(("protected", "payload", "signature"), parts, strict=False)))
    padded = ".".join(part + "=" * (-len(part) % 4) for part in parts)
    others = [token.upper(), token.lower(), token.swapcase(), token[::-1], quote(token, safe=""), token.encode().hex()]
    others += [f'"{token}"', f"<{token}>", f"Bearer {token}", f"token={token}", f"{token}==", f"atoll_{token}"]
    others += [
        serialised,
        padded,
        token.replace("-", "+").replace("_", "/"),
        token.replace(".", random.choice(":,;/ ~")),
    ]
    others += [
        token.replace(".", ".."),
        token + "." * random.randint(1, 4_000),
        "." + token,
        token + ".e30",
        token * 40,
    ]
    return random.choice(others)


_CORRUPTIONS: Final[tuple[Callable[[Random, str, str], str], ...]] = (
    _flip_bit,
    _flip_bit,
    _replace,
    _insert,
    _cut_out,
    _swap,
    _splice,
    _join,
    _reencode,
)
