"""Connections: lists that are not fetched yet; each selected field (`nodes`, `totalCount`, …) fetches its own part."""

from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import Any, Self, TypedDict, Unpack

import orjson

from permissions import ErrorCode, OperationError
from permissions.permission import RestrictableList
from resolvers.context import Context
from resolvers.listing import cursor
from resolvers.listing.chain import IDS_AFTER, IDS_BEFORE, Chain
from resolvers.listing.listing import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, NO_PARENT, DefaultPageSize, Listing
from resolvers.listing.page import EMPTY_PAGE, CursorValues, Page, PageBounds
from resolvers.listing.part import ChainByRow, PartByKey
from resolvers.listing.search import parse_search, with_similar_words
from store.rows import NodeRow
from store.tables import AssetAccess


class PageArguments(TypedDict, total=False):
    """Arguments of a list field that choose its page."""

    first: int | None
    after: str | None
    last: int | None
    before: str | None


@dataclass(frozen=True)
class Connection(RestrictableList):
    """List that is not fetched yet: its query, page bounds and parent. `parent` is None for a list at the root."""

    context: Context
    listing: Listing
    bounds: PageBounds
    parent: NodeRow | None = None
    is_empty: bool = False

    @property
    def parent_pk(self) -> int:
        """Key of the parent in the loader."""
        return NO_PARENT if self.parent is None else self.parent.pk

    @property
    def cursor_scope(self) -> str:
        """Scope of the list's cursors: a cursor of another list, order or parent is rejected."""
        return _cursor_scope(self.listing, self.parent)

    def with_required_access(self, required: AssetAccess) -> Self:
        """Restrict the list to assets to which the viewer has at least this access."""
        access = max(required, self.listing.required_access)
        return replace(self, listing=replace(self.listing, required_access=access))

    def as_empty(self) -> Self:
        """Return the connection without items."""
        return replace(self, is_empty=True)

    def with_parent(self, parent: NodeRow) -> Self:
        """Return the same list of another parent."""
        return replace(self, parent=parent)

    async def loader(self) -> PartByKey:
        """Return the loader of the list. If it is searched, one statement first loads similar words for all queries."""
        return self.context.loader(PartByKey, await with_similar_words(self.context, self.listing))

    async def page(self) -> Page:
        """Return the requested page."""
        return EMPTY_PAGE if self.is_empty else await (await self.loader()).page(self.parent_pk, self.bounds)


class Edge:
    """Node of a page with its cursor; the list's edge columns are attributes."""

    __slots__ = ("_connection", "_index", "_page", "columns", "node")

    def __init__(self, connection: Connection, page: Page, index: int, node: Any) -> None:
        """Create the edge of the page's item at the index."""
        self._connection, self._page, self._index, self.node = connection, page, index, node
        names = connection.listing.edge_columns
        self.columns = dict(zip(names, page.items[index].edge_values, strict=True))

    def __getattr__(self, name: str) -> Any:
        """Return the value of an edge column."""
        try:
            return self.columns[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def cursor(self) -> str:
        """Cursor of the node in the list."""
        return cursor_of(self._connection, self._page, self._index)

    def load_cursor(self) -> str | Awaitable[str]:
        """Return the cursor, or an awaitable of it if that has to be read."""
        return self.cursor


class UnpagedEdge(Edge):
    """Edge of a ranked list that is on no page, so that the ids around it in the list are read for its cursor."""

    __slots__ = ()

    async def load_cursor(self) -> str:
        """Return the cursor that the node has in the list without its filter."""
        connection, id_ = self._connection, self._page.items[self._index].id
        chains = connection.context.loader(ChainByRow, connection.listing.without_filter())
        chain = await chains.load((connection.parent_pk, id_))
        if chain is None:
            raise LookupError(f"The list without its filter lacks {id_}, which the list has.")
        return cursor.seal(connection.context.viewer, connection.cursor_scope, chain.encode())


def edge_cursor(edge: Edge, _context: Context) -> str | Awaitable[str]:
    """Return the cursor of the node in its list."""
    return edge.load_cursor()


async def page_nodes(connection: Connection, context: Context) -> list[Any]:
    """Return the rows of the page's nodes."""
    items = (await connection.page()).items
    if connection.listing.inlines_rows:
        return [item.row for item in items]
    return list(await context.loader(connection.listing.node_loader).load_many([item.pk for item in items]))


async def page_edges(connection: Connection, context: Context) -> list[Edge]:
    """Return the edges of the page."""
    return await _build_edges(Edge, connection, context)


async def _build_edges(kind: type[Edge], connection: Connection, context: Context) -> list[Edge]:
    nodes, page = await page_nodes(connection, context), await connection.page()
    return [kind(connection, page, index, node) for index, node in enumerate(nodes)]


async def edges_of_list(context: Context, listing: Listing, parent: NodeRow, size: int) -> list[Edge]:
    """Return the edges of the first `size` items of a parent's list, in its order.

    Their cursors are those of the list without its filter: the edges are no page. In a ranked list, one statement reads
    all that are selected.
    """
    connection = Connection(context, listing, PageBounds(size), parent)
    return await _build_edges(UnpagedEdge if listing.is_ranked else Edge, connection, context)


@dataclass(frozen=True)
class PageInfo:
    """Position of a page in its list."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


async def page_info(connection: Connection, _context: Context) -> PageInfo:
    """Return the position of the page."""
    return position(connection, await connection.page())


def position(connection: Connection, page: Page) -> PageInfo:
    """Return the position of a page of the connection.

    In the direction of reading, an extra row shows whether items follow. On either side, a cursor implies it.
    """
    bounds = connection.bounds
    ends = [cursor_of(connection, page, index) for index in (0, len(page.items) - 1)] if page.items else [None, None]
    has_next = bounds.before is not None or (page.has_more and not bounds.is_backward)
    has_previous = bounds.after is not None or (page.has_more and bounds.is_backward)
    return PageInfo(has_next, has_previous, *ends)


async def total_count(connection: Connection, _context: Context) -> int:
    """Return the number of rows of the whole list that the viewer may see."""
    return 0 if connection.is_empty else await (await connection.loader()).count(connection.parent_pk)


def connect(
    context: Context,
    listing: Listing,
    parent: NodeRow | None = None,
    *,
    query: str | None = None,
    **page: Unpack[PageArguments],
) -> Connection:
    """Return a parent's list, restricted to the matches of a search query, with the requested page.

    Raises OperationError: BAD_USER_INPUT for a query that is too long, a page size outside 0 to 100, or both `first`
    and `last`; BAD_CURSOR for a cursor of another list.
    """
    search = parse_search(query)
    listing = listing if search is None else listing.with_search(search)
    return Connection(context, listing, _page_bounds(context, listing, parent, **page), parent)


def _page_bounds(
    context: Context,
    listing: Listing,
    parent: NodeRow | None,
    *,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> PageBounds:
    if first is not None and last is not None and not isinstance(first, DefaultPageSize):
        raise OperationError(ErrorCode.BAD_USER_INPUT, "Give first or last, not both.")
    for name, size in (("first", first), ("last", last)):
        if size is not None and not 0 <= size <= MAX_PAGE_SIZE:
            message = f"{name} is {size}; it must be from 0 to {MAX_PAGE_SIZE}."
            raise OperationError(ErrorCode.BAD_USER_INPUT, message)
    size = first if last is None else last
    scope = _cursor_scope(listing, parent)
    after_values, before_values = (
        None if text is None else _cursor_values(listing, cursor.unseal(context.viewer, scope, text))
        for text in (after, before)
    )
    return PageBounds(DEFAULT_PAGE_SIZE if size is None else int(size), last is not None, after_values, before_values)


def _cursor_values(listing: Listing, content: bytes) -> CursorValues:
    if not listing.is_ranked:
        return tuple(orjson.loads(content))
    try:
        return Chain.decode(content)
    except ValueError:
        raise OperationError(ErrorCode.BAD_CURSOR, cursor.INVALID) from None


def _cursor_scope(listing: Listing, parent: NodeRow | None) -> str:
    direction = "desc" if listing.descending else "asc"
    order = listing.order if listing.search is None else f"{listing.order}?"  # a search changes the sort keys
    return f"{listing.name}|{order}|{direction}|{'' if parent is None else parent.id}"


def cursor_of(connection: Connection, page: Page, index: int) -> str:
    """Return the cursor of the page's item at the index."""
    if connection.listing.is_ranked:
        content = chain_of(page, index).encode()
    else:
        content = orjson.dumps(page.items[index].sort_values)
    return cursor.seal(connection.context.viewer, connection.cursor_scope, content)


def chain_of(page: Page, index: int) -> Chain:
    """Return the chain of the page's item at the index, in a ranked list."""
    ids = [item.id for item in page.items[max(0, index - IDS_BEFORE) : index + IDS_AFTER + 1]]
    at = min(index, IDS_BEFORE)
    return Chain.around(ids[at], [*ids[:at][::-1], *page.preceding], [*ids[at + 1 :], *page.following])
