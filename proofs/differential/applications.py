"""Two applications over the same database, one for each executor, and the comparison of their responses."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from http import HTTPStatus
from typing import Any
from unittest.mock import patch

import httpx
import orjson
from starlette.applications import Starlette

from app.application import create_application
from app.settings import Settings
from proofs.determinism import fix_ids_and_time
from proofs.differential.generator import Request
from store.database import Database
from tests.engine_log import ENGINE_ERRORS
from tests.in_process import InProcessTransport
from tests.oracle import ANONYMOUS

REFERENCE, ENGINE = "reference", "on"
"""Values of the setting that chooses the executor: graphql-core, or the engine."""

UNUSED_SEED = 1_000_000
"""Seed of ids that no mutation made before."""

INTERNAL_ERROR = '"code":"INTERNAL"'
"""Part of the response to an unhandled exception, which no operation may cause."""

CreateApplication = Callable[[str, Database, str], Starlette]
"""Creates an application from the URL of its database, the database, and the executor's name."""


def create(url: str, database: Database, engine: str) -> Starlette:
    """Create an application with that executor. Without the setting, all execute by graphql-core."""
    settings: dict[str, Any] = {"database_url": url, "engine": engine, "rate_points": 0}
    known = {field.name for field in fields(Settings)}
    return create_application(
        Settings(**{name: value for name, value in settings.items() if name in known}), database=database
    )


@dataclass(frozen=True)
class Response:
    """HTTP response, as far as both applications must agree on it."""

    status: int
    headers: Sequence[tuple[str, str]]
    content: bytes

    def __str__(self) -> str:
        """Format the response for a report."""
        return f"{self.status} {self.content.decode()}"


class Server:
    """Application served in process."""

    def __init__(
        self, url: str, tokens: Mapping[str, str], engine: str, create_application: CreateApplication = create
    ) -> None:
        """Serve the database by an executor. `tokens` maps its users to their tokens."""
        self._database, self._tokens = Database(url), tokens
        self._transport = InProcessTransport(create_application(url, self._database, engine))
        self._client = httpx.AsyncClient(
            transport=self._transport, base_url="http://atoll", headers={"x-request-id": "r"}
        )

    async def send(self, who: str, request: Request) -> Response:
        """Send the request as the viewer, at a fixed time and with fixed ids."""
        headers = {} if who == ANONYMOUS else {"authorization": f"Bearer {self._tokens[who]}"}
        await self._transport.refresh()
        with _fix_environment():
            response = await self._client.post("/graphql", json=request.body(), headers=headers)
        return Response(response.status_code, sorted(response.headers.multi_items()), response.content)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()
        await self._database.close()


@dataclass(frozen=True)
class Pair:
    """The reference and the application that must respond like it."""

    reference: Server
    engine: Server

    async def compare(self, who: str, request: Request) -> tuple[Response, str]:
        """Send the request to both. Returns the reference's response, and the difference, "" if there is none.

        An error that the engine logs is a difference, although graphql-core then responds.
        """
        first = await self.reference.send(who, request)
        ENGINE_ERRORS.take()
        second = await self.engine.send(who, request)
        failure = ENGINE_ERRORS.take()
        return first, f"the engine failed: {failure}" if failure else find_difference(first, second)

    async def close(self) -> None:
        """Close both applications."""
        await self.reference.close()
        await self.engine.close()


def find_difference(first: Response, second: Response) -> str:
    """Describe the first part in which the responses differ; "" if they are equal.

    All bytes must be equal, except that errors may come in any order, as GraphQL does not define it.
    """
    if INTERNAL_ERROR.encode() in first.content:
        return f"internal error: {first}"
    if first.status == HTTPStatus.UNAUTHORIZED:
        return f"refused, so that nothing was compared: {first}"
    if first == second:
        return ""
    parts = (
        ("status", first.status, second.status),
        ("headers", first.headers, second.headers),
        ("body", sort_errors(first.content), sort_errors(second.content)),
    )
    return next(
        (f"{name}:\n  reference {one!r}\n  engine    {other!r}" for name, one, other in parts if one != other), ""
    )


def sort_errors(content: bytes) -> bytes:
    """Return the body with its errors sorted by path and message. Nothing else is changed."""
    body = orjson.loads(content)
    if isinstance(body, dict) and isinstance(body.get("errors"), list):
        body["errors"].sort(key=orjson.dumps)
    return orjson.dumps(body)


@contextmanager
def _fix_environment() -> Iterator[None]:
    # Bulk mutations of more than two items are jobs elsewhere: here all are executed in the request.
    with fix_ids_and_time(UNUSED_SEED), patch("resolvers.write.membership.INLINE_BULK_ITEMS", 1_000):
        yield
