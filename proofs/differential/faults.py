"""Planted faults in the responses of an application. The differential test must find each."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import orjson
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response

from proofs.differential.applications import create
from store.database import Database

Body = dict[str, Any]


class ResponseFault(NamedTuple):
    """A fault of every response with the occasion for it."""

    description: str
    change: Callable[[Body], None]

    def create(self, url: str, database: Database, engine: str) -> Starlette:
        """Create an application with the fault."""
        application = create(url, database, engine)
        application.add_middleware(BaseHTTPMiddleware, dispatch=self._dispatch)
        return application

    async def _dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        content = b"".join([chunk async for chunk in response.body_iterator])  # type: ignore[attr-defined]
        body = orjson.loads(content)
        self.change(body)
        headers = {name: value for name, value in response.headers.items() if name != "content-length"}
        return Response(orjson.dumps(body), response.status_code, headers)


def _swap_keys(body: Body) -> None:
    for parent in _objects(body.get("data")):
        if len(parent) > 1:
            first = next(iter(parent))
            parent[first] = parent.pop(first)
            return


def _drop_error(body: Body) -> None:
    if len(body.get("errors", ())) > 1:
        body["errors"].pop()


def _empty_nulls(body: Body) -> None:
    for parent in _objects(body.get("data")):
        for name, value in parent.items():
            if value is None:
                parent[name] = []
                return


def _objects(value: Any) -> Iterator[Body]:
    """Yield all objects in the value, outer ones first."""
    if isinstance(value, dict):
        yield value
        for child in value.values():
            yield from _objects(child)
    elif isinstance(value, list):
        for child in value:
            yield from _objects(child)


RESPONSE_FAULTS = (
    ResponseFault("the first key of an object comes last", _swap_keys),
    ResponseFault("one of several errors is missing", _drop_error),
    ResponseFault("a null is an empty list", _empty_nulls),
)
