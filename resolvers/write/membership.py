"""Bulk changes of a collection's assets: add, remove, move and reorder."""

from permissions import visible
from resolvers.limits import LIMITS
from resolvers.write.bulk import BulkMode, ItemResult, ItemStatus, changed_ids, enforce_mode, to_json
from resolvers.write.input import InputReader, Position
from resolvers.write.job import enqueue
from resolvers.write.membership_operations import (
    MEMBER_ORDER,
    NOT_A_MEMBER,
    OPERATION_KINDS,
    IndexById,
    MembershipOperation,
    Outcome,
    Placement,
    find_collections,
    member_ranking,
    members_by_asset,
    plan_items,
)
from resolvers.write.transaction import MutationTransaction, Result
from resolvers.write.user_error import UserErrorCode
from store import sql
from store.rows import CollectionRow, MembershipRow
from store.tables import ChangeAction, JobKind

INLINE_BULK_ITEMS = LIMITS.inline_bulk_items


async def add(tx: MutationTransaction, reader: InputReader) -> Result:
    """Add assets to a collection."""
    return await _operate(tx, reader, JobKind.ASSETS_ADD)


async def remove(tx: MutationTransaction, reader: InputReader) -> Result:
    """Remove assets from a collection."""
    return await _operate(tx, reader, JobKind.ASSETS_REMOVE)


async def move(tx: MutationTransaction, reader: InputReader) -> Result:
    """Move assets from one collection to another."""
    return await _operate(tx, reader, JobKind.ASSETS_MOVE)


async def _operate(tx: MutationTransaction, reader: InputReader, kind: JobKind) -> Result:
    """Run the operation, or queue a job for more than INLINE_BULK_ITEMS assets."""
    note, position, indexes = reader.note(), reader.position(), _asset_ids(reader)
    operation_kind = OPERATION_KINDS[kind]
    source, target = await find_collections(tx, reader, operation_kind)
    if source is not None and target is not None and source.pk == target.pk:
        message = "The assets are in this collection already. Choose another one to move them to."
        reader.add_error(UserErrorCode.INVALID, message, "toCollectionId")
    placement = await _placement(tx, reader, target, position)
    reader.raise_errors()
    operation = MembershipOperation(tx, operation_kind.action, source, target, placement, note)
    if len(indexes) > INLINE_BULK_ITEMS:
        collection_ids = list(operation.result.values())
        job = await enqueue(tx, kind, reader.input, len(indexes), collection_ids)
        return {**operation.result, "results": [], "requested": len(indexes), "job": job}
    items = await operation.plan(indexes)
    enforce_mode(reader.input["mode"], items, **operation.result)
    effect = await operation.apply(changed_ids(items))
    change = next(iter(effect.changes), None)
    return {**operation.result, "results": to_json(items), "change": change, **effect._asdict()}


async def reorder(tx: MutationTransaction, reader: InputReader) -> Result:
    """Move assets of a collection, as one block in the order of the input, to a position."""
    position = reader.position()
    indexes = reader.ids("asset_ids")
    collection: CollectionRow | None = await tx.find(reader, sql.collection, "collection_id")
    placement = await _placement(tx, reader, collection, position)
    reader.raise_errors()
    assert collection is not None  # noqa: S101 - raised above
    members = await members_by_asset(tx, indexes, collection)
    outcomes: dict[str, Outcome] = {
        id_: NOT_A_MEMBER if member.rank is None else ItemStatus.CHANGED for id_, member in members.items()
    }
    enforce_mode(BulkMode.ATOMIC, plan_items(indexes, outcomes, "asset", "assetIds"), collection=collection.id)
    block = [members[id_].asset_pk for id_ in indexes]
    if placement.next_to in block:
        message = "The neighbour is one of the assets to move. Choose one that stays."
        reader.add_error(UserErrorCode.INVALID, message, *position.path)
        reader.raise_errors()
    ranked = member_ranking(tx, collection)
    before = await ranked.ordered_keys()
    ranks = await ranked.allocate_ranks(
        len(block), next_to=placement.next_to, is_after=placement.is_after, moving=block
    )
    members = await members_by_asset(tx, indexes, collection)  # the list may have been renumbered
    await ranked.set_ranks(dict(zip(block, ranks, strict=True)))
    is_same = before == await ranked.ordered_keys()
    status = ItemStatus.UNCHANGED if is_same else ItemStatus.CHANGED
    member_changes = [] if is_same else [members[id_].change for id_ in indexes]
    change_ids = await tx.log.append_member_changes(
        ChangeAction.REORDERED, {collection.id: member_changes}, effect=MEMBER_ORDER
    )
    results = to_json(ItemResult(id_, status) for id_ in indexes)
    return {"collection": collection.id, "results": results, "change": change_ids.get(collection.id)}


def _asset_ids(reader: InputReader) -> IndexById:
    indexes = reader.ids("asset_ids")
    if len(indexes) > INLINE_BULK_ITEMS and reader.input["dry_run"]:
        message = f"A dry run takes at most {INLINE_BULK_ITEMS:,} assets; there are {len(indexes):,}."
        reader.add_error(UserErrorCode.LIMIT_EXCEEDED, message, "assetIds", limit=INLINE_BULK_ITEMS)
    return indexes


async def _placement(
    tx: MutationTransaction, reader: InputReader, collection: CollectionRow | None, position: Position
) -> Placement:
    """Return the placement of the position; add an error for a neighbour that is not a member.

    One statement, and one more if it is none; none if the position is an end.
    """
    if position.id is None or collection is None:
        return Placement(None, position.is_after)
    is_neighbour = (sql.membership.c.collection_pk == collection.pk, sql.asset.c.id == position.id)
    members = await tx.rows(visible(sql.membership, tx.viewer).where(*is_neighbour))
    neighbour: MembershipRow | None = next(iter(members), None)
    if neighbour is None:
        message = "The neighbour is not in the collection. Choose an asset that is, or an end."
        await tx.refuse_neighbour(reader, sql.asset, position.id, message, *position.path)
    return Placement(None if neighbour is None else neighbour.asset_pk, position.is_after)
