"""Limit of the open connections of a process. Connections that wait for their clients make room for new ones."""

from typing import Final, Protocol

from app.descriptors import max_descriptors
from app.log import Event, RareWarning
from app.metrics import CONNECTIONS_CLOSED

OTHER_DESCRIPTORS: Final = 128
"""Descriptors that are left for the database, the log and the metrics."""

SPARE: Final = 8
"""Connections beyond the limit, on which only the health of the server may be asked for."""


def connection_limit(wanted: int, descriptors: int | None) -> int:
    """Return how many connections a process may have that can open so many files; None for no limit."""
    return wanted if descriptors is None else min(wanted, max(descriptors - OTHER_DESCRIPTORS, 1))


class Closable(Protocol):
    """Connection that can be closed to make room."""

    def make_room(self) -> None:
        """Close the connection."""


class Connections:
    """Open connections: new ones without a request, idle ones, and others, which are busy.

    At the limit, a new connection takes the place of the one that waits longest for its first request, else of the one
    that is idle longest. So connections without requests, however many, keep nobody out. If all are busy, the new one
    is refused, but for a few that are spare.
    """

    def __init__(self, limit: int) -> None:
        """Take the most connections. There are fewer if the process has too few descriptors."""
        self.limit = connection_limit(limit, max_descriptors())
        self._open: set[Closable] = set()
        self._new: dict[Closable, None] = {}  # in the order of their beginning, as are the idle ones
        self._idle: dict[Closable, None] = {}
        self._warning = RareWarning(
            f"{self.limit} connections are open: those without a request are closed for new ones. See"
            " ATOLL_MAX_CONNECTIONS.",
            Event.TOO_MANY_CONNECTIONS,
        )

    def __len__(self) -> int:
        """Return the number of open connections."""
        return len(self._open)

    @property
    def has_spare_ones(self) -> bool:
        """Whether there are more busy connections than the limit allows."""
        return len(self._open) > self.limit

    def add(self, connection: Closable) -> bool:
        """Add a new connection; return whether it may stay."""
        if len(self._open) >= self.limit:
            self._warning.log()
            CONNECTIONS_CLOSED.inc()
            longest = next(iter(self._new or self._idle), None)
            if longest is not None:
                self.remove(longest)
                longest.make_room()
            elif len(self._open) >= self.limit + SPARE:
                return False
        self._open.add(connection)
        self._new[connection] = None
        return True

    def set_busy(self, connection: Closable) -> None:
        """Note that a request arrived completely."""
        self._new.pop(connection, None)
        self._idle.pop(connection, None)

    def set_idle(self, connection: Closable) -> None:
        """Note that the last request was answered."""
        if connection in self._open:
            self._new.pop(connection, None)
            self._idle[connection] = None

    def remove(self, connection: Closable) -> None:
        """Remove a connection that was closed, if it is still there."""
        self._open.discard(connection)
        self.set_busy(connection)
