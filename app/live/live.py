"""Subscriptions of an application, over both transports."""

import asyncio
from contextlib import suppress

from starlette.types import Receive, Scope, Send

from app.documents import DocumentError, parse_operation
from app.http_request import HTTPRequest
from app.live.connections import LiveConnections
from app.live.event_stream import EventStream
from app.live.socket import Socket
from app.live.subscription import Client, Services
from app.request import GraphQLRequest
from app.trusted_documents import TrustedDocuments


class Live:
    """WebSockets and event streams of a process."""

    def __init__(
        self,
        services: Services,
        *,
        connections: LiveConnections,
        documents: TrustedDocuments,
        draining: asyncio.Event,
    ) -> None:
        """Take the parts that subscriptions use; `draining` is set when the server begins to shut down."""
        self._services, self._connections, self._documents = services, connections, documents
        self._draining = draining

    async def serve_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a WebSocket from its handshake to its end."""
        socket = Socket(
            scope,
            receive,
            send,
            services=self._services,
            connections=self._connections,
            documents=self._documents,
        )
        with suppress(OSError):  # the client left
            await socket.run(self._draining)

    def is_subscription(self, graphql_request: GraphQLRequest) -> bool:
        """Return whether the request is a subscription, or is invalid: then the stream has the errors."""
        try:
            _, definition = parse_operation(
                self._services.schema, graphql_request.query, graphql_request.operation_name, self._services.rules
            )
        except DocumentError:
            return True
        return definition.operation.value == "subscription"

    async def open_stream(self, request: HTTPRequest, graphql_request: GraphQLRequest) -> EventStream:
        """Return the response to a subscription. Raises HTTPError if the client cannot be authenticated."""
        client = Client(request, self._services)
        await client.authenticate()
        return EventStream(client, graphql_request, self._services)

    async def send_stream(self, stream: EventStream, receive: Receive, send: Send) -> None:
        """Send the response until it ends. Raises HTTPError before it has begun."""
        await stream.send(receive, send, self._connections, self._draining)
