"""Parsing of HTTP requests into GraphQL requests. Invalid ones raise HTTPError."""

import asyncio
from collections.abc import Coroutine, Generator, Iterator, Sequence
from functools import lru_cache, partial
from http import HTTPStatus
from types import coroutine
from typing import Any, Final, NamedTuple, NoReturn, TypeVar
from urllib.parse import parse_qsl

import orjson
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from app.cors import comes_from
from app.errors import HTTPError, RequestErrorCode
from app.http_request import HTTPRequest
from app.negotiation import CACHED_HEADERS
from app.trusted_documents import TrustedDocuments
from resolvers.limits import LIMITS, VISITOR_LIMITS

BODY_SECONDS: Final = 20
"""Longest time to receive a body."""

_DISCARDED_BYTES: Final = 8 * 1024 * 1024
"""How much of a body that is too large is read and discarded. A client that is still sending when the connection
closes is reset, and never sees the response."""

Result = TypeVar("Result")

_MEMBERS: Final = {"query": str, "documentId": str, "operationName": str, "variables": dict, "extensions": dict}
_KINDS: Final[dict[type, str]] = {str: "a string", dict: "an object"}


class GraphQLRequest(NamedTuple):
    """Parameters of a GraphQL request."""

    query: str
    operation_name: str | None
    variables: dict[str, Any] | None
    extensions: dict[str, Any] | None
    document_id: str | None
    """Id of the document if it is a trusted one that the client did not send itself."""


async def read_request(
    request: HTTPRequest, documents: TrustedDocuments, cors_origins: Sequence[str] = ()
) -> GraphQLRequest:
    """Parse the parameters of a GET, or the JSON body of a POST that is not too large.

    Clients may request `documents` by their ids. Pages of other sites must not send a GET, unless they are of
    `cors_origins`.

    Raises HTTPError for anything else, and ClientDisconnect if the client leaves before the end of its body.
    """
    if request.method == "GET":
        return validate_members(_parameters(request, cors_origins), documents)
    _require_json(request)
    limits = LIMITS if request.first_header(b"authorization") else VISITOR_LIMITS
    return validate_members(parse_object(await read_body(request, limits.body_bytes), "body"), documents)


def _parameters(request: HTTPRequest, cors_origins: Sequence[str]) -> dict[str, Any]:
    if request.first_header(b"sec-fetch-site") == b"cross-site" and not comes_from(request, cors_origins):
        message = "Pages of other sites must not send queries by GET, unless ATOLL_CORS_ORIGINS has their origin."
        raise HTTPError(HTTPStatus.FORBIDDEN, RequestErrorCode.CROSS_SITE, message)
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
            members[name] = parse_object(members[name].encode(), f"parameter {name}")
    return members


def _require_json(request: HTTPRequest) -> None:
    """Raise HTTPError unless the headers declare uncompressed JSON in UTF-8.

    Browsers do not let pages of other sites send this content type without permission (CORS).
    """
    if not _is_utf8_json(request.joined_header(b"content-type")):
        raise _unsupported("The body must be application/json in UTF-8.", "accept", "application/json")
    if request.first_header(b"content-encoding", b"identity").decode("latin-1").strip().lower() != "identity":
        raise _unsupported("The body must not be compressed.", "accept-encoding", "identity")


@lru_cache(maxsize=CACHED_HEADERS)
def _is_utf8_json(content_type: bytes) -> bool:
    media_type, *parameters = content_type.decode("latin-1").lower().split(";")
    charsets = [
        value.strip(' "')
        for name, _, value in (parameter.partition("=") for parameter in parameters)
        if name.strip() == "charset"
    ]
    return media_type.strip() == "application/json" and all(charset in {"utf-8", "utf8"} for charset in charsets)


async def read_body(request: HTTPRequest, max_bytes: int) -> bytes | bytearray:
    """Return the body; raise HTTPError if it is too large or arrives too slowly."""
    declared = request.first_header(b"content-length")
    if declared.isdigit() and int(declared[:20]) > max_bytes + _DISCARDED_BYTES:
        raise _too_large(max_bytes, {"connection": "close"})
    # Setting up a timeout takes longer than the rest of the reading, and most bodies arrived with their headers.
    reading = _receive_body(request.receive, max_bytes)
    try:
        awaited = reading.send(None)
    except StopIteration as finished:
        return finished.value  # type: ignore[no-any-return]  # the coroutine's result
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _resume(reading, awaited)
    except TimeoutError:
        message = f"The body did not arrive within {BODY_SECONDS} seconds. Retry."
        raise HTTPError(
            HTTPStatus.REQUEST_TIMEOUT, RequestErrorCode.REQUEST_TIMEOUT, message, {"connection": "close"}
        ) from None


async def _receive_body(receive: Receive, max_bytes: int) -> bytes | bytearray:
    """Return the body, without a copy if it is a single message."""
    body, size_bytes, has_more = bytearray(), 0, True
    while has_more:
        chunk, has_more = _chunk(await receive())
        size_bytes += len(chunk)
        if size_bytes <= max_bytes:
            if not (body or has_more):
                return chunk
            body += chunk
        elif size_bytes > max_bytes + _DISCARDED_BYTES:
            raise _too_large(max_bytes, {"connection": "close"})
    if size_bytes > max_bytes:
        raise _too_large(max_bytes, {})
    return body


def _chunk(message: Message) -> tuple[bytes, bool]:
    """Return the bytes of a message, and whether more follow; raise ClientDisconnect if the client left."""
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message.get("body", b""), message.get("more_body", False)


@coroutine
def _resume(started: Coroutine[Any, Any, Result], awaited: Any) -> Generator[Any, Any, Result]:
    """Finish a coroutine that was started by `send` and awaits this future.

    To await the coroutine itself would resume it before the future is done.
    """
    while True:
        try:
            yield awaited
        except BaseException as error:  # noqa: BLE001 - the coroutine raises it, or handles it
            resume = partial(started.throw, error)
        else:
            resume = partial(started.send, None)
        try:
            awaited = resume()
        except StopIteration as finished:
            return finished.value  # type: ignore[no-any-return]  # the coroutine's result


def parse_object(text: bytes | bytearray, part: str) -> dict[str, Any]:
    """Parse a JSON object; raise HTTPError for other text, and for strings that databases cannot store."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise _bad_request(f"The {part} must be JSON.") from None
    if not isinstance(value, dict):
        batch = " Send requests one by one, not in a list." if isinstance(value, list) else ""
        raise _bad_request(f"The {part} must be a JSON object.{batch}")
    # JSON can only write the character as this escape, so texts without it need no search through the value.
    if b"\\u0000" in text and any("\0" in string for string in strings_in(value)):
        raise _bad_request(f"The {part} must not contain the character U+0000.")
    return value


def strings_in(root: Any) -> Iterator[str]:
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


def validate_members(members: dict[str, Any], documents: TrustedDocuments) -> GraphQLRequest:
    """Return the GraphQL request with these parameters. Raises HTTPError for invalid ones."""
    for name, kind in _MEMBERS.items():
        value = members.get(name)
        if value is not None and not isinstance(value, kind):
            raise _bad_request(f"{name} must be {_KINDS[kind]}.")
    operation_name, extensions = members.get("operationName") or None, members.get("extensions")
    text, document_id = _document(members.get("query"), members.get("documentId"), extensions or {}, documents)
    if len(text) > LIMITS.query_characters:
        message = f"query has {len(text):,} characters; at most {LIMITS.query_characters:,} are allowed. Use variables."
        raise HTTPError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, RequestErrorCode.PAYLOAD_TOO_LARGE, message)
    if "\0" in text or (operation_name and "\0" in operation_name):
        raise _bad_request("The request must not contain the character U+0000.")
    return GraphQLRequest(text, operation_name, members.get("variables"), extensions, document_id)


def _document(
    query: str | None, document_id: str | None, extensions: dict[str, Any], documents: TrustedDocuments
) -> tuple[str, str | None]:
    """Return the text of the document, and its id if the client requests a trusted one by it. Raises HTTPError."""
    if query and document_id:
        raise _bad_request("Send query or documentId, not both.")
    if query:
        _require_any_document_allowed(documents)
        return query, None
    if document_id:
        return documents.find(document_id) or _refuse_unknown_document(document_id)
    if "persistedQuery" in extensions:
        return documents.find(_persisted_hash(extensions["persistedQuery"])) or _refuse_persisted_query()
    _require_any_document_allowed(documents)
    raise _bad_request("query is missing. Send the text of a GraphQL document.")


def _require_any_document_allowed(documents: TrustedDocuments) -> None:
    if documents.is_only:
        message = (
            "This deployment answers trusted documents only (ATOLL_DOCUMENTS_ONLY). Send the documentId of one, instead"
            " of a query. GraphiQL cannot be used here."
        )
        raise HTTPError(HTTPStatus.BAD_REQUEST, RequestErrorCode.DOCUMENT_REQUIRED, message)


def _persisted_hash(persisted_query: Any) -> str:
    """Return the id in the form of Apollo's clients; an empty one if there is none."""
    document_hash = persisted_query.get("sha256Hash") if isinstance(persisted_query, dict) else None
    return document_hash if isinstance(document_hash, str) else ""


def _refuse_unknown_document(document_id: str) -> NoReturn:
    message = (
        f"No trusted document has the id {document_id!r}. Add the manifest of this client's version to ATOLL_DOCUMENTS,"
        " and restart all processes."
    )
    raise HTTPError(HTTPStatus.BAD_REQUEST, RequestErrorCode.DOCUMENT_NOT_FOUND, message)


def _refuse_persisted_query() -> NoReturn:
    """Refuse the hash of a document that is not trusted, so that the client sends the document instead.

    Clients recognize the message.
    """
    code = RequestErrorCode.PERSISTED_QUERY_NOT_SUPPORTED
    raise HTTPError(HTTPStatus.BAD_REQUEST, code, "PersistedQueryNotSupported")


def _bad_request(message: str) -> HTTPError:
    return HTTPError(HTTPStatus.BAD_REQUEST, RequestErrorCode.BAD_REQUEST, message)


def _too_large(max_bytes: int, headers: dict[str, str]) -> HTTPError:
    message = f"The body is too large. Send at most {max_bytes:,} bytes."
    return HTTPError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, RequestErrorCode.PAYLOAD_TOO_LARGE, message, headers)


def _unsupported(message: str, header: str, supported: str) -> HTTPError:
    return HTTPError(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE, RequestErrorCode.UNSUPPORTED_MEDIA_TYPE, message, {header: supported}
    )
