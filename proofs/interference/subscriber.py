"""Subscription in one world. The trial says when it looks, so that two worlds look at the same times."""

import asyncio
from typing import Any

import orjson

from app.errors import HTTPError
from app.http_request import HTTPRequest
from app.live.error import SubscriptionError
from app.live.subscription import Client, Services, Subscription
from app.request import GraphQLRequest
from proofs.interference.operations import Operation


class Subscriber:
    """Subscriber to one operation, with the events as the product sends them."""

    def __init__(self, services: Services, token: str | None, operation: Operation) -> None:
        """Take the services of the application, the viewer's token (None: an anonymous visitor) and the operation."""
        self._services, self._token, self._operation = services, token, operation
        self._subscription: Subscription | None = None
        self._has_ended = False

    async def look(self) -> bytes | None:
        """Return the event after the writes so far, or the error that ends the subscription; None without an event."""
        if self._has_ended:
            return None
        try:
            if self._subscription is None:
                self._subscription = await self._subscribe()
            await self._services.database.read(self._services.hub.writes.read)
            event, response = await self._subscription.look()
        except (SubscriptionError, HTTPError) as error:
            self._has_ended = True
            return orjson.dumps(error.errors if isinstance(error, SubscriptionError) else [error.code, error.message])
        self._has_ended = event is not None and event.is_last
        return None if event is None else response

    async def _subscribe(self) -> Subscription:
        headers = [(b"x-request-id", b"r")]
        if self._token is not None:
            headers.append((b"authorization", f"Bearer {self._token}".encode()))
        client = Client(HTTPRequest({"type": "http", "method": "GET", "headers": headers}, _receive), self._services)
        await client.authenticate()
        document, variables = self._operation.render()
        return Subscription(client, GraphQLRequest(document, None, variables, None, None), self._services)


async def _receive() -> Any:
    """Wait for a message of the client, who sends none."""
    await asyncio.get_running_loop().create_future()
