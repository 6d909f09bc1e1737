"""This file is memberships being changed in bulk: assets put into collections, taken out, moved and put in order.

An asset may be put in by its owner, when it is released; taken out by its owner or an administrator, whatever its
state. What is in already, or out already, is unchanged and never an error; what the viewer may not see is not there.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Row, and_, delete, insert

from permissions import visible
from permissions.require import Permission
from permissions.visible import access
from resolvers.context import Context
from resolvers.deployment import INLINE_BULK_ITEMS
from resolvers.loaders import among
from resolvers.write.bulk import Item, ItemStatus, failed, settle
from resolvers.write.reading import Input, Position, Reading
from resolvers.write.transaction import Answer, Payload, Write, mutate
from resolvers.write.user_error import UserErrorCode
from store import sql
from store.changes import FieldChange, Touched
from store.ranks import Ranked
from store.tables import AssetStatus, ChangeAction

ASSET_IDS = ("input", "assetIds")
NOT_OWNER = (UserErrorCode.NOT_OWNER, "Only owners of the asset may do this.")
NOT_FOUND = (UserErrorCode.NOT_FOUND, "There is no such asset.")
INELIGIBLE = {
    AssetStatus.DRAFT: "The asset is a draft: release it first.",
    AssetStatus.ARCHIVED: "The asset is archived: bring it back first.",
    AssetStatus.WITHDRAWN: "The asset was withdrawn.",
    AssetStatus.FAILED: "The asset's creation failed.",
}

Verdict = ItemStatus | tuple[UserErrorCode, str]
"""What is to become of an item, or why it cannot be changed."""

Member = Row[Any]
"""An asset with the viewer's access and its membership: `rank`, `added_at`, `added_by_pk`, `note`, NULL if not in."""


async def add(context: Context, given: Input) -> Payload:
    """Put assets into a collection."""
    return await mutate(context, Permission.SIGNED_IN, "collectionAssetsAdd", given, _add)


async def remove(context: Context, given: Input) -> Payload:
    """Take assets out of a collection."""
    return await mutate(context, Permission.SIGNED_IN, "collectionAssetsRemove", given, _remove)


async def move(context: Context, given: Input) -> Payload:
    """Take assets out of one collection and put them into another."""
    return await mutate(context, Permission.SIGNED_IN, "collectionAssetsMove", given, _move)


async def reorder(context: Context, given: Input) -> Payload:
    """Put assets of a collection together, in the order of the input, at one place."""
    return await mutate(context, Permission.ADMIN, "collectionAssetsReorder", given, _reorder)


async def _add(write: Write, reading: Reading) -> Answer:
    note, position = reading.note(), reading.position()
    ids = reading.ids("asset_ids", "assetIds", INLINE_BULK_ITEMS)
    collection = await collection_of(write, reading, "collection_id", "collectionId")
    neighbour = await _neighbour(write, reading, collection, position)
    reading.stop()
    members = await members_of(write, ids, collection)
    items = judge(ids, members, partial(may_add, write))
    results = settle(reading.given["mode"], items, collection=collection.id)
    rows = changing(results, members)
    await put_in(write, collection, rows, neighbour, note, is_after=position.is_after)
    change = await write.log.append_members(
        ChangeAction.ASSETS_ADDED, {collection.id: [Touched(row.pk) for row in rows]}
    )
    return {"collection": collection.id, "results": results, "change": change.get(collection.id)}


async def _remove(write: Write, reading: Reading) -> Answer:
    ids = reading.ids("asset_ids", "assetIds", INLINE_BULK_ITEMS)
    collection = await collection_of(write, reading, "collection_id", "collectionId")
    reading.stop()
    members = await members_of(write, ids, collection)
    items = judge(ids, members, partial(may_remove, write))
    results = settle(reading.given["mode"], items, collection=collection.id)
    rows = changing(results, members)
    await take_out(write, collection, rows)
    change = await write.log.append_members(ChangeAction.ASSETS_REMOVED, {collection.id: list(map(touched, rows))})
    return {"collection": collection.id, "results": results, "change": change.get(collection.id)}


async def _move(write: Write, reading: Reading) -> Answer:
    position = reading.position()
    ids = reading.ids("asset_ids", "assetIds", INLINE_BULK_ITEMS)
    source = await collection_of(write, reading, "from_collection_id", "fromCollectionId")
    target = await collection_of(write, reading, "to_collection_id", "toCollectionId")
    if source is not None and target is not None and source.pk == target.pk:
        message = "The assets are in this collection: name another to move them to."
        reading.refuse(UserErrorCode.INVALID, message, "toCollectionId")
    neighbour = await _neighbour(write, reading, target, position)
    reading.stop()
    members, there = await members_of(write, ids, source), await members_of(write, ids, target)
    items = judge(ids, members, lambda row: may_move(write, row, there[row.id]))
    results = settle(reading.given["mode"], items, collection=source.id, to=target.id)
    leaving = changing(results, members)
    arriving = [row for row in leaving if there[row.id].rank is None]
    await take_out(write, source, leaving)
    await put_in(write, target, arriving, neighbour, None, is_after=position.is_after)
    change = await write.log.append_members(
        ChangeAction.ASSETS_MOVED,
        {source.id: list(map(touched, leaving)), target.id: [Touched(row.pk) for row in arriving]},
        {source.id: [_told("to", target)], target.id: [_told("from", source)]},
    )
    ids_of_change = change.get(target.id) or change.get(source.id)
    return {"collection": source.id, "to": target.id, "results": results, "change": ids_of_change}


async def _reorder(write: Write, reading: Reading) -> Answer:
    position = reading.position()
    ids = reading.ids("asset_ids", "assetIds", INLINE_BULK_ITEMS)
    collection = await collection_of(write, reading, "collection_id", "collectionId")
    neighbour = await _neighbour(write, reading, collection, position)
    reading.stop()
    members = await members_of(write, ids, collection)
    items = judge(ids, members, lambda row: NOT_FOUND if row.rank is None else ItemStatus.CHANGED)
    settle("ATOMIC", items, collection=collection.id)
    block = [members[id_].pk for id_ in ids]
    if neighbour in block:
        reading.refuse(UserErrorCode.INVALID, "The neighbour is one of those that are moved.", *position.path[1:])
        reading.stop()
    order = _order(write, collection)
    before = await order.keys()
    places = await order.places(len(block), beside=neighbour, is_after=position.is_after, leaving=block)
    await order.set(dict(zip(block, places, strict=True)))
    is_same = before == await order.keys()
    status = ItemStatus.UNCHANGED if is_same else ItemStatus.CHANGED
    moved = [] if is_same else [touched(members[id_]) for id_ in ids]
    change = await write.log.append_members(ChangeAction.REORDERED, {collection.id: moved})
    results = [Item(id_, status).kept() for id_ in ids]
    return {"collection": collection.id, "results": results, "change": change.get(collection.id)}


async def collection_of(write: Write, reading: Reading, name: str, field: str) -> Any:
    """Return the collection that a field of the input names; refuse one that does not exist for the viewer."""
    found = await write.visible_by_id(sql.collection, [reading.given[name]])
    if not found:
        reading.missing("collection", field)
    return found.get(reading.given[name])


async def members_of(write: Write, ids: Iterable[str], collection: Any) -> dict[str, Member]:
    """Return the assets that exist for the viewer, members of the collection or not, by id. One statement."""
    asset, membership = sql.asset, sql.membership
    here = and_(membership.c.asset_pk == asset.c.pk, membership.c.collection_pk == collection.pk)
    columns = (asset.c.id, asset.c.pk, asset.c.status, access(asset, write.viewer).label("viewer_access"))
    kept = (membership.c.rank, membership.c.added_at, membership.c.added_by_pk, membership.c.note)
    rows = among(visible(asset, write.viewer), asset.c.id, ids).outerjoin(membership, here)
    return {row.id: row for row in await write.rows(rows.with_only_columns(*columns, *kept))}


def judge(ids: Mapping[str, int], members: Mapping[str, Member], verdict: Callable[[Member], Verdict]) -> list[Item]:
    """Return what is to become of each id, in their order; `ids` tells where each stands in the input."""
    items = []
    for id_, index in ids.items():
        said = verdict(members[id_]) if id_ in members else NOT_FOUND
        if isinstance(said, ItemStatus):
            items.append(Item(id_, said))
        else:
            items.append(failed(id_, *said, (*ASSET_IDS, str(index))))
    return items


def may_add(write: Write, row: Member) -> Verdict:
    """Return what becomes of an asset that is to be put in."""
    if row.rank is not None:
        return ItemStatus.UNCHANGED
    if not write.may(row, Permission.ASSET_OWN):
        return NOT_OWNER
    if row.status != AssetStatus.RELEASED:
        return UserErrorCode.NOT_ELIGIBLE, INELIGIBLE[row.status]
    return ItemStatus.CHANGED


def may_remove(write: Write, row: Member) -> Verdict:
    """Return what becomes of an asset that is to be taken out."""
    if row.rank is None:
        return ItemStatus.UNCHANGED
    is_theirs = write.may(row, Permission.ASSET_OWN) or write.viewer.is_admin
    return ItemStatus.CHANGED if is_theirs else NOT_OWNER


def may_move(write: Write, here: Member, there: Member) -> Verdict:
    """Return what becomes of an asset that is to go from one collection to another: what is not in the first stays."""
    if here.rank is None:
        return ItemStatus.UNCHANGED
    arriving = may_add(write, there)
    return may_remove(write, here) if arriving is ItemStatus.UNCHANGED else arriving


def changing(results: Iterable[Mapping[str, Any]], members: Mapping[str, Member]) -> list[Member]:
    """Return the rows of the items that are to be changed, in their order."""
    return [members[kept["id"]] for kept in results if kept["status"] == ItemStatus.CHANGED]


def touched(row: Member) -> Touched:
    """Return what the log keeps of a membership, so that it can be put back."""
    return Touched(row.pk, row.rank, row.added_at, row.added_by_pk, row.note)


async def put_in(
    write: Write, collection: Any, rows: Sequence[Member], neighbour: int | None, note: str | None, *, is_after: bool
) -> None:
    """Insert memberships, in order, right after (or before) the neighbour, or at an end without one.

    They get the note or, for none, keep the one that their rows bring along.
    """
    if not rows:
        return
    ranks = await _order(write, collection).places(len(rows), beside=neighbour, is_after=is_after)
    same = {"collection_pk": collection.pk, "added_at": write.log.at, "added_by_pk": write.viewer.user_pk}
    new = [
        {"asset_pk": row.pk, "rank": rank, "note": note or row.note, **same}
        for row, rank in zip(rows, ranks, strict=True)
    ]
    await write.execute(insert(sql.membership), new)


async def take_out(write: Write, collection: Any, rows: Sequence[Member]) -> None:
    """Delete memberships. One statement."""
    membership = sql.membership
    if rows:
        pks = sql.listed([row.pk for row in rows])
        here = (membership.c.collection_pk == collection.pk, membership.c.asset_pk.in_(pks))
        await write.execute(delete(membership).where(*here))


async def _neighbour(write: Write, reading: Reading, collection: Any, position: Position) -> int | None:
    """Return the pk of the asset that the place is beside, None for an end; refuse one that is not in, or hidden."""
    if position.id is None or collection is None:
        return None
    rows = visible(sql.membership, write.viewer).where(sql.membership.c.collection_pk == collection.pk)
    found = await write.rows(rows.where(sql.asset.c.id == position.id))
    if not found:
        reading.missing("asset", *position.path[1:])
        return None
    return int(found[0].asset_pk)


def _order(write: Write, collection: Any) -> Ranked:
    return Ranked(write.connection, sql.membership, "asset_pk", {"collection_pk": collection.pk})


def _told(field: str, collection: Any) -> FieldChange:
    return {"field": field, "before": None, "after": collection.id}
