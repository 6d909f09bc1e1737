"""This file is GraphQL over HTTP: one ASGI application that answers every request, however malformed."""

import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.schema import BaseSchema
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.types.execution import ExecutionResult
from strawberry.types.graphql import OperationType

from app import errors, negotiation
from app.documents import LazyContext
from app.errors import HTTPError
from app.request import GraphQLRequest, read_request

BODY_BYTES: Final = 4 * 1024 * 1024
"""The most that the body of a request may take: the ids of the largest bulk change, and some room."""

OpenContext = Callable[[Request, str], AbstractAsyncContextManager[object]]
"""From a request and its id to the context of its operation; it may raise Declined."""

Page = Callable[[Request], Awaitable[Response]]

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HEADERS: Final = {
    "cache-control": "private, no-store",
    "vary": "Accept, Authorization",
    "x-content-type-options": "nosniff",
}
_GOING_AWAY: Final = 1001
_BY_METHOD: Final = {
    "GET": frozenset({OperationType.QUERY}),
    "POST": frozenset({OperationType.QUERY, OperationType.MUTATION}),
}


class Endpoint(GraphQL[object, None]):
    """Queries by GET and POST, mutations by POST; WebSockets are refused in the handshake.

    Every answer, a page for browsers aside, is JSON in the type that the request accepts. A request that is malformed,
    too large, or holds a document with errors is answered before any context is opened for it.
    """

    def __init__(self, schema: BaseSchema, *, open_context: OpenContext, ide: Page | None = None) -> None:
        """Take the schema, what opens and closes each operation's context, and the page that browsers get, if any."""
        super().__init__(schema, graphql_ide=None, subscription_protocols=())
        self._open_context = open_context
        self._ide = ide

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "websocket":
            await WebSocket(scope, receive, send).close(_GOING_AWAY)
            return
        request = Request(scope, receive)
        request_id = _request_id(request)
        response = await self._response(request, request_id)
        response.headers.update(_HEADERS | {"x-request-id": request_id})
        await response(scope, receive, send)

    async def _response(self, request: Request, request_id: str) -> Response:
        accept = ",".join(request.headers.getlist("accept"))
        media_type = negotiation.choose_media_type(accept) or negotiation.JSON
        told = partial(_json, media_type)
        try:
            _require_method(request)
            if self._ide is not None and request.method == "GET" and negotiation.prefers_html(accept):
                return await self._ide(request)
            _require_acceptable(request, accept)
            result = await self._result(await read_request(request, BODY_BYTES), request, request_id)
            return told(_status(result, media_type), _answer(result, request_id))
        except HTTPError as declined:
            errors.log_http_error(declined, request_id)
            return told(declined.status, errors.error_body(declined.code, declined.message), declined.headers)
        except ClientDisconnect:
            # Nobody is left to read it, but middleware waits for an answer to every request.
            return told(HTTPStatus.BAD_REQUEST, errors.error_body("BAD_REQUEST", "The request ended early."))
        except Exception as failure:  # noqa: BLE001 - whatever it is, clients are told its id and no more
            errors.log_failure(failure, request_id)
            body = errors.error_body("INTERNAL", errors.INTERNAL_MESSAGE, requestId=request_id)
            return told(HTTPStatus.INTERNAL_SERVER_ERROR, body)

    async def _result(self, asked: GraphQLRequest, request: Request, request_id: str) -> ExecutionResult:
        """Return what the operation came to, its context closed; raise Declined when it was not to be executed."""
        async with AsyncExitStack() as opened:
            context = LazyContext(lambda: opened.enter_async_context(self._open_context(request, request_id)))
            try:
                result = await self.schema.execute(
                    asked.query,
                    variable_values=asked.variables,
                    context_value=context,
                    operation_name=asked.operation_name,
                    allowed_operation_types=_BY_METHOD[request.method],
                    operation_extensions=asked.extensions,
                )
            except InvalidOperationTypeError as error:
                raise _not_served(error.operation_type) from None
        errors.raise_http_error(result)
        return result


def _request_id(request: Request) -> str:
    """Return the id that the client or a proxy gave the request, or a random one."""
    given = request.headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)


def _answer(result: ExecutionResult, request_id: str) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    if result.errors:
        answer["errors"] = errors.format_errors(result, request_id)
    if not errors.is_request_error(result):
        answer["data"] = result.data
    if result.extensions:
        answer["extensions"] = result.extensions
    return answer


def _status(result: ExecutionResult, media_type: str) -> HTTPStatus:
    if not errors.is_request_error(result):
        return HTTPStatus.OK
    if errors.is_failure(result):
        return HTTPStatus.INTERNAL_SERVER_ERROR
    return HTTPStatus.BAD_REQUEST if media_type == negotiation.GRAPHQL_RESPONSE else HTTPStatus.OK


def _json(
    media_type: str, status: HTTPStatus, answer: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> Response:
    return Response(orjson.dumps(answer), status, headers, f"{media_type}; charset=utf-8")


def _require_method(request: Request) -> None:
    if request.method not in _BY_METHOD:
        raise _not_allowed("GraphQL is served by GET and POST.", "GET, POST")


def _require_acceptable(request: Request, accept: str) -> None:
    if negotiation.choose_media_type(accept) is None:
        message = f"The answer is {negotiation.GRAPHQL_RESPONSE} or {negotiation.JSON}; the request accepts neither."
        raise HTTPError(HTTPStatus.NOT_ACCEPTABLE, "NOT_ACCEPTABLE", message)
    if request.method == "GET" and negotiation.prefers_html(accept):
        raise HTTPError(HTTPStatus.NOT_FOUND, "NOT_FOUND", "There is no page here; ask for JSON to query.")


def _not_allowed(message: str, allowed: str) -> HTTPError:
    return HTTPError(HTTPStatus.METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message, {"allow": allowed})


def _not_served(operation_type: OperationType) -> HTTPError:
    if operation_type is OperationType.MUTATION:
        return _not_allowed("Mutations are sent by POST.", "POST")
    message = "Subscriptions are not served over plain HTTP."
    return HTTPError(HTTPStatus.BAD_REQUEST, "SUBSCRIPTION_NOT_SUPPORTED", message)
