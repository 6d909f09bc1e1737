"""This file is pages and counts of lists: each one statement for all the parents that ask at once."""

from collections import namedtuple
from collections.abc import Sequence
from functools import cache
from typing import Any, ClassVar, NamedTuple

from sqlalchemy import ColumnElement, Select, Table, TableValuedAlias, func, literal, tuple_

from permissions import Reason, Refused, Viewer
from permissions.visible import at_least
from resolvers import cursor as cursors
from resolvers.context import Context
from resolvers.listing import Listing
from resolvers.loaders import Loader
from store import sql

KEYS_AT = 2  # in a row of a page: behind the pk and the id
ANCHORS = 3  # rows that a ranked cursor remembers: its own and those right before it


class Item(NamedTuple):
    """A row of a page: its keys in the order of the list, what the list says of it, and itself where it came along."""

    pk: int
    id: str
    keys: list[Any]
    extras: list[Any]
    row: Any


class Page(NamedTuple):
    """Items in the order of the list, whether more lie beyond, and the ids right before the items, the nearest first.

    `preceding` is of ranked lists alone: what a cursor falls back on when the row it marks is gone.
    """

    items: list[Item]
    has_more: bool
    preceding: Sequence[str] = ()


class OfListing(Loader):
    """What is read of one listing, by the parent's pk."""

    def __init__(self, context: Context, listing: Listing) -> None:
        """Make the loader of one listing."""
        super().__init__(context)
        self.listing = listing

    async def each(self, parents: TableValuedAlias, rows: Select[Any], keys: list[int]) -> dict[int, list[Any]]:
        """Return the rows of each parent."""
        found = await self.context.snapshot.rows(sql.for_each(parents, rows), {"parents": sql.json_numbers(keys)})
        return {row.value: row.rows for row in found}

    def rows(self, parents: TableValuedAlias) -> Select[Any]:
        """Return the SELECT of the list's rows that the viewer has the asked-for access to."""
        viewer, listing = self.context.viewer, self.listing
        return at_least(listing.rows(viewer, parents), listing.item, viewer, listing.least)


class PageByParent(OfListing):
    """A page of a list for each parent: one statement that stops at each page's end; one more for a ranked cursor."""

    missing: ClassVar[Page] = Page([], has_more=False)

    async def fetch(self, keys: list[int]) -> dict[int, Page]:
        """Return pages by the parent's pk."""
        listing, viewer, bounds = self.listing, self.context.viewer, self.listing.bounds
        parents = sql.numbers("parents")
        order = listing.keys(viewer)
        rows = self.rows(parents)
        preceding: Sequence[str] = ()
        for place, is_after in ((bounds.after, True), (bounds.before, False)):
            if place is not None:
                values, left = await self._place(place, keys)
                including = not is_after and left[0] != place[0]
                rows = rows.where(_beyond(order, values, up=is_after != listing.descending, including=including))
                preceding = left if is_after and listing.is_ranked else preceding
        columns = _columns(listing, viewer, parents)
        rows = _ordered(rows.correlate(parents), order, columns, listing).limit(_limit(listing))
        found = await self.each(parents, rows, keys)
        return {parent: _page(each, listing, preceding) for parent, each in found.items()}

    async def _place(self, place: tuple[Any, ...], keys: list[int]) -> tuple[Sequence[Any], Sequence[Any]]:
        """Return the keys of a cursor's row, or of the nearest before it that is left, and what is left."""
        if not self.listing.is_ranked:
            return place, place
        parents = sql.numbers("parents")
        rows = self.rows(parents).where(self.listing.item.c.id.in_(sql.texts(place)))
        columns = _named((self.listing.item.c.id, *self.listing.keys(self.context.viewer)))
        found = await self.each(parents, rows.with_only_columns(*columns, maintain_column_froms=True), keys)
        ranks = {id_: rank for each in found.values() for id_, *rank in each}
        left = [anchor for anchor in place if anchor in ranks]
        if not left:
            raise Refused(Reason.BAD_CURSOR, cursors.GONE)
        return ranks[left[0]], left


class CountByParent(OfListing):
    """How many rows of a list the viewer may see, for each parent: one statement."""

    missing: ClassVar[int] = 0

    async def fetch(self, keys: list[int]) -> dict[int, int]:
        """Return counts by the parent's pk."""
        parents = sql.numbers("parents")
        counted = self.rows(parents).with_only_columns(func.count().label("count"), maintain_column_froms=True)
        return {parent: rows[0][0] for parent, rows in (await self.each(parents, counted, keys)).items()}


def _ordered(
    rows: Select[Any], keys: Sequence[ColumnElement[Any]], columns: Sequence[ColumnElement[Any]], listing: Listing
) -> Select[Any]:
    """Return the SELECT of the columns, among which are the keys unless they are ranks, in the list's order."""
    if listing.is_gathered:
        hidden = [key.label(f"key{index}") for index, key in enumerate(keys)] if listing.is_ranked else []
        # Neither database looks through an OFFSET: none walks an index of the order to come upon a few rows.
        found = rows.with_only_columns(*columns, *hidden, maintain_column_froms=True).offset(0).subquery()
        first = len(columns) if hidden else KEYS_AT
        keys, columns = list(found.c)[first : first + len(keys)], list(found.c)[: len(columns)]
        rows = found.select()
    falling = listing.descending != listing.bounds.backward
    ordered = rows.order_by(*(key.desc() if falling else key.asc() for key in keys))
    return ordered.with_only_columns(*columns, maintain_column_froms=True)


def _columns(listing: Listing, viewer: Viewer, parents: TableValuedAlias) -> Sequence[ColumnElement[Any]]:
    keys = () if listing.is_ranked else tuple(listing.keys(viewer))
    row = tuple(listing.item.c) if listing.carries_rows else ()
    return _named((listing.item.c.pk, listing.item.c.id, *keys, *listing.extra_columns(viewer, parents), *row))


def _named(columns: Sequence[ColumnElement[Any]]) -> list[ColumnElement[Any]]:
    return [column.label(f"c{index}") for index, column in enumerate(columns)]


def _beyond(
    keys: Sequence[ColumnElement[Any]], values: Sequence[Any], *, up: bool, including: bool
) -> ColumnElement[bool]:
    here = tuple_(*keys)
    there = tuple_(*(literal(value, key.type) for key, value in zip(keys, values, strict=True)))
    if including:
        return here >= there if up else here <= there
    return here > there if up else here < there


def _limit(listing: Listing) -> int:
    """Return one row more than the page has, which tells whether there are more; or all that its cursors remember."""
    bounds = listing.bounds
    return bounds.count + (ANCHORS - 1 if listing.is_ranked and bounds.backward else 1)


def _page(rows: list[list[Any]], listing: Listing, preceding: Sequence[str]) -> Page:
    bounds, row_of = listing.bounds, _row_type(listing.item) if listing.carries_rows else None
    width = len(listing.item.c) if row_of else 0
    items = []
    for pk, id_, *rest in rows[: bounds.count]:
        extras_at = len(rest) - width - len(listing.extras)
        row = row_of(*rest[len(rest) - width :]) if row_of else None
        items.append(Item(pk, id_, rest[:extras_at], rest[extras_at : len(rest) - width], row))
    if bounds.backward:
        preceding = (*(id_ for _, id_, *_ in rows[bounds.count :]), *preceding)
    return Page(items[::-1] if bounds.backward else items, len(rows) > bounds.count, preceding)


@cache
def _row_type(table: Table) -> Any:
    return namedtuple(table.name, table.c.keys())  # noqa: PYI024 - its fields are the table's
