"""Database access: engines, read snapshots, and one writer at a time.

SQLite and PostgreSQL give the same guarantees. A reader sees one snapshot from its first statement to its last: on
SQLite by a read transaction in WAL mode, on PostgreSQL by REPEATABLE READ, READ ONLY. A SQLite writer takes the write
lock with its BEGIN (BEGIN IMMEDIATE), because a transaction that begins by reading may fail to get the lock later.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from typing import Any, Protocol, TypeVar

import orjson
from sqlalchemy import Executable, Row, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from store.error import parse_database_url
from store.failure import DriverErrors, Failure, StorageError
from store.postgres_options import PLAN_FOR_VALUES, PLAN_ONCE, POOLED_WRITE_SETTINGS, PostgresOptions
from store.postgres_reader import PostgresReader
from store.reader_threads import ReaderThreads
from store.search.index import index_stale_rows
from store.sqlite_driver import READ_DRIVER, WRITE_DRIVER
from store.sqlite_file import SQLiteFile
from store.watchdog import Watchdog
from store.write_listener import NOTIFY, WriteListener

WRITER_CONNECTIONS = 1  # writers take turns anyway
READER_CONNECTIONS = 8  # of a file, beside those of the threads
POOL_SIZE = 16
BUSY_SECONDS = 5
OPERATION_SECONDS = 10
LONG_WRITE_SECONDS = 300  # jobs: only a server that does not answer at all takes longer for one of their transactions
UNLIMITED_SECONDS = 86_400  # commands, which their user can end
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

R = TypeVar("R")
_AS_THEY_ARE = nullcontext()


class Snapshot(Protocol):
    """Read-only view of the database for one operation: every statement sees the state as of the first."""

    async def rows(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> Sequence[Row[Any]]:
        """Run a statement and return all its rows. One round trip."""


class ConnectionSnapshot:
    """Snapshot of a SQLAlchemy connection in a transaction."""

    def __init__(
        self, connection: AsyncConnection, driver_errors: DriverErrors | nullcontext[None] = _AS_THEY_ARE
    ) -> None:
        """Take a connection in a transaction, and the translation of its errors if there is none around it."""
        self._connection, self._driver_errors = connection, driver_errors
        self._one_at_a_time = asyncio.Lock()
        self._end_error: Exception | None = None

    async def rows(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> Sequence[Row[Any]]:
        """Run a statement and return all its rows. One round trip."""
        # Sibling fields resolve concurrently, but a connection runs one statement at a time.
        async with self._one_at_a_time:
            if self._end_error is not None:
                raise self._end_error
            try:
                with self._driver_errors:
                    return (await self._connection.execute(statement, parameters)).all()
            except StorageError as error:
                self._end_error = error  # the remaining fields fail by the same error, without another statement
                raise

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

    def __init__(self, url: str, *, operation_seconds: float = OPERATION_SECONDS, pool_size: int = POOL_SIZE) -> None:
        """Prepare engines for a URL such as `sqlite+aiosqlite:///atoll.db`, without connecting.

        On PostgreSQL, an operation that takes longer than `operation_seconds` is ended, and at most `pool_size`
        connections are open: one writes, a third of the others is the engine's. Raises DatabaseUnusableError for an
        invalid URL or an unsupported database.
        """
        self.url = parse_database_url(url)
        self.operation_seconds = operation_seconds
        self._driver_errors = DriverErrors(self.url)
        self._pending_writes: set[asyncio.Task[Any]] = set()
        self.job_queued = asyncio.Event()
        self.written = asyncio.Event()  # set after each write of this process
        self._query_reader: ReaderThreads | PostgresReader  # for the methods named `read…`
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.postgres_options: PostgresOptions | None = None
        self.file = SQLiteFile(str(self.url.database)) if self.is_sqlite else None
        if self.file is not None:
            self._writer = _sqlite_engine(self.url, self.file, writes=True)
            self._reader = _sqlite_engine(self.url, self.file, writes=False)
            self._query_reader = ReaderThreads(self.file, (*PRAGMAS, *READ_PRAGMAS), self._reader.dialect)
        else:
            options = self.postgres_options = PostgresOptions(self.url)
            others = max(2, pool_size - WRITER_CONNECTIONS)
            readers = max(1, others // 3)
            self._writer = _postgresql_engine(options, WRITER_CONNECTIONS, writes=True)
            self._reader = _postgresql_engine(options, others - readers, writes=False).execution_options(
                isolation_level="REPEATABLE READ",
                postgresql_readonly=True,
            )
            self._query_reader = PostgresReader(options, self._reader.dialect, readers)

    @property
    def engines(self) -> tuple[AsyncEngine, ...]:
        """Engines for writing and for reading."""
        return self._writer, self._reader

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[ConnectionSnapshot]:
        """Open a read-only snapshot; on exit, end it and return its connection to the pool. Raises StorageError.

        A connection that is lost at the end is dropped without an error: all rows were read.
        """
        is_read = False
        try:
            async with (
                self._connect(self._reader, self.operation_seconds) as (connection, watchdog),
                end_on_exit(ConnectionSnapshot(connection, watchdog)) as snapshot,
            ):
                yield snapshot
                is_read = True
        except StorageError:
            if not is_read:
                raise

    @asynccontextmanager
    async def write(self, seconds: float = LONG_WRITE_SECONDS) -> AsyncIterator[AsyncConnection]:
        """Open a write transaction: commit on exit, roll back on any exception. Raises StorageError.

        Updates the search index before the commit. On PostgreSQL, all of it may take so many seconds; on SQLite, the
        wait for the other writers of this process.
        """
        is_committing = False
        try:
            async with self._connect(self._writer, seconds) as (connection, _), connection.begin():
                yield connection
                if connection.in_transaction():  # unless the caller rolled it back
                    await index_stale_rows(connection)
                    if self.file is not None:
                        self.file.check()
                    else:
                        await connection.exec_driver_sql(NOTIFY)
                    is_committing = True
            self.written.set()
        except StorageError as error:
            error.may_be_committed = is_committing and error.failure in {Failure.LOST, Failure.SLOW}
            raise

    @asynccontextmanager
    async def _connect(self, engine: AsyncEngine, seconds: float) -> AsyncIterator[tuple[AsyncConnection, Watchdog]]:
        watchdog = Watchdog(self.url, seconds)
        try:
            with watchdog:
                async with AsyncExitStack() as stack:
                    try:
                        async with asyncio.timeout_at(watchdog.ends_at):
                            connection = await stack.enter_async_context(engine.connect())
                    except TimeoutError as error:
                        raise PoolTimeoutError("No connection was free in time.") from error
                    if not self.is_sqlite:
                        watchdog.watch((await connection.get_raw_connection()).driver_connection)
                    yield connection, watchdog
        finally:
            watchdog.stop()

    async def read(self, operation: Callable[[Snapshot], Coroutine[Any, Any, R]]) -> R:
        """Run an operation that does nothing but read, in a snapshot of its own. Raises StorageError.

        If the connection is lost, the operation is run once more, in a new snapshot. On SQLite it runs in a thread, and
        must await nothing but the snapshot. Cancelled here, it ends with its next statement.
        """
        return await self._read(self._query_reader.run, operation)

    async def read_one(self, operation: Callable[[Snapshot], Coroutine[Any, Any, R]]) -> R:
        """Run an operation like `read` that reads by one statement, which takes microseconds.

        On SQLite it runs in the event loop's thread, unless it would have to wait for a lock there.
        """
        return await self._read(self._query_reader.run_one, operation)

    async def read_few(self, operation: Callable[[Snapshot], Coroutine[Any, Any, R]]) -> R:
        """Run an operation like `read` whose statements read few rows each, and which is run often.

        PostgreSQL plans each of its statements once in a session: to plan one takes longer than to run it.
        """
        return await self._read(self._query_reader.run, self._with_setting(PLAN_ONCE, operation))

    async def read_long(self, operation: Callable[[Snapshot], Coroutine[Any, Any, R]]) -> R:
        """Run an operation like `read` whose statements read many rows. It is run once.

        PostgreSQL plans each of its statements for the values of the parameters, which takes about a millisecond.
        """
        if self.is_sqlite:
            return await self.read(operation)
        run: Callable[..., Coroutine[Any, Any, R]] = self._query_reader.run
        watchdog = Watchdog(self.url, self.operation_seconds)
        try:
            with watchdog:
                return await run(self._with_setting(PLAN_FOR_VALUES, operation), watchdog)
        finally:
            watchdog.stop()

    def _with_setting(
        self, setting: Executable, operation: Callable[[Snapshot], Coroutine[Any, Any, R]]
    ) -> Callable[[Snapshot], Coroutine[Any, Any, R]]:
        """Return the operation after the statement that changes a setting of PostgreSQL for its transaction."""
        if self.is_sqlite:
            return operation

        async def set_and_run(snapshot: Snapshot) -> R:
            await snapshot.rows(setting)
            return await operation(snapshot)

        return set_and_run

    async def _read(self, run: Callable[..., Coroutine[Any, Any, R]], operation: Any) -> R:
        if self.is_sqlite:
            with self._driver_errors:
                return await run(operation)
        watchdog = Watchdog(self.url, self.operation_seconds)
        try:
            try:
                with watchdog:
                    return await run(operation, watchdog)
            except StorageError as error:
                if error.failure is not Failure.LOST:
                    raise
            with watchdog:
                return await run(operation, watchdog)
        finally:
            watchdog.stop()

    def write_listener(self) -> WriteListener | None:
        """Return a listener that sets `written` after writes of other processes; None where there is none.

        That is SQLite, and PostgreSQL through a pooler, which has no session for it.
        """
        options = self.postgres_options
        if options is None or options.is_pooled:
            return None
        return WriteListener(options, self._reader.dialect, self.written.set)

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


def _sqlite_engine(url: URL, file: SQLiteFile, *, writes: bool) -> AsyncEngine:
    engine = create_async_engine(
        url,
        module=WRITE_DRIVER if writes else READ_DRIVER,
        **_engine_options(WRITER_CONNECTIONS if writes else READER_CONNECTIONS, writes=writes),
    )

    @event.listens_for(engine.sync_engine, "do_connect")
    def check(*_: object) -> None:
        file.check()

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        file.check()
        cursor = connection.cursor()
        for pragma in PRAGMAS if writes else (*PRAGMAS, *READ_PRAGMAS):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
        connection.isolation_level = None  # the driver sends no BEGIN; `begin` below does

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql_engine(options: PostgresOptions, connections: int, *, writes: bool) -> AsyncEngine:
    engine = create_async_engine(
        options.url, **_engine_options(connections, writes=writes), connect_args=options.sqlalchemy
    )

    @event.listens_for(engine.sync_engine, "checkout")
    def check(connection: Any, _record: object, _proxy: object) -> None:
        # Unlike `pool_pre_ping`, this takes no round trip. A connection lost unnoticed fails with its first statement.
        if connection.driver_connection.is_closed():
            raise DisconnectionError

    @event.listens_for(engine.sync_engine, "checkin")
    def drop_unfinished(connection: Any, record: Any) -> None:
        # A BEGIN or ROLLBACK that failed leaves a transaction, for the driver or for the server with its locks, in
        # which no other can begin.
        if connection is not None and _is_in_transaction(connection.driver_connection):
            record.invalidate()

    if writes and options.is_pooled:

        @event.listens_for(engine.sync_engine, "begin")
        def begin(connection: Any) -> None:
            connection.exec_driver_sql(POOLED_WRITE_SETTINGS)

    return engine


def _is_in_transaction(connection: Any) -> bool:
    if connection.is_closed():
        return False
    return connection.is_in_transaction() or connection._top_xact is not None  # noqa: SLF001 - asyncpg has no public name for it


def _engine_options(connections: int, *, writes: bool) -> dict[str, Any]:
    return {
        "pool_size": connections,
        "max_overflow": 0,
        # Writers wait for their turn until the end of the time that their transaction has.
        "pool_timeout": LONG_WRITE_SECONDS if writes else BUSY_SECONDS,
        "hide_parameters": True,  # or errors, and so the log, would contain values
        "json_serializer": lambda value: orjson.dumps(value).decode(),
        "json_deserializer": orjson.loads,
    }
