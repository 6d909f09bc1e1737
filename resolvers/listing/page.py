"""Pages of lists by keyset pagination; one SELECT for any number of parents, which stops at the end of each page."""

from collections import namedtuple
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, FromClause, Table, bindparam, tuple_

from permissions import ErrorCode, OperationError, Viewer
from resolvers.listing import cursor
from resolvers.listing.listing import DEFAULT_PAGE_SIZE, Listing, accessible_rows
from store import sql
from store.sql import Expressions, Selection

KEYS_AT = 2  # index of the first sort key in a fetched row, after the pk and the id
RANKED_CURSOR_IDS = 3  # ids in a cursor of a ranked list: those of its row and of the rows right before it

Values = tuple[Any, ...]
"""Values in a cursor: sort keys or, in a ranked list, ids."""


@dataclass(frozen=True)
class PageBounds:
    """Size and direction of a page, and the values of the cursors that it lies between."""

    size: int = DEFAULT_PAGE_SIZE
    is_backward: bool = False
    after: Values | None = None
    before: Values | None = None

    @property
    def is_open(self) -> bool:
        """Whether the page has no cursor, and so begins at an end of the list."""
        return self.after is None and self.before is None


class PageItem(NamedTuple):
    """Row of a page: the values of its sort keys and of its edge columns, and the row itself if the list inlines it."""

    pk: int
    id: str
    sort_values: list[Any]
    edge_values: list[Any]
    row: Any


class Page(NamedTuple):
    """Items in the order of the list, and whether more items follow in the direction of reading.

    `preceding` is for ranked lists only: ids of the rows right before the items, nearest first. A cursor falls back on
    them when its own row has left the list.
    """

    items: list[PageItem]
    has_more: bool
    preceding: Sequence[str] = ()


EMPTY_PAGE = Page([], has_more=False)


class KeysetShape(NamedTuple):
    """Side of a page that is bounded by a row, which is itself on the page if `is_inclusive`."""

    is_after: bool
    is_inclusive: bool

    def parameter(self, index: int) -> str:
        """Return the name of the parameter for the row's sort key with that index."""
        return f"{'after' if self.is_after else 'before'}{index}"


class KeysetBound(NamedTuple):
    """Bound of a page: the sort keys of a row."""

    values: Sequence[Any]
    shape: KeysetShape

    @property
    def parameters(self) -> dict[str, Any]:
        """Values of the parameters."""
        return {self.shape.parameter(index): value for index, value in enumerate(self.values)}


def resolve_bounds(
    listing: Listing, bounds: PageBounds, rank_by_id: Mapping[str, Sequence[Any]]
) -> tuple[list[KeysetBound], Sequence[str]]:
    """Return the keyset bounds of a page, and the ids of its `after` cursor that are still in a ranked list.

    A ranked cursor contains ids; `rank_by_id` has the sort keys of those that are still in the list. Raises
    OperationError(BAD_CURSOR) if no id of a cursor is still in the list.
    """
    keyset: list[KeysetBound] = []
    preceding: Sequence[str] = ()
    for values, is_after in ((bounds.after, True), (bounds.before, False)):
        if values is None:
            continue
        if not listing.is_ranked:
            keyset.append(KeysetBound(values, KeysetShape(is_after, is_inclusive=False)))
            continue
        ids = [id_ for id_ in values if id_ in rank_by_id]
        if not ids:
            raise OperationError(ErrorCode.BAD_CURSOR, cursor.GONE)
        # If the row of `before` has left the list, the page ends with the nearest row before it.
        shape = KeysetShape(is_after, is_inclusive=not is_after and ids[0] != values[0])
        keyset.append(KeysetBound(rank_by_id[ids[0]], shape))
        preceding = ids if is_after else preceding
    return keyset, preceding


def select_page(listing: Listing, viewer: Viewer, bounds: PageBounds, keyset: Sequence[KeysetShape]) -> Selection:
    """Return the SELECT of a page for each parent: rows `[pk, id, *sort keys, *edge columns, *row]`.

    The sort keys of the rows that bound the page are parameters.
    """
    parents, keys = sql.int_table("parents"), listing.sort_keys(viewer)
    rows = accessible_rows(listing, viewer, parents)
    for shape in keyset:
        rows = rows.where(_keyset_condition(keys, shape, is_ascending=shape.is_after != listing.descending))
    columns = _page_columns(listing, viewer, parents)
    page = _ordered(rows.correlate(parents), keys, columns, listing, descending=descends(listing, bounds))
    return sql.per_parent(parents, page.limit(fetch_limit(listing, bounds)))


def select_ranks(listing: Listing, viewer: Viewer) -> Selection:
    """Return the SELECT of `[id, *sort keys]` for each parent: those of the parameter `ids` that are in its list."""
    parents, table = sql.int_table("parents"), listing.table
    columns = _labelled((table.c.id, *listing.sort_keys(viewer)))
    rows = accessible_rows(listing, viewer, parents).where(table.c.id.in_(sql.text_table("ids").select()))
    return sql.per_parent(parents, rows.with_only_columns(*columns, maintain_column_froms=True))


def descends(listing: Listing, bounds: PageBounds) -> bool:
    """Return whether the page is read in descending order of the sort keys."""
    return listing.descending != bounds.is_backward


def fetch_limit(listing: Listing, bounds: PageBounds) -> int:
    """Return the number of rows to fetch: those of the page, and one more to see whether others follow.

    A backward page of a ranked list also needs all rows before it whose ids its cursors contain.
    """
    return bounds.size + (RANKED_CURSOR_IDS - 1 if listing.is_ranked and bounds.is_backward else 1)


def build_page(rows: list[list[Any]], listing: Listing, bounds: PageBounds, preceding: Sequence[str] = ()) -> Page:
    """Build a page of fetched rows `[pk, id, *sort keys, *edge columns, *row]`."""
    row_type = _row_type(listing.table) if listing.inlines_rows else None
    width = len(listing.table.c) if row_type else 0
    items = []
    for pk, id_, *rest in rows[: bounds.size]:
        row_at = len(rest) - width
        edge_at = row_at - len(listing.edge_columns)
        row = row_type(*rest[row_at:]) if row_type else None
        items.append(PageItem(pk, id_, rest[:edge_at], rest[edge_at:row_at], row))
    if bounds.is_backward:
        preceding = (*(id_ for _, id_, *_ in rows[bounds.size :]), *preceding)
    return Page(items[::-1] if bounds.is_backward else items, len(rows) > bounds.size, preceding)


def _ordered(
    rows: Selection, keys: Expressions, columns: Expressions, listing: Listing, *, descending: bool
) -> Selection:
    """Return the SELECT of the columns, sorted by the keys. The columns include the keys unless these are ranks."""
    if listing.collects_first:
        hidden = [key.label(f"key{index}") for index, key in enumerate(keys)] if listing.is_ranked else []
        # OFFSET keeps the planners of SQLite and PostgreSQL from walking the sort index in search of a few rows.
        matches = rows.with_only_columns(*columns, *hidden, maintain_column_froms=True).offset(0).subquery()
        first = len(columns) if hidden else KEYS_AT
        keys, columns = list(matches.c)[first : first + len(keys)], list(matches.c)[: len(columns)]
        rows = matches.select()
    ordered = rows.order_by(*(key.desc() if descending else key.asc() for key in keys))
    return ordered.with_only_columns(*columns, maintain_column_froms=True)


def _page_columns(listing: Listing, viewer: Viewer, parents: FromClause) -> Expressions:
    keys = () if listing.is_ranked else tuple(listing.sort_keys(viewer))
    row = tuple(listing.table.c) if listing.inlines_rows else ()
    columns = (listing.table.c.pk, listing.table.c.id, *keys, *listing.select_edge_columns(viewer, parents), *row)
    return _labelled(columns)


def _labelled(columns: Expressions) -> Expressions:
    return [column.label(f"c{index}") for index, column in enumerate(columns)]


def _keyset_condition(keys: Expressions, shape: KeysetShape, *, is_ascending: bool) -> ColumnElement[bool]:
    row = tuple_(*keys)
    values = tuple_(*(bindparam(shape.parameter(index), type_=key.type) for index, key in enumerate(keys)))
    if shape.is_inclusive:
        return row >= values if is_ascending else row <= values
    return row > values if is_ascending else row < values


@cache
def _row_type(table: Table) -> Any:
    return namedtuple(table.name, table.c.keys())  # noqa: PYI024 - its fields are the table's columns
