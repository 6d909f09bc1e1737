"""Sort keys of names, compared character by character in both databases: natural order, without accents and case."""

import re
import unicodedata

from store.search.folding import fold_case, strip_accents

MAX_SORT_KEY_LENGTH = 400  # characters; an index entry of PostgreSQL has at most 2,704 bytes
_MANY_DIGITS = 9

_NUMBER = re.compile(r"\d+")


def name_sort_key(name: str) -> str:
    """Return the sort key of a name, by which "Sample 2" precedes "Sample 10" and "Élan" precedes "Zebra".

    A number sorts by its number of digits first. Names that differ in case, accents, leading zeros or the amount of
    white space only have the same key.
    """
    text = " ".join(fold_case(strip_accents(name)).split())
    return _NUMBER.sub(_number_key, text)[:MAX_SORT_KEY_LENGTH]


def _number_key(number: re.Match[str]) -> str:
    digits = "".join(str(unicodedata.decimal(digit)) for digit in number[0]).lstrip("0") or "0"
    length = len(digits)
    # The length is a digit, so that numbers keep their place among other characters; after 9 follow three more.
    return f"{length}{digits}" if length < _MANY_DIGITS else f"{_MANY_DIGITS}{length:03}{digits}"
