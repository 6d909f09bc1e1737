"""This file is pages and counts of lists: each one statement for all the parents that ask at once."""

from collections import namedtuple
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cache
from typing import Any, ClassVar, NamedTuple

from sqlalchemy import ColumnElement, FromClause, Select, Table, func, literal, tuple_

from permissions import ErrorCode, OperationError, Viewer
from permissions.visible import restrict_to_access
from resolvers.context import Context
from resolvers.listing import cursor as cursors
from resolvers.listing.listing import Listing
from resolvers.listing.statement_cache import kept
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

    async def each(
        self, keys: Sequence[int], make: Callable[..., Select[Any]], *of: Hashable, is_kept: bool = True
    ) -> dict[int, list[Any]]:
        """Return the rows of each parent, of a SELECT that is made of these for `parents`; it is kept, or made anew."""
        statement = self.kept(make, *of) if is_kept else make(*of)
        found = await self.context.snapshot.rows(statement, self.parameters(keys))
        return {row.value: row.rows for row in found}

    def kept(self, make: Callable[..., Select[Any]], *of: Hashable) -> Select[Any]:
        """Return the statement of this list that is made of these."""
        if not self.listing.is_kept:
            return make(*of)
        shape = (self.context.viewer, type(self).__qualname__, make.__name__, self.listing.shape, *of)
        return kept(shape, lambda: make(*of))

    def parameters(self, keys: Sequence[int]) -> Mapping[str, Any]:
        """Return the values of what statements of the list leave open: the parents, and what is looked for."""
        return {"parents": sql.json_text(keys), **self.listing.parameters}

    def rows(self, parents: FromClause) -> Select[Any]:
        """Return the SELECT of the list's rows that the viewer has the asked-for access to."""
        viewer, listing = self.context.viewer, self.listing
        rows = listing.rows(viewer, parents)
        return (
            rows if listing.least <= listing.granted else restrict_to_access(rows, listing.item, viewer, listing.least)
        )


class PageByParent(OfListing):
    """A page of a list for each parent: one statement that stops at each page's end; one more for a ranked cursor."""

    missing: ClassVar[Page] = Page([], has_more=False)

    async def fetch(self, keys: list[int]) -> dict[int, Page]:
        """Return pages by the parent's pk."""
        listing, bounds = self.listing, self.listing.bounds
        preceding: Sequence[str] = ()
        ends: list[End] = []
        for place, is_after in ((bounds.after, True), (bounds.before, False)):
            if place is not None:
                values, left = await self._place(place, keys)
                ends.append(End(values, is_after, not is_after and left[0] != place[0]))
                preceding = left if is_after and listing.is_ranked else preceding
        found = await self.each(keys, self._statement, *ends, is_kept=not ends)
        return {parent: page_of(each, listing, preceding) for parent, each in found.items()}

    def _statement(self, *ends: "End") -> Select[Any]:
        listing, viewer, parents = self.listing, self.context.viewer, sql.int_table("parents")
        keys, rows = listing.keys(viewer), self.rows(parents)
        for end in ends:
            rows = rows.where(_beyond(keys, end.values, up=end.is_after != listing.descending, including=end.including))
        columns = _columns(listing, viewer, parents)
        return sql.per_parent(
            parents, _ordered(rows.correlate(parents), keys, columns, listing).limit(limit_of(listing))
        )

    async def _place(self, place: tuple[Any, ...], keys: list[int]) -> tuple[Sequence[Any], Sequence[Any]]:
        """Return the keys of a cursor's row, or of the nearest before it that is left, and what is left."""
        if not self.listing.is_ranked:
            return place, place
        found = await self.each(keys, self._placed, *place, is_kept=False)
        ranks = {id_: rank for each in found.values() for id_, *rank in each}
        left = [anchor for anchor in place if anchor in ranks]
        if not left:
            raise OperationError(ErrorCode.BAD_CURSOR, cursors.GONE)
        return ranks[left[0]], left

    def _placed(self, *ids: str) -> Select[Any]:
        parents, item = sql.int_table("parents"), self.listing.item
        columns = _named((item.c.id, *self.listing.keys(self.context.viewer)))
        rows = self.rows(parents).where(item.c.id.in_(sql.text_list(ids)))
        return sql.per_parent(parents, rows.with_only_columns(*columns, maintain_column_froms=True))


class End(NamedTuple):
    """Where a page begins or has to end: the keys of a row that a cursor marks, which may itself be on the page."""

    values: Sequence[Any]
    is_after: bool
    including: bool


class CountByParent(OfListing):
    """How many rows of a list the viewer may see, for each parent: one statement."""

    missing: ClassVar[int] = 0

    async def fetch(self, keys: list[int]) -> dict[int, int]:
        """Return counts by the parent's pk."""
        return {parent: rows[0][0] for parent, rows in (await self.each(keys, self._statement)).items()}

    def _statement(self) -> Select[Any]:
        parents = sql.int_table("parents")
        counted = self.rows(parents).with_only_columns(func.count().label("count"), maintain_column_froms=True)
        return sql.per_parent(parents, counted)


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
    ordered = rows.order_by(*(key.desc() if listing.is_falling else key.asc() for key in keys))
    return ordered.with_only_columns(*columns, maintain_column_froms=True)


def _columns(listing: Listing, viewer: Viewer, parents: FromClause) -> Sequence[ColumnElement[Any]]:
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


def limit_of(listing: Listing) -> int:
    """Return one row more than the page has, which tells whether there are more; or all that its cursors remember."""
    bounds = listing.bounds
    return bounds.count + (ANCHORS - 1 if listing.is_ranked and bounds.backward else 1)


def page_of(rows: list[list[Any]], listing: Listing, preceding: Sequence[str]) -> Page:
    """Return the page of rows `[pk, id, *keys, *extras, *row]`, as many as `limit_of` says if there are."""
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
