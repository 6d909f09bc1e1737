"""Log of places: where topics and collections stood before each of the last writes that moved, made or deleted them.

Former places of members are in the change log, see `ChangeAsset`.
"""

from collections.abc import Sequence

from sqlalchemy import Table, delete, literal, null, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.changes import ChangeLog

RETENTION_MS = 48 * 3_600 * 1_000
"""How long a walk by cursors goes on from a former place, also of a member."""

_COLUMNS = ("revision", "at", "kind", "id", "row_pk", "topic_pk", "parent_pk", "rank", "visibility")


async def log_places(
    connection: AsyncConnection, log: ChangeLog, table: Table, ids: Sequence[str], *, are_new: bool = False
) -> None:
    """Log the places of rows before they are moved or deleted; with `are_new`, that they were nowhere before.

    If a write logs a row twice, the first place counts. Deletes places that are older than RETENTION_MS. Two
    statements, none without rows.
    """
    if not ids:
        return
    former, row = sql.former_place, table.c
    await connection.execute(delete(former).where(former.c.at <= log.at - RETENTION_MS))
    is_collection = table is sql.collection
    places = select(
        literal(log.revision),
        literal(log.at),
        literal(table.name),
        row.id,
        row.pk,
        *((row.topic_pk, row.parent_pk) if is_collection else (null(), null())),
        null() if are_new else row.rank,
        row.visibility if is_collection else null(),
    ).where(row.id.in_(sql.text_list(ids)))
    await connection.execute(former.insert().from_select(list(_COLUMNS), places))
