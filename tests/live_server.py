"""Server of a test with real sockets, and clients of its subscriptions."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import httpx
import uvicorn
from sqlalchemy import select
from websockets.asyncio.client import ClientConnection, connect

from app.application import create_application
from app.commands.serve import server_options
from app.settings import Settings
from store import sql
from tests.conftest import ANONYMOUS, GraphQLClient, World, settings_of

PROTOCOL = "graphql-transport-ws"
EVENT_SECONDS = 20
"""Longest wait for an event, on busy machines."""

QUIET_SECONDS = 1.5
"""How long a test waits for an event that must not come: several polls."""

COLLECTION_EVENT = """
cursor collectionId reload removedAssetIds addedEdges { node { ... on AssetFields { name } } } change { action }
collection { name }
"""
COLLECTION = "subscription($id: ID!, $after: String) { collectionChanged(id: $id, after: $after) { %s } }"
COLLECTION_CHANGED = COLLECTION % COLLECTION_EVENT
TREE_CHANGED = """subscription($after: String) { topicTreeChanged(after: $after) {
    cursor reload removedIds topics { name } collections { name } change { action }
} }"""
JOB_UPDATED = "subscription($id: ID!) { jobUpdated(id: $id) { id status done total } }"


class LiveServer:
    """A running server, and a client of the same database for queries and mutations."""

    def __init__(self, world: World, port: int) -> None:
        """Take the world that is served, and the port."""
        self.world, self.port = world, port
        self.ask = GraphQLClient(world)
        self.ids: dict[str, str] = {}

    async def read_ids(self) -> None:
        """Read the ids of all objects of the world, by name."""
        async with self.ask.database.snapshot() as snapshot:
            for table in (sql.principal, sql.asset, sql.topic, sql.collection):
                rows = await snapshot.rows(select(table.c.name, table.c.id))
                self.ids |= {row.name: row.id for row in rows}

    async def write(self, statement: Any) -> None:
        """Run a statement, as an import or another program would."""
        async with self.ask.database.write() as connection:
            await connection.execute(statement)

    def headers(self, who: str) -> dict[str, str]:
        """Return the headers of a viewer's requests."""
        return {} if who == ANONYMOUS else {"authorization": f"Bearer {self.world.tokens[who]}"}

    @asynccontextmanager
    async def socket(self, who: str | None = None) -> AsyncIterator["Socket"]:
        """Open a WebSocket, and initialise it as a viewer if one is given."""
        async with connect(f"ws://127.0.0.1:{self.port}/graphql", subprotocols=[PROTOCOL]) as connection:  # type: ignore[list-item]  # a NewType of str
            socket = Socket(connection)
            if who is not None:
                await socket.send(type="connection_init", payload=self.headers(who))
                assert await socket.receive() == {"type": "connection_ack"}
            yield socket

    @asynccontextmanager
    async def subscribe(self, who: str, query: str, **variables: Any) -> AsyncIterator["Events"]:
        """Subscribe over a WebSocket of its own."""
        async with self.socket(who) as socket:
            await socket.send(id="1", type="subscribe", payload={"query": query, "variables": variables})
            yield Events(socket)

    @asynccontextmanager
    async def stream(self, who: str, query: str, **variables: Any) -> AsyncIterator["Stream"]:
        """Subscribe by server-sent events."""
        headers = {"accept": "text/event-stream", **self.headers(who)}
        async with (
            httpx.AsyncClient(timeout=EVENT_SECONDS) as client,
            client.stream(
                "POST",
                f"http://127.0.0.1:{self.port}/graphql",
                json={"query": query, "variables": variables},
                headers=headers,
            ) as response,
        ):
            yield Stream(response)


class Socket:
    """Client of one WebSocket."""

    def __init__(self, connection: ClientConnection) -> None:
        """Take the open connection."""
        self.connection = connection

    async def send(self, **message: Any) -> None:
        """Send a message."""
        await self.connection.send(json.dumps(message))

    async def receive(self) -> dict[str, Any]:
        """Return the next message. Raises ConnectionClosed when the server ends the connection."""
        async with asyncio.timeout(EVENT_SECONDS):
            message: dict[str, Any] = json.loads(await self.connection.recv())
        return message

    async def close_code(self) -> tuple[int | None, str | None]:
        """Return code and reason with which the server closes the connection."""
        async with asyncio.timeout(EVENT_SECONDS):
            await self.connection.wait_closed()
        return self.connection.close_code, self.connection.close_reason


class Events:
    """Events of one subscription."""

    def __init__(self, socket: Socket) -> None:
        """Take the socket, which has no other subscription."""
        self.socket = socket

    async def next(self) -> Any:
        """Return the value of the root field in the next event."""
        message = await self.socket.receive()
        assert message["type"] == "next", message
        assert "errors" not in message["payload"], message
        [value] = message["payload"]["data"].values()
        return value

    async def end(self) -> dict[str, Any]:
        """Return the last message."""
        return await self.socket.receive()

    async def assert_quiet(self, seconds: float = QUIET_SECONDS) -> None:
        """Fail if an event comes."""
        try:
            async with asyncio.timeout(seconds):
                message = await self.socket.connection.recv()
        except TimeoutError:
            return
        raise AssertionError(message)


class Stream:
    """Server-sent events of one subscription."""

    def __init__(self, response: httpx.Response) -> None:
        """Take the response."""
        self.response = response
        self.lines = response.aiter_lines()

    async def event(self) -> tuple[str, Any]:
        """Return name and data of the next event."""
        name, data = "", ""
        async for line in self.lines:
            key, _, value = line.partition(": ")
            if key == "event":
                name = value
            elif line.startswith("data:"):
                data = value
            elif not line and name:
                return name, json.loads(data) if data else None
        raise AssertionError("The stream has ended.")

    async def next(self) -> Any:
        """Return the value of the root field in the next event."""
        name, body = await self.event()
        assert name == "next"
        assert "errors" not in body, body
        [value] = body["data"].values()
        return value


class RunningServer:
    """Server that runs in the event loop of the test."""

    def __init__(self, world: World, settings: Settings) -> None:
        """Take the world and the settings."""
        self.world = world
        options = server_options(settings, "127.0.0.1", 0) | {"log_config": None}
        self.application = create_application(settings)
        self.server = uvicorn.Server(uvicorn.Config(self.application, **options))
        self._serving: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._serving = asyncio.create_task(self.server.serve())
        while not self.server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        return self

    @property
    def port(self) -> int:
        """Port of the server."""
        return int(self.server.servers[0].sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """End the server as at a signal."""
        self.server.should_exit = True
        assert self._serving is not None
        await self._serving

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


@asynccontextmanager
async def serve(world: World, **settings: Any) -> AsyncIterator[LiveServer]:
    """Serve a world, with these settings besides those of the tests."""
    async with RunningServer(world, replace(settings_of(world.url), **settings)) as running:
        server = LiveServer(world, running.port)
        await server.read_ids()
        try:
            yield server
        finally:
            await server.ask.close()
