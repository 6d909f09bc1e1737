"""This file is facets: by what a list of assets could be narrowed further, and how many each would leave."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from permissions import ErrorCode, OperationError
from resolvers.context import Context
from resolvers.listing.aggregate import COUNT, AggregateKey, AggregatesByParent, Facet
from resolvers.listing.connection import Connection
from resolvers.listing.listing import MAX_PAGE_SIZE, PageBounds
from resolvers.loaders import PrincipalByPk
from store.rows import PrincipalRow

DEFAULT_FACETS = 20


def facets(connection: Connection, _context: Context) -> Connection:
    """Return what the facets are of: the list."""
    return connection


async def total_count(connection: Connection, context: Context) -> int:
    """Return how many assets of the whole list the viewer may see, whatever the page."""
    found = await _summary(connection, context, COUNT, MAX_PAGE_SIZE)
    return found[0].count if found else 0


async def kinds(connection: Connection, context: Context) -> Sequence[Facet]:
    """Return how many assets of each kind the list has."""
    return await _summary(connection, context, "kinds", MAX_PAGE_SIZE)


async def tags(connection: Connection, context: Context, *, first: int | None = None) -> Sequence[Facet]:
    """Return how many assets of each of the most frequent tags the list has."""
    return await _summary(connection, context, "tags", first)


@dataclass(frozen=True, slots=True)
class OwnerFacet:
    """Who owns assets, and how many."""

    owner: PrincipalRow | None
    count: int


async def owners(connection: Connection, context: Context, *, first: int | None = None) -> Sequence[OwnerFacet]:
    """Return how many assets of each of those who own most of the list it has."""
    facets = await _summary(connection, context, "owners", first)
    rows = await context.loader(PrincipalByPk).load_many([int(facet.value) for facet in facets])
    return [OwnerFacet(row, facet.count) for row, facet in zip(rows, facets, strict=True)]


async def _summary(connection: Connection, context: Context, what: str, first: int | None) -> Sequence[Facet]:
    size = DEFAULT_FACETS if first is None else int(first)
    if not 0 <= size <= MAX_PAGE_SIZE:
        raise OperationError(ErrorCode.BAD_USER_INPUT, f"first is {size}; it must be from 0 to {MAX_PAGE_SIZE}.")
    if connection.is_empty:
        return ()
    listing = replace(connection.listing, bounds=PageBounds())
    found: Sequence[Facet] = await context.loader(AggregatesByParent, listing).load(
        AggregateKey(connection.key, what, size)
    )
    return found
