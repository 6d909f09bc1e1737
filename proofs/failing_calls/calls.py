"""Calls to the database: all round trips of SQLAlchemy's drivers, counted, one of which fails on purpose.

aiosqlite runs every call by one method. On PostgreSQL, every call is a method of asyncpg's protocol.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any, Protocol
from unittest.mock import patch

import aiosqlite
import asyncpg

CONNECT = "connect"
Call = Callable[[], Awaitable[Any]]


class CallFailure(Enum):
    """Ways in which a call fails."""

    ERROR = "the database refuses the call"
    LOST = "the connection is lost before the call"
    LOST_REPLY = "the connection is lost after the call, before its reply"
    CANCELLED = "all tasks are cancelled, as at the end of the event loop"
    LEFT = "the task of the request is cancelled"


class Connection(Protocol):
    """Driver's connection that can fail."""

    async def refuse(self) -> None:
        """Raise the driver's error of a full disk."""

    async def lose(self) -> None:
        """Lose the connection. All later calls fail."""


class Calls:
    """Texts of the calls of one request, in order, and the call that fails."""

    def __init__(self) -> None:
        """Record nothing until `start`."""
        self.texts: list[str] = []
        self._is_recording = False
        self._number = 0
        self._failure = CallFailure.ERROR
        self._observer: asyncio.Task[Any] | None = None
        self._request: asyncio.Task[Any] | None = None
        self.on_begin: Callable[[], None] = _ignore
        """Function that is called at the start of each transaction."""

    def start(self, request: asyncio.Task[Any], number: int = 0, failure: CallFailure = CallFailure.ERROR) -> None:
        """Record the calls from now on; the one with this number, counted from 1, fails.

        The task that calls this is never cancelled.
        """
        self.texts, self._is_recording = [], True
        self._observer, self._request = asyncio.current_task(), request
        self._number, self._failure = number, failure

    def stop(self) -> None:
        """Record nothing more."""
        self._is_recording = False

    async def make(self, connection: Connection, text: str, call: Call) -> Any:
        """Make a call, or fail it."""
        if text.startswith("BEGIN"):
            self.on_begin()
        if self._is_recording:
            self.texts.append(text)
            if len(self.texts) == self._number:
                return await self._fail(connection, call)
        return await call()

    async def _fail(self, connection: Connection, call: Call) -> Any:
        assert self._request
        match self._failure:
            case CallFailure.ERROR:
                await connection.refuse()
            case CallFailure.LOST:
                await connection.lose()
            case CallFailure.LOST_REPLY:
                await call()
                await connection.lose()
            case CallFailure.CANCELLED:
                for task in asyncio.all_tasks() - {self._observer}:
                    task.cancel()
            case CallFailure.LEFT:
                self._request.cancel()
        return await call()


def _ignore() -> None:
    """Do nothing."""


@contextmanager
def intercept(calls: Calls) -> Iterator[None]:
    """Make the calls of all connections that SQLAlchemy opens through `calls`, on both databases."""
    driver: Any = aiosqlite.Connection  # has no type information
    run, open_file, connect = driver._execute, driver._connect, asyncpg.connect  # noqa: SLF001 - aiosqlite has no public place that all calls pass

    async def run_call(connection: Any, function: Any, *arguments: Any, **options: Any) -> Any:
        text = str(arguments[1]) if len(arguments) > 1 else function.__name__
        return await calls.make(
            _SQLiteConnection(connection, run), text, lambda: run(connection, function, *arguments, **options)
        )

    async def open_connection(connection: Any) -> Any:
        return await calls.make(_SQLiteConnection(connection, run), CONNECT, lambda: open_file(connection))

    async def connect_to_server(*arguments: Any, **options: Any) -> Any:
        connection = await calls.make(_PostgresConnection(), CONNECT, lambda: connect(*arguments, **options))
        connection._protocol = _Protocol(connection, calls)  # noqa: SLF001 - asyncpg has no public place that all calls pass
        return connection

    with (
        patch.object(aiosqlite.Connection, "_execute", run_call),
        patch.object(aiosqlite.Connection, "_connect", open_connection),
        patch.object(asyncpg, "connect", connect_to_server),
    ):
        yield


class _SQLiteConnection:
    """Connection of aiosqlite."""

    def __init__(self, connection: Any, run: Callable[..., Awaitable[Any]]) -> None:
        self._connection, self._run = connection, run

    async def refuse(self) -> None:
        """Raise the error of a full disk."""
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    async def lose(self) -> None:
        """Close the connection of the sqlite3 module; one that is not open yet cannot be opened."""
        opened = self._connection._connection  # noqa: SLF001 - the connection of the sqlite3 module
        if opened is None:
            error = sqlite3.OperationalError("unable to open database file")
            error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
            raise error
        await self._run(self._connection, opened.close)


class _PostgresConnection:
    """Connection of asyncpg, with its protocol; without either, one that is being opened."""

    def __init__(self, connection: Any = None, protocol: Any = None) -> None:
        self._connection, self._protocol = connection, protocol

    async def refuse(self) -> None:
        """Let the server report a full disk, which aborts the transaction."""
        if self._protocol is None:
            raise asyncpg.DiskFullError("No space left on device")
        await self._protocol.query("do $$ begin raise 'full' using errcode = '53100'; end $$", 10)

    async def lose(self) -> None:
        """Reset the connection, and wait until the driver knows."""
        if self._connection is None:
            raise ConnectionRefusedError("Connect call failed")
        self._connection._transport.abort()  # noqa: SLF001 - `terminate` would not look like a failure to the driver
        while self._protocol.is_connected():  # noqa: ASYNC110 - the driver sends no event
            await asyncio.sleep(0)


class _Protocol:
    """Protocol of an asyncpg connection, with its round trips made through `Calls`."""

    def __init__(self, connection: Any, calls: Calls) -> None:
        self._protocol, self._calls = connection._protocol, calls  # noqa: SLF001 - asyncpg has no public name for it
        self._link = _PostgresConnection(connection, self._protocol)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._protocol, name)

    async def query(self, text: str, *rest: Any) -> Any:
        """Run a text of statements, such as BEGIN."""
        return await self._calls.make(self._link, text, lambda: self._protocol.query(text, *rest))

    async def prepare(self, name: Any, text: str, *rest: Any, **options: Any) -> Any:
        """Prepare a statement."""
        make = self._calls.make
        return await make(self._link, f"PREPARE {text}", lambda: self._protocol.prepare(name, text, *rest, **options))

    async def bind_execute(self, *arguments: Any, **options: Any) -> Any:
        """Execute a prepared statement."""
        return await self._execute(self._protocol.bind_execute, *arguments, **options)

    async def bind_execute_many(self, *arguments: Any, **options: Any) -> Any:
        """Execute a prepared statement with each of many sets of parameters."""
        return await self._execute(self._protocol.bind_execute_many, *arguments, **options)

    async def _execute(self, execute: Any, *arguments: Any, **options: Any) -> Any:
        statement = options["state"] if "state" in options else arguments[0]
        return await self._calls.make(self._link, statement.query, lambda: execute(*arguments, **options))
