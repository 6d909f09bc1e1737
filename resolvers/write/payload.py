"""Fields of payloads: a mutation's result, resolved through the viewer's permissions right after it."""

from resolvers import deployment as resolve_deployment
from resolvers.asset import collection_edges
from resolvers.context import Context
from resolvers.deployment import Deployment
from resolvers.listing.connection import Edge
from resolvers.loaders import (
    ApiTokenById,
    AssetById,
    ChangeById,
    CollectionById,
    JobById,
    PrincipalById,
    R,
    RowByColumn,
    TopicById,
    load_visible,
)
from resolvers.membership import member_edges
from resolvers.node import Object, node, nodes
from resolvers.write.bulk import BulkSummary, ItemResult, summarize
from resolvers.write.sharing_effect import Audience, SharingEffect
from resolvers.write.transaction import Payload
from resolvers.write.user_error import UserError
from store.rows import ApiTokenRow, AssetRow, ChangeRow, CollectionRow, JobRow, PrincipalRow, TopicRow


def user_errors(payload: Payload, _context: Context) -> list[UserError]:
    """Return the user errors; empty for an accepted mutation."""
    return list(payload.user_errors)


async def current(error: UserError, context: Context) -> Object | None:
    """Return the object whose version differs from `expectedVersion`, in its current state."""
    return None if error.current_id is None else await node(None, context, error.current_id)


async def topic(payload: Payload, context: Context) -> TopicRow | None:
    """Return the changed topic."""
    return await _load(payload, context, "topic", TopicById)


async def collection(payload: Payload, context: Context) -> CollectionRow | None:
    """Return the changed collection."""
    return await _load(payload, context, "collection", CollectionById)


async def target(payload: Payload, context: Context) -> CollectionRow | None:
    """Return the collection that assets were moved to."""
    return await _load(payload, context, "to", CollectionById)


async def former_topic(payload: Payload, context: Context) -> TopicRow | None:
    """Return the topic that the collection was in before it moved; None if it has not moved."""
    return await _load(payload, context, "formerTopic", TopicById)


async def former_parent(payload: Payload, context: Context) -> CollectionRow | None:
    """Return the parent that the collection had before it moved; None if it has not moved, or was at the top."""
    return await _load(payload, context, "formerParent", CollectionById)


async def asset(payload: Payload, context: Context) -> AssetRow | None:
    """Return the changed asset; None if the viewer may no longer see it."""
    return await _load(payload, context, "asset", AssetById)


async def user(payload: Payload, context: Context) -> PrincipalRow | None:
    """Return the user that was changed, or whose tokens were revoked."""
    return await _load(payload, context, "user", PrincipalById)


async def group(payload: Payload, context: Context) -> PrincipalRow | None:
    """Return the changed group."""
    return await _load(payload, context, "group", PrincipalById)


async def change(payload: Payload, context: Context) -> ChangeRow | None:
    """Return the logged change; None if nothing changed, and for a dry run, which is rolled back."""
    if payload.is_dry_run:
        return None
    return await _load(payload, context, "change", ChangeById)


async def changes(payload: Payload, context: Context) -> list[ChangeRow]:
    """Return the logged changes that the viewer may see."""
    return await load_visible(context, ChangeById, payload.effect("changes"))


async def subjects(payload: Payload, context: Context) -> list[Object]:
    """Return the objects that an undo changed, without those that it deleted."""
    rows = await nodes(None, context, list(payload.effect("subjects")))
    return [row for row in rows if row is not None]


async def added_edges(payload: Payload, context: Context) -> list[Edge]:
    """Return the edges of the assets that were added to a collection, in its order."""
    return await member_edges(context, payload.result.get("added_to"), payload.effect("added"))


def removed_asset_ids(payload: Payload, _context: Context) -> list[str]:
    """Return the ids of the assets that were removed from a collection."""
    return list(payload.effect("removed"))


async def added_collection_edges(payload: Payload, context: Context) -> list[Edge]:
    """Return the edges of the collections that an asset was added to, by name."""
    return await collection_edges(context, payload.result.get("asset"), payload.effect("addedCollections"))


def removed_collection_ids(payload: Payload, _context: Context) -> list[str]:
    """Return the ids of the collections that an asset was removed from."""
    return list(payload.effect("removedCollections"))


def deployment(payload: Payload, context: Context) -> Deployment | None:
    """Return the changed deployment."""
    return resolve_deployment.deployment(None, context) if "deployment" in payload.result else None


def sharing_effects(payload: Payload, _context: Context) -> list[SharingEffect]:
    """Return the effects of public sharing; also those of a dry run."""
    return [SharingEffect(Audience(audience), *rest) for audience, *rest in payload.result.get("effects", ())]


async def job(payload: Payload, context: Context) -> JobRow | None:
    """Return the queued or cancelled job; None if the mutation ran at once."""
    return await _load(payload, context, "job", JobById)


async def token(payload: Payload, context: Context) -> ApiTokenRow | None:
    """Return the created API token."""
    return await _load(payload, context, "token", ApiTokenById)


def secret(payload: Payload, _context: Context) -> str | None:
    """Return the secret of the created API token, which no table has."""
    return payload.result.get("secret")


def revoked_token_ids(payload: Payload, _context: Context) -> list[str]:
    """Return the ids of the revoked API tokens."""
    return list(payload.effect("revoked"))


def revoked_token_count(payload: Payload, _context: Context) -> int:
    """Return the number of revoked API tokens."""
    return int(payload.result.get("count", 0))


async def moved_collections(payload: Payload, context: Context) -> list[CollectionRow]:
    """Return the collections that were moved to another topic or parent, in their order."""
    return await load_visible(context, CollectionById, payload.effect("movedCollections"))


def moved_collection_count(payload: Payload, _context: Context) -> int:
    """Return the number of collections that were moved or, in a dry run, would be."""
    return len(payload.result.get("movedCollections", ()))


def deleted_topic_ids(payload: Payload, _context: Context) -> list[str]:
    """Return the ids of the deleted topics."""
    return list(payload.effect("deletedTopicIds"))


def deleted_topic_id(payload: Payload, _context: Context) -> str | None:
    """Return the id of the deleted topic."""
    return None if payload.is_dry_run else payload.result.get("deletedTopicId")


def results(payload: Payload, _context: Context) -> list[ItemResult]:
    """Return the result of each item, in the order of the input."""
    return [ItemResult.from_json(item) for item in payload.result.get("results", ())]


def summary(payload: Payload, _context: Context) -> BulkSummary:
    """Return the number of items of each status."""
    results = payload.result.get("results", ())
    return summarize(results, payload.result.get("requested"), dry_run=payload.is_dry_run)


def item_id(item: ItemResult, _context: Context) -> str:
    """Return the item's id as in the input."""
    return item.id


async def item_asset(item: ItemResult, context: Context) -> AssetRow | None:
    """Return the item's asset; None if it is absent or hidden."""
    return await context.loader(AssetById).load(item.id)


async def item_collection(item: ItemResult, context: Context) -> CollectionRow | None:
    """Return the item's collection; None if it is absent or hidden."""
    return await context.loader(CollectionById).load(item.id)


def deleted_collection_id(payload: Payload, _context: Context) -> str | None:
    """Return the id of the deleted collection."""
    return None if payload.is_dry_run else payload.result.get("deletedCollectionId")


async def _load(payload: Payload, context: Context, name: str, kind: type[RowByColumn[str, R]]) -> R | None:
    id_ = payload.result.get(name)
    return None if id_ is None else await context.loader(kind).load(id_)
