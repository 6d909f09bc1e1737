"""Database access: engines, read snapshots, and one writer at a time.

SQLite and PostgreSQL give the same guarantees. A reader sees one snapshot from its first statement to its last: on
SQLite by a read transaction in WAL mode, on PostgreSQL by REPEATABLE READ, READ ONLY. A SQLite writer takes the write
lock with its BEGIN (BEGIN IMMEDIATE), because a transaction that begins by reading may fail to get the lock later.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar

import orjson
from sqlalchemy import Executable, Row, event
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from store.error import parse_database_url
from store.postgres_reader import PostgresReader
from store.reader_threads import ReaderThreads
from store.search.index import index_stale_rows
from store.sqlite_driver import DRIVER

READER_CONNECTIONS = 8
BUSY_SECONDS = 5
WRITER_SECONDS = 30  # how long a writer waits for its turn: a large write of the same process takes seconds
PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",  # a commit returns only once it is on disk
    f"busy_timeout={BUSY_SECONDS * 1000}",
    "foreign_keys=ON",
    "recursive_triggers=ON",  # or a row that INSERT OR REPLACE deletes would not fire its triggers
    "trusted_schema=OFF",
    "cell_size_check=ON",
    "journal_size_limit=67108864",
)
READ_PRAGMAS = ("query_only=ON",)
POSTGRESQL_SETTINGS = {
    "application_name": "atoll",
    "timezone": "UTC",
    "statement_timeout": "30000",
    "lock_timeout": "5000",
    "idle_in_transaction_session_timeout": "60000",
    "jit": "off",  # compiling a statement would take longer than running it
    "random_page_cost": "1.1",  # for SSDs; the default is for spinning disks and scans whole tables
}


R = TypeVar("R")


class Snapshot(Protocol):
    """Read-only view of the database for one operation: every statement sees the state as of the first."""

    async def rows(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> Sequence[Row[Any]]:
        """Run a statement and return all its rows. One round trip."""


class ConnectionSnapshot:
    """Snapshot of a SQLAlchemy connection in a transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._one_at_a_time = asyncio.Lock()
        self._end_error: Exception | None = None

    async def rows(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> Sequence[Row[Any]]:
        """Run a statement and return all its rows. One round trip."""
        # Sibling fields resolve concurrently, but a connection runs one statement at a time.
        async with self._one_at_a_time:
            if self._end_error is not None:
                raise self._end_error
            return (await self._connection.execute(statement, parameters)).all()

    async def end(self, error: Exception) -> None:
        """Wait for a running statement, then make all later reads raise the error (the first, if called again)."""
        async with self._one_at_a_time:
            self._end_error = self._end_error or error


@asynccontextmanager
async def end_on_exit(snapshot: ConnectionSnapshot) -> AsyncIterator[ConnectionSnapshot]:
    """End the snapshot on exit, so that the remaining fields of a failed operation stop reading."""
    try:
        yield snapshot
    finally:
        await snapshot.end(RuntimeError("This snapshot has ended."))


class Database:
    """Engines of one process. Create it after forking, in the event loop that will use it."""

    def __init__(self, url: str) -> None:
        """Prepare engines for a URL such as `sqlite+aiosqlite:///atoll.db`, without connecting.

        Raises DatabaseUnusableError for an invalid URL or an unsupported database.
        """
        self.url = parse_database_url(url)
        self._pending_writes: set[asyncio.Task[Any]] = set()
        self.job_queued = asyncio.Event()
        self._query_reader: ReaderThreads | PostgresReader  # for `read` and `read_one`
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            self._writer = _sqlite_engine(self.url, writes=True)
            self._reader = _sqlite_engine(self.url, writes=False)
            self._query_reader = ReaderThreads(str(self.url.database), (*PRAGMAS, *READ_PRAGMAS), self._reader.dialect)
        else:
            self._writer = _postgresql_engine(self.url, writes=True)
            self._reader = _postgresql_engine(self.url, writes=False).execution_options(
                isolation_level="REPEATABLE READ",
                postgresql_readonly=True,
            )
            self._query_reader = PostgresReader(self.url, self._reader.dialect, POSTGRESQL_SETTINGS)

    @property
    def engines(self) -> tuple[AsyncEngine, ...]:
        """Engines for writing and for reading."""
        return self._writer, self._reader

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[ConnectionSnapshot]:
        """Open a read-only snapshot; on exit, end it and return its connection to the pool."""
        async with self._reader.connect() as connection, end_on_exit(ConnectionSnapshot(connection)) as snapshot:
            yield snapshot

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Open a write transaction: commit on exit, roll back on any exception.

        Updates the search index before the commit.
        """
        async with self._writer.begin() as connection:
            yield connection
            if connection.in_transaction():  # unless the caller rolled it back
                await index_stale_rows(connection)

    async def read(self, operation: Callable[[Snapshot], Coroutine[Any, Any, R]]) -> R:
        """Run an operation that does nothing but read, in a snapshot of its own.

        On SQLite it runs in a thread, and must await nothing but the snapshot. Cancelled here, it ends with its next
        statement.
        """
        return await self._query_reader.run(operation)

    async def read_one(self, operation: Callable[[Snapshot], Coroutine[Any, Any, R]]) -> R:
        """Run an operation that reads by one statement, which takes microseconds.

        On SQLite it runs in the event loop's thread, and raises sqlite3.OperationalError rather than wait for a lock.
        """
        return await self._query_reader.run_one(operation)

    def observe_reads(self, observe: Callable[[str, Sequence[Any]], None]) -> None:
        """Call the function with the text and the values of each statement in `read` and `read_one`.

        On SQLite it is called in the thread of the operation.
        """
        self._query_reader.observe = observe

    def track_write(self, write: asyncio.Task[Any]) -> None:
        """Make `close` wait for this write, even if the request that started it is gone."""
        self._pending_writes.add(write)
        write.add_done_callback(self._pending_writes.discard)

    async def close(self) -> None:
        """Close all connections after the tracked writes have finished."""
        await asyncio.gather(*self._pending_writes, return_exceptions=True)
        await self._query_reader.close()
        await self._reader.dispose()
        await self._writer.dispose()


def _sqlite_engine(url: URL, *, writes: bool) -> AsyncEngine:
    engine = create_async_engine(url, module=DRIVER, **_engine_options(writes=writes))

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in PRAGMAS if writes else (*PRAGMAS, *READ_PRAGMAS):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
        connection.isolation_level = None  # the driver sends no BEGIN; `begin` below does

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql_engine(url: URL, *, writes: bool) -> AsyncEngine:
    return create_async_engine(
        url,
        **_engine_options(writes=writes),
        pool_pre_ping=True,
        connect_args={
            "timeout": BUSY_SECONDS,
            "server_settings": POSTGRESQL_SETTINGS,
        },
    )


def _engine_options(*, writes: bool) -> dict[str, Any]:
    return {
        # Writers take turns anyway, so one connection is enough for them, and the server has more left for readers.
        "pool_size": 1 if writes else READER_CONNECTIONS,
        "max_overflow": 0,
        "pool_timeout": WRITER_SECONDS if writes else BUSY_SECONDS,
        "json_serializer": lambda value: orjson.dumps(value).decode(),
        "json_deserializer": orjson.loads,
    }
