"""This file is memberships being changed in bulk: assets put into collections, taken out, moved and put in order."""

from typing import Any

from permissions import visible
from permissions.permission import Permission
from resolvers.context import Context
from resolvers.deployment import BULK_ITEMS, INLINE_BULK_ITEMS
from resolvers.write.bulk import BulkMode, ItemResult, ItemStatus, enforce_mode
from resolvers.write.input import Input, InputReader, Position
from resolvers.write.job import enqueue
from resolvers.write.membership_operations import (
    NOT_FOUND,
    AddAssets,
    IndexById,
    MembershipOperation,
    MoveAssets,
    RemoveAssets,
    member_change,
    member_ranking,
    members_by_id,
    plan_items,
)
from resolvers.write.transaction import MutationTransaction, Payload, Result, run_mutation
from resolvers.write.user_error import UserErrorCode
from store import sql
from store.tables import ChangeAction, JobKind


async def add(context: Context, given: Input) -> Payload:
    """Put assets into a collection."""
    return await run_mutation(context, Permission.SIGNED_IN, "collectionAssetsAdd", given, _add)


async def remove(context: Context, given: Input) -> Payload:
    """Take assets out of a collection."""
    return await run_mutation(context, Permission.SIGNED_IN, "collectionAssetsRemove", given, _remove)


async def move(context: Context, given: Input) -> Payload:
    """Take assets out of one collection and put them into another."""
    return await run_mutation(context, Permission.SIGNED_IN, "collectionAssetsMove", given, _move)


async def reorder(context: Context, given: Input) -> Payload:
    """Put assets of a collection together, in the order of the input, at one place."""
    return await run_mutation(context, Permission.ADMIN, "collectionAssetsReorder", given, _reorder)


async def _add(write: MutationTransaction, reading: InputReader) -> Result:
    note, position, ids = reading.note(), reading.position(), _asset_ids(reading)
    collection = await _collection(write, reading, "collection_id", "collectionId")
    neighbour = await _neighbour(write, reading, collection, position)
    reading.raise_errors()
    act = AddAssets(write, collection, neighbour, position.is_after, note)
    return await _bulk(write, reading, JobKind.ASSETS_ADD, act, ids)


async def _remove(write: MutationTransaction, reading: InputReader) -> Result:
    ids = _asset_ids(reading)
    collection = await _collection(write, reading, "collection_id", "collectionId")
    reading.raise_errors()
    return await _bulk(write, reading, JobKind.ASSETS_REMOVE, RemoveAssets(write, collection), ids)


async def _move(write: MutationTransaction, reading: InputReader) -> Result:
    position, ids = reading.position(), _asset_ids(reading)
    source = await _collection(write, reading, "from_collection_id", "fromCollectionId")
    target = await _collection(write, reading, "to_collection_id", "toCollectionId")
    if source is not None and target is not None and source.pk == target.pk:
        message = "The assets are in this collection: name another to move them to."
        reading.add_error(UserErrorCode.INVALID, message, "toCollectionId")
    neighbour = await _neighbour(write, reading, target, position)
    reading.raise_errors()
    act = MoveAssets(write, source, target, neighbour, position.is_after)
    return await _bulk(write, reading, JobKind.ASSETS_MOVE, act, ids)


async def _bulk(
    write: MutationTransaction, reading: InputReader, kind: JobKind, act: MembershipOperation, ids: IndexById
) -> Result:
    """Do it to all that may change, at once or, for many, as a job."""
    if len(ids) > INLINE_BULK_ITEMS:
        return {**act.answer, "results": [], "job": await enqueue(write, kind, reading.input, ids)}
    results = enforce_mode(reading.input["mode"], await act.judge(ids), **act.answer)
    change = await act.do(kept["id"] for kept in results if kept["status"] == ItemStatus.CHANGED)
    return {**act.answer, "results": results, "change": change}


async def _reorder(write: MutationTransaction, reading: InputReader) -> Result:
    position = reading.position()
    ids = reading.ids("asset_ids", "assetIds", INLINE_BULK_ITEMS)
    collection = await _collection(write, reading, "collection_id", "collectionId")
    neighbour = await _neighbour(write, reading, collection, position)
    reading.raise_errors()
    members = await members_by_id(write, ids, collection)
    items = plan_items(ids, members, lambda row: NOT_FOUND if row.rank is None else ItemStatus.CHANGED)
    enforce_mode(BulkMode.ATOMIC, items, collection=collection.id)
    block = [members[id_].pk for id_ in ids]
    if neighbour in block:
        reading.add_error(UserErrorCode.INVALID, "The neighbour is one of those that are moved.", *position.path[1:])
        reading.raise_errors()
    order = member_ranking(write, collection)
    before = await order.ordered_keys()
    places = await order.allocate_ranks(len(block), next_to=neighbour, is_after=position.is_after, moving=block)
    await order.set_ranks(dict(zip(block, places, strict=True)))
    is_same = before == await order.ordered_keys()
    status = ItemStatus.UNCHANGED if is_same else ItemStatus.CHANGED
    moved = [] if is_same else [member_change(members[id_]) for id_ in ids]
    change = await write.log.append_member_changes(ChangeAction.REORDERED, {collection.id: moved})
    results = [ItemResult(id_, status).to_json() for id_ in ids]
    return {"collection": collection.id, "results": results, "change": change.get(collection.id)}


def _asset_ids(reading: InputReader) -> IndexById:
    ids = reading.ids("asset_ids", "assetIds", BULK_ITEMS)
    if len(ids) > INLINE_BULK_ITEMS and reading.input["dry_run"]:
        message = f"A dry run takes at most {INLINE_BULK_ITEMS:,} assets; there are {len(ids):,}."
        reading.add_error(UserErrorCode.LIMIT_EXCEEDED, message, "assetIds", limit=INLINE_BULK_ITEMS)
    return ids


async def _collection(write: MutationTransaction, reading: InputReader, name: str, field: str) -> Any:
    """Return the collection that a field of the input names; refuse one that does not exist for the viewer."""
    found = await write.visible_by_id(sql.collection, [reading.input[name]])
    if not found:
        reading.add_not_found("collection", field)
    return found.get(reading.input[name])


async def _neighbour(
    write: MutationTransaction, reading: InputReader, collection: Any, position: Position
) -> int | None:
    """Return the pk of the asset that the place is beside, None for an end; refuse one that is not in, or hidden."""
    if position.id is None or collection is None:
        return None
    rows = visible(sql.membership, write.viewer).where(sql.membership.c.collection_pk == collection.pk)
    found = await write.rows(rows.where(sql.asset.c.id == position.id))
    if not found:
        reading.add_not_found("asset", *position.path[1:])
        return None
    return int(found[0].asset_pk)
