"""HTTP request of an ASGI server: method, headers by name, and the channel of the body."""

import re
import secrets
from typing import Final

from starlette.types import Receive, Scope

HEALTH_PATH: Final = "/healthz"
READY_PATH: Final = "/readyz"
UNNAMED_PATHS: Final = (HEALTH_PATH, READY_PATH)
"""Paths that orchestrators ask for by the address of the process, not by its name, and that are always answered."""

_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class HTTPRequest:
    """A request whose headers are looked up undecoded. Starlette's own Request decodes and searches them each time.

    Header names are in lower case. Names and values are bytes.
    """

    __slots__ = ("_first_values", "method", "receive", "scope")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        """Take the arguments of the ASGI application."""
        self.scope, self.receive = scope, receive
        self.method: str = scope["method"]
        self._first_values: dict[bytes, bytes] = dict(reversed(scope["headers"]))

    def first_header(self, name: bytes, default: bytes = b"") -> bytes:
        """Return the first value of the header, or the default if it is absent."""
        return self._first_values.get(name, default)

    def all_headers(self, name: bytes) -> list[bytes]:
        """Return the values of the header, one for each time that it occurs."""
        if len(self._first_values) == len(self.scope["headers"]):  # none is repeated
            return [self._first_values[name]] if name in self._first_values else []
        return [value for other, value in self.scope["headers"] if other == name]

    def request_id(self) -> str:
        """Return the request's `x-request-id` header, or a random id if it is absent or malformed."""
        request_id = self.first_header(b"x-request-id")
        return request_id.decode() if _REQUEST_ID.fullmatch(request_id) else secrets.token_hex(8)

    def joined_header(self, name: bytes) -> bytes:
        """Return all values of the header as one list, separated by commas (RFC 9110)."""
        return b",".join(self.all_headers(name))
