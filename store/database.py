"""Database access: engines, read snapshots, and one writer at a time.

SQLite and PostgreSQL give the same guarantees. A reader sees one snapshot from its first statement to its last (a read
transaction in WAL mode; REPEATABLE READ, READ ONLY). A SQLite writer takes the write lock at once (BEGIN IMMEDIATE),
because upgrading a read lock loses updates or fails.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from sqlalchemy import Executable, Row, event
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from store.error import parse_database_url
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
    """Read-only view of one operation: every statement sees the database as of the first."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._one_at_a_time = asyncio.Lock()
        self._end_error: Exception | None = None

    async def rows(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> Sequence[Row[Any]]:
        """Return all rows of the statement. One statement, one round trip."""
        # Sibling fields resolve concurrently, but a connection serves one statement at a time.
        async with self._one_at_a_time:
            if self._end_error is not None:
                raise self._end_error
            return (await self._connection.execute(statement, parameters)).all()

    async def end(self, error: Exception) -> None:
        """Wait for the running statement; later reads raise the error of the first call."""
        async with self._one_at_a_time:
            self._end_error = self._end_error or error


@asynccontextmanager
async def end_on_exit(snapshot: Snapshot) -> AsyncIterator[Snapshot]:
    """End the snapshot on exit: when an operation fails, sibling fields would go on reading for nothing."""
    try:
        yield snapshot
    finally:
        await snapshot.end(RuntimeError("This snapshot has ended."))


class Database:
    """Engines of one process. Create it after any fork, in the event loop that will use it."""

    def __init__(self, url: str) -> None:
        """Prepare engines for a URL such as `sqlite+aiosqlite:///atoll.db`, without connecting.

        Raises DatabaseUnusableError for an invalid URL or an unsupported database.
        """
        self.url = parse_database_url(url)
        self._pending_writes: set[asyncio.Task[Any]] = set()
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
        """Engines for writing and for reading."""
        return self._writer, self._reader

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Snapshot]:
        """Open a read-only snapshot; on exit it ends and its connection returns to the pool."""
        async with self._reader.connect() as connection, end_on_exit(Snapshot(connection)) as snapshot:
            yield snapshot

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Open a write transaction: committed on exit, rolled back on any exception.

        The search index is updated before the commit.
        """
        async with self._writer.begin() as connection:
            yield connection
            if connection.in_transaction():  # not rolled back
                await index_stale_rows(connection)

    def track_write(self, write: asyncio.Task[Any]) -> None:
        """Let `close` wait for a write, even if its caller no longer does."""
        self._pending_writes.add(write)
        write.add_done_callback(self._pending_writes.discard)

    async def close(self) -> None:
        """Close all connections after the tracked writes have finished."""
        await asyncio.gather(*self._pending_writes, return_exceptions=True)
        await self._reader.dispose()
        await self._writer.dispose()


def _sqlite_engine(url: URL, *, writes: bool) -> AsyncEngine:
    engine = create_async_engine(url, **_engine_options(writes=writes))

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in PRAGMAS if writes else (*PRAGMAS, "query_only=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
        connection.isolation_level = None  # the hook below sends BEGIN, not the driver

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
            "server_settings": {
                "application_name": "atoll",
                "timezone": "UTC",
                "statement_timeout": "30000",
                "lock_timeout": "5000",
                "idle_in_transaction_session_timeout": "60000",
                "jit": "off",  # compilation costs more than these statements
                "random_page_cost": "1.1",  # for memory and SSDs; the default, for disks, scans whole tables
            },
        },
    )


def _engine_options(*, writes: bool) -> dict[str, Any]:
    return {
        # Writers take turns anyway: one connection waits for the lock and leaves the others to readers.
        "pool_size": 1 if writes else READER_CONNECTIONS,
        "max_overflow": 0,
        "pool_timeout": WRITER_SECONDS if writes else BUSY_SECONDS,
        "json_serializer": lambda value: orjson.dumps(value).decode(),
        "json_deserializer": orjson.loads,
    }
