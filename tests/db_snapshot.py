"""Contents of a database for comparison: every row of every table that queries leave as it is."""

from typing import Any

from sqlalchemy import select
from sqlmodel import SQLModel

from store import sql
from store.database import Database

DbSnapshot = dict[str, list[tuple[Any, ...]]]


async def db_snapshot(database: Database) -> DbSnapshot:
    """Return the rows of each table, sorted."""
    async with database.snapshot() as snapshot:
        return {
            name: sorted((tuple(row) for row in await snapshot.rows(select(table))), key=repr)
            for name, table in SQLModel.metadata.tables.items()
            if table not in {sql.pull, sql.pull_chunk}  # which queries write
        }
