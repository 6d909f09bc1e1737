"""This file is searching: what was typed, and the words near those in it."""

from collections.abc import Callable, Coroutine
from typing import Any

from rapidfuzz.distance import OSA

from permissions import ErrorCode, OperationError
from resolvers.context import Context
from resolvers.listing.connection import Connection
from resolvers.loaders import Loader
from store.search.fuzzy import candidate_ranges, fuzzy_candidates
from store.search.query import MIN_FUZZY_LENGTH, InvalidQueryError, Search, parse_query


class SimilarWordsByWord(Loader[str, tuple[str, ...]]):
    """The words of anything that differ from one by a typing error: one statement."""

    missing = ()

    async def fetch(self, keys: list[str]) -> dict[str, tuple[str, ...]]:
        """Return words by the one that they are near."""
        rows = await self.context.snapshot.rows(fuzzy_candidates(), candidate_ranges(keys))
        found: dict[str, tuple[str, ...]] = {}
        for key, word in map(tuple, rows):
            if max(len(key), len(word)) >= MIN_FUZZY_LENGTH and OSA.distance(key, word, score_cutoff=1) == 1:
                found[key] = (*found.get(key, ()), word)
        return found


Searched = Connection | Coroutine[Any, Any, Connection]
"""A list, at once where nothing is looked for."""


def with_search(context: Context, query: str | None, listed: Callable[[Search | None], Connection]) -> Searched:
    """Return the list of what is looked for. Raises OperationError(BAD_USER_INPUT) for a query that is too long.

    Which words are near is asked of all that there are, seen or not: whether a row is found depends on it alone.
    """
    try:
        search = parse_query(query or "")
    except InvalidQueryError as bad:
        raise OperationError(ErrorCode.BAD_USER_INPUT, str(bad)) from None
    return listed(search) if search is None or not search.fuzzy_tokens else _near(context, search, listed)


async def _near(context: Context, search: Search, listed: Callable[[Search | None], Connection]) -> Connection:
    words = search.fuzzy_tokens
    near = await context.loader(SimilarWordsByWord).load_many(words)
    return listed(search.with_similar(dict(zip(words, near, strict=True))))
