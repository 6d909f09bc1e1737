"""Errors of HTTP requests: exceptions, their format in responses, and their logging."""

import logging
from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final

from graphql import ArgumentNode, GraphQLError, GraphQLSyntaxError, ValueNode
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.utils.logging import StrawberryLogger

from app.log import Event
from permissions.error import ErrorCode, OperationError
from store.failure import Failure, StorageError

INTERNAL_MESSAGE: Final = "Internal error."
MAX_REQUEST_ERRORS: Final = 5
"""Maximum number of errors reported for a request that was not executed. An executed request reports all errors."""

MAX_MESSAGE_LENGTH: Final = 500
"""Longer messages are cut, because a message may repeat input."""

_log = logging.getLogger(__name__)
# Strawberry logs every error with its traceback, even a misspelt field. `format_errors` logs instead.
StrawberryLogger.logger.addFilter(lambda _record: False)


class RequestErrorCode(StrEnum):
    """Values of `extensions.code` besides those of `ErrorCode`: errors of requests and documents, and INTERNAL."""

    BAD_REQUEST = "BAD_REQUEST"
    CROSS_SITE = "CROSS_SITE"
    DOCUMENT_NOT_FOUND = "DOCUMENT_NOT_FOUND"
    DOCUMENT_REQUIRED = "DOCUMENT_REQUIRED"
    GONE = "GONE"
    GRAPHQL_PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
    GRAPHQL_VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
    INTERNAL = "INTERNAL"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    MISDIRECTED_REQUEST = "MISDIRECTED_REQUEST"
    NOT_ACCEPTABLE = "NOT_ACCEPTABLE"
    NOT_FOUND = "NOT_FOUND"
    OPERATION_RESOLUTION_FAILURE = "OPERATION_RESOLUTION_FAILURE"
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE"
    PERSISTED_QUERY_NOT_SUPPORTED = "PERSISTED_QUERY_NOT_SUPPORTED"
    RATE_LIMITED = "RATE_LIMITED"
    REQUEST_TIMEOUT = "REQUEST_TIMEOUT"
    STORAGE_FULL = "STORAGE_FULL"
    SUBSCRIPTION_NOT_SUPPORTED = "SUBSCRIPTION_NOT_SUPPORTED"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"


Code = RequestErrorCode | ErrorCode


class HTTPError(Exception):
    """A request that is not executed, with the HTTP status, `extensions.code`, message and headers of its response."""

    def __init__(self, status: HTTPStatus, code: Code, message: str, headers: Mapping[str, str] | None = None) -> None:
        """Take the parts of the response."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers: Final = dict(headers or {})


class UnauthenticatedError(HTTPError):
    """An invalid bearer token. The response is the same for every reason."""

    def __init__(self) -> None:
        """Take no reason, so that none can reach the client."""
        super().__init__(
            HTTPStatus.UNAUTHORIZED,
            ErrorCode.UNAUTHENTICATED,
            "The bearer token is not valid.",
            {"www-authenticate": 'Bearer error="invalid_token"'},
        )


class UnavailableError(HTTPError):
    """A dependency (database, token issuer) that cannot be used for now. Only the log has the reason."""

    def __init__(
        self,
        reason: str = "",
        code: Code = ErrorCode.UNAVAILABLE,
        message: str = "The service is temporarily unavailable. Try again in a few seconds.",
    ) -> None:
        """Take the reason, and code and message of the response."""
        super().__init__(HTTPStatus.SERVICE_UNAVAILABLE, code, message, {"retry-after": "5"})
        self.reason = reason


def storage_http_error(error: StorageError, *, may_be_saved: bool = False) -> UnavailableError:
    """Return the response's error for a failure of the storage; `may_be_saved` says that a change may be in effect."""
    reason = str(error)
    if may_be_saved:
        message = "The database was lost, and the change may be saved. Repeat it with its idempotencyKey, or reload."
        return UnavailableError(reason, message=message)
    if error.failure is Failure.FULL:
        message = "The server's disk is full or read-only: nothing was changed. Its operator has to free some space."
        return UnavailableError(reason, RequestErrorCode.STORAGE_FULL, message)
    if error.failure is Failure.BUSY:
        return UnavailableError(reason, message="Too many concurrent operations: nothing was changed. Retry.")
    return UnavailableError(reason)


def raise_http_error(result: ExecutionResult, *, is_query: bool) -> None:
    """Raise the HTTPError that prevented the context from being opened, or that a failure of the storage calls for.

    A response has all of its data or the one error: where the storage fails in the middle, all fields after it do.
    """
    errors = result.errors or ()
    if failure := storage_failure(result):
        is_changed = failure.may_be_committed or any(error.path and len(error.path) > 1 for error in errors)
        is_changed = is_changed or any((result.data or {}).values())
        raise storage_http_error(failure, may_be_saved=is_changed and not is_query) from failure
    if isinstance(result, PreExecutionError):
        for error in errors:
            if isinstance(error.original_error, HTTPError):
                raise error.original_error


def storage_failure(result: ExecutionResult) -> StorageError | None:
    """Return the failure of the storage that an error of the result is due to; None if there is none."""
    causes = map(cause_of, result.errors or ())
    return next((cause for cause in causes if isinstance(cause, StorageError)), None)


def is_request_error(result: ExecutionResult) -> bool:
    """Return whether nothing was executed, so that the response has no `data`."""
    return isinstance(result, PreExecutionError) or (
        result.data is None and bool(result.errors) and all(error.path is None for error in result.errors or ())
    )


def is_failure(result: ExecutionResult) -> bool:
    """Return whether an error is the server's fault (INTERNAL), not the client's."""
    is_early = isinstance(result, PreExecutionError)
    return any(
        _code_and_message(error, is_early=is_early)[0] == RequestErrorCode.INTERNAL for error in result.errors or ()
    )


def format_errors(result: ExecutionResult, request_id: str) -> list[dict[str, Any]]:
    """Format the result's errors for the response, at most MAX_REQUEST_ERRORS if nothing was executed.

    Expected errors keep their message and code. Unexpected ones are masked as "Internal error." and logged under the
    request's id, once for each exception however many fields it failed.
    """
    formatted: list[dict[str, Any]] = []
    logged = set[int]()
    for error in (result.errors or [])[: MAX_REQUEST_ERRORS if is_request_error(result) else None]:
        code, message = _code_and_message(error, is_early=isinstance(result, PreExecutionError))
        extensions = {"code": code} | ({"requestId": request_id} if code == RequestErrorCode.INTERNAL else {})
        formatted.append({**error.formatted, "message": _cut(message), "extensions": extensions})
        cause = cause_of(error)
        if id(cause) not in logged:
            logged.add(id(cause))
            _log_cause(cause, code, request_id)
    return formatted


def response_body(result: ExecutionResult, request_id: str) -> dict[str, Any]:
    """Return the body of the response with the result."""
    body: dict[str, Any] = {}
    if result.errors:
        body["errors"] = format_errors(result, request_id)
    if not is_request_error(result):
        body["data"] = result.data
    if result.extensions:
        body["extensions"] = result.extensions
    return body


def cause_of(error: Exception) -> Exception:
    """Unwrap GraphQL errors: return the exception that a resolver raised, or the innermost GraphQL error."""
    while isinstance(error, GraphQLError) and error.original_error is not None:
        error = error.original_error
    return error


def log_failure(failure: Exception, request_id: str) -> None:
    """Log an unexpected exception with its traceback, under the request's id."""
    _log.error("Request %s failed.", request_id, exc_info=failure)


def log_http_error(error: HTTPError, request_id: str) -> None:
    """Log a rate limit, and the reason if a dependency is unavailable. The operation's line has all codes of errors."""
    if isinstance(error, UnavailableError):
        reason = error.reason or "unavailable"
        _log.warning("Request %s could not be answered: %s", request_id, reason, extra={"event": Event.UNAVAILABLE})
    elif error.status is HTTPStatus.TOO_MANY_REQUESTS:
        _log.warning(
            "Request %s was refused: its viewer sends too many.", request_id, extra={"event": Event.RATE_LIMITED}
        )


def error_body(code: Code, message: str, **extensions: str) -> dict[str, Any]:
    """Return the response body of a request that was not executed."""
    return {"errors": [{"message": _cut(message), "extensions": {"code": code, **extensions}}]}


def _log_cause(cause: Exception, code: str, request_id: str) -> None:
    if code == RequestErrorCode.INTERNAL:
        log_failure(cause, request_id)
    elif isinstance(cause, HTTPError):
        log_http_error(cause, request_id)


def _code_and_message(error: GraphQLError, *, is_early: bool) -> tuple[str, str]:
    cause = cause_of(error)
    if isinstance(cause, OperationError | HTTPError):
        return str(cause.code), cause.message
    code = (error.extensions or {}).get("code")
    if isinstance(code, str):
        return code, error.message
    if isinstance(error, GraphQLSyntaxError):
        return RequestErrorCode.GRAPHQL_PARSE_FAILED, error.message
    if is_early and (error.original_error is None or error.nodes):
        return RequestErrorCode.GRAPHQL_VALIDATION_FAILED, error.message
    if not is_early and (error.path is None or _is_about_input(cause)):
        return ErrorCode.BAD_USER_INPUT, error.message
    return RequestErrorCode.INTERNAL, INTERNAL_MESSAGE


def _is_about_input(cause: Exception) -> bool:
    """Return whether GraphQL rejected an argument, not a resolver's return value: only the nodes tell them apart."""
    return isinstance(cause, GraphQLError) and any(
        isinstance(node, ValueNode | ArgumentNode) for node in cause.nodes or ()
    )


def _cut(message: str) -> str:
    return message if len(message) <= MAX_MESSAGE_LENGTH else message[: MAX_MESSAGE_LENGTH - 1] + "…"
