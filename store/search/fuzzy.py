"""Candidates for fuzzy matching: words that share the first or second half of a term."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from sqlalchemy import CompoundSelect, func, select, union_all

from store import sql

WordRange = tuple[str, str, str]
"""A term, and the start and (exclusive) end of a range of words that contains candidates for it."""


@cache
def fuzzy_candidates() -> CompoundSelect[Any]:
    """Return a SELECT of `(term, word)`: all words within one typing error of a term, and some that are not.

    An error in one half of a word leaves the other half unchanged; swapped letters in the middle have ranges of their
    own. `candidate_ranges` returns the parameters.
    """
    word = sql.search_word.c
    return union_all(_words_within(word.word, "forward"), _words_within(word.backward, "backward"))


def candidate_ranges(terms: Sequence[str]) -> dict[str, str]:
    """Return the parameters of `fuzzy_candidates`: ranges of words spelt forward, and of words spelt backward."""
    forward = [word_range for term in terms for word_range in _forward_ranges(term)]
    backward = [(term, *_prefix_range(term[len(term) // 2 :][::-1])) for term in terms]
    return {"forward": sql.json_text(forward), "backward": sql.json_text(backward)}


def _words_within(column: Any, parameter: str) -> Any:
    term, start, end = sql.json_columns(parameter, "text", "text", "text")
    has_similar_length = func.length(column).between(func.length(term) - 1, func.length(term) + 1)
    return select(term, sql.search_word.c.word).where(column >= start, column < end, has_similar_length)


def _forward_ranges(term: str) -> Iterator[WordRange]:
    yield (term, *_prefix_range(term[: len(term) // 2]))
    for index in range(len(term) - 1):
        swapped = term[:index] + term[index + 1] + term[index] + term[index + 2 :]
        yield term, swapped, f"{swapped}\x01"  # no word contains this character


def _prefix_range(prefix: str) -> tuple[str, str]:
    return prefix, prefix[:-1] + chr(ord(prefix[-1]) + 1)
