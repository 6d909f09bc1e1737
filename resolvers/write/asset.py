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


async def set_gold_standard(tx: MutationTransaction, reader: InputReader) -> Result:
    """Award an asset gold standard status, or revoke it."""
    note = reader.note()
    asset: AssetRow = await tx.get(reader, sql.asset, "asset_id")
    if not reader.input["awarded"]:
        await _revoke(tx, asset)
    else:
        await _award(tx, asset, note if reader.has("note") else asset.gold_note)
    return {"asset": asset.id}


async def _award(tx: MutationTransaction, asset: AssetRow, note: str | None) -> None:
    if asset.is_gold and asset.gold_note == note:
        return
    award = {"is_gold": 1, "gold_at": tx.log.at, "gold_by_pk": tx.viewer.user_pk, "gold_note": note}
    await _update(tx, asset, award)
    await tx.log.append(ChangeAction.AWARDED, [asset.id], [note_change(asset.gold_note, note)])


async def _revoke(tx: MutationTransaction, asset: AssetRow) -> None:
    if asset.is_gold:
        await _update(tx, asset, NO_AWARD)
        await tx.log.append(ChangeAction.REVOKED, [asset.id], [note_change(asset.gold_note, None)])


async def _update(tx: MutationTransaction, asset: AssetRow, award: Mapping[str, Any]) -> None:
    # `updated_at` stays: the platform sets it, and does not know about awards.
    await tx.execute(update(sql.asset).where(sql.asset.c.pk == asset.pk).values(award))
