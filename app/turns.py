"""Turns of slow operations: a viewer who sends many takes them one after another, and others do not wait for all.

An operation is slow if the index does not answer the whole of it. Each process has a few turns, and a reader for each.
At most half of them are used by one viewer at the same time; anonymous visitors count as one viewer. A free turn goes
to the viewer that waited longest for one.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

from app.errors import HTTPError, RequestErrorCode, UnavailableError

TURNS: Final = 4
TURNS_OF_VIEWER: Final = 2
WAITING_OF_VIEWER: Final = 50
"""Most operations of one viewer that wait. A web page sends fewer at once."""

WAITING: Final = 500
WAIT_SECONDS: Final = 5
"""Longest wait for a turn."""

ViewerKey = str | bytes
"""Id of a user, the token of an unknown one, or an empty one for visitors."""


class Turns:
    """Turns of one process."""

    def __init__(self) -> None:
        """Create the turns; all are free."""
        self._running = Counter[ViewerKey]()
        # The viewer that waits longest for a turn comes first.
        self._waiting: OrderedDict[ViewerKey, deque[asyncio.Future[None]]] = OrderedDict()

    @property
    def waiting(self) -> int:
        """Number of operations that wait."""
        return sum(map(len, self._waiting.values()))

    @asynccontextmanager
    async def take(self, viewer: ViewerKey) -> AsyncIterator[None]:
        """Run the block in a turn of the viewer, after a wait if there is none free.

        Raises HTTPError if too many operations wait, or if this one waited too long.
        """
        if self._is_free(viewer):
            self._running[viewer] += 1
        else:
            await self._wait(viewer)
        try:
            yield
        finally:
            self._release(viewer)

    def _is_free(self, viewer: ViewerKey) -> bool:
        return self._running.total() < TURNS and self._running[viewer] < TURNS_OF_VIEWER

    async def _wait(self, viewer: ViewerKey) -> None:
        if len(self._waiting.get(viewer, ())) >= WAITING_OF_VIEWER:
            message = f"{WAITING_OF_VIEWER} of your operations wait already. Send fewer at once."
            raise HTTPError(HTTPStatus.TOO_MANY_REQUESTS, RequestErrorCode.RATE_LIMITED, message, {"retry-after": "1"})
        if self.waiting >= WAITING:
            raise UnavailableError("Too many operations wait.")
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(viewer, deque()).append(turn)
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self._release(viewer)  # it was given while the wait ended
            self._forget(viewer, turn)
            if isinstance(error, TimeoutError):
                raise UnavailableError("No turn was free in time.") from None
            raise

    def _release(self, viewer: ViewerKey) -> None:
        self._running[viewer] -= 1
        self._running += Counter()  # drops viewers without a turn
        for waiting, queue in list(self._waiting.items()):
            # A wait that was cancelled just now is still in the queue.
            turn = next((turn for turn in queue if not turn.done()), None)
            if turn is not None and self._is_free(waiting):
                self._forget(waiting, turn)
                if waiting in self._waiting:
                    self._waiting.move_to_end(waiting)
                self._running[waiting] += 1
                turn.set_result(None)

    def _forget(self, viewer: ViewerKey, turn: asyncio.Future[None]) -> None:
        queue = self._waiting.get(viewer)
        if queue is not None:
            if turn in queue:
                queue.remove(turn)
            if not queue:
                del self._waiting[viewer]
