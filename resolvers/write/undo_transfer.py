"""Undo of transfers: assets are handed back, except those whose owner or grants were changed again since.

Administrators only, as the transfer. The former owner may be deactivated by now: usually that is why they handed over.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import String, cast, func, or_

from permissions import visible
from permissions.permission import Permission, require
from resolvers.loaders import where_in
from resolvers.write.bulk import BulkMode, ItemResult, ItemStatus, enforce_mode, failed_item, to_json
from resolvers.write.input import InputReader
from resolvers.write.transaction import MutationTransaction, Result
from resolvers.write.transfer_operation import transfer_assets
from resolvers.write.undo_conflict import CHANGE_ID, changed_again, check_size, describe_changes, undone, values_of
from resolvers.write.user_error import UserErrorCode
from store import sql
from store.rows import AssetRow, ChangeRow
from store.tables import ChangeAction
from store.transfer import Users, grants_of_both, plan_return, transferred_fields


async def undo(
    tx: MutationTransaction, reader: InputReader, change: ChangeRow, *, max_items: int | None = None
) -> Result:
    """Hand the assets of a transfer back, or undo that, for at most `max_items` assets, MAX_ITEMS by default.

    An asset is handed back as a whole, or not at all.
    """
    require(tx.viewer, Permission.ADMIN)
    fields = await transferred_fields(tx.connection, change)
    check_size(reader, len(fields), max_items)
    assets: dict[str, AssetRow] = await tx.visible_by_id(sql.asset, fields)
    users = await _users(tx, change)
    pks = [asset.pk for asset in assets.values()]
    grants = await grants_of_both(tx.connection, [user.pk for user in users], pks)
    by_name = sorted(assets.values(), key=lambda asset: (asset.sort_key, asset.id))
    planned = {asset.id: plan_return(asset, grants[asset.pk], fields[asset.id], users) for asset in by_name}
    later = await _later_changes(tx, change, [id_ for id_, transfer in planned.items() if transfer is None], users)
    items = [
        failed_item(id_, UserErrorCode.CONFLICT, _message(later.get((id_,))), CHANGE_ID)
        if transfer is None
        else ItemResult(id_, ItemStatus.CHANGED)
        for id_, transfer in planned.items()
    ]
    enforce_mode(BulkMode.BEST_EFFORT, items)
    transfers = [transfer for transfer in planned.values() if transfer is not None]
    log_id = await transfer_assets(tx, change.subject_id, users, transfers, **undone(change))
    return {"subjects": [change.subject_id], "changes": [log_id], "results": to_json(items)}


async def _users(tx: MutationTransaction, change: ChangeRow) -> Users:
    ((_, before, after),) = values_of(change)
    rows = await tx.visible_by_id(sql.principal, [before, after])
    return rows[after], rows[before]


async def _later_changes(
    tx: MutationTransaction, change: ChangeRow, asset_ids: list[str], users: Users
) -> Mapping[tuple[Any, ...], str]:
    """Describe the last later change of each asset that named one of the users, by the asset's id. One statement.

    A change that is part of a transfer stands for that, which can be undone.
    """
    log, whole = sql.change, sql.change.alias("whole")
    names_user = or_(*(cast(log.c.fields, String).contains(user.id) for user in users))
    is_whole = (whole.c.revision == log.c.revision) & (whole.c.action == ChangeAction.ASSETS_TRANSFERRED)
    rows = where_in(visible(log, tx.viewer).outerjoin(whole, is_whole), log.c.subject_id, asset_ids)
    rows = rows.where(log.c.pk > change.pk, log.c.revision > change.revision, names_user).group_by(log.c.subject_id)
    last = func.max(func.coalesce(whole.c.pk, log.c.pk))
    return await describe_changes(tx, rows.with_only_columns(log.c.subject_id, last))


def _message(later: str | None) -> str:
    again = f"The asset's owner or grants were {changed_again(later)}, so they stay as they are."
    return f"{again} Undo that first, or change them by hand."
