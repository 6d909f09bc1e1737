"""GraphQL over HTTP: an ASGI application that answers every request, however malformed."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from http import HTTPStatus
from typing import Any, Final, TypeVar

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
from app.authentication import ClaimsChangedError
from app.caller import Caller, CallerLimits
from app.documents import LazyContext
from app.errors import HTTPError, RequestErrorCode, UnauthenticatedError
from app.http_request import HTTPRequest
from app.live.live import Live
from app.negotiation import Negotiation
from app.oidc_claims import Claims
from app.operation import ObserveOperation, OperationRecord, current_operation
from app.request import GraphQLRequest, read_request
from app.request_limits import (
    BUDGET_EXCEEDED,
    PAYLOAD_TOO_LARGE,
    RESPONSE_TOO_LARGE,
    BudgetError,
    ResponseSizeError,
    max_response_bytes,
)
from app.response import RawResponse, encode_answer, json_response, page_response
from app.trusted_documents import TrustedDocuments
from resolvers.limits import current_server_limits
from store.database_use import current_use
from store.failure import Failure, StorageError

OpenContext = Callable[[Sequence[bytes], str], AbstractAsyncContextManager[object]]
"""Opens the context of an operation, given the request's `Authorization` headers and its id; may raise HTTPError."""

PageHandler = Callable[[Request], Awaitable[Response]]
"""Returns a response with its body in memory."""

SignIn = Callable[[Claims, str], Awaitable[None]]
"""Takes over claims of an issuer's token, given the request's id; may raise StorageError."""

RunQuery = Callable[[GraphQLRequest, Caller], Awaitable[bytes | None]]
"""Returns the body of a response, or None if graphql-core has to execute the request."""

Result = TypeVar("Result")

_GOING_AWAY: Final = 1001
_BY_METHOD: Final = {
    "GET": frozenset({OperationType.QUERY}),
    "POST": frozenset({OperationType.QUERY, OperationType.MUTATION}),
}


class Endpoint(GraphQL[object, None]):
    """Endpoint for queries by GET and POST, mutations by POST, and subscriptions by WebSocket and event stream.

    Every response is JSON in the media type that the request accepts, except the GraphiQL page. A request that is
    malformed, too large, or has an invalid document is answered without opening a context.
    """

    def __init__(
        self,
        schema: BaseSchema,
        *,
        open_context: OpenContext,
        ide: PageHandler | None = None,
        sign_in: SignIn | None = None,
        run_query: RunQuery | None = None,
        live: Live | None = None,
        limits: CallerLimits | None = None,
        documents: TrustedDocuments | None = None,
        cors_origins: Sequence[str] = (),
        observe: Sequence[ObserveOperation] = (),
        is_traced: bool = False,
    ) -> None:
        """Take the schema, the opener of contexts, and optional parts.

        `ide` serves the GraphiQL page, `sign_in` takes over claims, `run_query` is a faster way for queries, and `live`
        serves subscriptions.
        Clients may request `documents` by their ids, and pages of `cors_origins` may send queries by GET. Each function
        of `observe` is called with the record of each operation, after its response was sent. With `is_traced`, the
        record has spans.
        """
        super().__init__(schema, graphql_ide=None, subscription_protocols=())
        self._open_context = open_context
        self._ide = ide
        self._sign_in, self._run_query, self._live = sign_in, run_query, live
        self._limits = limits or CallerLimits()
        self._documents, self._cors_origins = documents or TrustedDocuments(), cors_origins
        self._server_limits = self._limits.of_server()
        self._observe, self._is_traced = tuple(observe), is_traced

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "websocket":
            if self._live is None:
                await WebSocket(scope, receive, send).close(_GOING_AWAY)
            else:
                await self._live.serve_socket(scope, receive, send)
            return
        request = HTTPRequest(scope, receive)
        record = OperationRecord(request.request_id())
        if self._is_traced:
            record.trace(request.first_header(b"traceparent").decode("latin-1"))
        caller = Caller(request, record, self._limits)
        tokens = (
            current_operation.set(record),
            current_use.set(record.use),
            current_server_limits.set(self._server_limits),
        )
        try:
            response = await self._response(request, caller, send)
            if response is None:
                return
            if not record.is_page:
                caller.settle(response.status)
                if response.status == HTTPStatus.OK and not (record.error_counts or caller.is_mutation):
                    response = await encode_answer(request, response)
            status, headers, body = response
            record.status, record.response_bytes = status, len(body)
            headers = [*headers, (b"x-request-id", record.request_id.encode())]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
        finally:
            current_operation.reset(tokens[0])
            current_use.reset(tokens[1])
            current_server_limits.reset(tokens[2])
            self._finish(record)

    def _finish(self, record: OperationRecord) -> None:
        record.finish()
        if not record.is_page:
            for observe in self._observe:
                observe(record)

    async def _response(self, request: HTTPRequest, caller: Caller, send: Send) -> RawResponse | None:
        """Return the response, also to a failure; None if it was an event stream, which was sent already."""
        record = caller.record
        accepted = negotiation.negotiate(request.joined_header(b"accept"))
        media_type = accepted.media_type or negotiation.JSON
        try:
            return await self._answer(request, caller, accepted, media_type, send)
        except (HTTPError, StorageError) as failed:
            error = errors.storage_http_error(failed) if isinstance(failed, StorageError) else failed
            errors.log_http_error(error, record.request_id)
            body = errors.error_body(error.code, error.message)
            return _respond(record, media_type, error.status, body, error.headers)
        except BudgetError:
            body = errors.error_body(RequestErrorCode.LIMIT_EXCEEDED, BUDGET_EXCEEDED)
            return _respond(record, media_type, _status_of_refusal(media_type), body)
        except ClientDisconnect:
            # No client is left to read the response, but servers and middleware wait for one.
            body = errors.error_body(RequestErrorCode.BAD_REQUEST, "The request ended early.")
            return _respond(record, media_type, HTTPStatus.BAD_REQUEST, body)
        except Exception as failure:  # noqa: BLE001 - the client gets only the request's id; the log has the error
            errors.log_failure(failure, record.request_id)
            body = errors.error_body(RequestErrorCode.INTERNAL, errors.INTERNAL_MESSAGE, requestId=record.request_id)
            return _respond(record, media_type, HTTPStatus.INTERNAL_SERVER_ERROR, body)

    async def _answer(
        self, request: HTTPRequest, caller: Caller, accepted: Negotiation, media_type: str, send: Send
    ) -> RawResponse | None:
        """Return the response to a valid request. Raises HTTPError for others, and BudgetError."""
        record = caller.record
        _require_method(request)
        if self._ide is not None and request.method == "GET" and accepted.prefers_html:
            record.is_page = True
            return page_response(await self._ide(Request(request.scope, request.receive)))
        may_stream = self._live is not None and accepted.takes_events
        if not may_stream:
            _require_acceptable(request, accepted)
        seconds = caller.seconds_until_credit()
        if seconds and caller.is_known:
            raise caller.refusal(seconds)
        graphql_request = await read_request(request, self._documents, self._cors_origins)
        if self._live is not None and may_stream and self._live.is_subscription(graphql_request):
            caller.settle(HTTPStatus.OK)  # for the parsing of the document
            record.is_page = True
            stream = await self._live.open_stream(request, graphql_request)
            await self._live.send_stream(stream, request.receive, send)
            return None
        _require_acceptable(request, accepted)
        record.set_document(graphql_request.query, graphql_request.document_id)
        viewer = caller.viewer
        self._limits.in_progress.begin(viewer)
        try:
            if seconds:
                await self._require_user(caller, seconds)
            run = partial(self._run, graphql_request, caller, media_type, request.method)
            response = await self._take_over_claims(run, record.request_id)
        except ResponseSizeError:
            return _refuse_size(caller, media_type)
        finally:
            self._limits.in_progress.end(viewer)
        return _refuse_size(caller, media_type) if _is_too_large(response, caller) else response

    async def _require_user(self, caller: Caller, seconds: int) -> None:
        """Raise HTTPError unless the token is that of a user with credit. The client's address has none for so long.

        Without this, others at that address could keep a user from the first operation with a token.
        """

        async def recognize() -> None:
            async with self._open_context(caller.authorization, caller.record.request_id):
                caller.recognize()

        try:
            await self._take_over_claims(recognize, caller.record.request_id)
        except UnauthenticatedError:
            raise caller.refusal(seconds) from None
        if seconds_of_user := caller.seconds_until_credit():
            raise caller.refusal(seconds_of_user)

    async def _take_over_claims(self, work: Callable[[], Awaitable[Result]], request_id: str) -> Result:
        """Return the result of the work, which is repeated once after claims that it found to be new are taken over."""
        try:
            return await work()
        except ClaimsChangedError as changed:
            if self._sign_in is None:
                raise
            await self._sign_in(changed.claims, request_id)
        return await work()

    async def _run(self, graphql_request: GraphQLRequest, caller: Caller, media_type: str, method: str) -> RawResponse:
        """Return the response, of any size. Raises HTTPError, BudgetError and ResponseSizeError."""
        if self._run_query is not None:
            data = await self._run_query(graphql_request, caller)
            if data is not None:
                return json_response(media_type, HTTPStatus.OK, data)
        result = await caller.run(self._result(graphql_request, caller, method))
        return _respond(
            caller.record,
            media_type,
            _status(result, media_type),
            errors.response_body(result, caller.record.request_id),
        )

    async def _result(self, graphql_request: GraphQLRequest, caller: Caller, method: str) -> ExecutionResult:
        """Execute the operation, a query once more if it lost the database; raise HTTPError if it has no result."""
        result = await self._execute(graphql_request, caller, method)
        failure = errors.storage_failure(result)
        if not caller.is_mutation and failure is not None and failure.failure is Failure.LOST:
            result = await self._execute(graphql_request, caller, method)
        errors.raise_http_error(result, is_query=not caller.is_mutation)
        return result

    async def _execute(self, graphql_request: GraphQLRequest, caller: Caller, method: str) -> ExecutionResult:
        """Execute the operation and close its context; raise HTTPError if it must not be executed."""
        async with AsyncExitStack() as stack:

            async def open_context(operation: OperationType) -> object:
                caller.is_mutation = operation is OperationType.MUTATION
                caller.charge()
                if not caller.is_mutation:
                    await stack.enter_async_context(caller.turn())
                context = self._open_context(caller.authorization, caller.record.request_id)
                opened = await stack.enter_async_context(context)
                caller.recognize()
                return opened

            try:
                result = await self.schema.execute(
                    graphql_request.query,
                    variable_values=graphql_request.variables,
                    context_value=LazyContext(open_context, is_visitor=caller.is_visitor),
                    operation_name=graphql_request.operation_name,
                    allowed_operation_types=_BY_METHOD[method],
                    operation_extensions=graphql_request.extensions,
                )
            except InvalidOperationTypeError as error:
                raise _not_served(error.operation_type) from None
        return result


def _status(result: ExecutionResult, media_type: str) -> HTTPStatus:
    if not errors.is_request_error(result):
        return HTTPStatus.OK
    if errors.is_failure(result):
        return HTTPStatus.INTERNAL_SERVER_ERROR
    return _status_of_refusal(media_type)


def _status_of_refusal(media_type: str) -> HTTPStatus:
    return HTTPStatus.BAD_REQUEST if media_type == negotiation.GRAPHQL_RESPONSE else HTTPStatus.OK


def _respond(
    record: OperationRecord,
    media_type: str,
    status: HTTPStatus,
    body: Mapping[str, Any],
    headers: Mapping[str, str] | None = None,
) -> RawResponse:
    record.count_errors(body)
    return json_response(media_type, status, orjson.dumps(body), headers)


def _is_too_large(response: RawResponse, caller: Caller) -> bool:
    """Return whether the response to a query is too large. Changes were made, so that a mutation is answered."""
    limit = max_response_bytes(is_visitor=caller.is_visitor, is_mutation=False)
    return len(response.body) > limit and not caller.is_mutation


def _refuse_size(caller: Caller, media_type: str) -> RawResponse:
    limit = max_response_bytes(is_visitor=caller.is_visitor, is_mutation=caller.is_mutation)
    message = (PAYLOAD_TOO_LARGE if caller.is_mutation else RESPONSE_TOO_LARGE).format(limit)
    body = errors.error_body(RequestErrorCode.LIMIT_EXCEEDED, message)
    if caller.is_mutation:
        return _respond(caller.record, media_type, HTTPStatus.OK, {"data": None, **body})
    return _respond(caller.record, media_type, _status_of_refusal(media_type), body)


def _require_method(request: HTTPRequest) -> None:
    if request.method not in _BY_METHOD:
        raise _not_allowed("Send GraphQL requests by GET or POST.", "GET, POST")


def _require_acceptable(request: HTTPRequest, accepted: Negotiation) -> None:
    if accepted.media_type is None:
        message = f"The request must accept {negotiation.GRAPHQL_RESPONSE} or {negotiation.JSON}."
        raise HTTPError(HTTPStatus.NOT_ACCEPTABLE, RequestErrorCode.NOT_ACCEPTABLE, message)
    if request.method == "GET" and accepted.prefers_html:
        raise HTTPError(
            HTTPStatus.NOT_FOUND, RequestErrorCode.NOT_FOUND, "GraphiQL is turned off here. Accept JSON to run a query."
        )


def _not_allowed(message: str, allowed: str) -> HTTPError:
    return HTTPError(HTTPStatus.METHOD_NOT_ALLOWED, RequestErrorCode.METHOD_NOT_ALLOWED, message, {"allow": allowed})


def _not_served(operation_type: OperationType) -> HTTPError:
    if operation_type is OperationType.MUTATION:
        return _not_allowed("Send mutations by POST.", "POST")
    message = "Subscribe by WebSocket (graphql-transport-ws), or accept text/event-stream. See docs/live.md."
    return HTTPError(HTTPStatus.BAD_REQUEST, RequestErrorCode.SUBSCRIPTION_NOT_SUPPORTED, message)
