"""This file is payloads being read: what a mutation came to, seen as of right after it through the viewer's sight."""

from asyncio import gather

from resolvers import deployment as resolve_deployment
from resolvers.context import Context
from resolvers.deployment import Deployment
from resolvers.loaders import AssetById, CollectionById, JobById, R, RowByColumn, TopicById
from resolvers.node import node
from resolvers.write.bulk import BulkSummary, ItemResult, summarize
from resolvers.write.transaction import Payload
from resolvers.write.user_error import UserError
from store.rows import AssetRow, CollectionRow, JobRow, NodeRow, TopicRow


def user_errors(payload: Payload, _context: Context) -> list[UserError]:
    """Return what was wrong, nothing for a mutation that was accepted."""
    return list(payload.user_errors)


async def current(error: UserError, context: Context) -> NodeRow | None:
    """Return the object whose version was not the expected one."""
    return None if error.current_id is None else await node(None, context, error.current_id)


async def topic(payload: Payload, context: Context) -> TopicRow | None:
    """Return the topic that was changed."""
    return await _one(payload, context, "topic", TopicById)


async def collection(payload: Payload, context: Context) -> CollectionRow | None:
    """Return the collection that was changed."""
    return await _one(payload, context, "collection", CollectionById)


async def target(payload: Payload, context: Context) -> CollectionRow | None:
    """Return the collection that assets were moved to."""
    return await _one(payload, context, "to", CollectionById)


async def asset(payload: Payload, context: Context) -> AssetRow | None:
    """Return the asset that was changed, None when it does not exist for the viewer any more."""
    return await _one(payload, context, "asset", AssetById)


async def change(payload: Payload, context: Context) -> NodeRow | None:
    """Return what the log tells of it; None when nothing was changed, and for a dry run, which leaves no trace."""
    id_ = None if payload.is_dry_run else payload.result.get("change")
    return None if id_ is None else await node(None, context, id_)


def deployment(payload: Payload, context: Context) -> Deployment | None:
    """Return the deployment that was changed."""
    return resolve_deployment.deployment(None, context) if "deployment" in payload.result else None


async def job(payload: Payload, context: Context) -> JobRow | None:
    """Return the job that does it, None for what was done at once."""
    return await _one(payload, context, "job", JobById)


async def moved_collections(payload: Payload, context: Context) -> list[CollectionRow]:
    """Return the collections that were moved to another topic, in their order."""
    ids = payload.result.get("movedCollections", ())
    found = await gather(*(context.loader(CollectionById).load(id_) for id_ in ids))
    return [row for row in found if row is not None]


def deleted_topic_ids(payload: Payload, _context: Context) -> list[str]:
    """Return the ids of the topics that are gone."""
    return list(payload.result.get("deletedTopicIds", ()))


def deleted_topic_id(payload: Payload, _context: Context) -> str | None:
    """Return the id of the topic that is gone."""
    return payload.result.get("deletedTopicId")


def results(payload: Payload, _context: Context) -> list[ItemResult]:
    """Return what became of each item, in the order asked for."""
    return [ItemResult.from_json(kept) for kept in payload.result.get("results", ())]


def summary(payload: Payload, _context: Context) -> BulkSummary:
    """Return how many items were asked for, and what became of them."""
    return summarize(payload.result.get("results", ()), dry_run=payload.is_dry_run)


def item_id(item: ItemResult, _context: Context) -> str:
    """Return the id of an item as it was given."""
    return item.id


async def item_asset(item: ItemResult, context: Context) -> AssetRow | None:
    """Return the asset of an item, None for one that does not exist for the viewer."""
    return await context.loader(AssetById).load(item.id)


async def item_collection(item: ItemResult, context: Context) -> CollectionRow | None:
    """Return the collection of an item, None for one that does not exist for the viewer."""
    return await context.loader(CollectionById).load(item.id)


def deleted_collection_id(payload: Payload, _context: Context) -> str | None:
    """Return the id of the collection that is gone."""
    return payload.result.get("deletedCollectionId")


async def _one(payload: Payload, context: Context, name: str, kind: type[RowByColumn[str, R]]) -> R | None:
    id_ = payload.result.get(name)
    return None if id_ is None else await context.loader(kind).load(id_)
