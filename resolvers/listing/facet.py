"""Facets of asset lists: the number of assets by kind, tag and owner, each ignoring its own filter."""

from collections.abc import Sequence
from dataclasses import dataclass

from permissions import ErrorCode, OperationError
from resolvers.context import Context
from resolvers.listing.aggregate import Facet, PartKind
from resolvers.listing.connection import Connection
from resolvers.listing.listing import MAX_PAGE_SIZE
from resolvers.loaders import PrincipalByPk
from store.rows import PrincipalRow

DEFAULT_FACETS = 20


def facets(connection: Connection, _context: Context) -> Connection:
    """Return the connection itself: each facet is resolved from it."""
    return connection


async def kinds(connection: Connection, _context: Context) -> Sequence[Facet]:
    """Return the number of assets of each kind in the list."""
    return await _facets(connection, PartKind.KINDS, MAX_PAGE_SIZE)


async def tags(connection: Connection, _context: Context, *, first: int | None = None) -> Sequence[Facet]:
    """Return the most frequent tags in the list, each with its number of assets."""
    return await _facets(connection, PartKind.TAGS, first)


@dataclass(frozen=True, slots=True)
class OwnerFacet:
    """Owner and the number of their assets in a list."""

    owner: PrincipalRow | None
    count: int


async def owners(connection: Connection, context: Context, *, first: int | None = None) -> Sequence[OwnerFacet]:
    """Return the owners with the most assets in the list, each with their number of assets."""
    facets = await _facets(connection, PartKind.OWNERS, first)
    rows = await context.loader(PrincipalByPk).load_many([int(facet.value) for facet in facets])
    return [OwnerFacet(row, facet.count) for row, facet in zip(rows, facets, strict=True)]


async def _facets(connection: Connection, kind: PartKind, first: int | None) -> Sequence[Facet]:
    size = DEFAULT_FACETS if first is None else int(first)
    if not 0 <= size <= MAX_PAGE_SIZE:
        raise OperationError(ErrorCode.BAD_USER_INPUT, f"first is {size}; it must be from 0 to {MAX_PAGE_SIZE}.")
    if connection.is_empty:
        return ()
    return await (await connection.loader()).facets(connection.parent_pk, kind, size)
