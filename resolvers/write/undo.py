"""This file is membership changes being taken back, as far as nobody has changed the same items since.

What was put in is taken out again by whoever may take it out; what was taken out is put back, where it was and with the
note it had, by its owner or by an administrator who took it out. Putting back is no adding: whether the asset is in a
state to be added does not matter, as it would not had it stayed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, delete

from permissions import visible
from permissions.permission import Permission
from resolvers.context import Context
from resolvers.deployment import INLINE_BULK_ITEMS
from resolvers.loaders import where_in
from resolvers.write.bulk import ItemResult, ItemStatus, failed_item
from resolvers.write.input import Input, InputReader
from resolvers.write.membership_operations import NOT_REMOVER
from resolvers.write.transaction import MutationTransaction, Payload, Result, run_mutation
from resolvers.write.user_error import UserErrorCode
from store import sql
from store.changes import MemberChange
from store.tables import ChangeAction
from store.undo_records import UndoRecord, undo_records

UNDOABLE = (ChangeAction.ASSETS_ADDED, ChangeAction.ASSETS_REMOVED, ChangeAction.ASSETS_MOVED, ChangeAction.UNDONE)
TOUCHED_SINCE = (UserErrorCode.CONFLICT, "The asset was put in or taken out again since: it stays as it is.")
NOT_RESTORER = (
    UserErrorCode.NOT_OWNER,
    "Only owners of the asset, or an administrator who took it out, may put it back.",
)
CHANGE_ID = ("input", "changeId")


async def undo(context: Context, given: Input) -> Payload:
    """Take back one membership change."""
    return await run_mutation(context, Permission.SIGNED_IN, "changeUndo", given, _undo)


async def _undo(write: MutationTransaction, reading: InputReader) -> Result:
    change = (await write.visible_by_id(sql.change, [reading.input["change_id"]])).get(reading.input["change_id"])
    if change is None:
        reading.add_not_found("change", "changeId")
    elif change.action not in UNDOABLE:
        message = "Only adding, removing and moving assets can be taken back."
        reading.add_error(UserErrorCode.INVALID, message, "changeId")
    reading.raise_errors()
    assert change is not None  # noqa: S101 - stopped above
    found = await undo_records(write.connection, change.pk)
    collections = await _visible_by(write, sql.collection, "id", {trace.collection_id for trace in found})
    if change.subject_id not in collections:
        reading.add_error(UserErrorCode.NOT_FOUND, "The collection of this change is gone.", "changeId")
        reading.raise_errors()
    assets = await _visible_by(write, sql.asset, "pk", {trace.asset_pk for trace in found})
    halves: dict[int, list[UndoRecord]] = {}
    for trace in found:
        halves.setdefault(trace.asset_pk, []).append(trace)
    if len(assets) > INLINE_BULK_ITEMS:
        message = f"The change touched {len(assets):,} assets; at most {INLINE_BULK_ITEMS:,} are taken back at once."
        reading.add_error(UserErrorCode.LIMIT_EXCEEDED, message, "changeId", limit=INLINE_BULK_ITEMS)
        reading.raise_errors()
    in_order = sorted(assets.values(), key=lambda asset: (asset.name_key, asset.id))
    is_own = change.actor_pk == write.viewer.user_pk
    items = [_judge(write, asset, halves[asset.pk], collections, is_own=is_own) for asset in in_order]
    undone = [
        trace
        for item, asset in zip(items, in_order, strict=True)
        for trace in (halves[asset.pk] if item.status is ItemStatus.CHANGED else ())
    ]
    ids = await _turn_back(write, undone, collections)
    results = [item.to_json() for item in items]
    # Of a move it may be that only what went out of the other collection is put back.
    undoing = ids.get(change.subject_id) or next(iter(ids.values()), None)
    return {"collection": change.subject_id, "results": results, "change": undoing}


def _judge(
    write: MutationTransaction,
    asset: Row[Any],
    halves: Sequence[UndoRecord],
    collections: Mapping[Any, Row[Any]],
    *,
    is_own: bool,
) -> ItemResult:
    is_owner = write.has_permission(asset, Permission.ASSET_OWN)
    if not all(trace.is_latest and trace.collection_id in collections for trace in halves):
        return failed_item(asset.id, *TOUCHED_SINCE, CHANGE_ID)
    for trace in halves:
        was_added = trace.rank is None
        if not (is_owner or (write.viewer.is_admin and (was_added or is_own))):
            return failed_item(asset.id, *(NOT_REMOVER if was_added else NOT_RESTORER), CHANGE_ID)
    return ItemResult(asset.id, ItemStatus.CHANGED)


async def _turn_back(
    write: MutationTransaction, undone: Sequence[UndoRecord], collections: Mapping[Any, Row[Any]]
) -> dict[str, str]:
    """Take out what was put in, put back what was taken out, and return the ids of the changes by collection."""
    membership = sql.membership
    pk_of = {id_: row.pk for id_, row in collections.items()}
    added = [trace for trace in undone if trace.rank is None]
    removed = [trace for trace in undone if trace.rank is not None]
    now = await _now(write, added, pk_of)
    if added:
        pks = sql.int_list([trace.asset_pk for trace in added])
        here = (membership.c.collection_pk == pk_of[added[0].collection_id], membership.c.asset_pk.in_(pks))
        await write.execute(delete(membership).where(*here))
    back = [
        {
            "collection_pk": pk_of[trace.collection_id],
            "asset_pk": trace.asset_pk,
            "rank": trace.rank,
            "added_at": trace.added_at,
            "added_by_pk": trace.added_by_pk,
            "note": trace.note,
        }
        for trace in removed
    ]
    await write.insert(membership, back)
    touched: dict[str, list[MemberChange]] = {}
    for trace in undone:
        before = now[trace.asset_pk] if trace.rank is None else MemberChange(trace.asset_pk)
        touched.setdefault(trace.collection_id, []).append(before)
    return await write.log.append_member_changes(ChangeAction.UNDONE, touched)


async def _now(
    write: MutationTransaction, added: Sequence[UndoRecord], pk_of: Mapping[Any, int]
) -> dict[int, MemberChange]:
    """Return the memberships that are about to be taken out, by asset: all of one collection. One statement."""
    if not added:
        return {}
    membership = sql.membership
    here = membership.c.collection_pk == pk_of[added[0].collection_id]
    rows = where_in(visible(membership, write.viewer), membership.c.asset_pk, [trace.asset_pk for trace in added])
    found = await write.rows(rows.where(here))
    return {
        row.asset_pk: MemberChange(row.asset_pk, row.rank, row.added_at, row.added_by_pk, row.note) for row in found
    }


async def _visible_by(write: MutationTransaction, table: Any, column: str, keys: set[Any]) -> dict[Any, Row[Any]]:
    rows = await write.rows(where_in(visible(table, write.viewer), table.c[column], sorted(keys)))
    return {getattr(row, column): row for row in rows}
