"""SQLite driver for SQLAlchemy: aiosqlite, with one round trip to the connection's thread for each statement.

SQLAlchemy's own adapter takes four, for a cursor, its execution, its rows and its closing, each of which costs more
than a small SELECT.
"""

import sqlite3
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import aiosqlite
from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    AsyncAdapt_aiosqlite_cursor,
    AsyncAdapt_aiosqlite_dbapi,
)

from store.sqlite_file import file_uri
from store.sqlite_limit import limit_statement, never


class _Outcome(NamedTuple):
    """Description and counts of a cursor whose statement is finished."""

    description: Any = None
    rowcount: int = -1
    lastrowid: int | None = None

    def close(self) -> None:
        """Do nothing: the cursor was closed with its statement."""


class _Cursor(AsyncAdapt_aiosqlite_cursor):
    """Cursor that executes a statement and fetches all its rows in one round trip."""

    __slots__ = ()
    _awaitable_cursor_close = False

    def _make_new_cursor(self, connection: object) -> Any:
        del connection
        return _Outcome()

    def _aenter_cursor(self, cursor: Any) -> Any:
        return cursor

    async def _execute_async(self, operation: Any, parameters: Any) -> None:
        await self._run(self._execute_one, operation, parameters or ())

    @staticmethod
    def _execute_one(connection: sqlite3.Connection, operation: str, parameters: Sequence[Any]) -> Any:
        return _finish(connection.execute(operation, parameters))

    async def _executemany_async(self, operation: Any, seq_of_parameters: Any) -> None:
        await self._run(_execute_many, operation, seq_of_parameters)

    async def _run(self, function: Any, operation: str, parameters: Any) -> None:
        async with self._adapt_connection._execute_mutex:  # noqa: SLF001 - as the method that this replaces
            connection: Any = self._connection
            self._cursor, self._rows = await connection._execute(function, connection._conn, operation, parameters)  # noqa: SLF001 - aiosqlite has no public way to run a function in its thread


class _LimitedCursor(_Cursor):
    """Cursor whose statements have a time limit."""

    __slots__ = ()

    @staticmethod
    def _execute_one(connection: sqlite3.Connection, operation: str, parameters: Sequence[Any]) -> Any:
        with limit_statement(connection, never):
            return _finish(connection.execute(operation, parameters))


def _execute_many(
    connection: sqlite3.Connection, operation: str, parameters: Sequence[Sequence[Any]]
) -> tuple[_Outcome, deque[Any]]:
    return _finish(connection.executemany(operation, parameters))


def _finish(cursor: sqlite3.Cursor) -> tuple[_Outcome, deque[Any]]:
    rows = deque(cursor.fetchall())
    outcome = _Outcome(cursor.description, cursor.rowcount, cursor.lastrowid)
    cursor.close()
    return outcome, rows


class _Connection(AsyncAdapt_aiosqlite_connection):
    """Connection with the cursors of this module."""

    __slots__ = ()
    _cursor_cls = _Cursor


class _LimitedConnection(AsyncAdapt_aiosqlite_connection):
    """Connection whose statements have a time limit."""

    __slots__ = ()
    _cursor_cls = _LimitedCursor


class _Module(AsyncAdapt_aiosqlite_dbapi):
    """SQLAlchemy's view of aiosqlite, with the connections of this module."""

    def __init__(self, connection: type[AsyncAdapt_aiosqlite_connection]) -> None:
        """Take the class of the connections."""
        super().__init__(aiosqlite, sqlite3)
        self._class = connection

    def connect(self, path: str, **options: Any) -> AsyncAdapt_aiosqlite_connection:
        """Connect to an existing file."""
        connection = super().connect(file_uri(path), uri=True, **options)
        return self._class(self, connection._connection)  # noqa: SLF001 - the driver's connection


WRITE_DRIVER, READ_DRIVER = _Module(_Connection), _Module(_LimitedConnection)
"""Values of `module` for `create_async_engine`: statements of the second have a time limit."""
