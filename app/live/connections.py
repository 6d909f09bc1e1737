"""Limit of the connections with subscriptions: those of a process, and of one user."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from app.errors import HTTPError, RequestErrorCode
from permissions import ErrorCode


class LiveConnections:
    """WebSockets and event streams of one process that are open."""

    def __init__(self, limit: int, limit_of_user: int) -> None:
        """Take the most connections of all users, and of one."""
        self._limit, self._limit_of_user = limit, limit_of_user
        self._open = Counter[str]()

    def __len__(self) -> int:
        """Return the number of open connections."""
        return self._open.total()

    @contextmanager
    def add(self, user_id: str) -> Iterator[None]:
        """Count a connection of the user during the block. Raises HTTPError if there are too many."""
        if len(self) >= self._limit:
            message = "The server has as many connections with subscriptions as it may. Retry later."
            raise HTTPError(HTTPStatus.SERVICE_UNAVAILABLE, ErrorCode.UNAVAILABLE, message, {"retry-after": "5"})
        if self._open[user_id] >= self._limit_of_user:
            message = f"You have {self._limit_of_user} connections with subscriptions already. Close one."
            raise HTTPError(HTTPStatus.TOO_MANY_REQUESTS, RequestErrorCode.RATE_LIMITED, message, {"retry-after": "60"})
        self._open[user_id] += 1
        try:
            yield
        finally:
            self._open[user_id] -= 1
            self._open += Counter()  # drops users without a connection
