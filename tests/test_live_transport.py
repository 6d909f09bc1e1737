"""Transports of subscriptions: graphql-transport-ws and server-sent events, their limits, and their ends."""

import asyncio
import json
import signal
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text, update
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from app.live.hub import Hub
from resolvers.limits import LIMITS
from store import sql
from store.database import Database, Snapshot
from store.failure import Failure, StorageError
from store.recent_writes import RecentWrites, Written
from tests.cli_process import environment, run_server
from tests.conftest import ANONYMOUS, World, settings_of
from tests.live_server import COLLECTION_CHANGED, PROTOCOL, TREE_CHANGED, LiveServer, RunningServer, Socket, serve
from tests.test_live import add

QUERY = "{ deployment { version } }"
URL = "http://127.0.0.1:{}/graphql"


@pytest.fixture
async def live(own_world: World) -> AsyncIterator[LiveServer]:
    async with serve(own_world) as server:
        yield server


def subscribe(id_: str = "1", query: str = TREE_CHANGED, **variables: Any) -> dict[str, Any]:
    return {"id": id_, "type": "subscribe", "payload": {"query": query, "variables": variables}}


@pytest.mark.parametrize("protocols", [["graphql-ws"], ["other", "soap"], None])
async def test_other_protocols_are_refused(live: LiveServer, protocols: Any) -> None:
    async with connect(f"ws://127.0.0.1:{live.port}/graphql", subprotocols=protocols) as connection:
        await connection.wait_closed()
    assert (connection.close_code, connection.subprotocol) == (4406, None)


async def test_a_socket_that_is_not_initialised_is_closed(live: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.live.socket.INITIALISATION_SECONDS", 0.2)
    async with live.socket() as socket:
        await socket.send(type="ping")
        assert await socket.receive() == {"type": "pong"}
        assert await socket.close_code() == (4408, "Connection initialisation timeout")


async def test_the_token_may_be_in_the_handshake(live: LiveServer) -> None:
    url = f"ws://127.0.0.1:{live.port}/graphql"
    async with connect(url, subprotocols=[PROTOCOL], additional_headers=live.headers("mei")) as connection:  # type: ignore[list-item]  # a NewType of str
        await connection.send('{"type":"connection_init"}')
        assert json.loads(await connection.recv()) == {"type": "connection_ack"}


async def test_an_invalid_token_is_refused(live: LiveServer) -> None:
    async with live.socket() as socket:
        await socket.send(type="connection_init", payload={"Authorization": "Bearer atoll_wrong"})
        assert await socket.close_code() == (4403, "The bearer token is not valid.")


INITIALISED = [
    (subscribe(), 4409),  # the id of a running one
    ({"type": "connection_init"}, 4429),
    ({"type": "start", "id": "2", "payload": {"query": QUERY}}, 4400),  # of the legacy protocol
    ({"type": "subscribe", "id": "2"}, 4400),
    ({"type": "subscribe", "id": "2", "payload": []}, 4400),
    ({"type": "subscribe", "id": 2, "payload": {}}, 4400),
    ({"type": "subscribe", "id": "", "payload": {}}, 4400),
    ({"type": "subscribe", "id": "x" * 101, "payload": {}}, 4400),
    ({"type": "complete"}, 4400),
    ({"type": "ping", "payload": 1}, 4400),
]


@pytest.mark.parametrize(("message", "code"), INITIALISED)
async def test_messages_out_of_place_close_the_socket(live: LiveServer, message: dict[str, Any], code: int) -> None:
    async with live.socket("mei") as socket:
        await socket.send(**subscribe())
        assert (await socket.receive())["type"] == "next"
        await socket.send(**message)
        assert (await socket.close_code())[0] == code


@pytest.mark.parametrize(
    "frame",
    [
        *("", "{", "null", "3", "[]", '["ping"]', '"ping"', "{}", '{"type": null}', '{"type": {}}', "1" * 5_000),
        *("[" * 60_000, b'{"type":"ping"}', b"\xff\xfe", '{"type":"connection_init","payload":[]}'),
        '{"type":"ping","payload":{"a":"\\u0000"}}',
        '{"type":"ping","payload":' + '{"a":' * 300 + "1" + "}" * 301,  # more levels than orjson writes
    ],
)
async def test_malformed_frames_close_the_socket_without_a_failure(
    live: LiveServer, frame: str | bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with live.socket() as socket:
        await socket.connection.send(frame)
        assert (await socket.close_code())[0] == 4400
    assert [record for record in caplog.records if record.exc_info] == []


async def test_a_subscription_before_the_initialisation_is_refused(live: LiveServer) -> None:
    async with live.socket() as socket:
        await socket.send(**subscribe())
        assert await socket.close_code() == (4401, "Unauthorized")


async def test_a_message_that_is_too_large_closes_the_socket(live: LiveServer) -> None:
    async with live.socket("mei") as socket:
        await socket.send(type="ping", payload={"x": "x" * LIMITS.message_bytes})
        assert (await socket.close_code())[0] == 1009


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (QUERY, "BAD_USER_INPUT"),
        ("mutation { jobCancel(input: {id: 1}) { job { id } } }", "BAD_USER_INPUT"),
        ("subscription {", "GRAPHQL_PARSE_FAILED"),
        ("subscription { missing }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { topicTreeChanged { cursor } jobUpdated(id: 1) { id } }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription($id: ID!) { jobUpdated(id: $id) { id } }", "BAD_USER_INPUT"),
        ("subscription A { jobUpdated(id: 1) { id } } subscription B { __typename }", "OPERATION_RESOLUTION_FAILURE"),
        ("", "BAD_REQUEST"),
    ],
)
async def test_what_is_no_valid_subscription_ends_with_its_error(live: LiveServer, query: str, code: str) -> None:
    async with live.socket("mei") as socket:
        await socket.send(**subscribe(query=query))
        message = await socket.receive()
        assert (message["id"], message["type"]) == ("1", "error")
        assert message["payload"][0]["extensions"]["code"] == code
        await socket.send(**subscribe())  # the id is free, and the socket is open
        assert (await socket.receive())["type"] == "next"


async def test_a_value_that_databases_cannot_store_closes_the_socket(
    live: LiveServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with live.socket("mei") as socket:
        await socket.send(**subscribe("1", COLLECTION_CHANGED, id="col_\0"))
        assert (await socket.close_code())[0] == 4400
    assert [record for record in caplog.records if record.exc_info] == []


async def test_a_completed_subscription_sends_nothing(live: LiveServer) -> None:
    async with live.socket("mei") as socket:
        await socket.send(**subscribe("1", COLLECTION_CHANGED, id=live.ids["members"]))
        assert (await socket.receive())["id"] == "1"
        await socket.send(type="complete", id="1")
        await socket.send(**subscribe("1", COLLECTION_CHANGED, id=live.ids["inner"]))
        await socket.receive()
        await add(live, "members", "align")
        await add(live, "inner", "blast")
        message = await socket.receive()
        assert message["payload"]["data"]["collectionChanged"]["collectionId"] == live.ids["inner"]


async def test_a_socket_has_at_most_20_subscriptions(live: LiveServer) -> None:
    async with live.socket("mei") as socket:
        for number in range(21):
            await socket.send(**subscribe(str(number)))
        received = {message["id"]: message for message in [await socket.receive() for _ in range(21)]}
        assert {message["type"] for id_, message in received.items() if id_ != "20"} == {"next"}
        assert received["20"]["payload"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"


async def test_a_socket_stays_open_after_thousands_of_refused_subscriptions(live: LiveServer) -> None:
    async with live.socket("mei") as socket:
        sending = asyncio.gather(*(socket.send(**subscribe(str(number))) for number in range(10_000)))
        received = Counter([(await socket.receive())["type"] for _ in range(10_000)])
        await sending
        assert received == {"next": 20, "error": 9_980}
        await socket.send(type="complete", id="0")
        await socket.send(**subscribe("again"))
        assert (await socket.receive())["type"] == "next"


async def test_the_connections_of_a_user_and_of_the_process_are_limited(own_world: World) -> None:
    async with serve(own_world, max_live_connections=3, max_live_connections_of_user=2) as live:
        async with live.socket("mei"), live.socket("mei"):
            async with live.socket() as third:
                await third.send(type="connection_init", payload=live.headers("mei"))
                assert (await third.close_code())[0] == 4429
            async with live.stream("mei", TREE_CHANGED) as stream:
                assert stream.response.status_code == 429
            async with live.socket("eve"), live.socket() as fourth:
                await fourth.send(type="connection_init", payload=live.headers("olu"))
                assert (await fourth.close_code())[0] == 1013
        async with live.socket("mei"), live.socket("mei"):
            pass


# 5,000 objects take 250 points.
EXPENSIVE = """subscription($id: ID!) { collectionChanged(id: $id) {
  addedEdges { node { __typename } } removedAssetIds
  collection { topic { collections(first: 40) { nodes { assets(first: 100) { nodes { __typename } } } } } }
} }"""


async def test_an_event_takes_points_and_waits_for_them(own_world: World) -> None:
    async with (
        serve(own_world, rate_points=50, rate_burst=350) as live,
        live.subscribe("mei", EXPENSIVE, id=live.ids["members"]) as events,
    ):
        await events.next()
        await add(live, "members", "align")
        await events.assert_quiet(0.3)
        await add(live, "members", "explore")
        event = await events.next()
        assert len(event["addedEdges"]) == 2  # the wait for points sums changes up
        await events.assert_quiet()


async def test_a_subscription_without_points_is_refused(own_world: World) -> None:
    async with serve(own_world, rate_points=1, rate_burst=300) as live, live.socket("mei") as socket:
        await socket.send(**subscribe("1", EXPENSIVE, id=live.ids["members"]))
        assert (await socket.receive())["type"] == "next"
        await socket.send(**subscribe("2", EXPENSIVE, id=live.ids["members"]))
        assert (await socket.receive())["payload"][0]["extensions"]["code"] == "RATE_LIMITED"


MANY_MISTAKES = "subscription { " + " ".join(f"missing{number:04}" for number in range(60)) + " }"


async def test_a_refused_document_takes_the_points_of_its_parsing(own_world: World) -> None:
    async with serve(own_world, rate_points=1, rate_burst=40) as live:
        async with live.socket("mei") as socket:
            codes = []
            for number in range(10):
                await socket.send(**subscribe(str(number), f"{MANY_MISTAKES} # {number} {own_world.url}"))
                codes.append((await socket.receive())["payload"][0]["extensions"]["code"])
        assert codes[0] == "GRAPHQL_VALIDATION_FAILED"
        assert "RATE_LIMITED" in codes


async def test_a_refused_document_of_a_stream_takes_the_points_of_its_parsing(own_world: World) -> None:
    async with serve(own_world, rate_points=1, rate_burst=40) as live:
        statuses = []
        for number in range(10):
            async with live.stream("mei", f"{MANY_MISTAKES} # {number} {own_world.url}") as stream:
                statuses.append(stream.response.status_code)
                await stream.response.aread()
        assert statuses[0] == 200
        assert 429 in statuses


class BlockedClient:
    """Client that initialises a socket and subscribes, and then reads nothing."""

    def __init__(self, messages: list[dict[str, Any]]) -> None:
        """Take the messages that it sends."""
        self._messages = [{"type": "websocket.connect"}] + [
            {"type": "websocket.receive", "text": json.dumps(message)} for message in messages
        ]
        self.received: list[dict[str, Any]] = []

    async def receive(self) -> Any:
        if not self._messages:
            await asyncio.Event().wait()
        return self._messages.pop(0)

    async def send(self, message: Any) -> None:
        self.received.append(message)
        if message["type"] == "websocket.send" and json.loads(message["text"])["type"] == "next":
            await asyncio.Event().wait()


async def test_a_client_that_does_not_read_is_told_to_resume(own_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.live.socket.SEND_SECONDS", 0.2)
    running = RunningServer(own_world, settings_of(own_world.url))
    init = {"type": "connection_init", "payload": {"authorization": f"Bearer {own_world.tokens['mei']}"}}
    client = BlockedClient([init, subscribe()])
    scope = {"type": "websocket", "path": "/graphql", "headers": [(b"host", b"a")], "subprotocols": [PROTOCOL]}
    async with running, asyncio.timeout(20):
        await running.application(scope, client.receive, client.send)
    last = client.received[-1]
    assert (last["type"], last["code"]) == ("websocket.close", 1013)
    assert "resume" in last["reason"]


async def test_the_events_of_a_stream(live: LiveServer) -> None:
    async with live.stream("mei", COLLECTION_CHANGED, id=live.ids["members"]) as stream:
        assert stream.response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert (await stream.next())["reload"] is True
        await add(live, "members", "align")
        event = await stream.next()
        assert [edge["node"]["name"] for edge in event["addedEdges"]] == ["align"]
    async with live.stream("mei", COLLECTION_CHANGED, id="col_" + "0" * 24) as stream:
        assert (await stream.next())["collection"] is None
        assert await stream.event() == ("complete", None)


async def test_a_stream_by_get(live: LiveServer) -> None:
    headers = {"accept": "text/event-stream", **live.headers("mei")}
    async with (
        httpx.AsyncClient() as client,
        client.stream("GET", URL.format(live.port), params={"query": TREE_CHANGED}, headers=headers) as response,
    ):
        lines = response.aiter_lines()
        assert [await anext(lines) for _ in range(3)] == [":", "", "event: next"]


async def test_heartbeats_keep_a_stream_alive(live: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.live.event_stream.HEARTBEAT_SECONDS", 0.1)
    async with live.stream("mei", TREE_CHANGED) as stream:
        await stream.next()
        assert [await anext(stream.lines) for _ in range(4)] == [":", "", ":", ""]


@pytest.mark.parametrize(
    ("query", "code"), [("subscription {", "GRAPHQL_PARSE_FAILED"), ("subscription { a }", "GRAPHQL_VALIDATION_FAILED")]
)
async def test_an_invalid_document_is_an_event_of_the_stream(live: LiveServer, query: str, code: str) -> None:
    async with live.stream("mei", query) as stream:
        name, body = await stream.event()
        assert (name, body["errors"][0]["extensions"]["code"]) == ("next", code)
        assert await stream.event() == ("complete", None)


@pytest.mark.parametrize(
    ("who", "accept", "query", "status"),
    [
        (ANONYMOUS, "text/event-stream", TREE_CHANGED, 401),
        ("mei", "text/event-stream", QUERY, 406),
        ("mei", "text/event-stream, application/json", QUERY, 200),
        ("mei", "application/json", TREE_CHANGED, 400),
    ],
)
async def test_only_subscriptions_of_members_are_streams(
    live: LiveServer, who: str, accept: str, query: str, status: int
) -> None:
    headers = {"accept": accept, **live.headers(who)}
    async with httpx.AsyncClient() as client:
        response = await client.post(URL.format(live.port), json={"query": query}, headers=headers)
    assert response.status_code == status
    assert response.headers["content-type"].startswith("application/json")


async def test_a_stream_ends_when_its_token_is_revoked(live: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.live.subscription.CHECK_SECONDS", 0.3)
    async with live.stream("mei", TREE_CHANGED) as stream:
        await stream.next()
        await live.write(update(sql.api_token).values(revoked_at=1))
        name, body = await stream.event()
        assert (name, body["errors"][0]["extensions"]["code"]) == ("next", "UNAUTHENTICATED")
        assert await stream.event() == ("complete", None)


async def test_the_place_of_a_closed_socket_is_free(own_world: World) -> None:
    settings = replace(settings_of(own_world.url), max_connections=2)
    async with RunningServer(own_world, settings) as running:
        live = LiveServer(own_world, running.port)
        for _ in range(5):
            async with live.socket("mei") as socket:
                await socket.send(type="ping")
                await socket.receive()
        async with httpx.AsyncClient() as client:
            assert (await client.post(URL.format(running.port), json={"query": QUERY})).status_code == 200
        await live.ask.close()


async def test_an_open_socket_outlives_the_deadline_of_heads(live: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.http_protocol.HEAD_SECONDS", 0.3)
    async with live.subscribe("mei", TREE_CHANGED) as events:
        await events.next()
        await events.assert_quiet(1)


async def test_a_hub_without_notifications_polls(own_world: World, backend: str) -> None:
    url = own_world.url if backend == "sqlite" else f"{own_world.url}?statement_cache_size=0"
    database, other = Database(url), Database(own_world.url)
    with Hub(database).subscribe(needs_every_look=False) as wake:
        async with asyncio.timeout(10):
            await wake.wait()
            await asyncio.sleep(0.2)
            wake.clear()
            async with other.write() as connection:
                await connection.execute(update(sql.deployment).values(revision=sql.deployment.c.revision + 1))
            await wake.wait()
    await database.close()
    await other.close()


class IdleListener:
    """Listener that is connected, and gets no notification."""

    is_connected = True

    async def run(self) -> None:
        """Do nothing until cancelled."""
        await asyncio.sleep(60)


async def test_a_hub_repeats_a_failed_look_soon(own_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    database, failures = Database(own_world.url), [StorageError(Failure.BUSY, "The database is busy.")]
    read = RecentWrites.read

    async def fail_once(self: RecentWrites, snapshot: Snapshot) -> Written:
        if failures:
            raise failures.pop()
        return await read(self, snapshot)

    monkeypatch.setattr(RecentWrites, "read", fail_once)
    monkeypatch.setattr(Database, "write_listener", lambda _database: IdleListener())
    monkeypatch.setattr("app.live.hub.LISTENING_POLL_SECONDS", 60)
    with Hub(database).subscribe(needs_every_look=False) as wake:
        async with asyncio.timeout(10):
            await wake.wait()
    await database.close()


async def test_a_hub_sleeps_while_nobody_is_subscribed(own_world: World) -> None:
    database = Database(own_world.url)
    statements: list[str] = []
    database.observe_reads(lambda statement, _values: statements.append(statement))
    hub = Hub(database)
    with hub.subscribe(needs_every_look=False) as wake:
        await wake.wait()
    statements.clear()
    await asyncio.sleep(1)
    assert (statements, len(hub)) == ([], 0)
    await database.close()


async def test_a_server_that_drains_ends_subscriptions(own_world: World, backend: str, tmp_path: Path) -> None:
    if backend == "postgresql":
        pytest.skip("The end of a process does not depend on the database.")
    settings = environment(DATABASE_URL=own_world.url, DRAIN_SECONDS="2")
    with run_server(tmp_path, settings) as server:
        live = LiveServer(own_world, int(server.url.rpartition(":")[2]))
        async with live.subscribe("mei", TREE_CHANGED) as events, live.stream("mei", TREE_CHANGED) as stream:
            await events.next()
            await stream.next()
            server.process.send_signal(signal.SIGTERM)
            code, reason = await events.socket.close_code()
            assert (code, "resume" in str(reason)) == (1012, True)
            with pytest.raises(AssertionError, match="The stream has ended"):
                await stream.event()
        await live.ask.close()
        await asyncio.to_thread(server.process.wait, 20)
    assert "Traceback" not in server.output


@pytest.fixture
def notified_only(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have hubs wait for notifications, which only PostgreSQL has."""
    if backend == "sqlite":
        pytest.skip("SQLite has no notifications.")
    monkeypatch.setattr("app.live.hub.LISTENING_POLL_SECONDS", 60)


@pytest.mark.usefixtures("notified_only")
async def test_writes_of_other_processes_are_notified(live: LiveServer) -> None:
    async with live.subscribe("mei", COLLECTION_CHANGED, id=live.ids["members"]) as events:
        await events.next()
        await asyncio.sleep(1)  # until it listens
        await add(live, "members", "align")
        assert (await events.next())["addedEdges"] != []


@pytest.mark.usefixtures("notified_only")
async def test_a_lost_listener_listens_again(live: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.write_listener.RECONNECT_SECONDS", 0.2)
    monkeypatch.setattr("store.write_listener.CHECK_SECONDS", 0.2)
    async with live.subscribe("mei", COLLECTION_CHANGED, id=live.ids["members"]) as events:
        await events.next()
        await asyncio.sleep(1)
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'SELECT 1'"
        async with live.ask.database.snapshot() as snapshot:
            ended = await snapshot.rows(text(f"{others} AND datname = current_database()"))
        assert len(ended) == 1
        await asyncio.sleep(2)
        await add(live, "members", "align")
        assert (await events.next())["addedEdges"] != []


# 40 descriptions of 20,000 characters: clients take at most a megabyte.
DESCRIPTIONS = " ".join(f"a{number}: description" for number in range(40))
LONG = f"subscription($id: ID!) {{ collectionChanged(id: $id) {{ collection {{ {DESCRIPTIONS} }} }} }}"


async def test_a_socket_that_is_never_read_is_closed(own_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.live.socket.SEND_SECONDS", 0.3)
    monkeypatch.setattr("app.websocket_protocol.CLOSE_SECONDS", 0.3)
    async with RunningServer(own_world, settings_of(own_world.url)) as running:
        live = LiveServer(own_world, running.port)
        await live.read_ids()
        await live.write(update(sql.collection).values(description="x" * 20_000))
        async with live.socket("mei") as blocked:
            blocked.connection.transport.pause_reading()
            for number in range(20):
                await blocked.send(**subscribe(str(number), LONG, id=live.ids["members"]))
            async with asyncio.timeout(30):
                while running.server.server_state.connections:  # noqa: ASYNC110 - uvicorn has no event for it
                    await asyncio.sleep(0.1)
            blocked.connection.transport.abort()
        await live.ask.close()


async def test_a_client_that_reads_again_gets_the_code_of_its_end(
    own_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.live.socket.SEND_SECONDS", 0.3)
    async with serve(own_world) as live:
        await live.write(update(sql.collection).values(description="x" * 20_000))
        async with live.socket("mei") as slow:
            slow.connection.transport.pause_reading()
            for number in range(20):
                await slow.send(**subscribe(str(number), LONG, id=live.ids["members"]))
            await asyncio.sleep(4)
            slow.connection.transport.resume_reading()
            with pytest.raises(ConnectionClosed, match="1013"):
                await read_all(slow)


async def read_all(socket: Socket) -> None:
    while True:
        await socket.receive()


async def test_a_failed_look_for_writes_is_not_the_last(live: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_writes: RecentWrites, _snapshot: Snapshot) -> None:
        monkeypatch.undo()
        raise RuntimeError("once")

    async with live.subscribe("mei", COLLECTION_CHANGED, id=live.ids["members"]) as events:
        await events.next()
        monkeypatch.setattr(RecentWrites, "read", fail)
        await add(live, "members", "align")
        assert (await events.next())["addedEdges"] != []
