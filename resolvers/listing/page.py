"""Pages of lists by keyset pagination; one SELECT for any number of parents, which stops at the end of each page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, ColumnElement, FromClause, bindparam, tuple_

from permissions import Viewer
from resolvers.listing.chain import IDS_AFTER, IDS_BEFORE, Chain
from resolvers.listing.listing import DEFAULT_PAGE_SIZE, Listing, accessible_rows
from store import sql
from store.rows import row_type
from store.sql import Expressions, Selection

KEYS_AT = 2  # index of the first sort key in a fetched row, after the pk and the id

CursorValues = tuple[Any, ...] | Chain
"""Values in a cursor: the sort keys of its row or, in a ranked list, its chain."""


@dataclass(frozen=True)
class PageBounds:
    """Size and direction of a page, and the values of the cursors that it lies between."""

    size: int = DEFAULT_PAGE_SIZE
    is_backward: bool = False
    after: CursorValues | None = None
    before: CursorValues | None = None

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

    `preceding` and `following` are for the cursors of ranked lists: ids of the rows right before and right after the
    items, nearest first, as far as these cursors contain them.
    """

    items: list[PageItem]
    has_more: bool
    preceding: Sequence[str] = ()
    following: Sequence[str] = ()


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


class PageEdge(NamedTuple):
    """Edge of a page that a cursor gives: its bound, and the ids of the rows beyond it, nearest first.

    Without a bound the edge is the start of the list.
    """

    is_after: bool
    bound: KeysetBound | None
    beyond: Sequence[str] = ()


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


def select_neighbours(listing: Listing, viewer: Viewer) -> Selection:
    """Return the SELECT of `[id, ids before, ids after, *sort keys]` of rows of each parent's ranked list.

    The rows are those of the parameter `ids`. The ids beside them are JSON texts, nearest first, in ascending order of
    the sort keys, also if the list is in descending order.
    """
    parents, table, keys = sql.int_table("parents"), listing.table, listing.sort_keys(viewer)
    rows = accessible_rows(listing, viewer, parents)
    columns = (table.c.id.label("id"), *(key.label(f"key{index}") for index, key in enumerate(keys)))
    requested = rows.where(listing.has_ids(sql.text_table("ids").select())).correlate(parents)
    row = requested.with_only_columns(*columns, maintain_column_froms=True).subquery("requested")
    row_keys = tuple_(*list(row.c)[1:])

    def ids_beside(limit: int, *, is_after: bool) -> ColumnElement[str]:
        is_beside = tuple_(*keys) > row_keys if is_after else tuple_(*keys) < row_keys
        order = (key.asc() if is_after else key.desc() for key in keys)
        nearest = rows.where(is_beside).order_by(*order).limit(limit)
        ids = nearest.with_only_columns(table.c.id.label("id"), maintain_column_froms=True)
        return sql.json_values(ids, parents, row)

    limits = (IDS_AFTER, IDS_BEFORE) if listing.descending else (IDS_BEFORE, IDS_AFTER)
    lower, higher = ids_beside(limits[0], is_after=False), ids_beside(limits[1], is_after=True)
    chains = row.select().with_only_columns(row.c.id, lower.label("lower"), higher.label("higher"), *list(row.c)[1:])
    return sql.per_parent(parents, chains)


def select_keys(listing: Listing, viewer: Viewer, limit: BindParameter[int]) -> Selection:
    """Return the SELECT of `[id, *sort keys]` of the rows of each parent's list, at most `limit` of them."""
    parents = sql.int_table("parents")
    rows, columns = accessible_rows(listing, viewer, parents), (listing.table.c.id, *listing.sort_keys(viewer))
    selected = rows.with_only_columns(*_labelled(columns), maintain_column_froms=True)
    return sql.per_parent(parents, selected.limit(limit))


def descends(listing: Listing, bounds: PageBounds) -> bool:
    """Return whether the page is read in descending order of the sort keys."""
    return listing.descending != bounds.is_backward


def fetch_limit(listing: Listing, bounds: PageBounds) -> int:
    """Return the number of rows to fetch: those of the page, and one more to see whether others follow.

    A page of a ranked list also needs all rows beyond it whose ids its cursors contain.
    """
    beyond = IDS_BEFORE if bounds.is_backward else IDS_AFTER
    return bounds.size + (beyond if listing.is_ranked else 1)


def build_page(rows: list[list[Any]], listing: Listing, bounds: PageBounds, edges: Sequence[PageEdge] = ()) -> Page:
    """Build a page of fetched rows `[pk, id, *sort keys, *edge columns, *row]`, given the edges of its cursors."""
    row_of = row_type(listing.table.name, tuple(listing.table.c.keys())) if listing.inlines_rows else None
    width = len(listing.table.c) if row_of else 0
    items = []
    for pk, id_, *rest in rows[: bounds.size]:
        row_at = len(rest) - width
        edge_at = row_at - len(listing.edge_columns)
        row = row_of(*rest[row_at:]) if row_of else None
        items.append(PageItem(pk, id_, rest[:edge_at], rest[edge_at:row_at], row))
    beyond = {edge.is_after: edge.beyond for edge in edges}
    preceding, following = beyond.get(True, ()), beyond.get(False, ())
    further = [id_ for _, id_, *_ in rows[bounds.size :]]
    if bounds.is_backward:
        return Page(items[::-1], bool(further), [*further, *preceding], following)
    return Page(items, bool(further), preceding, [*further, *following])


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
