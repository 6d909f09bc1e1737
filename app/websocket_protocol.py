"""WebSocket connections that end although their client does not read.

uvicorn alone closes a connection only after the client has read all that was written to it, for which it waits for
ever.
"""

import logging
from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

if TYPE_CHECKING:
    from collections.abc import Callable

CLOSE_SECONDS: Final = 10
"""How long a client may take to read the close frame, and to answer it."""

_log = logging.getLogger(__name__)
_log.setLevel(logging.WARNING)  # below that, uvicorn logs each handshake, with the query of its URL


class GuardedWebSocketProtocol(WebSocketsSansIOProtocol):
    """Protocol that aborts the connection of a client that does not read its close frame."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Take uvicorn's arguments."""
        super().__init__(*arguments, **named)
        self.logger = _log
        self.on_lost: Callable[[], None] | None = None
        """Function to call when the connection is closed."""

    def connection_lost(self, exc: Exception | None) -> None:
        """End the connection."""
        super().connection_lost(exc)
        if self.on_lost is not None:
            self.on_lost()

    def keepalive_timeout(self) -> None:
        """Close the connection of a client that did not answer a ping."""
        super().keepalive_timeout()
        self.transport.abort()

    async def send(self, message: Any) -> None:
        """Send a message. Raises OSError if the client has left."""
        if message["type"] == "websocket.close":
            self.loop.call_later(CLOSE_SECONDS, self.transport.abort)
        await super().send(message)
