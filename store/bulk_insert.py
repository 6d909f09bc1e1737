"""Bulk INSERT, in batches to bound the memory that a statement's parameters take."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql

BATCH_ROWS = 5_000


async def insert_many(connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows in order. All rows have the same columns; values are integers, strings and nulls.

    One statement per BATCH_ROWS rows; none for no rows.
    """
    if not rows:
        return
    names = list(rows[0])
    statement = sql.insert_rows(table, names)
    for start in range(0, len(rows), BATCH_ROWS):
        values = [[row[name] for name in names] for row in rows[start : start + BATCH_ROWS]]
        await connection.execute(statement, {"rows": sql.json_text(values)})
