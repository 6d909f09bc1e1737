"""This file is assets being marked as gold standards: the administrators' word, which no import takes back."""

from typing import Any

from sqlalchemy import Row, update

from permissions.permission import Permission
from resolvers.context import Context
from resolvers.write.input import Input, InputReader
from resolvers.write.transaction import MutationTransaction, Payload, Result, run_mutation
from store import sql
from store.changes import FieldChange
from store.tables import ChangeAction

NO_AWARD = {"is_gold": 0, "gold_at": None, "gold_by_pk": None, "gold_note": None}


async def set_gold_standard(context: Context, given: Input) -> Payload:
    """Mark an asset as a gold standard, or take that back."""
    return await run_mutation(context, Permission.ADMIN, "assetGoldStandardSet", given, _set_gold_standard)


async def find_asset(write: MutationTransaction, reading: InputReader) -> Any:
    """Return the asset that `assetId` names; refuse one that does not exist for the viewer. One statement."""
    id_ = reading.input["asset_id"]
    found = await write.visible_by_id(sql.asset, [id_])
    if not found:
        reading.add_not_found("asset", "assetId")
    return found.get(id_)


async def _set_gold_standard(write: MutationTransaction, reading: InputReader) -> Result:
    note = reading.note()
    asset = await find_asset(write, reading)
    reading.raise_errors()
    if not reading.input["awarded"]:
        await _revoke(write, asset)
    else:
        await _award(write, asset, note if reading.has("note") else asset.gold_note)
    return {"asset": asset.id}


async def _award(write: MutationTransaction, asset: Row[Any], note: str | None) -> None:
    if asset.is_gold and asset.gold_note == note:
        return
    award = {"is_gold": 1, "gold_at": write.log.at, "gold_by_pk": write.viewer.user_pk, "gold_note": note}
    await _write(write, asset, award)
    await write.log.append(ChangeAction.AWARDED, [asset.id], [_note(asset.gold_note, note)])


async def _revoke(write: MutationTransaction, asset: Row[Any]) -> None:
    if asset.is_gold:
        await _write(write, asset, NO_AWARD)
        await write.log.append(ChangeAction.REVOKED, [asset.id], [_note(asset.gold_note, None)])


async def _write(write: MutationTransaction, asset: Row[Any], award: dict[str, Any]) -> None:
    # Its `updated_at` is the platform's, which knows nothing of awards.
    await write.execute(update(sql.asset).where(sql.asset.c.pk == asset.pk).values(award))


def _note(before: str | None, after: str | None) -> FieldChange:
    return {"field": "note", "before": before, "after": after}
