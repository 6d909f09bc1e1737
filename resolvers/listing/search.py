"""Search of lists: the parsed query, and the words that its fuzzy match includes."""

from rapidfuzz.distance import OSA

from permissions import ErrorCode, OperationError
from resolvers.context import Context
from resolvers.listing.listing import Listing
from resolvers.loaders import Loader
from store.search.fuzzy import candidate_ranges, fuzzy_candidates
from store.search.parse import InvalidQueryError, parse_query
from store.search.query import MIN_FUZZY_LENGTH, Search


class SimilarWordsByWord(Loader[str, tuple[str, ...]]):
    """Loader of the indexed words that differ from a word by one typing error.

    Some occur only in hidden rows. They reveal nothing, because a row matches only by words of its own.
    """

    missing = ()

    async def fetch(self, keys: list[str]) -> dict[str, tuple[str, ...]]:
        """Return similar words by word. One statement."""
        rows = await self.context.snapshot.rows(fuzzy_candidates(), candidate_ranges(keys))
        similar: dict[str, tuple[str, ...]] = {}
        for key, word in map(tuple, rows):
            if max(len(key), len(word)) >= MIN_FUZZY_LENGTH and OSA.distance(key, word, score_cutoff=1) == 1:
                similar[key] = (*similar.get(key, ()), word)
        return similar


def parse_search(query: str | None) -> Search | None:
    """Parse a search query; None for a blank one. Raises OperationError(BAD_USER_INPUT) for an invalid one."""
    try:
        return parse_query(query or "")
    except InvalidQueryError as error:
        raise OperationError(ErrorCode.BAD_USER_INPUT, str(error)) from None


async def with_similar_words(context: Context, listing: Listing) -> Listing:
    """Add the similar words to the search of a list; without a search, return the list as it is."""
    search = listing.search
    if search is None or not search.fuzzy_tokens:
        return listing
    words = search.fuzzy_tokens
    similar = await context.loader(SimilarWordsByWord).load_many(words)
    return listing.with_search(search.with_similar(dict(zip(words, similar, strict=True))))
