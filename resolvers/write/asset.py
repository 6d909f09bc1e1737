"""Gold standards: an administrator's award on an asset."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import update

from resolvers.write.input import InputReader
from resolvers.write.transaction import MutationTransaction, Result
from store import sql
from store.award import NO_AWARD, note_change
from store.rows import AssetRow
from store.tables import ChangeAction

GOLD_COLUMNS = tuple(NO_AWARD)


async def set_gold_standard(tx: MutationTransaction, reader: InputReader) -> Result:
    """Award an asset gold standard status, or revoke it."""
    note = reader.note()
    asset: AssetRow = await tx.get(reader, sql.asset, "asset_id")
    if not reader.input["awarded"]:
        change = await write_award(tx, asset, NO_AWARD) if asset.is_gold else None
    else:
        change = await _award(tx, asset, note if reader.has("note") else asset.gold_note)
    return {"asset": asset.id, "changes": [] if change is None else [change]}


async def _award(tx: MutationTransaction, asset: AssetRow, note: str | None) -> str | None:
    if asset.is_gold and asset.gold_note == note:
        return None
    award = {"is_gold": 1, "gold_at": tx.log.at, "gold_by_pk": tx.viewer.user_pk, "gold_note": note}
    return await write_award(tx, asset, award)


async def write_award(tx: MutationTransaction, asset: AssetRow, award: Mapping[str, Any], **record: Any) -> str:
    """Set the gold standard columns of an asset, log it, and return the id of the change. Three statements."""
    # `updated_at` stays: the platform sets it, and does not know about awards.
    await tx.execute(update(sql.asset).where(sql.asset.c.pk == asset.pk).values(award))
    action = ChangeAction.AWARDED if award["is_gold"] else ChangeAction.REVOKED
    note = note_change(asset.gold_note, award["gold_note"])
    effect = {"before": {name: getattr(asset, name) for name in GOLD_COLUMNS}, "after": dict(award)}
    (change,) = await tx.log.append(action, [asset.id], [note], effect=effect, **record)
    return change
