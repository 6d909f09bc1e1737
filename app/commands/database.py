"""Work of a command on the database: connect, migrate, run, and explain the driver's errors."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from sqlalchemy.exc import DBAPIError

from app.commands.terminal import console
from app.settings import Settings
from store.database import OPERATION_SECONDS, Database
from store.error import DatabaseUnusableError, explain_driver_error
from store.migrate import current_revision, head_revision, is_newer, is_usable, migrate
from store.search.index import BATCH

Result = TypeVar("Result")


def migrate_and_run(settings: Settings, work: Callable[[Database], Coroutine[Any, Any, Result]]) -> Result:
    """Migrate the database, then return the result of `work` on it."""

    async def migrate_and_work(database: Database) -> Result:
        await migrate_with_progress(database)
        return await work(database)

    return run_with_database(settings, migrate_and_work)


def run_with_database(
    settings: Settings,
    work: Callable[[Database], Coroutine[Any, Any, Result]],
    read_seconds: float = OPERATION_SECONDS,
) -> Result:
    """Return the result of `work` on the database, each of whose snapshots lasts at most so many seconds.

    Raises DatabaseUnusableError for a driver's error.
    """

    async def run() -> Result:
        database = Database(settings.database_url, operation_seconds=read_seconds)
        try:
            return await work(database)
        except (DBAPIError, OSError) as error:
            raise explain_driver_error(error, database.url) from error
        finally:
            await database.close()

    return asyncio.run(run())


async def migrate_with_progress(database: Database) -> str:
    """Migrate the database, and print how far the indexing of many rows is."""
    return await migrate(database, _report_indexing)


def _report_indexing(rows: int, count: int) -> None:
    if count > BATCH:
        console.print(f"Indexing for search: {rows:,} of {count:,} rows left", soft_wrap=True)


async def require_usable(database: Database) -> None:
    """Raise DatabaseUnusableError unless this version can use the database as it is."""
    revision = await current_revision(database)
    if not is_usable(revision):
        remedy = "Run a newer version of Atoll." if is_newer(revision) else "Run: atoll migrate"
        raise DatabaseUnusableError(
            f"The database is at revision {revision or 'none'}; this version needs {head_revision()}. {remedy}"
        )
