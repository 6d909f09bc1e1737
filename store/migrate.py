"""This file is how the tables come to be and change: Alembic's migrations, behind a lock."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from filelock import AsyncFileLock
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from store.database import Database, DatabaseUnusableError, explain_driver_error
from store.search.index import index_stale_rows

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK = 7_366_515  # any number, as long as every Atoll takes the same


async def migrate(database: Database) -> str:
    """Bring the database to the newest tables and return its revision.

    Several processes may call it at once: one works, the others wait and find it done. Raises DatabaseUnusableError for
    a database that cannot be used, or that a newer Atoll wrote: this one never touches what it does not know.
    """
    try:
        async with _alone(database) as connection:
            revision = await connection.run_sync(_upgrade)
            await index_stale_rows(connection)
            return revision
    except (DBAPIError, OSError) as error:
        raise explain_driver_error(error, database.url) from error


async def current_revision(database: Database) -> str | None:
    """Return the revision that the database is at, and None for an empty one. Nothing is created."""
    if database.is_sqlite and not Path(str(database.url.database)).exists():  # noqa: ASYNC240 - a look at a disk of ours
        return None
    async with database.engines[-1].connect() as connection:
        return await connection.run_sync(_current)


def head_revision() -> str:
    """Return the newest revision that this code knows."""
    return str(_scripts().get_current_head())


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _upgrade(connection: Connection) -> str:
    current, known = _current(connection), {script.revision for script in _scripts().walk_revisions()}
    if current is not None and current not in known:
        raise DatabaseUnusableError(
            f"The database is at revision {current}, which this Atoll does not know: a newer one wrote it. "
            "Run that one, or restore a backup made before it."
        )
    command.upgrade(_config(connection), "head")
    return head_revision()


@asynccontextmanager
async def _alone(database: Database) -> AsyncIterator[AsyncConnection]:
    """Open a write transaction that no other process's migration runs beside."""
    if database.is_sqlite:
        async with _lock_file(Path(str(database.url.database))), database.engines[0].begin() as connection:
            await _refuse_damaged(connection, str(database.url.database))
            yield connection
        return
    async with database.engines[0].begin() as connection:
        # Others may need longer than a request may wait.
        await connection.execute(text("set local lock_timeout = 0"))
        await connection.execute(text("set local statement_timeout = 0"))
        await connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        yield connection


@asynccontextmanager
async def _lock_file(path: Path) -> AsyncIterator[None]:
    # Names and e-mail addresses are in there: a new file is its owner's alone.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    async with AsyncFileLock(f"{path}.lock", mode=0o600):
        yield


async def _refuse_damaged(connection: AsyncConnection, name: str) -> None:
    """Raise DatabaseUnusableError for a damaged file now, not in the first query that meets the damage."""
    verdict = (await connection.execute(text("PRAGMA quick_check(1)"))).scalar()
    if verdict != "ok":
        what = " ".join(str(verdict).split())
        raise DatabaseUnusableError(
            f"{name} is damaged ({what}). Restore it from a backup, or move it away to begin with an empty one."
        )
