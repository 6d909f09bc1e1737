"""Collections of one asset: add it to some and remove it from others, all or nothing."""

from collections.abc import Sequence

from sqlalchemy import delete

from resolvers.write.bulk import BulkMode, changed_ids, enforce_mode, to_json
from resolvers.write.input import InputReader
from resolvers.write.membership_operations import (
    Member,
    add_outcome,
    members_by_collection,
    membership_row,
    plan_items,
    remove_outcome,
)
from resolvers.write.transaction import MutationTransaction, Result
from resolvers.write.user_error import UserErrorCode
from store import sql
from store.membership_ranks import next_ranks
from store.rows import AssetRow
from store.tables import ChangeAction


async def update(tx: MutationTransaction, reader: InputReader) -> Result:
    """Add an asset to collections and remove it from others."""
    to_add = reader.ids("add_to", is_required=False)
    to_remove = reader.ids("remove_from", is_required=False)
    if not to_add and not to_remove:
        reader.add_error(UserErrorCode.REQUIRED, "Give at least one collection in addTo or removeFrom.", "addTo")
    for id_, index in to_remove.items():
        if id_ in to_add:
            message = "A collection cannot be in both addTo and removeFrom. Omit it from one of them."
            reader.add_error(UserErrorCode.INVALID, message, "removeFrom", str(index))
    asset: AssetRow = await tx.get(reader, sql.asset, "asset_id")
    members = await members_by_collection(tx, asset, [*to_add, *to_remove])
    additions = {id_: add_outcome(tx, members[id_]) for id_ in to_add if id_ in members}
    removals = {id_: remove_outcome(tx, members[id_]) for id_ in to_remove if id_ in members}
    added = plan_items(to_add, additions, "collection", "addTo")
    removed = plan_items(to_remove, removals, "collection", "removeFrom")
    enforce_mode(BulkMode.ATOMIC, [*added, *removed], asset=asset.id)
    added_to, removed_from = changed_ids(added), changed_ids(removed)
    changes = await _add(tx, asset, [members[id_] for id_ in added_to])
    changes |= await _remove(tx, asset, [members[id_] for id_ in removed_from])
    return {
        "asset": asset.id,
        "results": to_json([*added, *removed]),
        "addedCollections": added_to,
        "removedCollections": removed_from,
        "changes": list(changes.values()),
    }


async def _add(tx: MutationTransaction, asset: AssetRow, members: Sequence[Member]) -> dict[str, str]:
    ranks = await next_ranks(tx.connection, [member.collection_pk for member in members])
    rows = [membership_row(tx, asset.pk, pk, rank, None) for pk, rank in ranks.items()]
    await tx.insert(sql.membership, rows)
    return await _log(tx, ChangeAction.ASSETS_ADDED, members)


async def _remove(tx: MutationTransaction, asset: AssetRow, members: Sequence[Member]) -> dict[str, str]:
    membership = sql.membership
    if members:
        pks = sql.int_list([member.collection_pk for member in members])
        await tx.execute(
            delete(membership).where(membership.c.asset_pk == asset.pk, membership.c.collection_pk.in_(pks))
        )
    return await _log(tx, ChangeAction.ASSETS_REMOVED, members)


async def _log(tx: MutationTransaction, action: ChangeAction, members: Sequence[Member]) -> dict[str, str]:
    return await tx.log.append_member_changes(action, {member.id: [member.change] for member in members})
