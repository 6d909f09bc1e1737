"""This file is many rows being inserted, a bounded number at a time: a statement's parameters are held in memory."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql

BATCH = 5_000


async def insert_many(connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows of numbers, texts and nulls, in their order; all name the same columns. None is no statement."""
    if not rows:
        return
    names = list(rows[0])
    statement = sql.insert_rows(table, names)
    for start in range(0, len(rows), BATCH):
        values = [[row[name] for name in names] for row in rows[start : start + BATCH]]
        await connection.execute(statement, {"rows": orjson.dumps(values).decode()})
