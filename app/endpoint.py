"""GraphQL over HTTP: an ASGI application that answers every request, however malformed."""

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
from app.errors import HTTPError, RequestErrorCode
from app.request import GraphQLRequest, read_request

BODY_BYTES: Final = 4 * 1024 * 1024
"""Maximum size of a request's body: enough for the ids of the largest bulk mutation, with room to spare."""

OpenContext = Callable[[Request, str], AbstractAsyncContextManager[object]]
"""Opens the context of a request's operation, given the request's id; may raise HTTPError."""

PageHandler = Callable[[Request], Awaitable[Response]]

RunQuery = Callable[[GraphQLRequest, Request], Awaitable[bytes | None]]
"""Returns the body of a response without errors, or None if graphql-core has to execute the request."""

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
    """Endpoint for queries by GET and POST, and mutations by POST. WebSockets are rejected in the handshake.

    Every response is JSON in the media type that the request accepts, except the GraphiQL page. A request that is
    malformed, too large, or has an invalid document is answered without opening a context.
    """

    def __init__(
        self,
        schema: BaseSchema,
        *,
        open_context: OpenContext,
        ide: PageHandler | None = None,
        run_query: RunQuery | None = None,
    ) -> None:
        """Take the schema, the opener of contexts, the handler of the GraphiQL page, and a faster way for queries."""
        super().__init__(schema, graphql_ide=None, subscription_protocols=())
        self._open_context = open_context
        self._ide = ide
        self._run_query = run_query

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
        respond = partial(_json, media_type)
        try:
            _require_method(request)
            if self._ide is not None and request.method == "GET" and negotiation.prefers_html(accept):
                return await self._ide(request)
            _require_acceptable(request, accept)
            graphql_request = await read_request(request, BODY_BYTES)
            data = await self._run_query(graphql_request, request) if self._run_query else None
            if data is not None:
                return respond(HTTPStatus.OK, data)
            result = await self._result(graphql_request, request, request_id)
            return respond(_status(result, media_type), _body(result, request_id))
        except HTTPError as error:
            errors.log_http_error(error, request_id)
            return respond(error.status, errors.error_body(error.code, error.message), error.headers)
        except ClientDisconnect:
            # No client is left to read the response, but middleware waits for one.
            return respond(
                HTTPStatus.BAD_REQUEST, errors.error_body(RequestErrorCode.BAD_REQUEST, "The request ended early.")
            )
        except Exception as failure:  # noqa: BLE001 - the client gets only the request's id; the log has the error
            errors.log_failure(failure, request_id)
            body = errors.error_body(RequestErrorCode.INTERNAL, errors.INTERNAL_MESSAGE, requestId=request_id)
            return respond(HTTPStatus.INTERNAL_SERVER_ERROR, body)

    async def _result(self, graphql_request: GraphQLRequest, request: Request, request_id: str) -> ExecutionResult:
        """Execute the operation and close its context; raise HTTPError if it must not be executed."""
        async with AsyncExitStack() as stack:
            context = LazyContext(lambda: stack.enter_async_context(self._open_context(request, request_id)))
            try:
                result = await self.schema.execute(
                    graphql_request.query,
                    variable_values=graphql_request.variables,
                    context_value=context,
                    operation_name=graphql_request.operation_name,
                    allowed_operation_types=_BY_METHOD[request.method],
                    operation_extensions=graphql_request.extensions,
                )
            except InvalidOperationTypeError as error:
                raise _not_served(error.operation_type) from None
        errors.raise_http_error(result)
        return result


def _request_id(request: Request) -> str:
    """Return the request's `x-request-id` header, or a random id if it is absent or malformed."""
    request_id = request.headers.get("x-request-id", "")
    return request_id if _REQUEST_ID.fullmatch(request_id) else secrets.token_hex(8)


def _body(result: ExecutionResult, request_id: str) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if result.errors:
        body["errors"] = errors.format_errors(result, request_id)
    if not errors.is_request_error(result):
        body["data"] = result.data
    if result.extensions:
        body["extensions"] = result.extensions
    return body


def _status(result: ExecutionResult, media_type: str) -> HTTPStatus:
    if not errors.is_request_error(result):
        return HTTPStatus.OK
    if errors.is_failure(result):
        return HTTPStatus.INTERNAL_SERVER_ERROR
    return HTTPStatus.BAD_REQUEST if media_type == negotiation.GRAPHQL_RESPONSE else HTTPStatus.OK


def _json(
    media_type: str, status: HTTPStatus, body: Mapping[str, Any] | bytes, headers: Mapping[str, str] | None = None
) -> Response:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return Response(content, status, headers, f"{media_type}; charset=utf-8")


def _require_method(request: Request) -> None:
    if request.method not in _BY_METHOD:
        raise _not_allowed("Send GraphQL requests by GET or POST.", "GET, POST")


def _require_acceptable(request: Request, accept: str) -> None:
    if negotiation.choose_media_type(accept) is None:
        message = f"The request must accept {negotiation.GRAPHQL_RESPONSE} or {negotiation.JSON}."
        raise HTTPError(HTTPStatus.NOT_ACCEPTABLE, RequestErrorCode.NOT_ACCEPTABLE, message)
    if request.method == "GET" and negotiation.prefers_html(accept):
        raise HTTPError(
            HTTPStatus.NOT_FOUND, RequestErrorCode.NOT_FOUND, "GraphiQL is turned off here. Accept JSON to run a query."
        )


def _not_allowed(message: str, allowed: str) -> HTTPError:
    return HTTPError(HTTPStatus.METHOD_NOT_ALLOWED, RequestErrorCode.METHOD_NOT_ALLOWED, message, {"allow": allowed})


def _not_served(operation_type: OperationType) -> HTTPError:
    if operation_type is OperationType.MUTATION:
        return _not_allowed("Send mutations by POST.", "POST")
    message = "Subscriptions are not supported over HTTP."
    return HTTPError(HTTPStatus.BAD_REQUEST, RequestErrorCode.SUBSCRIPTION_NOT_SUPPORTED, message)
