"""Wakes the subscriptions of a process after writes by any process.

A notification (of PostgreSQL, or by this process) only says when to look; the database has the truth. Without any, the
hub polls one row. It does nothing while nobody is subscribed.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from store.database import Database
from store.failure import StorageError
from store.recent_writes import RecentWrites, Written

POLL_SECONDS: Final = 0.5
"""How often the hub looks for writes of other processes, if these do not notify it."""

LISTENING_POLL_SECONDS: Final = 5
"""How often it looks beside notifications, which can get lost."""

REST_SECONDS: Final = 0.05
"""Time between two wakings, so that many writes in a short time are one."""

_log = logging.getLogger(__name__)


class Hub:
    """Subscriptions of a process by the events that wake them."""

    def __init__(self, database: Database) -> None:
        """Take the database, which is not read yet."""
        self._database = database
        self.writes = RecentWrites()
        self._wakers: dict[asyncio.Event, bool] = {}
        self._running: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """Return the number of subscriptions."""
        return len(self._wakers)

    @contextmanager
    def subscribe(self, *, needs_every_look: bool) -> Iterator[asyncio.Event]:
        """Yield an event that is set after each write. With `needs_every_look` it is set by each poll, too."""
        wake = asyncio.Event()
        self._wakers[wake] = needs_every_look
        if self._running is None:
            self.writes = RecentWrites()  # nobody has read those meanwhile
            self._running = asyncio.create_task(self._run())
        try:
            yield wake
        finally:
            del self._wakers[wake]
            if not self._wakers:
                self._running.cancel()
                self._running = None

    async def _run(self) -> None:
        listener = self._database.write_listener()
        listening = None if listener is None else asyncio.create_task(listener.run())
        try:
            written: Written | None = None
            while True:
                self._database.written.clear()
                found = await self._look(written)
                written = found or written
                is_notified = listener is not None and listener.is_connected
                await asyncio.sleep(REST_SECONDS)
                await self._wait(LISTENING_POLL_SECONDS if found and is_notified else POLL_SECONDS)
        finally:
            if listening is not None:
                listening.cancel()

    async def _look(self, before: Written | None) -> Written | None:
        """Wake the subscriptions if something was written; return the state of the database, None if a look failed."""
        try:
            written = await self._database.read(self.writes.read)
        except StorageError as error:
            _log.warning("Subscriptions wait for the database: %s", error)
            return None
        except Exception:  # noqa: BLE001 - one failed look must not be the last
            _log.exception("A look for writes failed.")
            return None
        for wake, needs_every_look in list(self._wakers.items()):
            if needs_every_look or written != before:
                wake.set()
        return written

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._database.written.wait()
        except TimeoutError:
            return
