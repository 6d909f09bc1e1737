"""This file is what clients are told when something went wrong, and what the log is told instead."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from graphql import ArgumentNode, GraphQLError, GraphQLSyntaxError, ValueNode
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.utils.logging import StrawberryLogger

from permissions.error import OperationError

INTERNAL_MESSAGE: Final = "Internal error."
MAX_REQUEST_ERRORS: Final = 5
"""Told of one request that was not executed; an executed one tells each field's."""

MAX_MESSAGE_LENGTH: Final = 500
"""Of a message: it may repeat what the client sent."""

_log = logging.getLogger(__name__)
# Strawberry logs every error as a failure with its traceback, clients' misspellings too. `told` does the logging here.
StrawberryLogger.logger.addFilter(lambda _record: False)


class HTTPError(Exception):
    """A request that is not executed: the HTTP status, code and message of its answer, and headers to send along."""

    def __init__(self, status: HTTPStatus, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        """Take what the client is told."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers: Final = dict(headers or {})


class UnauthenticatedError(HTTPError):
    """A token is no good; the answer is the same whatever is wrong with it."""

    def __init__(self) -> None:
        """Take no reason, so that none can reach a client."""
        super().__init__(
            HTTPStatus.UNAUTHORIZED,
            "UNAUTHENTICATED",
            "The bearer token is not valid.",
            {"www-authenticate": 'Bearer error="invalid_token"'},
        )


class UnavailableError(HTTPError):
    """What the answer depends on is not there for now; the reason is for the log alone."""

    def __init__(self, reason: str = "") -> None:
        """Take the reason."""
        super().__init__(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "UNAVAILABLE",
            "Atoll cannot answer for now. Try again.",
            {"retry-after": "5"},
        )
        self.reason = reason


def raise_http_error(result: ExecutionResult) -> None:
    """Raise what the context was declined with, if it was: nothing was executed then."""
    if isinstance(result, PreExecutionError):
        for error in result.errors or ():
            if isinstance(error.original_error, HTTPError):
                raise error.original_error


def is_request_error(result: ExecutionResult) -> bool:
    """Return whether nothing was executed because of the request or of a failure before it; such has no data."""
    return isinstance(result, PreExecutionError) or (
        result.data is None and bool(result.errors) and all(error.path is None for error in result.errors or ())
    )


def is_failure(result: ExecutionResult) -> bool:
    """Return whether the fault is not the request's."""
    is_early = isinstance(result, PreExecutionError)
    return any(_code_and_message(error, is_early=is_early)[0] == "INTERNAL" for error in result.errors or ())


def format_errors(result: ExecutionResult, request_id: str) -> list[dict[str, Any]]:
    """Return what clients are told of each error of the result, as GraphQL writes errors.

    Mistakes and refusals keep their messages, cut where they are long, and have a code. Anything else is «Internal
    error.», and is logged under the request's id, once for each exception however many fields it failed. Of a request
    that was not executed, no more than `MOST_REQUEST_ERRORS` are told.
    """
    answers: list[dict[str, Any]] = []
    logged = set[int]()
    for error in (result.errors or [])[: MAX_REQUEST_ERRORS if is_request_error(result) else None]:
        code, message = _code_and_message(error, is_early=isinstance(result, PreExecutionError))
        extensions = {"code": code} | ({"requestId": request_id} if code == "INTERNAL" else {})
        answers.append({**error.formatted, "message": _cut(message), "extensions": extensions})
        cause = cause_of(error)
        if id(cause) not in logged:
            logged.add(id(cause))
            _log_cause(cause, code, request_id)
    return answers


def cause_of(error: Exception) -> Exception:
    """Return the exception that GraphQL's errors are wrapped around, or the innermost of them."""
    while isinstance(error, GraphQLError) and error.original_error is not None:
        error = error.original_error
    return error


def log_failure(failure: Exception, request_id: str) -> None:
    """Log what failed, with its traceback, under the id that the client was told."""
    _log.error("Request %s failed.", request_id, exc_info=failure)


def log_http_error(declined: HTTPError, request_id: str) -> None:
    """Log what was declined: a warning with the reason when it is the deployment that cannot answer."""
    if isinstance(declined, UnavailableError):
        _log.warning("Request %s could not be answered: %s", request_id, declined.reason or "unavailable")
    else:
        _log.info("Request %s: %s.", request_id, declined.code)


def error_body(code: str, message: str, **extensions: str) -> dict[str, Any]:
    """Return the answer of a request that was not executed."""
    return {"errors": [{"message": _cut(message), "extensions": {"code": code, **extensions}}]}


def _log_cause(cause: Exception, code: str, request_id: str) -> None:
    if code == "INTERNAL":
        log_failure(cause, request_id)
    elif isinstance(cause, HTTPError):
        log_http_error(cause, request_id)
    else:
        _log.info("Request %s: %s.", request_id, code)


def _code_and_message(error: GraphQLError, *, is_early: bool) -> tuple[str, str]:
    cause = cause_of(error)
    if isinstance(cause, OperationError | HTTPError):
        return str(cause.code), cause.message
    code = (error.extensions or {}).get("code")
    if isinstance(code, str):
        return code, error.message
    if isinstance(error, GraphQLSyntaxError):
        return "GRAPHQL_PARSE_FAILED", error.message
    if is_early and (error.original_error is None or error.nodes):
        return "GRAPHQL_VALIDATION_FAILED", error.message
    if not is_early and (error.path is None or _is_about_input(cause)):
        return "BAD_USER_INPUT", error.message
    return "INTERNAL", INTERNAL_MESSAGE


def _is_about_input(cause: Exception) -> bool:
    """Return whether GraphQL found fault with an argument; of what resolvers return it speaks in the same words."""
    return isinstance(cause, GraphQLError) and any(
        isinstance(node, ValueNode | ArgumentNode) for node in cause.nodes or ()
    )


def _cut(message: str) -> str:
    return message if len(message) <= MAX_MESSAGE_LENGTH else message[: MAX_MESSAGE_LENGTH - 1] + "…"
