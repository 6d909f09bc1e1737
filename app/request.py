"""This file is how an HTTP request is read: into one GraphQL request, or declined with a status and a reason."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request

from app.errors import HTTPError

BODY_SECONDS: Final = 20
"""How long a client may take to send a body."""

_DISCARDED_BYTES: Final = 8 * 1024 * 1024
"""Read and thrown away of a body that is too large: a client still sending when the connection closes is reset, and
never learns why."""

_MEMBERS: Final = {"query": str, "operationName": str, "variables": dict, "extensions": dict}
_KINDS: Final[dict[type, str]] = {str: "a string", dict: "an object"}


@dataclass(frozen=True)
class GraphQLRequest:
    """One GraphQL request."""

    query: str
    operation_name: str | None
    variables: dict[str, Any] | None
    extensions: dict[str, Any] | None


async def read_request(request: Request, most_bytes: int) -> GraphQLRequest:
    """Return the request of a GET's parameters or of a POST's JSON, which may take `most_bytes`.

    Raises Declined for anything else, and ClientDisconnect when the client leaves before the end of its body.
    """
    if request.method == "GET":
        return _validate(_parameters(request))
    _require_json(request)
    return _validate(_object(await _body(request, most_bytes), "body"))


def _parameters(request: Request) -> dict[str, Any]:
    if request.headers.get("sec-fetch-site") == "cross-site":
        raise HTTPError(HTTPStatus.FORBIDDEN, "CROSS_SITE", "Pages of other sites must not send queries by GET.")
    try:
        query_string = request.scope["query_string"].decode("ascii")
        pairs = parse_qsl(query_string, keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError:
        raise _bad_request("The parameters of the address must be UTF-8, percent-encoded, and at most 100.") from None
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members and name in _MEMBERS:
            raise _bad_request(f"The parameter {name} must be given once.")
        members[name] = value
    for name in ("variables", "extensions"):
        if name in members:
            members[name] = _object(members[name].encode(), f"parameter {name}")
    return members


def _require_json(request: Request) -> None:
    """Raise Declined unless the body is JSON in UTF-8: a type that pages of other sites cannot send unasked."""
    media_type, *parameters = ",".join(request.headers.getlist("content-type")).lower().split(";")
    charsets = [
        value.strip(' "')
        for name, _, value in (each.partition("=") for each in parameters)
        if name.strip() == "charset"
    ]
    if media_type.strip() != "application/json" or any(charset not in {"utf-8", "utf8"} for charset in charsets):
        raise _unsupported("The body must be application/json in UTF-8.", "accept", "application/json")
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise _unsupported("The body must not be compressed.", "accept-encoding", "identity")


async def _body(request: Request, most_bytes: int) -> bytes:
    """Return the body; raise Declined when it is longer than allowed, or takes too long."""
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared[:20]) > most_bytes + _DISCARDED_BYTES:
        raise _too_large(most_bytes, {"connection": "close"})
    body, size_bytes = bytearray(), 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                size_bytes += len(chunk)
                if size_bytes <= most_bytes:
                    body += chunk
                elif size_bytes > most_bytes + _DISCARDED_BYTES:
                    raise _too_large(most_bytes, {"connection": "close"})
    except TimeoutError:
        message = f"The body did not arrive within {BODY_SECONDS} seconds."
        raise HTTPError(HTTPStatus.REQUEST_TIMEOUT, "REQUEST_TIMEOUT", message, {"connection": "close"}) from None
    if size_bytes > most_bytes:
        raise _too_large(most_bytes, {})
    return bytes(body)


def _object(text: bytes, what: str) -> dict[str, Any]:
    """Return the JSON object of the text; raise Declined for any other text, and for strings that no database takes."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise _bad_request(f"The {what} must be JSON.") from None
    if not isinstance(found, dict):
        batch = " Requests cannot be sent in a list." if isinstance(found, list) else ""
        raise _bad_request(f"The {what} must be a JSON object.{batch}")
    # JSON writes the character in this one way, so that most texts need no second look.
    if b"\\u0000" in text and any("\0" in each for each in _strings(found)):
        raise _bad_request(f"The {what} must not hold the character U+0000.")
    return found


def _strings(found: Any) -> Iterator[str]:
    """Return every string within the value, the names of members included."""
    within = [found]
    while within:
        value = within.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            within += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            within += value


def _validate(members: dict[str, Any]) -> GraphQLRequest:
    for name, kind in _MEMBERS.items():
        if members.get(name) is not None and not isinstance(members[name], kind):
            raise _bad_request(f"The member {name} must be {_KINDS[kind]}.")
    if not members.get("query"):
        raise _bad_request("The member query is missing: the text of a GraphQL document.")
    if "\0" in members["query"] or "\0" in (members.get("operationName") or ""):
        raise _bad_request("The request must not hold the character U+0000.")
    return GraphQLRequest(
        query=members["query"],
        operation_name=members.get("operationName") or None,
        variables=members.get("variables"),
        extensions=members.get("extensions"),
    )


def _bad_request(message: str) -> HTTPError:
    return HTTPError(HTTPStatus.BAD_REQUEST, "BAD_REQUEST", message)


def _too_large(most_bytes: int, headers: dict[str, str]) -> HTTPError:
    message = f"The body is too large; at most {most_bytes:,} bytes are allowed."
    return HTTPError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "PAYLOAD_TOO_LARGE", message, headers)


def _unsupported(message: str, header: str, supported: str) -> HTTPError:
    return HTTPError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", message, {header: supported})
