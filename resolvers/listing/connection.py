"""This file is connections: one parent's list, not yet fetched; its fields fetch what is selected and no more."""

from dataclasses import dataclass, replace
from typing import Any, Self

from permissions import ErrorCode, OperationError
from resolvers.context import Context
from resolvers.listing import cursor as cursors
from resolvers.listing.aggregate import PAGE, AggregateKey, AggregatesByParent
from resolvers.listing.listing import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, NO_PARENT, DefaultPageSize, Listing, PageBounds
from resolvers.listing.page import RANKED_CURSOR_IDS, CountByParent, Page, PageByParent
from store.tables import AssetAccess


@dataclass(frozen=True)
class Connection:
    """One parent's list, not yet fetched."""

    context: Context
    listing: Listing
    parent: Any = None
    is_empty: bool = False

    @property
    def key(self) -> int:
        """The parent's key for loaders."""
        return NO_PARENT if self.parent is None else int(self.parent.pk)

    @property
    def binding(self) -> str:
        """What a cursor of this list is bound to."""
        return _binding(self.listing, self.parent)

    def with_required_access(self, least: AssetAccess) -> Self:
        """Return the list of only the assets that the viewer has at least this access to."""
        return replace(self, listing=replace(self.listing, required_access=max(least, self.listing.required_access)))

    def as_empty(self) -> Self:
        """Return the list without anything."""
        return replace(self, is_empty=True)

    async def page(self) -> Page:
        """Return the page asked for."""
        if self.is_empty:
            return PageByParent.missing
        bounds, whole = self.listing.bounds, replace(self.listing, bounds=PageBounds())
        if self.listing.has_facets and self.listing.collects_first and bounds.is_open:
            page: Page = await self.context.loader(AggregatesByParent, whole).load(AggregateKey(self.key, PAGE, bounds))
            return page
        return await self.context.loader(PageByParent, self.listing).load(self.key)


class Edge:
    """A row of a list with its cursor and what the list says of it."""

    __slots__ = ("_connection", "_index", "_page", "extras", "node")

    def __init__(self, connection: Connection, page: Page, index: int, node: Any) -> None:
        """Make the edge of the index-th item."""
        self._connection, self._page, self._index, self.node = connection, page, index, node
        names = connection.listing.edge_columns
        self.extras = dict(zip(names, page.items[index].edge_values, strict=True))

    def __getattr__(self, name: str) -> Any:
        """Return what the list says of the row under that name."""
        try:
            return self.extras[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def cursor(self) -> str:
        """The place of this row in the list."""
        return _cursor(self._connection, self._page, self._index)


async def page_nodes(connection: Connection, context: Context) -> list[Any]:
    """Return the rows of the page."""
    items = (await connection.page()).items
    if connection.listing.inlines_rows:
        return [item.row for item in items]
    return list(await context.loader(connection.listing.node_loader).load_many([item.pk for item in items]))


async def page_edges(connection: Connection, context: Context) -> list[Edge]:
    """Return the rows of the page, each with its cursor and what the list says of it."""
    rows, page = await page_nodes(connection, context), await connection.page()
    return [Edge(connection, page, index, row) for index, row in enumerate(rows)]


@dataclass(frozen=True)
class PageInfo:
    """Where a page lies in its list."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


async def page_info(connection: Connection, context: Context) -> PageInfo:
    """Return where the page lies. Beyond the end it began from, more is known to lie when a cursor was given."""
    del context
    page, bounds = await connection.page(), connection.listing.bounds
    ends = [_cursor(connection, page, index) for index in (0, len(page.items) - 1)] if page.items else [None, None]
    if bounds.is_backward:
        return PageInfo(bounds.before is not None, page.has_more, *ends)
    return PageInfo(page.has_more, bounds.after is not None, *ends)


async def total_count(connection: Connection, context: Context) -> int:
    """Return how many rows of the whole list the viewer may see, whatever the page."""
    if connection.is_empty:
        return 0
    listing = replace(connection.listing, bounds=PageBounds())
    return await context.loader(CountByParent, listing).load(connection.key)


def connect(
    context: Context,
    listing: Listing,
    parent: Any = None,
    *,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> Connection:
    """Return a parent's list with the page asked for.

    Raises OperationError(BAD_USER_INPUT) for a size out of 0 to 100 or for both sizes,
    OperationError(BAD_CURSOR) for a cursor that
    is not of this list.
    """
    if first is not None and last is not None and not isinstance(first, DefaultPageSize):
        raise OperationError(ErrorCode.BAD_USER_INPUT, "Give first or last, not both.")
    for name, size in (("first", first), ("last", last)):
        if size is not None and not 0 <= size <= MAX_PAGE_SIZE:
            raise OperationError(ErrorCode.BAD_USER_INPUT, f"{name} is {size}; it must be from 0 to {MAX_PAGE_SIZE}.")
    size, backward = (last, True) if last is not None else (DEFAULT_PAGE_SIZE if first is None else int(first), False)
    binding = _binding(listing, parent)
    after_, before_ = (
        None if given is None else cursors.unseal(context.viewer, binding, given) for given in (after, before)
    )
    of = None if (after_, before_) == (None, None) or parent is None else int(parent.pk)
    return Connection(context, replace(listing, bounds=PageBounds(size, backward, after_, before_, of)), parent)


def _binding(listing: Listing, parent: Any) -> str:
    direction = "desc" if listing.descending else "asc"
    searches = "?" if getattr(listing.filter, "search", None) else ""  # whose order has keys of its own
    return f"{listing.name}|{listing.order}{searches}|{direction}|{'' if parent is None else parent.id}"


def _cursor(connection: Connection, page: Page, index: int) -> str:
    values = page.items[index].sort_values
    if connection.listing.is_ranked:
        before = [item.id for item in page.items[max(0, index + 1 - RANKED_CURSOR_IDS) : index + 1]]
        values = [*before[::-1], *page.preceding][:RANKED_CURSOR_IDS]
    return cursors.seal(connection.context.viewer, connection.binding, values)
