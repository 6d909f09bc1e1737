"""Times of the last use of API tokens: collected in memory after each operation, and written now and then."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from threading import Lock
from typing import Final

from app.operation import OperationRecord
from store import tokens
from store.database import Database
from store.failure import StorageError
from store.ids import now_ms

INTERVAL_MS: Final = 5 * 60 * 1_000
"""How long a process keeps the uses of a token to itself after it wrote one: at most one write in so long."""
POLL_SECONDS: Final = 60
"""How often each process looks for uses to write."""

_log = logging.getLogger(__name__)


class TokenUse:
    """Last uses of API tokens in this process, by digest.

    No operation waits for a write. Uses that a killed process had not written are lost, which only makes the time of
    the last use a few minutes older.
    """

    def __init__(self, clock: Callable[[], int] = now_ms) -> None:
        """Know no use. `clock` returns milliseconds since 1970."""
        self._clock = clock
        self._lock = Lock()
        self._used: dict[str, int] = {}
        self._written: dict[str, int] = {}

    def observe(self, record: OperationRecord) -> None:
        """Remember the token of an operation, if it was valid."""
        if record.token_digest is not None:
            with self._lock:
                self._used[record.token_digest] = self._clock()

    async def write(self, database: Database, *, is_last: bool = False) -> None:
        """Write the uses of tokens of which none was written within the interval; all if it is the last time."""
        with self._lock:
            before = self._clock() - INTERVAL_MS
            self._written = {digest: at for digest, at in self._written.items() if at > before}
            due = {digest: at for digest, at in self._used.items() if is_last or digest not in self._written}
            self._used = {digest: at for digest, at in self._used.items() if digest not in due}
            self._written |= dict.fromkeys(due, self._clock())
        if due:
            async with database.write(database.operation_seconds) as connection:
                await tokens.record_uses(connection, due)

    @asynccontextmanager
    async def write_periodically(self, database: Database) -> AsyncIterator[None]:
        """Write uses while the block runs, and the rest at its end."""
        writing = asyncio.create_task(self._write_periodically(database))
        try:
            yield
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            await self._try_to_write(database, is_last=True)

    async def _write_periodically(self, database: Database) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            await self._try_to_write(database)

    async def _try_to_write(self, database: Database, *, is_last: bool = False) -> None:
        try:
            await self.write(database, is_last=is_last)
        except StorageError as error:
            _log.warning("The last uses of API tokens were not written: %s", error)
