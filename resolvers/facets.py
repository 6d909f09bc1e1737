"""This file is facets: how many assets of a list there are of each kind, tag and owner, as far as the viewer sees."""

from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

from sqlalchemy import Row, Select, func

from permissions import Reason, Refused
from resolvers.connection import Connection
from resolvers.context import Context
from resolvers.listing import LARGEST_PAGE, Bounds, Listing
from resolvers.loaders import PrincipalByPk
from resolvers.pages import OfListing
from store import sql

DEFAULT_FACETS = 20


class Facet(NamedTuple):
    """A value and how many assets have it."""

    value: Any
    number: int


class _FacetByParent(OfListing):
    """The most frequent values of a list's assets for each parent, and how many have each: one statement."""

    missing: ClassVar[list[Facet]] = []
    narrowing: ClassVar[str]  # the filter that the facet does without

    def __init__(self, context: Context, listing: Listing, first: int) -> None:
        """Make the loader of one listing, within its other filters."""
        narrowed = listing.filter and replace(listing.filter, **{self.narrowing: None})
        super().__init__(context, replace(listing, filter=narrowed, bounds=Bounds()))
        self.first = first

    async def fetch(self, keys: list[int]) -> dict[int, list[Facet]]:
        """Return facets by the parent's pk, the most frequent first, then by value."""
        parents = sql.numbers("parents")
        counted = self.counted(self.rows(parents)).limit(self.first)
        return {
            parent: [Facet._make(row[:2]) for row in rows]
            for parent, rows in (await self.each(parents, counted, keys)).items()
        }

    def counted(self, rows: Select[Any]) -> Select[Any]:
        """Return the SELECT of `(value, count, …)` in order."""
        raise NotImplementedError

    def grouped(self, rows: Select[Any], value: Any, *order: Any) -> Select[Any]:
        """Return the SELECT of values by how many rows have each, then by what else is given."""
        count = func.count().label("count")
        told = [column.label(f"c{index}") for index, column in enumerate(order)]
        counted = rows.with_only_columns(value.label("value"), count, *told, maintain_column_froms=True)
        return counted.group_by(value, *order).order_by(count.desc(), *(order or (value,)))


class KindsByParent(_FacetByParent):
    """The kinds."""

    narrowing = "kinds"

    def counted(self, rows: Select[Any]) -> Select[Any]:
        """Return kinds."""
        return self.grouped(rows, self.listing.item.c.kind)


class TagsByParent(_FacetByParent):
    """The tags."""

    narrowing = "tags"

    def counted(self, rows: Select[Any]) -> Select[Any]:
        """Return tags."""
        tag = sql.asset_tag.alias()
        return self.grouped(rows.join(tag, tag.c.asset_pk == self.listing.item.c.pk), tag.c.tag)


class OwnersByParent(_FacetByParent):
    """The owners, by pk."""

    narrowing = "owner_ids"

    def counted(self, rows: Select[Any]) -> Select[Any]:
        """Return owners; those of as many assets by name."""
        item, owner = self.listing.item, sql.principal.alias()
        return self.grouped(rows.join(owner, owner.c.pk == item.c.owner_pk), owner.c.pk, owner.c.name, owner.c.id)


def facets(connection: Connection, _context: Context) -> Connection:
    """Return what the facets are of: the list."""
    return connection


async def kinds(connection: Connection, context: Context) -> list[Facet]:
    """Return how many assets of each kind the list has."""
    return await _facets(connection, context, KindsByParent, LARGEST_PAGE)


async def tags(connection: Connection, context: Context, *, first: int | None = None) -> list[Facet]:
    """Return how many assets of each of the most frequent tags the list has."""
    return await _facets(connection, context, TagsByParent, first)


async def owners(connection: Connection, context: Context, *, first: int | None = None) -> list[Facet]:
    """Return how many assets of each of those who own most of the list it has."""
    return await _facets(connection, context, OwnersByParent, first)


def value(facet: Facet, _context: Context) -> str:
    """Return the kind or tag."""
    return str(facet.value)


def count(facet: Facet, _context: Context) -> int:
    """Return how many assets have the value."""
    return facet.number


async def owner(facet: Facet, context: Context) -> Row[Any]:
    """Return who owns the assets."""
    return await context.loader(PrincipalByPk).load(facet.value)  # type: ignore[no-any-return]  # a loader's rows


async def _facets(
    connection: Connection, context: Context, kind: type[_FacetByParent], first: int | None
) -> list[Facet]:
    size = DEFAULT_FACETS if first is None else int(first)
    if not 0 <= size <= LARGEST_PAGE:
        raise Refused(Reason.BAD_USER_INPUT, f"first is {size}; it must be from 0 to {LARGEST_PAGE}.")
    if connection.is_empty:
        return []
    listing = replace(connection.listing, bounds=Bounds())
    return await context.loader(kind, listing, size).load(connection.key)  # type: ignore[no-any-return]  # a loader's rows
