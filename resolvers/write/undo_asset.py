"""Undo of changes of assets: sharing, by owners, and gold standards, by administrators."""

from collections.abc import Mapping
from typing import Any

from permissions import visible
from permissions.may import may_share
from resolvers.write.asset import GOLD_COLUMNS, write_award
from resolvers.write.grant import NOT_OWNER, share
from resolvers.write.grant_input import OWNER_STAYS
from resolvers.write.input import InputReader
from resolvers.write.transaction import MutationTransaction, Result
from resolvers.write.undo_conflict import add_conflict, effect_of, has_field, undone, values_of
from resolvers.write.user_error import UserErrorCode
from store import sql
from store.grant_changes import grant_field
from store.rows import AssetRow, ChangeRow
from store.tables import AssetAccess, ChangeAction

FIELD_PATH = "changeId"
AWARD_ACTIONS = (ChangeAction.AWARDED, ChangeAction.REVOKED)


async def undo_shared(tx: MutationTransaction, reader: InputReader, change: ChangeRow) -> Result:
    """Restore the former access of each principal. Owners of the asset only."""
    asset = await _get_asset(tx, reader, change)
    if not may_share(is_owner=tx.is_owner(asset)):
        reader.add_error(UserErrorCode.NOT_OWNER, NOT_OWNER, FIELD_PATH)
    reader.raise_errors()
    principals = {grant_field(row): row for row in await tx.rows(visible(sql.principal, tx.viewer))}
    grants = await tx.rows(visible(sql.grant, tx.viewer).where(sql.grant.c.asset_pk == asset.pk))
    current = {row.principal_pk: AssetAccess(row.access).name for row in grants}
    access: dict[int, int] = {}
    for field, before, after in values_of(change):
        pk = principals[field].pk
        if current.get(pk) != after:
            noun = f"The access of {principals[field].name}"
            await add_conflict(tx, reader, change, noun, has_field(field))
        elif pk == asset.owner_pk and before != AssetAccess.OWNER.name:
            reader.add_error(UserErrorCode.INVALID, OWNER_STAYS, FIELD_PATH)
        if before is not None:
            access[pk] = AssetAccess[before].value
    reader.raise_errors()
    changed = {principals[field].pk: principals[field] for field, *_ in values_of(change)}
    return {"subjects": [asset.id], "changes": await share(tx, asset, access, changed, **undone(change))}


async def undo_awarded(tx: MutationTransaction, reader: InputReader, change: ChangeRow) -> Result:
    """Restore the former gold standard award, or its absence."""
    asset = await _get_asset(tx, reader, change)
    if _award_of(asset) != effect_of(change)["after"]:
        await add_conflict(tx, reader, change, "The gold standard", lambda row: row.action in AWARD_ACTIONS)
    reader.raise_errors()
    log_id = await write_award(tx, asset, effect_of(change)["before"], **undone(change))
    return {"subjects": [asset.id], "changes": [log_id]}


def _award_of(asset: AssetRow) -> Mapping[str, Any]:
    return {name: getattr(asset, name) for name in GOLD_COLUMNS}


async def _get_asset(tx: MutationTransaction, reader: InputReader, change: ChangeRow) -> AssetRow:
    """Return the asset of a change. Raises MutationRejectedError if it is hidden now."""
    asset: AssetRow | None = (await tx.visible_by_id(sql.asset, [change.subject_id])).get(change.subject_id)
    if asset is None:
        reader.add_not_found("change", FIELD_PATH)
        reader.raise_errors()
    assert asset is not None  # noqa: S101 - raised above
    return asset
