"""HTTP/1.1 connections of limited number, with a deadline and a maximum size for the head of each request.

uvicorn alone waits for a head for ever, and keeps all that has arrived of it in memory. Its `limit_concurrency` counts
connections only when a head is complete, and then refuses honest requests, those for the server's health too.
"""

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import PlainTextResponse
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from app.connections import Connections
from app.descriptors import WATCH
from app.http_request import UNNAMED_PATHS
from app.live.event_stream import ABORT
from app.websocket_protocol import GuardedWebSocketProtocol

if TYPE_CHECKING:
    import asyncio

HEAD_SECONDS: Final = 10
"""Longest time from the first byte of a head to its last, and from a new connection to its first head."""

LINGER_SECONDS: Final = 0.5
"""How long the server still reads from an unused connection when it ends: a request may be on its way."""

HEAD_BYTES: Final = 32 * 1024
"""Maximum size of a head: request line and headers."""


_TOO_MANY: Final = "The server has too many connections. Retry."
_RETRY_AFTER: Final = "1"
_REFUSAL: Final = PlainTextResponse(
    _TOO_MANY, HTTPStatus.SERVICE_UNAVAILABLE, {"retry-after": _RETRY_AFTER, "connection": "close"}
)


class GuardedProtocol(HttpToolsProtocol):
    """Protocol that closes a connection whose next head is late or too large, or whose place others need."""

    def __init__(self, *arguments: Any, open_connections: Connections | None = None, **named: Any) -> None:
        """Take uvicorn's arguments, and the open connections of the process, if they are limited."""
        super().__init__(*arguments, **named)
        self._open = Connections(1) if open_connections is None else open_connections
        self._is_spare = False
        self._deadline: asyncio.TimerHandle | None = None
        self._is_in_head = self._is_in_body = self._is_upgraded = False
        self._waiting_bytes = 0  # received while a head is not complete
        self._parsed_bytes = 0  # of the head's URL and headers
        self._unanswered: list[RequestResponseCycle] = []

    def connection_made(self, transport: Any) -> None:
        """Start to wait for the first head."""
        super().connection_made(transport)
        if not self._open.add(self):
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)
            return
        self._is_spare = self._open.has_spare_ones
        if (connection := transport.get_extra_info("socket")) is not None:
            WATCH.check(connection.fileno())
        self._start_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting, and end the requests that are not answered.

        uvicorn ends the last one only, so that an earlier one of a pipeline would be executed for nobody, and fail when
        it writes to the closed connection.
        """
        self._cancel_deadline()
        self._open.remove(self)
        super().connection_lost(exc)
        for request in self._unanswered:
            request.disconnected = True
            request.message_event.set()

    def make_room(self) -> None:
        """Close the connection, with a response if a part of a request has arrived."""
        request: RequestResponseCycle | None = self.cycle
        if self.transport.get_write_buffer_size():
            self.transport.abort()  # the client does not read, so there is no end to waiting for it
        elif self._is_in_head or (self._is_in_body and request is not None and not request.response_complete):
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)
        else:
            self.transport.close()

    def shutdown(self) -> None:
        """Close the connection after the response to its current request, or soon if there is none."""
        request: RequestResponseCycle | None = self.cycle
        if request is None or request.response_complete:
            self.loop.call_later(LINGER_SECONDS, super().shutdown)
        else:
            super().shutdown()

    def data_received(self, data: bytes) -> None:
        """Parse the data; then check the size and the deadline of a head that is not complete."""
        began_in_body = self._is_in_body
        super().data_received(data)
        if self._is_upgraded:
            return
        request: RequestResponseCycle | None = self.cycle
        if not self._is_in_head and request is not None and not request.response_complete:
            return  # the data were the body of a request that is being answered
        if self._deadline is None and not self.transport.is_closing():
            self._start_deadline()
        if began_in_body and not self._is_in_head:
            return  # the rest of a body whose request was answered before
        self._waiting_bytes += len(data)
        if self._waiting_bytes > HEAD_BYTES and not self.transport.is_closing():
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_message_begin(self) -> None:
        """Begin a head."""
        super().on_message_begin()
        self._is_in_head, self._parsed_bytes = True, 0

    def on_url(self, url: bytes) -> None:
        """Count a part of the URL."""
        self._parsed_bytes += len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header."""
        self._parsed_bytes += len(name) + len(value)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """End a head. Raises ValueError, which ends the parsing, if it is too large."""
        self._is_in_head, self._is_in_body, self._waiting_bytes = False, True, 0
        self._cancel_deadline()
        if self._parsed_bytes > HEAD_BYTES:
            raise ValueError("The head is too large.")
        super().on_headers_complete()
        last: RequestResponseCycle | None = self.cycle
        known = [*self._unanswered, last] if last is not None else []
        self._unanswered = [request for request in known if not request.response_complete]

    def handle_websocket_upgrade(self) -> None:
        """Refuse a handshake behind requests that are not answered: another protocol would take their connection."""
        if any(not request.response_complete for request in self._unanswered):
            self.send_400_response("A WebSocket handshake must wait for the responses to earlier requests.")
        else:
            self._is_upgraded = True
            super().handle_websocket_upgrade()
            upgraded = self.transport.get_protocol()
            if isinstance(upgraded, GuardedWebSocketProtocol):
                upgraded.on_lost = partial(self._open.remove, self)

    def on_message_complete(self) -> None:
        """End a body."""
        self._is_in_body = False
        request: RequestResponseCycle | None = self.cycle
        if request is None or not request.response_complete:  # the first request may be a handshake
            self._open.set_busy(self)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request, unless it has arrived already."""
        super().on_response_complete()
        if self.cycle.response_complete:
            self._open.set_idle(self)

    def send_400_response(self, msg: str) -> None:
        """Answer a request that cannot be parsed, or whose head is too large."""
        if self._parsed_bytes > HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        else:
            super().send_400_response(msg)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        extensions: Any = {ABORT: self.transport.abort}
        cycle.scope["extensions"] = extensions
        is_refused = self._is_spare and cycle.scope["path"] not in UNNAMED_PATHS
        refusal: Any = _REFUSAL
        super()._start_asgi_task(cycle, refusal if is_refused else app)

    def _start_deadline(self) -> None:
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._expire)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        if self._is_in_head:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:
            self.transport.close()

    def _refuse(self, status: HTTPStatus) -> None:
        self._cancel_deadline()
        message = {
            HTTPStatus.REQUEST_TIMEOUT: f"The headers did not arrive within {HEAD_SECONDS} seconds.",
            HTTPStatus.SERVICE_UNAVAILABLE: _TOO_MANY,
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: f"URL and headers may have {HEAD_BYTES:,} bytes together.",
        }[status]
        head = f"content-type: text/plain; charset=utf-8\r\ncontent-length: {len(message)}\r\nconnection: close\r\n"
        head += f"retry-after: {_RETRY_AFTER}\r\n\r\n" if status == HTTPStatus.SERVICE_UNAVAILABLE else "\r\n"
        self.transport.write(STATUS_LINE[status] + head.encode() + message.encode())
        self.transport.close()
