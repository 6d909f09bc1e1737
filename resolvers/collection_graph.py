"""Resolvers of the collection graph: all rows that are visible to the viewer, in flat pages."""

from collections.abc import Awaitable, Sequence
from typing import Any, NamedTuple, cast

from permissions import ErrorCode, OperationError
from resolvers.context import Context
from resolvers.limits import LIMITS
from resolvers.listing.connection import PageInfo
from resolvers.loaders import NO_PK, AssetByPk, CollectionByPk, PrincipalByPk, RowByColumn, TopicByPk
from resolvers.pull.page import PageRequest, PullPage, PullPageByRequest
from resolvers.pull.part import GraphPart
from resolvers.pull.row_set import (
    MEMBERSHIP,
    PARTS,
    REMOVED_MEMBERSHIP,
    REMOVED_OBJECT,
    REMOVED_USE,
    USE,
    WITH_ID,
)
from resolvers.pull.rows import DigestsByPks, MembershipsByPairs, RowsByPairs, UsesByPairs


class MembershipKey(NamedTuple):
    """Ids of the collection and the asset of a membership."""

    collection_id: str
    asset_id: str


class AssetUseKey(NamedTuple):
    """Ids of an asset and of one that it uses."""

    asset_id: str
    uses_asset_id: str


def collection_graph(
    _root: None,
    context: Context,
    *,
    first: int | None = None,
    after: str | None = None,
    since: str | None = None,
    include: Sequence[GraphPart] | None = None,
) -> Awaitable[PullPage]:
    """Return a page of a new pull, or of the stored one that the cursor belongs to.

    Raises OperationError: BAD_USER_INPUT for a page size out of bounds, BAD_CURSOR for a cursor of another pull, and
    SYNC_TOKEN_INVALID or SYNC_TOKEN_EXPIRED for `since`.
    """
    size = LIMITS.graph_page_size if first is None else first
    if not 0 <= size <= LIMITS.graph_page_size:
        message = f"first is {size}; it must be from 0 to {LIMITS.graph_page_size:,}."
        raise OperationError(ErrorCode.BAD_USER_INPUT, message)
    parts = None if include is None else tuple(part for part in GraphPart if part in include)
    page = context.loader(PullPageByRequest).load(PageRequest(size, after, since, parts))
    return cast("Awaitable[PullPage]", page)  # an error is raised where it is awaited


async def topics(page: PullPage, context: Context) -> list[Any]:
    """Return the page's topics that are still visible."""
    return await _load_objects(page, context, TopicByPk, GraphPart.TOPICS)


async def collections(page: PullPage, context: Context) -> list[Any]:
    """Return the page's collections that are still visible."""
    return await _load_objects(page, context, CollectionByPk, GraphPart.COLLECTIONS)


async def assets(page: PullPage, context: Context) -> list[Any]:
    """Return the page's assets that are still visible."""
    return await _load_objects(page, context, AssetByPk, GraphPart.ASSETS)


async def users(page: PullPage, context: Context) -> list[Any]:
    """Return the page's users."""
    return await _load_objects(page, context, PrincipalByPk, GraphPart.USERS)


async def _load_objects(
    page: PullPage, context: Context, loader: type[RowByColumn[int, Any]], part: GraphPart
) -> list[Any]:
    """Return the page's rows of the part that are still visible and, if they have ids in the pull, still the same."""
    rows = page.of(PARTS.index(part))
    pks = [row[1] for row in rows] or [NO_PK]  # so that the statements do not depend on the rows of the page
    load = context.loader(loader).load_many(pks)
    if not page.is_first:
        digests = await context.loader(DigestsByPks, part).load(tuple(pks))
        page.note_versions(context, rows, [[*row[:-1], digest] for row, digest in zip(rows, digests, strict=False)])
    objects = zip(rows, await load, strict=False)
    return [found for row, found in objects if found is not None and (row[0] not in WITH_ID or found.id == row[2])]


async def memberships(page: PullPage, context: Context) -> list[Any]:
    """Return the page's memberships that are still visible."""
    return await _load_pairs(page, context, MembershipsByPairs, MEMBERSHIP)


async def uses(page: PullPage, context: Context) -> list[Any]:
    """Return the page's uses that are still visible."""
    return await _load_pairs(page, context, UsesByPairs, USE)


async def _load_pairs(page: PullPage, context: Context, loader: type[RowsByPairs], kind: int) -> list[Any]:
    rows = page.of(kind)
    keys = [(row[1], row[2]) for row in rows] or [(NO_PK, NO_PK)]
    found = (await context.loader(loader).load(tuple(keys)))[: len(rows)]
    pairs = [pair for pair in found if pair is not None]
    if not page.is_first:
        versions = iter(loader.rows_of_pull(context.viewer, pairs))
        page.note_versions(context, rows, [None if pair is None else next(versions) for pair in found])
    return pairs


def removed_ids(page: PullPage, _context: Context) -> list[str]:
    """Return the ids of the page's removed objects."""
    return [id_ for _, id_ in page.of(REMOVED_OBJECT)]


def removed_memberships(page: PullPage, _context: Context) -> list[MembershipKey]:
    """Return the page's removed memberships."""
    return [MembershipKey(*ids) for _, *ids in page.of(REMOVED_MEMBERSHIP)]


def removed_uses(page: PullPage, _context: Context) -> list[AssetUseKey]:
    """Return the page's removed uses."""
    return [AssetUseKey(*ids) for _, *ids in page.of(REMOVED_USE)]


def sync_token(page: PullPage, context: Context) -> str | None:
    """Return the token of the pull; None before its last page."""
    return page.sync_token(context) if page.is_last else None


def page_info(page: PullPage, context: Context) -> PageInfo:
    """Return the page's pagination information."""
    is_empty = page.start == page.end
    ends = [None if is_empty else page.cursor(context.viewer, position) for position in (page.start + 1, page.end)]
    return PageInfo(not page.is_last, page.start > 0, *ends)
