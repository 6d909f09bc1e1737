"""Resolvers of the collection graph: all rows that are visible to the viewer, in flat pages."""

from collections.abc import Awaitable, Sequence
from typing import Any, cast

from permissions import ErrorCode, OperationError
from resolvers.context import Context
from resolvers.limits import LIMITS
from resolvers.listing.connection import PageInfo
from resolvers.loaders import AssetByPk, CollectionByPk, PrincipalByPk, RowByColumn, TopicByPk
from resolvers.pull.page import PARTS, PageRequest, PullPage, PullPageByRequest
from resolvers.pull.part import GraphPart
from resolvers.pull.rows import MembershipByPair, UseByPair


def collection_graph(
    _root: None,
    context: Context,
    *,
    first: int | None = None,
    after: str | None = None,
    include: Sequence[GraphPart] | None = None,
) -> Awaitable[PullPage]:
    """Return a page of a new pull, or of the stored one that the cursor belongs to.

    Raises OperationError: BAD_USER_INPUT for a page size out of bounds, BAD_CURSOR for a cursor of another pull.
    """
    size = LIMITS.graph_page_size if first is None else first
    if not 0 <= size <= LIMITS.graph_page_size:
        message = f"first is {size}; it must be from 0 to {LIMITS.graph_page_size:,}."
        raise OperationError(ErrorCode.BAD_USER_INPUT, message)
    parts = tuple(part for part in PARTS if include is None or part in include)
    page = context.loader(PullPageByRequest).load(PageRequest(parts, size, after))
    return cast("Awaitable[PullPage]", page)  # an error is raised where it is awaited


async def topics(page: PullPage, context: Context) -> list[Any]:
    """Return the page's topics that are still visible."""
    return await _load_existing(context, TopicByPk, page.keys[GraphPart.TOPICS])


async def collections(page: PullPage, context: Context) -> list[Any]:
    """Return the page's collections that are still visible."""
    return await _load_existing(context, CollectionByPk, page.keys[GraphPart.COLLECTIONS])


async def _load_existing(
    context: Context, loader: type[RowByColumn[int, Any]], keys: Sequence[Sequence[Any]]
) -> list[Any]:
    rows = await context.loader(loader).load_many([pk for pk, _ in keys])
    return [row for row, (_, id_) in zip(rows, keys, strict=True) if row is not None and row.id == id_]


async def assets(page: PullPage, context: Context) -> list[Any]:
    """Return the page's assets that are still visible."""
    return _visible_ones(await context.loader(AssetByPk).load_many([pk for (pk,) in page.keys[GraphPart.ASSETS]]))


async def memberships(page: PullPage, context: Context) -> list[Any]:
    """Return the page's memberships that are still visible."""
    return _visible_ones(await context.loader(MembershipByPair).load_many(map(tuple, page.keys[GraphPart.MEMBERSHIPS])))


async def uses(page: PullPage, context: Context) -> list[Any]:
    """Return the page's uses that are still visible."""
    return _visible_ones(await context.loader(UseByPair).load_many(map(tuple, page.keys[GraphPart.USES])))


async def users(page: PullPage, context: Context) -> list[Any]:
    """Return the page's users."""
    return _visible_ones(await context.loader(PrincipalByPk).load_many([pk for (pk,) in page.keys[GraphPart.USERS]]))


def _visible_ones(rows: Sequence[Any]) -> list[Any]:
    return [row for row in rows if row is not None]


def page_info(page: PullPage, context: Context) -> PageInfo:
    """Return the page's pagination information."""
    is_empty = page.start == page.end
    ends = [None if is_empty else page.cursor(context.viewer, position) for position in (page.start + 1, page.end)]
    return PageInfo(page.end < page.size, page.start > 0, *ends)
