"""HTTP responses of the endpoint: headers, ETags of queries by GET (RFC 9110), and compression."""

from collections.abc import Mapping
from hashlib import sha256
from http import HTTPStatus
from typing import Final, NamedTuple

from starlette.responses import Response

from app.compression import MIN_BYTES, compress_beside
from app.http_request import HTTPRequest
from app.negotiation import GRAPHQL_RESPONSE, JSON, negotiate_coding

_SECURITY_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
}
RAW_SECURITY_HEADERS: Final = [(name.encode(), value.encode()) for name, value in _SECURITY_HEADERS.items()]
_HEADERS: Final = {"cache-control": "private, no-store", "vary": "Accept, Accept-Encoding, Authorization"}
_RAW_HEADERS: Final = {
    media_type: [
        (name.encode(), value.encode())
        for name, value in ({"content-type": f"{media_type}; charset=utf-8"} | _HEADERS | _SECURITY_HEADERS).items()
    ]
    for media_type in (JSON, GRAPHQL_RESPONSE)
}
_REVALIDATED: Final = b"private, no-cache"
_OF_A_BODY: Final = (b"content-length", b"content-type")


class RawResponse(NamedTuple):
    """A response as ASGI sends it, but for the header with the request's id."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def replace_headers(self, headers: Mapping[bytes, bytes]) -> "RawResponse":
        """Return the response with these headers instead of its own of the same names."""
        kept = [(name, value) for name, value in self.headers if name not in headers]
        return self._replace(headers=[*kept, *headers.items()])


def json_response(
    media_type: str, status: HTTPStatus, content: bytes, headers: Mapping[str, str] | None = None
) -> RawResponse:
    """Return a response of one of the two JSON media types."""
    raw = [(b"content-length", b"%d" % len(content)), *_RAW_HEADERS[media_type]]
    if headers:
        raw[:0] = [(name.encode(), value.encode()) for name, value in headers.items()]
    return RawResponse(status, raw, content)


def page_response(response: Response) -> RawResponse:
    """Return the response with a page, with the headers that it lacks."""
    response.headers.update(_HEADERS)
    for name, value in _SECURITY_HEADERS.items():  # a page may have a policy of its own
        response.headers.setdefault(name, value)
    return RawResponse(response.status_code, response.raw_headers, bytes(response.body))


async def encode_answer(request: HTTPRequest, response: RawResponse) -> RawResponse:
    """Return the response to a query without errors as this client gets it.

    By GET it has an ETag, and no body if the client has the same one already. A long body is compressed.
    """
    if request.method == "GET":
        tag = _entity_tag(response.body)
        response = response.replace_headers({b"cache-control": _REVALIDATED, b"etag": tag})
        if _is_among(tag, request.joined_header(b"if-none-match")):
            headers = [(name, value) for name, value in response.headers if name not in _OF_A_BODY]
            return RawResponse(HTTPStatus.NOT_MODIFIED, headers, b"")
    if len(response.body) < MIN_BYTES:
        return response
    coding = negotiate_coding(request.joined_header(b"accept-encoding"))
    if coding is None:
        return response
    body = await compress_beside(response.body, coding)
    encoded = {b"content-length": b"%d" % len(body), b"content-encoding": coding.encode()}
    return response.replace_headers(encoded)._replace(body=body)


def _entity_tag(body: bytes) -> bytes:
    """Return the ETag of a body. It is weak, because all codings of the body have the same."""
    return b'W/"%b"' % sha256(body).hexdigest()[:32].encode()


def _is_among(tag: bytes, if_none_match: bytes) -> bool:
    """Return whether the header `If-None-Match` matches the ETag, weakly compared."""
    opaque = tag.removeprefix(b"W/")
    return any(each.strip().removeprefix(b"W/") in (opaque, b"*") for each in if_none_match.split(b","))
