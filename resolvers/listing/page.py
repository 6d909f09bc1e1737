"""This file is pages and counts of lists: each one statement for all the parents that ask at once."""

from collections import namedtuple
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, FromClause, Select, Table, func, literal, tuple_

from permissions import ErrorCode, OperationError, Viewer
from permissions.visible import restrict_to_access
from resolvers.context import Context
from resolvers.listing import cursor as cursors
from resolvers.listing.listing import Listing
from resolvers.listing.statement_cache import cached
from resolvers.loaders import K, Loader, V
from store import sql

KEYS_AT = 2  # in a row of a page: behind the pk and the id
RANKED_CURSOR_IDS = 3  # rows that a ranked cursor remembers: its own and those right before it


class PageItem(NamedTuple):
    """A row of a page: its keys in the order of the list, what the list says of it, and itself where it came along."""

    pk: int
    id: str
    sort_values: list[Any]
    edge_values: list[Any]
    row: Any


class Page(NamedTuple):
    """Items in the order of the list, whether more lie beyond, and the ids right before the items, the nearest first.

    `preceding` is of ranked lists alone: what a cursor falls back on when the row it marks is gone.
    """

    items: list[PageItem]
    has_more: bool
    preceding: Sequence[str] = ()


class ListingLoader(Loader[K, V]):
    """What is read of one listing, by the parent's pk."""

    def __init__(self, context: Context, listing: Listing) -> None:
        """Make the loader of one listing."""
        super().__init__(context)
        self.listing = listing

    async def rows_by_parent(
        self, keys: Sequence[int], make: Callable[..., Select[Any]], *of: Hashable, is_kept: bool = True
    ) -> dict[int, list[Any]]:
        """Return the rows of each parent, of a SELECT that is made of these for `parents`; it is kept, or made anew."""
        statement = self.cached(make, *of) if is_kept else make(*of)
        found = await self.context.snapshot.rows(statement, self.parameters(keys))
        return {row.value: row.rows for row in found}

    def cached(self, make: Callable[..., Select[Any]], *of: Hashable) -> Select[Any]:
        """Return the statement of this list that is made of these."""
        if not self.listing.is_cacheable:
            return make(*of)
        shape = (self.context.viewer, type(self).__qualname__, make.__name__, self.listing.cache_key, *of)
        return cached(shape, lambda: make(*of))

    def parameters(self, keys: Sequence[int]) -> Mapping[str, Any]:
        """Return the values of what statements of the list leave open: the parents, and what is looked for."""
        return {"parents": sql.json_text(keys), **self.listing.parameters}

    def select_rows(self, parents: FromClause) -> Select[Any]:
        """Return the SELECT of the list's rows that the viewer has the asked-for access to."""
        viewer, listing = self.context.viewer, self.listing
        rows = listing.select_rows(viewer, parents)
        return (
            rows
            if listing.required_access <= listing.row_access
            else restrict_to_access(rows, listing.table, viewer, listing.required_access)
        )


class PageByParent(ListingLoader[int, Page]):
    """A page of a list for each parent: one statement that stops at each page's end; one more for a ranked cursor."""

    missing = Page([], has_more=False)

    async def fetch(self, keys: list[int]) -> dict[int, Page]:
        """Return pages by the parent's pk."""
        listing, bounds = self.listing, self.listing.bounds
        preceding: Sequence[str] = ()
        ends: list[KeysetBound] = []
        for place, is_after in ((bounds.after, True), (bounds.before, False)):
            if place is not None:
                values, left = await self._place(place, keys)
                ends.append(KeysetBound(values, is_after, not is_after and left[0] != place[0]))
                preceding = left if is_after and listing.is_ranked else preceding
        found = await self.rows_by_parent(keys, self._statement, *ends, is_kept=not ends)
        return {parent: build_page(each, listing, preceding) for parent, each in found.items()}

    def _statement(self, *ends: "KeysetBound") -> Select[Any]:
        listing, viewer, parents = self.listing, self.context.viewer, sql.int_table("parents")
        keys, rows = listing.sort_keys(viewer), self.select_rows(parents)
        for end in ends:
            rows = rows.where(
                _keyset_condition(keys, end.values, up=end.is_after != listing.descending, including=end.including)
            )
        columns = _columns(listing, viewer, parents)
        return sql.per_parent(
            parents, _ordered(rows.correlate(parents), keys, columns, listing).limit(fetch_limit(listing))
        )

    async def _place(self, place: tuple[Any, ...], keys: list[int]) -> tuple[Sequence[Any], Sequence[Any]]:
        """Return the keys of a cursor's row, or of the nearest before it that is left, and what is left."""
        if not self.listing.is_ranked:
            return place, place
        found = await self.rows_by_parent(keys, self._placed, *place, is_kept=False)
        ranks = {id_: rank for each in found.values() for id_, *rank in each}
        left = [anchor for anchor in place if anchor in ranks]
        if not left:
            raise OperationError(ErrorCode.BAD_CURSOR, cursors.GONE)
        return ranks[left[0]], left

    def _placed(self, *ids: str) -> Select[Any]:
        parents, item = sql.int_table("parents"), self.listing.table
        columns = _named((item.c.id, *self.listing.sort_keys(self.context.viewer)))
        rows = self.select_rows(parents).where(item.c.id.in_(sql.text_list(ids)))
        return sql.per_parent(parents, rows.with_only_columns(*columns, maintain_column_froms=True))


class KeysetBound(NamedTuple):
    """Where a page begins or has to end: the keys of a row that a cursor marks, which may itself be on the page."""

    values: Sequence[Any]
    is_after: bool
    including: bool


class CountByParent(ListingLoader[int, int]):
    """How many rows of a list the viewer may see, for each parent: one statement."""

    missing = 0

    async def fetch(self, keys: list[int]) -> dict[int, int]:
        """Return counts by the parent's pk."""
        return {parent: rows[0][0] for parent, rows in (await self.rows_by_parent(keys, self._statement)).items()}

    def _statement(self) -> Select[Any]:
        parents = sql.int_table("parents")
        counted = self.select_rows(parents).with_only_columns(func.count().label("count"), maintain_column_froms=True)
        return sql.per_parent(parents, counted)


def _ordered(
    rows: Select[Any], keys: Sequence[ColumnElement[Any]], columns: Sequence[ColumnElement[Any]], listing: Listing
) -> Select[Any]:
    """Return the SELECT of the columns, among which are the keys unless they are ranks, in the list's order."""
    if listing.collects_first:
        hidden = [key.label(f"key{index}") for index, key in enumerate(keys)] if listing.is_ranked else []
        # Neither database looks through an OFFSET: none walks an index of the order to come upon a few rows.
        found = rows.with_only_columns(*columns, *hidden, maintain_column_froms=True).offset(0).subquery()
        first = len(columns) if hidden else KEYS_AT
        keys, columns = list(found.c)[first : first + len(keys)], list(found.c)[: len(columns)]
        rows = found.select()
    ordered = rows.order_by(*(key.desc() if listing.scans_descending else key.asc() for key in keys))
    return ordered.with_only_columns(*columns, maintain_column_froms=True)


def _columns(listing: Listing, viewer: Viewer, parents: FromClause) -> Sequence[ColumnElement[Any]]:
    keys = () if listing.is_ranked else tuple(listing.sort_keys(viewer))
    row = tuple(listing.table.c) if listing.inlines_rows else ()
    return _named((listing.table.c.pk, listing.table.c.id, *keys, *listing.select_edge_columns(viewer, parents), *row))


def _named(columns: Sequence[ColumnElement[Any]]) -> list[ColumnElement[Any]]:
    return [column.label(f"c{index}") for index, column in enumerate(columns)]


def _keyset_condition(
    keys: Sequence[ColumnElement[Any]], values: Sequence[Any], *, up: bool, including: bool
) -> ColumnElement[bool]:
    here = tuple_(*keys)
    there = tuple_(*(literal(value, key.type) for key, value in zip(keys, values, strict=True)))
    if including:
        return here >= there if up else here <= there
    return here > there if up else here < there


def fetch_limit(listing: Listing) -> int:
    """Return one row more than the page has, which tells whether there are more; or all that its cursors remember."""
    bounds = listing.bounds
    return bounds.size + (RANKED_CURSOR_IDS - 1 if listing.is_ranked and bounds.is_backward else 1)


def build_page(rows: list[list[Any]], listing: Listing, preceding: Sequence[str]) -> Page:
    """Return the page of rows `[pk, id, *keys, *extras, *row]`, as many as `limit_of` says if there are."""
    bounds, row_of = listing.bounds, _row_type(listing.table) if listing.inlines_rows else None
    width = len(listing.table.c) if row_of else 0
    items = []
    for pk, id_, *rest in rows[: bounds.size]:
        extras_at = len(rest) - width - len(listing.edge_columns)
        row = row_of(*rest[len(rest) - width :]) if row_of else None
        items.append(PageItem(pk, id_, rest[:extras_at], rest[extras_at : len(rest) - width], row))
    if bounds.is_backward:
        preceding = (*(id_ for _, id_, *_ in rows[bounds.size :]), *preceding)
    return Page(items[::-1] if bounds.is_backward else items, len(rows) > bounds.size, preceding)


@cache
def _row_type(table: Table) -> Any:
    return namedtuple(table.name, table.c.keys())  # noqa: PYI024 - its fields are the table's
