"""This file is the words that may be near another: those that share its beginning or its end."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from sqlalchemy import CompoundSelect, func, select, union_all

from store import sql

Range = tuple[str, str, str]
"""A word, and the first text and the first one behind of those that are looked at for it."""


@cache
def fuzzy_candidates() -> CompoundSelect[Any]:
    """Return a SELECT of `(asked, word)`: all that can differ from a word by one typing error, and others.

    One error leaves a half of a word as it is, or two neighbours have changed places. `ranges` are its parameters.
    """
    word = sql.search_word.c
    return union_all(_within(word.word, "forward"), _within(word.backward, "backward"))


def candidate_ranges(words: Sequence[str]) -> dict[str, str]:
    """Return where words near these lie, from either end."""
    forward = [each for asked in words for each in _ranges(asked)]
    backward = [(asked, *_beginning(asked[len(asked) // 2 :][::-1])) for asked in words]
    return {"forward": sql.json_text(forward), "backward": sql.json_text(backward)}


def _within(column: Any, parameter: str) -> Any:
    asked, first, behind = sql.json_columns(parameter, "text", "text", "text")
    alike = func.length(column).between(func.length(asked) - 1, func.length(asked) + 1)
    return select(asked, sql.search_word.c.word).where(column >= first, column < behind, alike)


def _ranges(word: str) -> Iterator[Range]:
    yield (word, *_beginning(word[: len(word) // 2]))
    for place in range(len(word) - 1):
        swapped = word[:place] + word[place + 1] + word[place] + word[place + 2 :]
        yield word, swapped, f"{swapped}\x01"  # which no word holds


def _beginning(text: str) -> tuple[str, str]:
    return text, text[:-1] + chr(ord(text[-1]) + 1)
