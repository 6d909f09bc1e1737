"""This file is how the database is reached: engines, one snapshot an operation, one writer at a time.

SQLite and PostgreSQL are equals here. A reader sees one snapshot from its first statement to its last (a read
transaction in WAL; REPEATABLE READ, READ ONLY). A writer of SQLite begins with the lock it will need (BEGIN IMMEDIATE),
because a read lock that must grow into a write lock loses updates or fails.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from sqlalchemy import Executable, Row, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from store.error import DatabaseUnusableError, explain_driver_error, parse_database_url
from store.search.index import index_stale_rows

READER_CONNECTIONS = 8
BUSY_SECONDS = 5
WRITER_SECONDS = 30  # writers of one process take turns, and a large one takes seconds
PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",  # acknowledged means on disk
    f"busy_timeout={BUSY_SECONDS * 1000}",
    "foreign_keys=ON",
    "trusted_schema=OFF",
    "cell_size_check=ON",
    "journal_size_limit=67108864",
)


class Snapshot:
    """What one operation reads: every statement sees the database as it was at the first."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._one_at_a_time = asyncio.Lock()
        self._ended: Exception | None = None

    async def rows(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> Sequence[Row[Any]]:
        """Return every row of the statement. One statement, and one round trip."""
        # Sibling fields resolve concurrently, but a connection serves one statement at a time.
        async with self._one_at_a_time:
            if self._ended is not None:
                raise self._ended
            return (await self._connection.execute(statement, parameters)).all()

    async def end(self, told: Exception) -> None:
        """Wait for the statement under way; whoever reads on is told this, or what was told first."""
        async with self._one_at_a_time:
            self._ended = self._ended or told


@asynccontextmanager
async def end_on_exit(snapshot: Snapshot) -> AsyncIterator[Snapshot]:
    """End the snapshot on leaving: an operation that failed leaves siblings behind, which read on to nobody's use."""
    try:
        yield snapshot
    finally:
        await snapshot.end(RuntimeError("This snapshot has ended."))


class Database:
    """The engines of one process. Make it after any fork, in the event loop that will use it."""

    def __init__(self, url: str) -> None:
        """Prepare the engines for a URL such as `sqlite+aiosqlite:///atoll.db`; nothing is opened yet.

        Raises DatabaseUnusableError for a URL that names no parse_database_url database.
        """
        self.url = parse_database_url(url)
        self._writing: set[asyncio.Task[Any]] = set()
        self.job_queued = asyncio.Event()
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            self._writer = _sqlite_engine(self.url, writes=True)
            self._reader = _sqlite_engine(self.url, writes=False)
        else:
            self._writer = _postgresql_engine(self.url, writes=True)
            self._reader = _postgresql_engine(self.url, writes=False).execution_options(
                isolation_level="REPEATABLE READ",
                postgresql_readonly=True,
            )

    @property
    def engines(self) -> tuple[AsyncEngine, ...]:
        """The engines that statements go through, for those who count them."""
        return self._writer, self._reader

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Snapshot]:
        """Open a read-only snapshot; it ends, and its connection is returned, on leaving."""
        async with self._reader.connect() as connection, end_on_exit(Snapshot(connection)) as snapshot:
            yield snapshot

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Open a write transaction: committed on leaving, rolled back on any exception.

        What it wrote is found by searches from then on.
        """
        async with self._writer.begin() as connection:
            yield connection
            if connection.in_transaction():  # and not rolled back
                await index_stale_rows(connection)

    def track_write(self, writing: asyncio.Task[Any]) -> None:
        """See to it that a write comes to its end before the database is closed, whoever waits for it or not."""
        self._writing.add(writing)
        writing.add_done_callback(self._writing.discard)

    async def close(self) -> None:
        """Close every connection, once the writes under way have ended."""
        await asyncio.gather(*self._writing, return_exceptions=True)
        await self._reader.dispose()
        await self._writer.dispose()


def _sqlite_engine(url: URL, *, writes: bool) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=1 if writes else READER_CONNECTIONS,
        max_overflow=0,
        pool_timeout=WRITER_SECONDS if writes else BUSY_SECONDS,
        json_serializer=_json,
        json_deserializer=orjson.loads,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in PRAGMAS if writes else (*PRAGMAS, "query_only=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
        connection.isolation_level = None  # the hook below begins, not the driver

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql_engine(url: URL, *, writes: bool) -> AsyncEngine:
    return create_async_engine(
        url,
        # Writers take turns. One connection of a process waits for its turn, and leaves the others to readers.
        pool_size=1 if writes else READER_CONNECTIONS,
        max_overflow=0,
        pool_timeout=WRITER_SECONDS if writes else BUSY_SECONDS,
        pool_pre_ping=True,
        json_serializer=_json,
        json_deserializer=orjson.loads,
        connect_args={
            "timeout": BUSY_SECONDS,
            "server_settings": {
                "application_name": "atoll",
                "timezone": "UTC",
                "statement_timeout": "30000",
                "lock_timeout": "5000",
                "idle_in_transaction_session_timeout": "60000",
                "jit": "off",  # its compilation costs more than these statements
                "random_page_cost": "1.1",  # as of memory and SSDs; as of discs, whole tables are read for a few rows
            },
        },
    )


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


__all__ = ["DBAPIError", "Database", "DatabaseUnusableError", "Snapshot", "end_on_exit", "explain_driver_error"]
