"""Servers with planted faults: they reuse cached data of one operation in later ones, or acknowledge too early."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from sqlalchemy.dialects import sqlite
from starlette.requests import Request
from starlette.types import Message, Receive

from app import authentication, cli, query_engine
from app.endpoint import Endpoint
from app.http_request import HTTPRequest
from app.oidc_claims import Claims
from permissions.viewer import Viewer, viewer_by_token
from resolvers.context import OperationContext
from resolvers.write import transaction
from resolvers.write.input import InputReader
from resolvers.write.user_error import MutationRejectedError
from schema import field
from store.database import ConnectionSnapshot, Snapshot
from store.failure import DriverErrors
from store.reader_threads import ThreadSnapshot

LIFETIME_SECONDS = 0.03
"""Lifetime of cached values in CPU time of the server: that of a few operations, however busy the machine is."""


def serve(fault: str) -> None:
    """Run the command line with a planted cache: "viewers", "rows", "answers" or "versions"."""
    faults = {"viewers": _cache_viewers, "rows": _cache_rows, "answers": _cache_responses, "versions": _cache_versions}
    faults[fault]()
    cli.main()


class Cache:
    """Values read recently, by key."""

    def __init__(self) -> None:
        self._values: dict[Any, tuple[float, Any]] = {}

    async def get(self, key: Any, read: Callable[[], Awaitable[Any]]) -> Any:
        """Return the cached value of the key, or read it."""
        read_at, value = self._values.get(key, (0.0, None))
        if time.process_time() - read_at > LIFETIME_SECONDS:
            value = await read()
            self._values[key] = (time.process_time(), value)
        return value


def _cache_viewers() -> None:
    """Cache the viewer of a token, with groups and administrator status."""
    cache = Cache()

    async def stale(snapshot: Snapshot, token: str) -> Viewer | None:
        viewer: Viewer | None = await cache.get(token, lambda: viewer_by_token(snapshot, token))
        return viewer

    setattr(authentication, "viewer_by_token", stale)  # noqa: B010 - the module does not export it


def _cache_rows() -> None:
    """Cache the rows of a statement."""
    cache = Cache()
    for kind in (ConnectionSnapshot, ThreadSnapshot):
        setattr(kind, "rows", _stale_rows(cache, getattr(kind, "rows")))  # noqa: B009, B010 - the planted fault


def _stale_rows(cache: Cache, rows: Any) -> Any:
    async def stale(self: Any, statement: Any, parameters: Any = None) -> Any:
        dialect = sqlite.dialect() if isinstance(self, ThreadSnapshot) else self._connection.dialect
        compiled = statement.compile(dialect=dialect)
        key = (str(compiled), str(compiled.construct_params(parameters)))
        return await cache.get(key, lambda: rows(self, statement, parameters))

    return stale


def _cache_responses() -> None:
    """Cache the response to a viewer's query."""
    cache, response = Cache(), getattr(Endpoint, "_response")  # noqa: B009 - private to the class

    async def stale(self: Endpoint, request: HTTPRequest, *arguments: Any) -> Any:
        body = await Request(request.scope, request.receive).body()
        received = HTTPRequest(request.scope, _receive_again(body, request.receive))
        if b"mutation" in body:
            return await response(self, received, *arguments)
        key = (request.first_header(b"authorization"), body)
        return await cache.get(key, lambda: response(self, received, *arguments))

    setattr(Endpoint, "_response", stale)  # noqa: B010 - private to the class


def _receive_again(body: bytes, receive: Receive) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body}]

    async def receive_again() -> Message:
        return messages.pop() if messages else await receive()

    return receive_again


def _cache_versions() -> None:
    """Cache the version of the database, by which the index knows whether it is of the latest state."""
    cache = Cache()

    async def stale(snapshot: Snapshot, api_token: str | None, claims: Claims | None) -> Viewer:
        async def version() -> int:
            return viewer.row_version

        viewer = await authentication.load_viewer(snapshot, api_token, claims)
        return replace(viewer, row_version=await cache.get("version", version))

    setattr(query_engine, "load_viewer", stale)  # noqa: B010 - the module does not export it


COMMIT_DELAY_SECONDS = 0.2
"""Most of the time, a mutation is acknowledged and not committed, so that a few kills find it."""


def acknowledge_early() -> None:
    """Answer mutations from their open transactions, and commit after the response."""
    run_mutation = transaction.run_mutation
    commits: set[asyncio.Task[None]] = set()

    async def run_early(context: OperationContext, permission: Any, name: str, input: Any, function: Any) -> Any:
        if input.get("dry_run"):
            return await run_mutation(context, permission, name, input, function)
        await context.close()
        write = AsyncExitStack()
        try:
            connection = await write.enter_async_context(context.database.write(context.database.operation_seconds))
            tx = await getattr(transaction, "_begin")(context, connection, permission)  # noqa: B009 - private to the module
            payload = tx.payload(await function(tx, InputReader(input)))
        except MutationRejectedError as rejected:
            payload = transaction.Payload(rejected.result, rejected.user_errors)
        except BaseException as error:
            await write.__aexit__(type(error), error, error.__traceback__)
            raise

        async def commit() -> None:
            await asyncio.sleep(COMMIT_DELAY_SECONDS)
            await write.aclose()

        async def commit_later() -> None:
            task = asyncio.create_task(commit())
            commits.add(task)
            task.add_done_callback(commits.discard)

        stack: AsyncExitStack = getattr(context, "_exit_stack")  # noqa: B009 - the planted fault keeps the connection beyond the operation
        stack.push_async_callback(commit_later)
        context.snapshot = ConnectionSnapshot(connection, DriverErrors(context.database.url))
        context.viewer = tx.viewer
        return payload

    setattr(field, "run_mutation", run_early)  # noqa: B010 - the module does not export it
