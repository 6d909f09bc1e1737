"""Two applications over the same database, one for each executor, and the comparison of their responses."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from itertools import count
from typing import Any
from unittest.mock import patch

import httpx
import orjson
from starlette.applications import Starlette

from app.application import create_application
from app.settings import Executor
from proofs.determinism import fix_ids_and_time
from proofs.differential.generator import Request
from store.database import Database
from tests.conftest import PATIENT_SECONDS, settings_of
from tests.engine_log import ENGINE_ERRORS
from tests.in_process import InProcessTransport
from tests.oracle import ANONYMOUS

REFERENCE, ENGINE = "reference", "on"
"""Values of the setting that chooses the executor: graphql-core, or the engine."""

UNUSED_SEED = 1_000_000
"""First seed of ids that no mutation made before."""

_seeds = count(UNUSED_SEED)

INTERNAL_ERROR = '"code":"INTERNAL"'
"""Part of the response to an unhandled exception, which no operation may cause."""

CreateApplication = Callable[[str, Database, str], Starlette]
"""Creates an application from the URL of its database, the database, and the executor's name."""


def create(url: str, database: Database, engine: str) -> Starlette:
    """Create an application with that executor."""
    return create_application(replace(settings_of(url), engine=Executor(engine)), database=database)


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
        self._database, self._tokens = Database(url, operation_seconds=PATIENT_SECONDS), tokens
        self._transport = InProcessTransport(create_application(url, self._database, engine))
        # The bodies are compared, and planted faults change them, so they are not compressed.
        headers = {"x-request-id": "r", "accept-encoding": "identity"}
        self._client = httpx.AsyncClient(transport=self._transport, base_url="http://atoll", headers=headers)

    async def send(self, who: str, request: Request, seed: int | None = None) -> Response:
        """Send the request as the viewer, at a fixed time and with the ids of the seed, or else of an unused one."""
        headers = {} if who == ANONYMOUS else {"authorization": f"Bearer {self._tokens[who]}"}
        await self._transport.refresh()
        with _fix_environment(next(_seeds) if seed is None else seed):
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
        seed = next(_seeds)  # a query stores a pull under a new id
        first = await self.reference.send(who, request, seed)
        ENGINE_ERRORS.take()
        second = await self.engine.send(who, request, seed)
        failure = ENGINE_ERRORS.take()
        return first, f"the engine failed: {failure}" if failure else find_difference(first, second)

    async def close(self) -> None:
        """Close both applications."""
        await self.reference.close()
        await self.engine.close()


def find_difference(first: Response, second: Response) -> str:
    """Describe the first part in which the responses differ; "" if they are equal.

    All bytes must be equal, except where GraphQL leaves a choice: errors may come in any order, and if several null the
    same parent, one is enough. graphql-core reports those that it meets before it stops, which depends on the order in
    which the database answers.
    """
    if INTERNAL_ERROR.encode() in first.content:
        return f"internal error: {first}"
    if first.status == HTTPStatus.UNAUTHORIZED:
        return f"refused, so that nothing was compared: {first}"
    if first == second:
        return ""
    parts = (
        ("status", first.status, second.status),
        ("headers", _without_length(first.headers), _without_length(second.headers)),
        ("body", normalize_errors(first.content), normalize_errors(second.content)),
    )
    return next(
        (f"{name}:\n  reference {one!r}\n  engine    {other!r}" for name, one, other in parts if one != other), ""
    )


def _without_length(headers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [header for header in headers if header[0] != "content-length"]


def normalize_errors(content: bytes) -> bytes:
    """Return the body with its errors sorted by path and message. Those that null a parent are replaced by its path."""
    body = orjson.loads(content)
    if isinstance(body, dict) and isinstance(body.get("errors"), list):
        parents = [_nulled_parent(error.get("path", []), body.get("data")) for error in body["errors"]]
        others = [error for error, parent in zip(body["errors"], parents, strict=True) if parent is None]
        nulled = {orjson.dumps(parent): parent for parent in parents if parent is not None}
        body["errors"] = sorted([*others, *nulled.values()], key=orjson.dumps)
    return orjson.dumps(body)


def _nulled_parent(path: Sequence[str | int], data: Any) -> Sequence[str | int] | None:
    """Return the path of the parent that is null because the value at the path is; None if only that value is null.

    Of a path that does not fit the data, return the part that does.
    """
    value = data
    for depth, key in enumerate(path):
        if value is None:
            return path[:depth]
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return path[:depth]
    return None


@contextmanager
def _fix_environment(seed: int) -> Iterator[None]:
    # Bulk mutations of more than two items are jobs elsewhere: here all are executed in the request.
    with fix_ids_and_time(seed), patch("resolvers.write.membership.INLINE_BULK_ITEMS", 1_000):
        yield
