"""Undo of membership changes, except for items that were changed again since.

A removed asset is restored to its former place with its note, even if it is no longer eligible to be added.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Table, func

from permissions import visible
from permissions.may import may_remove, may_restore
from resolvers.loaders import where_in
from resolvers.write.bulk import BulkMode, ItemResult, ItemStatus, enforce_mode, failed_item, to_json
from resolvers.write.former_places import move_members_back, restore_members
from resolvers.write.input import InputReader
from resolvers.write.membership_operations import MEMBER_ORDER, NOT_REMOVER, delete_members
from resolvers.write.transaction import MutationTransaction, Result
from resolvers.write.undo_conflict import CHANGE_ID, changed_again, check_size, describe_changes
from resolvers.write.user_error import UserErrorCode
from store import sql
from store.changes import MemberChange, Undone
from store.rows import AssetRow, ChangeRow, CollectionRow, MembershipRow
from store.tables import ChangeAction
from store.undo_records import ORDER_ACTIONS, UndoRecord, undo_records

NO_COLLECTION = "The collection of this change no longer exists."
NOT_RESTORER = (
    UserErrorCode.NOT_OWNER,
    "Only owners of the asset, or the administrator who removed it, may restore it.",
)

CollectionsById = Mapping[str, CollectionRow]


async def undo(
    tx: MutationTransaction, reader: InputReader, change: ChangeRow, *, max_items: int | None = None
) -> Result:
    """Undo a change of at most `max_items` members, MAX_ITEMS by default; for a move, in both collections."""
    records = await undo_records(tx.connection, change.pk)
    collections: CollectionsById = await _visible_by(
        tx, sql.collection, "id", {record.collection_id for record in records}
    )
    if change.subject_id not in collections:
        reader.add_error(UserErrorCode.NOT_FOUND, NO_COLLECTION, "changeId")
        reader.raise_errors()
    assets: dict[int, AssetRow] = await _visible_by(tx, sql.asset, "pk", {record.asset_pk for record in records})
    check_size(reader, len(assets), max_items)
    records_by_asset: dict[int, list[UndoRecord]] = {pk: [] for pk in assets}
    for record in records:
        if record.asset_pk in assets:
            records_by_asset[record.asset_pk].append(record)
    by_name = sorted(assets.values(), key=lambda asset: (asset.sort_key, asset.id))
    is_own = change.actor_pk == tx.viewer.user_pk
    conflicting = [
        record for each in records_by_asset.values() for record in each if not _is_undoable(record, collections)
    ]
    conflicts = await _conflicts(tx, change, conflicting)
    items = [_plan(tx, asset, records_by_asset[asset.pk], conflicts, is_own=is_own) for asset in by_name]
    enforce_mode(BulkMode.BEST_EFFORT, items)
    undoable = [
        record
        for item, asset in zip(items, by_name, strict=True)
        if item.is_changed
        for record in records_by_asset[asset.pk]
    ]
    removed, restored = (
        [record for record in undoable if _was_added(record) is was_added] for was_added in (True, False)
    )
    changes = await _apply(tx, removed, restored, collections)
    return {
        "subjects": list(changes),
        "changes": list(changes.values()),
        "results": to_json(items),
        "removed": [assets[record.asset_pk].id for record in removed],
        "added": [assets[record.asset_pk].id for record in restored],
        "added_to": restored[0].collection_id if restored else None,
    }


def _plan(
    tx: MutationTransaction,
    asset: AssetRow,
    records: Sequence[UndoRecord],
    conflicts: Mapping[int, str | None],
    *,
    is_own: bool,
) -> ItemResult:
    is_owner = tx.is_owner(asset)
    if conflict := _conflict(asset, conflicts):
        return conflict
    for record in records:
        if _was_added(record) and not may_remove(tx.viewer, is_owner=is_owner):
            return failed_item(asset.id, *NOT_REMOVER, CHANGE_ID)
        if not _was_added(record) and not may_restore(tx.viewer, is_owner=is_owner, is_own_removal=is_own):
            return failed_item(asset.id, *NOT_RESTORER, CHANGE_ID)
    return ItemResult(asset.id, ItemStatus.CHANGED)


async def undo_order(tx: MutationTransaction, reader: InputReader, change: ChangeRow) -> Result:
    """Move assets of a collection back to their former places, except those that were changed again since."""
    collection: CollectionRow | None = (await tx.visible_by_id(sql.collection, [change.subject_id])).get(
        change.subject_id
    )
    if collection is None:
        reader.add_error(UserErrorCode.NOT_FOUND, NO_COLLECTION, "changeId")
        reader.raise_errors()
    assert collection is not None  # noqa: S101 - raised above
    records = await undo_records(tx.connection, change.pk)
    assets: dict[int, AssetRow] = await _visible_by(tx, sql.asset, "pk", [record.asset_pk for record in records])
    records.sort(key=lambda record: (assets[record.asset_pk].sort_key, assets[record.asset_pk].id))
    staying = [record for record in records if not (record.is_latest and record.is_member)]
    conflicts = await _conflicts(tx, change, staying)
    items = [
        _conflict(assets[record.asset_pk], conflicts) or ItemResult(assets[record.asset_pk].id, ItemStatus.CHANGED)
        for record in records
    ]
    enforce_mode(BulkMode.BEST_EFFORT, items)
    moving = [record for item, record in zip(items, records, strict=True) if item.is_changed]
    current = await _current_members(tx, moving, {collection.id: collection})
    await move_members_back(tx, collection, moving)
    changes = await tx.log.append_member_changes(
        ChangeAction.REORDERED,
        {collection.id: [current[record.asset_pk] for record in moving]},
        undone_by_subject={collection.id: Undone(moving[0].change_pk, moving[0].original_pk)},
        effect=MEMBER_ORDER,
    )
    return {"subjects": [collection.id], "changes": list(changes.values()), "results": to_json(items)}


async def _apply(
    tx: MutationTransaction,
    removed: Sequence[UndoRecord],
    restored: Sequence[UndoRecord],
    collections: CollectionsById,
) -> dict[str, str]:
    """Remove members and restore others, each of one collection; return the ids of the changes by collection id."""
    current = await _current_members(tx, removed, collections)
    member_changes: dict[str, list[MemberChange]] = {}
    if removed:
        id_ = removed[0].collection_id
        await delete_members(tx, collections[id_].pk, [record.asset_pk for record in removed])
        member_changes[id_] = [current[record.asset_pk] for record in removed]
    if restored:
        id_ = restored[0].collection_id
        await restore_members(tx, collections[id_], restored)
        member_changes[id_] = [MemberChange(record.asset_pk) for record in restored]
    undone = {
        record.collection_id: Undone(record.change_pk, record.original_pk)
        for records in (removed, restored)
        for record in records[:1]
    }
    return await tx.log.append_member_changes(ChangeAction.UNDONE, member_changes, undone_by_subject=undone)


async def _current_members(
    tx: MutationTransaction, added: Sequence[UndoRecord], collections: CollectionsById
) -> dict[int, MemberChange]:
    """Return the memberships that are about to be deleted, all of one collection, by asset. One statement."""
    if not added:
        return {}
    membership = sql.membership
    in_collection = membership.c.collection_pk == collections[added[0].collection_id].pk
    select = where_in(visible(membership, tx.viewer), membership.c.asset_pk, [record.asset_pk for record in added])
    rows: Sequence[MembershipRow] = await tx.rows(select.where(in_collection))
    return {row.asset_pk: MemberChange(row.asset_pk, row.rank, row.added_at, row.added_by_pk, row.note) for row in rows}


async def _conflicts(
    tx: MutationTransaction, change: ChangeRow, records: Sequence[UndoRecord]
) -> Mapping[int, str | None]:
    """Describe the last later change of each asset that stays as it is, by pk. One statement.

    None if the viewer sees no later change.
    """
    log, member = sql.change, sql.change_asset
    rows = (
        visible(log, tx.viewer)
        .join(member, member.c.change_pk == log.c.pk)
        .where(
            log.c.revision > change.revision,
            log.c.subject_id.in_(sql.text_list([record.collection_id for record in records])),
            member.c.asset_pk.in_(sql.int_list([record.asset_pk for record in records])),
        )
        .group_by(log.c.subject_id, member.c.asset_pk)
    )
    if change.action not in ORDER_ACTIONS:
        rows = rows.where(log.c.action.not_in(ORDER_ACTIONS))
    later = await describe_changes(tx, rows.with_only_columns(log.c.subject_id, member.c.asset_pk, func.max(log.c.pk)))
    conflicts: dict[int, str | None] = {}
    for record in records:
        conflicts[record.asset_pk] = later.get((record.collection_id, record.asset_pk), conflicts.get(record.asset_pk))
    return conflicts


def _conflict(asset: AssetRow, conflicts: Mapping[int, str | None]) -> ItemResult | None:
    """Return CONFLICT as the result of an asset that stays as it is; None for one that does not."""
    if asset.pk not in conflicts:
        return None
    again = changed_again(conflicts[asset.pk], "added, removed or moved")
    message = f"The asset was {again}, so it stays as it is. Undo that first, or change it by hand."
    return failed_item(asset.id, UserErrorCode.CONFLICT, message, CHANGE_ID)


def _is_undoable(record: UndoRecord, collections: CollectionsById) -> bool:
    return record.is_latest and record.is_member == _was_added(record) and record.collection_id in collections


def _was_added(record: UndoRecord) -> bool:
    return record.rank is None


async def _visible_by(tx: MutationTransaction, table: Table, column: str, keys: Iterable[Any]) -> dict[Any, Any]:
    rows = await tx.rows(where_in(visible(table, tx.viewer), table.c[column], sorted(keys)))
    return {getattr(row, column): row for row in rows}
