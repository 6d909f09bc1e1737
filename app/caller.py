"""The caller of an operation: work for them ends with their connection and at the deadline."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from http import HTTPStatus
from time import perf_counter_ns
from typing import Any, Final, TypeVar

from starlette.requests import ClientDisconnect

from app.errors import HTTPError
from app.http_request import HTTPRequest
from app.operation import OperationRecord
from app.turns import Turns
from permissions.error import ErrorCode

Result = TypeVar("Result")

DEADLINE_PASSED: Final = "The operation took longer than {} seconds. Ask for less."


class Caller:
    """Caller of one operation."""

    def __init__(self, request: HTTPRequest, record: OperationRecord, turns: Turns, seconds: float) -> None:
        """Take the request, whose body was read, its record, the turns of the process, and the time for operations."""
        self.record = record
        self.authorization = request.all_headers(b"authorization")
        self._receive, self._turns, self._seconds = request.receive, turns, seconds
        self.is_mutation = False
        """Whether the operation is known to be a mutation, which nothing may end early."""

    @property
    def is_visitor(self) -> bool:
        """Whether the request has no token."""
        return not self.authorization

    async def read(self, work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """Return the result of a slow read, which takes a turn; see `run`."""

        async def in_turn() -> Result:
            async with self.turn():
                return await work()

        return await self.run(in_turn())

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Run the block in a turn of the caller, after a wait for it. Raises HTTPError as `Turns.take` does."""
        began = perf_counter_ns()
        words = b" ".join(self.authorization).split()
        async with self._turns.take(words[-1] if words else b""):
            self.record.queue_nanoseconds = perf_counter_ns() - began
            yield

    async def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Return the result of the work.

        Cancels it and raises ClientDisconnect if the client leaves, or HTTPError at the deadline, unless it is a
        mutation.
        """
        working, leaving = asyncio.create_task(work), asyncio.create_task(self._wait_until_it_leaves())
        try:
            done, _ = await asyncio.wait({working, leaving}, timeout=self._seconds, return_when=asyncio.FIRST_COMPLETED)
            if working in done or self.is_mutation:
                return await working
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            if leaving in done:
                raise ClientDisconnect
            message = DEADLINE_PASSED.format(self._seconds)
            raise HTTPError(HTTPStatus.SERVICE_UNAVAILABLE, ErrorCode.UNAVAILABLE, message, {"retry-after": "5"})
        finally:
            leaving.cancel()
            working.cancel()

    async def _wait_until_it_leaves(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass  # a part of a body that nobody reads
