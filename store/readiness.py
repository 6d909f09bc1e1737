"""Check whether a database is ready, on a connection of its own, within a second."""

import asyncio
import sqlite3
from contextlib import closing
from typing import Any, Final

import asyncpg

from store.database import Database
from store.failure import DriverErrors
from store.sqlite_file import file_uri

READY_SECONDS: Final = 0.8
"""Longest time of a check, so that the answer to a probe takes less than a second."""

_REVISION: Final = "select version_num from alembic_version"


async def ready_revision(database: Database) -> str | None:
    """Return the database's revision, None if it has none. Raises StorageError if it cannot be read in time."""
    with DriverErrors(database.url):
        async with asyncio.timeout(READY_SECONDS):
            if database.file is not None:
                database.file.check()
                return await asyncio.to_thread(_sqlite_revision, database.file.path)
            assert database.postgres_options is not None  # noqa: S101 - it is one or the other
            options = database.postgres_options.connect_arguments(database.engines[0].dialect)
            return await _postgresql_revision(options)


def _sqlite_revision(path: str) -> str | None:
    with closing(sqlite3.connect(file_uri(path), uri=True, timeout=READY_SECONDS)) as connection:
        tables = connection.execute("select 1 from sqlite_master where name = 'alembic_version'").fetchone()
        row = connection.execute(_REVISION).fetchone() if tables else None
    return None if row is None else str(row[0])


async def _postgresql_revision(options: dict[str, Any]) -> str | None:
    connection = await asyncpg.connect(**options)
    try:
        revision: str | None = await connection.fetchval(_REVISION)
        await connection.close()
    except asyncpg.UndefinedTableError:
        return None
    finally:
        connection.terminate()
    return revision
