"""Imported lines: the state of each line of a source when it was last imported, with the object that it describes."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql


class ImportedState(NamedTuple):
    """State of a line: the id in the line, None if it has none, and its fields by name."""

    external_id: str | None
    fields: Mapping[str, Any]


StatesByObject = Mapping[str, ImportedState]
"""States of the lines of one source and one kind, by the id of the object that a line describes."""


async def load_states(
    connection: AsyncConnection, source: str, kind: str, external_ids: Sequence[str] | None = None
) -> dict[str, ImportedState]:
    """Return the states of lines by object id: of lines with one of the ids, or of all. One statement."""
    line = sql.imported_line.c
    rows = select(line.object_id, line.external_id, line.fields).where(line.source == source, line.kind == kind)
    if external_ids is not None:
        rows = rows.where(line.external_id.in_(sql.text_list(external_ids)))
    states = await connection.execute(rows)
    return {row.object_id: ImportedState(row.external_id, row.fields) for row in states}


async def save_states(
    connection: AsyncConnection, source: str, kind: str, before: StatesByObject, after: StatesByObject
) -> bool:
    """Replace the states that differ, and delete those without an object; return whether there were any.

    Two statements, and one more per further 1,000 lines.
    """
    changed = {id_: state for id_, state in after.items() if before.get(id_) != state}
    obsolete = [id_ for id_ in before if id_ not in after or id_ in changed]
    line = sql.imported_line
    if obsolete:
        is_obsolete = line.c.object_id.in_(sql.text_list(obsolete))
        await connection.execute(delete(line).where(line.c.source == source, line.c.kind == kind, is_obsolete))
    rows = [
        {"source": source, "kind": kind, "object_id": id_, "external_id": state.external_id, "fields": state.fields}
        for id_, state in changed.items()
    ]
    for start in range(0, len(rows), BATCH_ROWS):
        await connection.execute(insert(line), rows[start : start + BATCH_ROWS])
    return bool(changed or obsolete)


BATCH_ROWS = 1_000
