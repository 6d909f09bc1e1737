"""A small schema behind the endpoint, for requests in the same process or to a real server."""

import asyncio
import logging
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, NewType

import httpx
import strawberry
import uvicorn
from graphql import GraphQLError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from strawberry.schema.config import StrawberryConfig

from app import limits
from app.caller import CallerLimits
from app.endpoint import Endpoint
from app.errors import UnauthenticatedError, UnavailableError
from app.operation import ObserveOperation
from app.operations_in_progress import OperationsInProgress
from app.rate_limit import RateLimit
from app.trusted_documents import TrustedDocuments
from permissions.error import ErrorCode, OperationError

RESPONSE = "application/graphql-response+json"
JSON = "application/json"

Even = NewType("Even", int)


def _even(value: Any) -> int:
    if value % 2:
        raise ValueError("not even")
    return int(value)


@strawberry.type
class Branch:
    """A type whose fields return the same type, so that selections can nest without limit."""

    name: str = "branch"

    @strawberry.field
    def branch(self) -> "Branch":
        return Branch()

    @strawberry.field
    def branches(self, first: int = 3) -> list["Branch"]:
        return [Branch()] * first


SHARED_FAILURE = RuntimeError("select secret from /etc/passwd")


@strawberry.type
class Query:
    """Queries of the small schema."""

    @strawberry.field
    def hello(self) -> str:
        return "world"

    @strawberry.field
    def echo(self, text: str) -> str:
        return text

    @strawberry.field
    def double(self, number: int) -> int:
        return number * 2

    @strawberry.field
    def even(self, number: Even) -> int:
        return number

    @strawberry.field
    def evens(self, of: list[Even]) -> int:
        """Return the number of even numbers."""
        return len(of)

    @strawberry.field
    def branch(self) -> Branch:
        return Branch()

    @strawberry.field
    def fail(self) -> str | None:
        raise SHARED_FAILURE

    @strawberry.field
    def refuse(self) -> str | None:
        raise OperationError(ErrorCode.FORBIDDEN, "That is for administrators.")

    @strawberry.field
    def unavailable(self) -> str | None:
        raise UnavailableError("postgresql://db.internal does not answer")

    @strawberry.field
    def broken(self) -> list[str] | None:
        return 5  # type: ignore[return-value]  # as a faulty resolver might

    @strawberry.field
    def explain(self) -> str | None:
        raise GraphQLError("Explained on purpose.", extensions={"code": "ON_PURPOSE"})

    @strawberry.field
    async def wait(self, info: strawberry.Info[Any, None]) -> str:
        info.context.world.waiting.set()
        await asyncio.sleep(30)
        return "late"

    @strawberry.field
    def request_id(self, info: strawberry.Info[Any, None]) -> str:
        return str(info.context.request_id)


@strawberry.type
class Mutation:
    """Mutations of the small schema."""

    @strawberry.mutation
    def note(self, info: strawberry.Info[Any, None], text: str) -> str:
        info.context.world.notes.append(text)
        return text


@strawberry.type
class Subscription:
    """Subscriptions, which the endpoint does not support."""

    @strawberry.subscription
    async def ticks(self) -> AsyncIterator[int]:
        yield 1


def build_test_schema(extensions: list[Any]) -> strawberry.Schema:
    """Build the small schema with the extensions."""
    scalars: dict[object, Any] = {Even: strawberry.scalar(name="Even", parse_value=_even)}
    config = StrawberryConfig(scalar_map=scalars)
    return strawberry.Schema(Query, Mutation, Subscription, extensions=extensions, config=config)


def without_cost(response: httpx.Response) -> dict[str, Any]:
    """Return the body of a response to a valid document, but for the cost that it reports."""
    body = dict(response.json())
    assert body.pop("extensions").keys() == {"cost"}
    return body


@dataclass
class OperationContext:
    """Context of one operation."""

    world: "World"
    request_id: str


@dataclass
class World:
    """The endpoint, with a record of its operations."""

    opened: list[OperationContext] = field(default_factory=list)
    closed: list[OperationContext] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    has_ide: bool = False
    operation_seconds: float = 10
    rate: RateLimit | None = None
    max_operations: int = 200
    documents: TrustedDocuments = field(default_factory=TrustedDocuments)
    observe: Sequence[ObserveOperation] = ()

    def __post_init__(self) -> None:
        """Build the schema and its endpoint."""
        self.endpoint = Endpoint(
            build_test_schema(limits.extensions()),
            open_context=self.open_context,
            ide=_ide if self.has_ide else None,
            limits=CallerLimits(self.operation_seconds, self.rate, OperationsInProgress(self.max_operations)),
            documents=self.documents,
            observe=self.observe,
        )
        self.app = Starlette(routes=[Route("/graphql", self.endpoint)])

    @asynccontextmanager
    async def open_context(self, authorization: Sequence[bytes], request_id: str) -> AsyncIterator[OperationContext]:
        """Open a context; tokens that fail: `bad`, `down`, `broken`, and `lost` when the context closes."""
        token = b"".join(authorization).decode().removeprefix("Bearer ")
        if token == "bad":
            raise UnauthenticatedError
        if token == "down":
            raise UnavailableError("postgresql://db.internal does not answer")
        if token == "broken":
            raise RuntimeError("secret of the deployment")
        context = OperationContext(self, request_id)
        self.opened.append(context)
        try:
            yield context
        finally:
            self.closed.append(context)
        if token == "lost":
            raise UnavailableError("the connection was lost")

    def client(self) -> httpx.AsyncClient:
        """Return a client that calls the endpoint in the same process."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://atoll")


async def _ide(_request: Request) -> Response:
    return PlainTextResponse("a page", media_type="text/html")


class _Server(uvicorn.Server):
    def install_signal_handlers(self) -> None:
        """Leave the signals to the test runner."""


@contextmanager
def run_server(app: Any, **settings: Any) -> Iterator[int]:
    """Serve the application on a free loopback port until the end of the block; yield the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, lifespan="off", log_config=None, log_level=logging.INFO, **settings)
    server = _Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
