"""Database migrations: Alembic behind a lock, so that one process migrates at a time."""

import os
from collections.abc import AsyncIterator, Callable
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

from store.database import Database
from store.error import DatabaseUnusableError, damaged_file, explain_driver_error
from store.search.index import count_stale_rows, index_postponed_rows, lock_writers, postpone_indexing

MIGRATIONS = Path(__file__).parent / "migrations"
ReportIndexing = Callable[[int, int], None]
LOCK = 7_366_515  # key of the advisory lock: arbitrary, but the same in every version of Atoll


async def migrate(database: Database, report: ReportIndexing = lambda _rows, _count: None) -> str:
    """Upgrade the database to the newest revision, index rows for search that are not indexed, return the revision.

    Several processes may call this at once: one migrates, the others wait. A newer revision that this version can use
    is left as it is. Raises DatabaseUnusableError, and changes nothing, if the database cannot be used or its revision
    is too new. `report` is called before each batch of rows, with the numbers of rows left and of all.
    """
    try:
        async with _exclusive_transaction(database) as connection:
            revision = await connection.run_sync(_upgrade)
            if revision == head_revision():
                await postpone_indexing(connection)
        if revision == head_revision():
            await _index(database, report)
    except (DBAPIError, OSError) as error:
        raise explain_driver_error(error, database.url) from error
    return revision


async def _index(database: Database, report: ReportIndexing) -> None:
    """Index all postponed rows, each batch in a transaction of its own: other writers wait for one batch only."""
    async with database.engines[0].connect() as connection:
        count = rows = await count_stale_rows(connection)
    while rows:
        report(rows, count)
        async with database.engines[0].begin() as connection:
            await lock_writers(connection)
            await index_postponed_rows(connection)
            rows = await count_stale_rows(connection)


def is_usable(revision: str | None) -> bool:
    """Return whether this version can use a database of the revision: its own, or a newer one that is compatible.

    The name of a revision is its number and, after an underscore, that of the oldest revision whose code can use its
    tables: code that knows revision 0005 can use 0007_0005.
    """
    head = head_revision()
    number, _, oldest = (revision or "").partition("_")
    return revision == head or (oldest.isdigit() and oldest <= head[:4] < number)


def is_newer(revision: str | None) -> bool:
    """Return whether a newer version of Atoll made the revision."""
    return revision is not None and revision not in _known_revisions()


async def current_revision(database: Database) -> str | None:
    """Return the revision of the database, None if it is empty or missing. Does not create a missing one."""
    if database.is_sqlite and not Path(str(database.url.database)).exists():  # noqa: ASYNC240 - a local disk
        return None
    async with database.engines[-1].connect() as connection:
        return await connection.run_sync(_current)


def head_revision() -> str:
    """Return the newest revision that this version of Atoll knows."""
    return str(_scripts().get_current_head())


def alembic_config(connection: Connection | None = None) -> Config:
    """Return the configuration of Alembic's commands, which run on the connection."""
    config = Config()
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _known_revisions() -> set[str]:
    return {script.revision for script in _scripts().walk_revisions()}


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(alembic_config())


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _upgrade(connection: Connection) -> str:
    current = _current(connection)
    if current is not None and is_newer(current):
        if is_usable(current):
            return current
        raise DatabaseUnusableError(
            f"The database is at revision {current}, which this version of Atoll does not know: a newer one wrote it. "
            "Run the newer version, or restore an older backup."
        )
    command.upgrade(alembic_config(connection), "head")
    return head_revision()


@asynccontextmanager
async def _exclusive_transaction(database: Database) -> AsyncIterator[AsyncConnection]:
    """Open a write transaction that excludes migrations of other processes."""
    if database.is_sqlite:
        async with _lock_file(Path(str(database.url.database))), database.engines[0].begin() as connection:
            await _check_integrity(connection, str(database.url.database))
            yield connection
        return
    async with database.engines[0].begin() as connection:
        # Waiting for a migration by another process may take longer than the timeouts set for requests.
        await connection.execute(text("set local lock_timeout = 0"))
        await connection.execute(text("set local statement_timeout = 0"))
        await connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        yield connection


@asynccontextmanager
async def _lock_file(path: Path) -> AsyncIterator[None]:
    # A new file is readable by its owner only, because the database contains names and e-mail addresses.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    async with AsyncFileLock(f"{path}.lock", mode=0o600):
        yield


async def _check_integrity(connection: AsyncConnection, name: str) -> None:
    """Raise DatabaseUnusableError for a damaged file at start, rather than in the first query that reads the damage."""
    verdict = (await connection.execute(text("PRAGMA quick_check(1)"))).scalar()
    if verdict != "ok":
        raise damaged_file(name, str(verdict))
