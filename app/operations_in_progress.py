"""Limit of the operations that a process answers at the same time, with a share of it for each viewer."""

from http import HTTPStatus
from typing import Final

from app.errors import HTTPError, RequestErrorCode
from app.log import Event, RareWarning
from app.turns import ViewerKey
from permissions.error import ErrorCode

SHARE_OF_VIEWER: Final = 4
"""Divisor of the limit for one viewer."""

SHARE_OF_VISITORS: Final = 2
"""Divisor of the limit for all anonymous visitors together."""

_RETRY: Final = {"retry-after": "1"}


class OperationsInProgress:
    """Operations whose request has arrived and whose response has not been sent."""

    def __init__(self, limit: int) -> None:
        """Take the most operations at the same time."""
        self._limit = limit
        self._running: dict[ViewerKey, int] = {}
        self._total = 0
        self._warning = RareWarning(
            f"{limit} operations are in progress: others are refused. Start more processes, or raise"
            " ATOLL_MAX_OPERATIONS.",
            Event.TOO_MANY_OPERATIONS,
        )

    def begin(self, viewer: ViewerKey) -> None:
        """Count an operation of the viewer. Raises HTTPError if there are too many."""
        running = self._running.get(viewer, 0)
        share = max(self._limit // (SHARE_OF_VIEWER if viewer else SHARE_OF_VISITORS), 1)
        if self._total >= self._limit:
            self._warning.log()
            message = "The server answers as many operations as it can. Retry."
            raise HTTPError(HTTPStatus.SERVICE_UNAVAILABLE, ErrorCode.UNAVAILABLE, message, _RETRY)
        if running >= share:
            whose = "of your operations" if viewer else "operations of visitors"
            message = f"{running} {whose} are in progress already. Send fewer at once."
            raise HTTPError(HTTPStatus.TOO_MANY_REQUESTS, RequestErrorCode.RATE_LIMITED, message, _RETRY)
        self._running[viewer] = running + 1
        self._total += 1

    def end(self, viewer: ViewerKey) -> None:
        """Stop counting an operation of the viewer."""
        self._total -= 1
        if self._running[viewer] == 1:
            del self._running[viewer]
        else:
            self._running[viewer] -= 1
