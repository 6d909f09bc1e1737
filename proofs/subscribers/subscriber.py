"""Client of one subscription to a collection: a mirror of its members, kept by events alone, over many connections."""

import asyncio
import json
from collections.abc import Sequence
from random import Random
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from app.live.error import CloseCode
from app.live.socket import PROTOCOL
from proofs.proof import BrokenPromiseError

OPEN_SECONDS: Final = 120
"""Longest wait for a connection, on a busy machine."""

RECONNECT_SECONDS: Final = 0.5
DISCONNECTED_SHARE: Final = 0.05
"""Share of the events after which a subscriber loses its connection."""

_QUERY: Final = """subscription($id: ID!, $after: String) { collectionChanged(id: $id, after: $after) {
  cursor reload collection { id } addedEdges { node { ... on AssetFields { id %s } } } removedAssetIds } }"""
SMALL: Final = _QUERY % ""
LARGE: Final = _QUERY % "name description"
"""Query with long texts, which fill the buffers of a client that reads nothing."""


async def subscribe(url: str, token: str, query: str, **variables: Any) -> ClientConnection:
    """Open a WebSocket with one subscription. Raises ConnectionClosed if the server refuses the token."""
    connection = await connect(
        url.replace("http", "ws", 1) + "/graphql",
        subprotocols=[PROTOCOL],  # type: ignore[list-item]  # a NewType of str
        compression=None,
        open_timeout=OPEN_SECONDS,
        ping_interval=None,
    )
    await connection.send(json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}}))
    await connection.recv()
    payload = {"query": query, "variables": variables}
    await connection.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
    return connection


class Subscriber:
    """Subscriber whose mirror begins with an empty collection."""

    def __init__(self, urls: Sequence[str], token: str, collection_id: str, random: Random) -> None:
        """Take the servers, of which each connection uses one."""
        self._urls, self._token, self._collection_id, self._random = urls, token, collection_id, random
        self._cursor: str | None = None
        self.members = set[str]()
        self.events = self.connections = 0
        self.is_subscribed = False
        """Whether the first event has come."""
        self.is_refused = False
        """Whether the server closed the connection because of the token."""

    async def run(self) -> None:
        """Receive events until the token is refused. Raises BrokenPromiseError for an event that may not come."""
        while not self.is_refused:
            try:
                await self._receive()
            except ConnectionClosed as closed:
                self.is_refused = closed.rcvd is not None and closed.rcvd.code == CloseCode.FORBIDDEN
            except (OSError, TimeoutError):
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _receive(self) -> None:
        """Receive events until the connection is lost."""
        variables = {"id": self._collection_id, "after": self._cursor}
        connection = await subscribe(self._random.choice(self._urls), self._token, SMALL, **variables)
        self.connections += 1
        try:
            async for message in connection:
                self.apply(json.loads(message))
                if self._random.random() < DISCONNECTED_SHARE:
                    return
        finally:
            connection.transport.abort()

    def apply(self, message: dict[str, Any]) -> None:
        """Change the mirror as the message says. Raises BrokenPromiseError for one that may not come."""
        if message["type"] != "next" or "errors" in message["payload"]:
            raise BrokenPromiseError(f"the subscription ended: {message}")
        event = message["payload"]["data"]["collectionChanged"]
        added, removed = {edge["node"]["id"] for edge in event["addedEdges"]}, {*event["removedAssetIds"]}
        if event["reload"] is self.is_subscribed:
            raise BrokenPromiseError(f"an event says to reload the list: {event}")
        if doubled := added & self.members:
            raise BrokenPromiseError(f"assets were added twice: {doubled}")
        if unknown := removed - self.members:
            raise BrokenPromiseError(f"assets were removed that were not there, or twice: {unknown}")
        self.members = (self.members | added) - removed
        self._cursor, self.is_subscribed = event["cursor"], True
        self.events += 1
