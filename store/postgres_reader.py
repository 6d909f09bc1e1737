"""Readers of a PostgreSQL database by asyncpg alone: statements are compiled once and stay prepared."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from time import perf_counter_ns
from typing import Any, TypeVar

import asyncpg
import orjson
from sqlalchemy import Dialect

from store.compiled import SelectCompiler
from store.database_use import add_statement
from store.postgres_options import PostgresOptions
from store.watchdog import Watchdog

ACQUIRE_SECONDS = 5
CLOSE_SECONDS = 10
R = TypeVar("R")


class PostgresSnapshot:
    """Snapshot of a connection: of its transaction, or of each statement if there is none."""

    def __init__(self, connection: Any, reader: "PostgresReader") -> None:
        """Take an asyncpg connection."""
        self._connection, self._reader = connection, reader

    async def rows(self, statement: Any, parameters: Mapping[str, Any] | None = None) -> Sequence[Any]:
        """Run a statement and return all its rows. One round trip."""
        compiled = self._reader.compiler.compile(statement)
        values = compiled.values(parameters or {})
        self._reader.observe(compiled.text, values)
        started = perf_counter_ns()
        try:
            return compiled.rows(await self._connection.fetch(compiled.text, *values))
        finally:
            add_statement(started, compiled.text)


class PostgresReader:
    """Connections of their own for operations that do nothing but read."""

    def __init__(self, options: PostgresOptions, dialect: Dialect, connections: int) -> None:
        """Take the options and the greatest number of connections; these are opened with the first operations."""
        self._options, self._dialect, self._connections = options, dialect, connections
        self.compiler = SelectCompiler(dialect)
        self._pool: Any = None
        self.observe: Callable[[str, Sequence[Any]], None] = _ignore
        """Function that is called with each statement and its values."""

    async def run(self, operation: Callable[[PostgresSnapshot], Coroutine[Any, Any, R]], watchdog: Watchdog) -> R:
        """Run the operation in a snapshot; see `Database.read`."""
        async with (
            self._connection(watchdog) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            return await operation(PostgresSnapshot(connection, self))

    async def run_one(self, operation: Callable[[PostgresSnapshot], Coroutine[Any, Any, R]], watchdog: Watchdog) -> R:
        """Run an operation of one statement, which needs no transaction; see `Database.read_one`."""
        if self._options.is_pooled:  # to prepare a statement and to execute it may reach two sessions
            return await self.run(operation, watchdog)
        async with self._connection(watchdog) as connection:
            return await operation(PostgresSnapshot(connection, self))

    async def close(self) -> None:
        """Close the connections, after the running operations if these end soon. Later operations open new ones."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await pool.close()
        except TimeoutError:
            pool.terminate()

    @asynccontextmanager
    async def _connection(self, watchdog: Watchdog) -> AsyncIterator[Any]:
        """Take a connection. Raises TimeoutError if none is free in time."""
        if self._pool is None:
            self._pool = await self._open()
        async with self._pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
            watchdog.watch(connection)
            try:
                yield connection
            finally:
                watchdog.watch(None)

    async def _open(self) -> Any:
        return await asyncpg.create_pool(
            **self._options.connect_arguments(self._dialect),
            min_size=0,
            max_size=self._connections,
            init=_decode_json,
            reset=_keep_session,
        )


async def _decode_json(connection: Any) -> None:
    await connection.set_type_codec("json", encoder=str, decoder=orjson.loads, schema="pg_catalog")


async def _keep_session(_connection: Any) -> None:
    """Do nothing: a reader changes no state of its session, and to reset it takes a round trip."""
    await asyncio.sleep(0)


def _ignore(_statement: str, _values: Sequence[Any]) -> None:
    """Do nothing with a statement."""
