"""Slugs of topics and collections: made from names, and made unique."""

import re
from collections.abc import Container

from anyascii import anyascii

from store.text import MAX_SLUG_LENGTH

_NUMBER_LENGTH = 8  # left free for the number that makes a slug unique


def make_slug(name: str, fallback: str) -> str:
    """Return a slug of the name's letters and digits, transliterated to a-z and 0-9; `fallback` if it has none."""
    return (
        re.sub(r"[^a-z0-9]+", "-", anyascii(name).lower()).strip("-")[: MAX_SLUG_LENGTH - _NUMBER_LENGTH].strip("-")
        or fallback
    )


def unique_slug(stem: str, taken: Container[str]) -> str:
    """Return the stem as a slug; if it is taken, append the least number that makes it unique."""
    slug, number = stem, 1
    while slug in taken:
        number += 1
        slug = f"{stem}-{number}"
    return slug
