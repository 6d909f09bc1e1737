"""Reader of a SQLite database: runs whole operations in threads of its own, one after another in each."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import Dialect

from store.compiled import SelectCompiler

CACHED_STATEMENTS = 512
R = TypeVar("R")


class SqliteSnapshot:
    """Read-only view of the database in the reader's thread. Its methods are asynchronous, but never suspend."""

    def __init__(self, connection: sqlite3.Connection, compiler: SelectCompiler) -> None:
        """Take a connection in a transaction."""
        self._connection, self._compiler = connection, compiler

    async def rows(self, statement: Any, parameters: Mapping[str, Any] | None = None) -> Sequence[Any]:
        """Run a statement and return all its rows."""
        compiled = self._compiler.compile(statement)
        return compiled.rows(self._connection.execute(compiled.text, compiled.values(parameters or {})))


class SqliteReader:
    """Threads that run operations, each in a snapshot of its own."""

    def __init__(self, path: str, dialect: Dialect, pragmas: Sequence[str], threads: int) -> None:
        """Take the file, and the number of threads; connections are opened with the first operations."""
        self._path, self._pragmas = path, pragmas
        self._compiler = SelectCompiler(dialect)
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._threads = ThreadPoolExecutor(threads, "atoll-reader")

    async def run(self, operation: Callable[[SqliteSnapshot], R]) -> R:
        """Run the function with a snapshot in one of the threads."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, operation)

    def close(self) -> None:
        """Close the connections after the running operations."""
        self._threads.shutdown()
        for connection in self._connections:
            connection.close()

    def _run(self, operation: Callable[[SqliteSnapshot], R]) -> R:
        connection = self._connection()
        connection.execute("BEGIN")
        try:
            return operation(SqliteSnapshot(connection, self._compiler))
        finally:
            connection.execute("ROLLBACK")

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(
                self._path, isolation_level=None, check_same_thread=False, cached_statements=CACHED_STATEMENTS
            )
            for pragma in self._pragmas:
                connection.execute(f"PRAGMA {pragma}")
            self._connections.append(connection)
            self._local.connection = connection
        return connection
