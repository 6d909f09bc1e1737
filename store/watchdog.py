"""Time limits of operations on connections to PostgreSQL, even to a server or a network that does not answer."""

import asyncio
from typing import TYPE_CHECKING, Any

from store.failure import DriverErrors, Failure

if TYPE_CHECKING:
    from sqlalchemy.engine import URL


class Watchdog(DriverErrors):
    """Time limit of an operation: at its end, the watched connection is dropped, and all that waits for it fails.

    A cancellation would not do: the driver then waits for the server's consent, and so does a rollback.
    """

    def __init__(self, url: "URL", seconds: float) -> None:
        """Start the time."""
        super().__init__(url)
        loop = asyncio.get_running_loop()
        self.ends_at = loop.time() + seconds
        self._timer = loop.call_at(self.ends_at, self._expire)
        self._connection: Any = None
        self._has_expired = False

    def watch(self, connection: Any) -> None:
        """Drop this asyncpg connection at the end of the time; None to watch none. Raises TimeoutError at the end."""
        self._connection = connection
        if connection is not None and self._has_expired:
            raise TimeoutError

    def stop(self) -> None:
        """Stop the time."""
        self._timer.cancel()
        self._connection = None

    def _expire(self) -> None:
        self._has_expired = True
        if self._connection is not None:
            self._connection.terminate()

    def _classify(self, error: BaseException) -> Failure | None:
        failure = super()._classify(error)
        return Failure.SLOW if failure is Failure.LOST and self._has_expired else failure
