"""Parsing of HTTP requests into GraphQL requests. Invalid ones raise HTTPError."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request

from app.errors import HTTPError, RequestErrorCode

BODY_SECONDS: Final = 20
"""Longest time to receive a body."""

_DISCARDED_BYTES: Final = 8 * 1024 * 1024
"""How much of a body that is too large is read and discarded. A client that is still sending when the connection
closes is reset, and never sees the response."""

_MEMBERS: Final = {"query": str, "operationName": str, "variables": dict, "extensions": dict}
_KINDS: Final[dict[type, str]] = {str: "a string", dict: "an object"}


@dataclass(frozen=True)
class GraphQLRequest:
    """Parameters of a GraphQL request."""

    query: str
    operation_name: str | None
    variables: dict[str, Any] | None
    extensions: dict[str, Any] | None


async def read_request(request: Request, max_bytes: int) -> GraphQLRequest:
    """Parse the parameters of a GET, or the JSON body of a POST of at most `max_bytes`.

    Raises HTTPError for anything else, and ClientDisconnect if the client leaves before the end of its body.
    """
    if request.method == "GET":
        return _validate(_parameters(request))
    _require_json(request)
    return _validate(_parse_object(await _body(request, max_bytes), "body"))


def _parameters(request: Request) -> dict[str, Any]:
    if request.headers.get("sec-fetch-site") == "cross-site":
        raise HTTPError(
            HTTPStatus.FORBIDDEN, RequestErrorCode.CROSS_SITE, "Pages of other sites must not send queries by GET."
        )
    try:
        query_string = request.scope["query_string"].decode("ascii")
        pairs = parse_qsl(query_string, keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError:
        raise _bad_request("The URL must have at most 100 parameters, percent-encoded UTF-8.") from None
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members and name in _MEMBERS:
            raise _bad_request(f"The parameter {name} is repeated. Send it once.")
        members[name] = value
    for name in ("variables", "extensions"):
        if name in members:
            members[name] = _parse_object(members[name].encode(), f"parameter {name}")
    return members


def _require_json(request: Request) -> None:
    """Raise HTTPError unless the headers declare uncompressed JSON in UTF-8.

    Browsers do not let pages of other sites send this content type without permission (CORS).
    """
    media_type, *parameters = ",".join(request.headers.getlist("content-type")).lower().split(";")
    charsets = [
        value.strip(' "')
        for name, _, value in (parameter.partition("=") for parameter in parameters)
        if name.strip() == "charset"
    ]
    if media_type.strip() != "application/json" or any(charset not in {"utf-8", "utf8"} for charset in charsets):
        raise _unsupported("The body must be application/json in UTF-8.", "accept", "application/json")
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise _unsupported("The body must not be compressed.", "accept-encoding", "identity")


async def _body(request: Request, max_bytes: int) -> bytes:
    """Return the body; raise HTTPError if it is too large or arrives too slowly."""
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared[:20]) > max_bytes + _DISCARDED_BYTES:
        raise _too_large(max_bytes, {"connection": "close"})
    body, size_bytes = bytearray(), 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                size_bytes += len(chunk)
                if size_bytes <= max_bytes:
                    body += chunk
                elif size_bytes > max_bytes + _DISCARDED_BYTES:
                    raise _too_large(max_bytes, {"connection": "close"})
    except TimeoutError:
        message = f"The body did not arrive within {BODY_SECONDS} seconds. Retry."
        raise HTTPError(
            HTTPStatus.REQUEST_TIMEOUT, RequestErrorCode.REQUEST_TIMEOUT, message, {"connection": "close"}
        ) from None
    if size_bytes > max_bytes:
        raise _too_large(max_bytes, {})
    return bytes(body)


def _parse_object(text: bytes, part: str) -> dict[str, Any]:
    """Parse a JSON object; raise HTTPError for other text, and for strings that databases cannot store."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise _bad_request(f"The {part} must be JSON.") from None
    if not isinstance(value, dict):
        batch = " Send requests one by one, not in a list." if isinstance(value, list) else ""
        raise _bad_request(f"The {part} must be a JSON object.{batch}")
    # JSON can only write the character as this escape, so texts without it need no search through the value.
    if b"\\u0000" in text and any("\0" in string for string in _strings(value)):
        raise _bad_request(f"The {part} must not contain the character U+0000.")
    return value


def _strings(root: Any) -> Iterator[str]:
    """Yield all strings in the value, object keys included."""
    pending = [root]
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            pending += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            pending += value


def _validate(members: dict[str, Any]) -> GraphQLRequest:
    for name, kind in _MEMBERS.items():
        if members.get(name) is not None and not isinstance(members[name], kind):
            raise _bad_request(f"{name} must be {_KINDS[kind]}.")
    if not members.get("query"):
        raise _bad_request("query is missing. Send the text of a GraphQL document.")
    if "\0" in members["query"] or "\0" in (members.get("operationName") or ""):
        raise _bad_request("The request must not contain the character U+0000.")
    return GraphQLRequest(
        query=members["query"],
        operation_name=members.get("operationName") or None,
        variables=members.get("variables"),
        extensions=members.get("extensions"),
    )


def _bad_request(message: str) -> HTTPError:
    return HTTPError(HTTPStatus.BAD_REQUEST, RequestErrorCode.BAD_REQUEST, message)


def _too_large(max_bytes: int, headers: dict[str, str]) -> HTTPError:
    message = f"The body is too large. Send at most {max_bytes:,} bytes."
    return HTTPError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, RequestErrorCode.PAYLOAD_TOO_LARGE, message, headers)


def _unsupported(message: str, header: str, supported: str) -> HTTPError:
    return HTTPError(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE, RequestErrorCode.UNSUPPORTED_MEDIA_TYPE, message, {header: supported}
    )
