"""The caller of an operation: they pay for it, and work for them ends with their connection and at the deadline."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from time import perf_counter_ns
from typing import Any, Final, TypeVar

from starlette.requests import ClientDisconnect

from app.errors import HTTPError, RequestErrorCode
from app.http_request import HTTPRequest
from app.operation import OperationRecord
from app.operations_in_progress import OperationsInProgress
from app.rate_limit import Buckets, RateLimit, address_key
from app.settings import Settings
from app.token_owners import TokenOwners
from app.turns import Turns, ViewerKey
from permissions.error import ErrorCode
from resolvers.limits import ServerLimits

Result = TypeVar("Result")

DEADLINE_PASSED: Final = "The operation took longer than {} seconds. Ask for less."


CHARACTERS_OF_POINT: Final = 100
"""Characters of a document that are parsed and validated for a point: 0.5 ms of CPU time, and 3 at worst."""


@dataclass(frozen=True)
class CallerLimits:
    """Limits of the callers of one process, and the owners of their tokens, as far as they are known."""

    operation_seconds: float = Settings.operation_seconds
    rate: RateLimit | None = None
    in_progress: OperationsInProgress = field(default_factory=lambda: OperationsInProgress(Settings.max_operations))
    turns: Turns = field(default_factory=Turns)
    owners: TokenOwners = field(default_factory=TokenOwners)
    live_connections_of_user: int | None = None

    def of_server(self) -> ServerLimits:
        """Return the limits of a user as `deployment.limits` lists them."""
        return ServerLimits(None if self.rate is None else self.rate.users.rate, self.live_connections_of_user)


class Caller:
    """Caller of one operation.

    They pay for it once, as soon as cost and payer are known: a user, or for visitors the client's address, which also
    pays for requests that fail before their viewer is known.
    """

    def __init__(self, request: HTTPRequest, record: OperationRecord, limits: CallerLimits) -> None:
        """Take the request, its record, and the limits of the process."""
        self.record = record
        self.authorization = request.all_headers(b"authorization")
        self._client = request.scope.get("client")
        self._receive, self._limits = request.receive, limits
        self._token = self.authorization[0] if self.authorization else b""
        self._user = limits.owners.get(self._token) if self._token else None
        self._paid: int | None = None  # 0 if the payment was refused
        self.is_mutation = False
        """Whether the operation is known to be a mutation, which nothing may end early."""

    @property
    def is_visitor(self) -> bool:
        """Whether the request has no token."""
        return not self.authorization

    @property
    def is_known(self) -> bool:
        """Whether the viewer is known before the database is asked: a visitor, or the user of a token seen before."""
        return self.is_visitor or self._user is not None

    @property
    def viewer(self) -> ViewerKey:
        """Key of the viewer's turns: the user, if known."""
        return self._user or self._token

    def recognize(self) -> None:
        """Take the user of a valid token from the record, and charge them unless that was done."""
        if self._user is None and self._token and self.record.viewer_id is not None:
            self._user = self.record.viewer_id
            self._limits.owners.add(self._token, self._user)
            self.charge()

    def seconds_until_credit(self) -> int:
        """Return 0 if the payer has credit for a document, else the seconds after which they have a point.

        With an unknown token, that is the address.
        """
        if self._limits.rate is None:
            return 0
        buckets, key = self._bucket(self._limits.rate)
        return 0 if buckets.has_credit(key) else buckets.seconds_until(key, 1)

    def charge(self) -> None:
        """Take the points for the operation, if cost and payer are known. Raises HTTPError if there are too few."""
        rate = self._limits.rate
        if rate is None or self._paid is not None or self.record.points is None or not self.is_known:
            return
        points = self._points()
        buckets, key = self._bucket(rate)
        if buckets.take(key, points):
            buckets.take_up_to(key, self._points_of_document())
            raise self.refusal(buckets.seconds_until(key, points), points)
        self._paid = points

    def settle(self, status: int) -> None:
        """Take the points for a request that was answered with the status, unless they were taken or refused.

        With a token that is not valid any more, its user gets the points back, and the address pays.
        """
        rate = self._limits.rate
        if status == HTTPStatus.UNAUTHORIZED and self._user is not None:
            self._limits.owners.discard(self._token)
            if rate is not None and self._paid:
                rate.users.give_back(self._user, self._paid)
            self._user = self._paid = None
        if rate is not None and self._paid is None:
            buckets, key = self._bucket(rate)
            buckets.take_up_to(key, self._points())

    def refusal(self, seconds: int, points: int = 1) -> HTTPError:
        """Return the error of a caller who has the points only after so many seconds."""
        assert self._limits.rate is not None  # noqa: S101 - without it, nobody is refused
        self._paid = 0
        buckets, key = self._bucket(self._limits.rate)
        whose = "You have" if self._user else "Requests from your address have"
        message = (
            f"{whose} {buckets.count_left(key):,} points left, and this one takes {points:,}. Retry after"
            f" {seconds:,} seconds, ask for less, or send fewer requests: {buckets.rate.points:,} points are added each"
            f" second, up to {buckets.rate.burst:,}."
        )
        return HTTPError(
            HTTPStatus.TOO_MANY_REQUESTS, RequestErrorCode.RATE_LIMITED, message, {"retry-after": str(seconds)}
        )

    def _points(self) -> int:
        """Return the points for the cost, or for the parsing of a document if that took more; at least 1."""
        return max(self.record.points or 0, self._points_of_document(), 1)

    def _points_of_document(self) -> int:
        """Return the points for parsing the document; 0 if it was cached."""
        return -(-self.record.parsed_characters // CHARACTERS_OF_POINT)

    def _bucket(self, rate: RateLimit) -> tuple[Buckets, str | bytes]:
        if self._user is not None:
            return rate.users, self._user
        return rate.addresses, address_key(self._client[0] if self._client else "")

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
        async with self._limits.turns.take(self.viewer):
            self.record.queue_nanoseconds = perf_counter_ns() - began
            yield

    async def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Return the result of the work.

        Cancels it and raises ClientDisconnect if the client leaves, or HTTPError at the deadline, unless it is a
        mutation.
        """
        seconds = self._limits.operation_seconds
        working, leaving = asyncio.create_task(work), asyncio.create_task(self._wait_until_it_leaves())
        try:
            done, _ = await asyncio.wait({working, leaving}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if working in done or self.is_mutation:
                return await working
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            if leaving in done:
                raise ClientDisconnect
            message = DEADLINE_PASSED.format(seconds)
            raise HTTPError(HTTPStatus.SERVICE_UNAVAILABLE, ErrorCode.UNAVAILABLE, message, {"retry-after": "5"})
        finally:
            leaving.cancel()
            working.cancel()

    async def _wait_until_it_leaves(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass  # a part of a body that nobody reads
