"""Threads that read a SQLite database: each runs whole operations, one after another, on a connection of its own.

An operation takes one round trip to a thread for all of its statements, and does not block the event loop.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from time import perf_counter_ns
from typing import Any, TypeVar

from sqlalchemy import Dialect

from store.compiled import SelectCompiler
from store.database_use import add_statement
from store.failure import Failure, classify
from store.sqlite_file import SQLiteFile, file_uri
from store.sqlite_limit import limit_statement

THREADS = 5  # for the slow operations that run at once, see app/turns.py, and one for short ones
THREAD_PRAGMAS = ("cache_size=-32768",)  # 32 MB; only few connections have it
CACHED_STATEMENTS = 512
R = TypeVar("R")


class ThreadSnapshot:
    """Snapshot of a thread's connection. Its methods are asynchronous, but never suspend."""

    def __init__(self, connection: sqlite3.Connection, compiler: SelectCompiler, run: "_Run") -> None:
        """Take a connection in a transaction."""
        self._connection, self._compiler, self._run = connection, compiler, run

    async def rows(self, statement: Any, parameters: Mapping[str, Any] | None = None) -> Sequence[Any]:
        """Run a statement and return all its rows."""
        self._run.check()
        compiled = self._compiler.compile(statement)
        values = compiled.values(parameters or {})
        self._run.observe(compiled.text, values)
        started = perf_counter_ns()
        try:
            with limit_statement(self._connection, self._run.is_unwanted):
                return compiled.rows(self._connection.execute(compiled.text, values))
        except sqlite3.OperationalError:
            self._run.check()  # it was interrupted because nobody waits for it
            raise
        finally:
            add_statement(started, compiled.text)


class ReaderThreads:
    """Threads that run operations in snapshots, and a connection of the event loop's thread for short statements."""

    def __init__(self, file: SQLiteFile, pragmas: Sequence[str], dialect: Dialect) -> None:
        """Take the file; connections are opened with the first operations."""
        self._file, self._pragmas = file, tuple(pragmas)
        self._compiler = SelectCompiler(dialect)
        self._own_connection: sqlite3.Connection | None = None
        self._open()
        self.observe: Callable[[str, Sequence[Any]], None] = _ignore
        """Function that is called with each statement and its values, in the thread."""

    async def run(self, operation: Callable[[ThreadSnapshot], Coroutine[Any, Any, R]]) -> R:
        """Run the operation with a snapshot in one of the threads; see `Database.read`."""
        run, context = _Run(self.observe), copy_context()
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, context.run, self._run, operation, run)
        except asyncio.CancelledError:
            run.is_cancelled = True
            raise

    async def run_one(self, operation: Callable[[ThreadSnapshot], Coroutine[Any, Any, R]]) -> R:
        """Run an operation of one statement in the event loop's thread; see `Database.read_one`."""
        if self._own_connection is None:
            self._own_connection = self._connect()
            self._own_connection.execute("PRAGMA busy_timeout=0")
        try:
            return _finish(operation(ThreadSnapshot(self._own_connection, self._compiler, _Run(self.observe))))
        except sqlite3.OperationalError as error:
            # Only a thread may wait. Readers meet a lock only while the last writer closes the database.
            if classify(error) is not Failure.BUSY:
                raise
        return await self.run(operation)

    async def close(self) -> None:
        """Close the connections after the running operations. Later operations open new ones."""
        self._threads.shutdown()
        for connection in self._connections:
            connection.close()
        self._open()

    def _open(self) -> None:
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._own_connection = None
        self._threads = ThreadPoolExecutor(THREADS, "atoll-reader")

    def _run(self, operation: Callable[[ThreadSnapshot], Coroutine[Any, Any, R]], run: "_Run") -> R:
        connection = self._connection()
        connection.execute("BEGIN")
        try:
            return _finish(operation(ThreadSnapshot(connection, self._compiler, run)))
        finally:
            connection.execute("ROLLBACK")

    def _connection(self) -> sqlite3.Connection:
        """Return the thread's connection."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect()
            for pragma in THREAD_PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
        return connection

    def _connect(self) -> sqlite3.Connection:
        self._file.check()
        connection = sqlite3.connect(
            file_uri(self._file.path),
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=CACHED_STATEMENTS,
        )
        self._connections.append(connection)
        self._file.check()
        for pragma in self._pragmas:
            connection.execute(f"PRAGMA {pragma}")
        return connection


class _Run:
    """One operation's run: whether it is still wanted."""

    def __init__(self, observe: Callable[[str, Sequence[Any]], None]) -> None:
        self.observe, self.is_cancelled = observe, False

    def is_unwanted(self) -> bool:
        """Return whether nobody waits for the operation any more."""
        return self.is_cancelled

    def check(self) -> None:
        """Raise CancelledError if nobody waits for the operation any more."""
        if self.is_cancelled:
            raise asyncio.CancelledError


def _finish(coroutine: Coroutine[Any, Any, R]) -> R:
    """Return the result of a coroutine that never suspends."""
    try:
        coroutine.send(None)
    except StopIteration as finished:
        return finished.value  # type: ignore[no-any-return]  # the type of the value is not declared: it is R
    coroutine.close()
    raise RuntimeError("The operation awaits something other than its snapshot.")


def _ignore(_statement: str, _values: Sequence[Any]) -> None:
    """Do nothing with a statement."""
