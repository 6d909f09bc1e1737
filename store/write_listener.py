"""Notifications of writes by other processes (LISTEN and NOTIFY of PostgreSQL).

They only say that something was written. One that is lost delays a reader until it looks by itself.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import asyncpg
from sqlalchemy import Dialect

from store.postgres_options import PostgresOptions

CHANNEL: Final = "atoll_written"
NOTIFY: Final = f"NOTIFY {CHANNEL}"
"""Statement of each write transaction. Its notification is sent with the commit."""

RECONNECT_SECONDS: Final = 2
CHECK_SECONDS: Final = 30
"""How often the connection is used, so that a lost one is noticed."""

_log = logging.getLogger(__name__)


class WriteListener:
    """Connection of its own that listens for writes. It is opened again when it is lost."""

    def __init__(self, options: PostgresOptions, dialect: Dialect, on_write: Callable[[], None]) -> None:
        """Take the options of the database, which must have no pooler, and the function to call after writes."""
        self._options, self._dialect, self._on_write = options, dialect, on_write
        self.is_connected = False

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            try:
                await self._listen()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                # The text of an error could hold values; its type says enough.
                _log.warning("Notifications of writes are interrupted: %s", type(error).__name__)
            finally:
                self.is_connected = False
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen(self) -> None:
        connection: Any = await asyncpg.connect(**self._options.connect_arguments(self._dialect))
        try:
            await connection.add_listener(CHANNEL, self._notice)
            self.is_connected = True
            self._on_write()  # there may have been writes before
            while True:
                await asyncio.sleep(CHECK_SECONDS)
                await connection.execute("SELECT 1")
        finally:
            with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await asyncio.wait_for(connection.close(), RECONNECT_SECONDS)

    def _notice(self, *_: object) -> None:
        self._on_write()
