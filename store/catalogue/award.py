"""Import of gold standards: an award applies to a new asset, or if the line changed since the last import."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, bindparam, update

from store import sql
from store.award import NO_AWARD, note_change
from store.catalogue.imported import ImportedState, load_states, save_states
from store.catalogue.lines import AssetLine, GoldStandardLine
from store.catalogue.plan import KeptLine
from store.catalogue.upsert import ImportSession, UpsertResult
from store.changes import changed_columns
from store.tables import ChangeAction


async def write_awards(
    session: ImportSession, source: str, lines: Sequence[AssetLine], result: UpsertResult
) -> list[KeptLine]:
    """Award and revoke gold standards, and save the states of the lines; return those that people's edits replace.

    `result` is the outcome of writing their other fields, by external id.
    """
    assets = await session.load_rows(sql.asset, "external_id", [line.id for line in lines])
    states = await load_states(session.connection, source, "asset", [*assets])
    new_states, changes, kept = {}, [], []
    for line in lines:
        row = assets[line.id]
        former, state = states.get(row.id), ImportedState(line.id, _fields(line.goldStandard))
        new_states[row.id] = state
        changed = changed_columns(row, _award(line.goldStandard))
        if changed and (line.id in result.created or (former is not None and former != state)):
            changes.append((row, changed))
        elif changed.keys() - {"gold_by_pk"} and line.goldStandard is not None:
            kept.append(KeptLine("asset", line.id, "goldStandard"))
    await _write(session, changes)
    counted = {*result.created, *result.updated}
    session.recount_as_updated(row.kind for row, _ in changes if row.external_id not in counted)
    session.must_commit |= await save_states(session.connection, source, "asset", states, new_states)
    return kept


def _fields(award: GoldStandardLine | None) -> dict[str, Any]:
    return {} if award is None else {"goldStandard": award.model_dump(exclude_none=True)}


def _award(award: GoldStandardLine | None) -> Mapping[str, Any]:
    if award is None:
        return NO_AWARD
    return {**NO_AWARD, "is_gold": 1, "gold_at": award.awardedAt, "gold_note": award.note}


async def _write(session: ImportSession, changes: Sequence[tuple[Row[Any], Mapping[str, Any]]]) -> None:
    """Write and log the awards. `updated_at` stays: the platform does not know about awards."""
    if not changes:
        return
    rows = [
        {"of_pk": row.pk} | {f"to_{name}": changed.get(name, getattr(row, name)) for name in NO_AWARD}
        for row, changed in changes
    ]
    assignments: dict[str, Any] = {name: bindparam(f"to_{name}") for name in NO_AWARD}
    one = update(sql.asset).where(sql.asset.c.pk == bindparam("of_pk"))
    await session.connection.execute(one.values(assignments), rows)
    awarded, revoked = dict[str, list[Any]](), dict[str, list[Any]]()
    for row, changed in changes:
        note = note_change(row.gold_note, changed.get("gold_note", row.gold_note))
        (awarded if changed.get("is_gold", row.is_gold) else revoked)[row.id] = [note]
    await session.log.append_by_subject(ChangeAction.AWARDED, awarded)
    await session.log.append_by_subject(ChangeAction.REVOKED, revoked)
