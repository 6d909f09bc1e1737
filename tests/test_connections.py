"""Limit of open connections: those without a request make room, and the health of the server is always answered."""

import logging
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import httpx
import pytest
from prometheus_client import REGISTRY
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from app import connections
from app.connections import OTHER_DESCRIPTORS, SPARE, Connections
from app.http_protocol import GuardedProtocol
from tests.http_server import World, run_server

LIMIT = 50
BODY = b'{"query": "{ hello }"}'
WAITING_BODY = b'{"query": "{ wait }"}'
HEAD = b"POST /graphql HTTP/1.1\r\nhost: atoll\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
LARGE = 50_000_000
SECONDS = 20


class Connection:
    """Connection that notes that it made room."""

    has_made_room = False

    def make_room(self) -> None:
        self.has_made_room = True


def open_all(open_connections: Connections, count: int) -> list[Connection]:
    opened = [Connection() for _ in range(count)]
    assert all(map(open_connections.add, opened))
    return opened


def that_made_room(opened: list[Connection]) -> list[int]:
    return [number for number, each in enumerate(opened) if each.has_made_room]


def test_the_one_that_waits_longest_for_a_request_makes_room() -> None:
    limited = Connections(3)
    opened = open_all(limited, 5)
    assert that_made_room(opened) == [0, 1]
    assert len(limited) == 3


def test_new_connections_make_room_before_idle_ones_and_busy_ones_never() -> None:
    limited = Connections(4)
    busy, idle, later_idle, new = open_all(limited, 4)
    for each in (busy, idle, later_idle):
        limited.set_busy(each)
    for each in (idle, later_idle):
        limited.set_idle(each)
    last = []
    for expected in (new, idle, later_idle):
        last += open_all(limited, 1)
        limited.set_busy(last[-1])
        assert expected.has_made_room
    assert not any(each.has_made_room for each in (busy, *last))


def test_a_few_spare_ones_are_accepted_if_all_are_busy() -> None:
    limited = Connections(2)
    for each in open_all(limited, 2):
        limited.set_busy(each)
    assert not limited.has_spare_ones
    for _ in range(SPARE):
        limited.set_busy(*open_all(limited, 1))
        assert limited.has_spare_ones
    assert not limited.add(Connection())
    assert len(limited) == 2 + SPARE


def test_a_closed_connection_is_forgotten_in_any_state() -> None:
    limited = Connections(3)
    new, busy, idle = open_all(limited, 3)
    limited.set_busy(busy)
    limited.set_idle(idle)
    for each in (new, busy, idle, idle):
        limited.remove(each)
    limited.set_idle(idle)
    assert len(limited) == 0
    assert that_made_room(open_all(limited, 3)) == []


def test_the_limit_follows_the_descriptors_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for descriptors, limit in ((1_024, 896), (10_000, 1_000), (OTHER_DESCRIPTORS, 1), (None, 1_000)):
        monkeypatch.setattr(connections, "max_descriptors", lambda given=descriptors: given)
        assert Connections(1_000).limit == limit


# A server


@contextmanager
def serve(world: World, limit: int = LIMIT) -> Iterator[int]:
    """Serve the world, and its health, with that limit of connections; yield the port."""
    world.app.router.routes.append(Route("/healthz", PlainTextResponse("ok")))
    protocol = partial(GuardedProtocol, open_connections=Connections(limit))
    with run_server(world.app, http=protocol) as port:
        yield port


def connect(port: int, sent: bytes = b"") -> socket.socket:
    opened = socket.create_connection(("127.0.0.1", port), SECONDS)
    opened.sendall(sent)
    return opened


def read_all(connection: socket.socket) -> bytes:
    """Read until the server closes the connection."""
    received = b""
    while chunk := connection.recv(65_536):
        received += chunk
    return received


def ask(connection: socket.socket) -> bytes:
    """Send a good request and return the response, or its beginning if the server closes the connection."""
    connection.sendall(HEAD % len(BODY) + BODY)
    received = b""
    while b'"hello"' not in received and (chunk := connection.recv(65_536)):
        received += chunk
    return received


@pytest.mark.parametrize(
    "start", [b"", b"P", HEAD[:60], HEAD % 1_000 + b"{"], ids=["silent", "a letter", "half a head", "half a body"]
)
def test_half_open_sockets_keep_no_request_waiting(start: bytes, caplog: pytest.LogCaptureFixture) -> None:
    closed = REGISTRY.get_sample_value("atoll_connections_closed_total") or 0
    with serve(World()) as port, ExitStack() as opened, caplog.at_level(logging.WARNING):
        sockets = [opened.enter_context(connect(port, start)) for _ in range(LIMIT + 10)]
        with connect(port) as honest:
            assert ask(honest).startswith(b"HTTP/1.1 200 ")
            assert ask(honest).startswith(b"HTTP/1.1 200 ")
        assert httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
        refused = read_all(sockets[0])
        if start:
            assert refused.startswith(b"HTTP/1.1 503 ")
            assert b"\r\nconnection: close\r\n" in refused
            assert b"\r\nretry-after: 1\r\n" in refused
        else:
            assert refused == b""
    lines = [record for record in caplog.records if getattr(record, "event", None) == "tooManyConnections"]
    assert len(lines) == 1
    assert (REGISTRY.get_sample_value("atoll_connections_closed_total") or 0) >= closed + 11


def test_an_idle_connection_is_closed_for_a_new_one() -> None:
    with serve(World(), limit=2) as port, connect(port) as first, connect(port) as second:
        for each in (first, second):
            assert ask(each).startswith(b"HTTP/1.1 200 ")
        with connect(port) as third:
            assert ask(third).startswith(b"HTTP/1.1 200 ")
            assert first.recv(1) == b""
            assert ask(second).startswith(b"HTTP/1.1 200 ")


def test_a_request_that_is_answered_is_not_interrupted_and_health_is_told_beside_it() -> None:
    world = World(operation_seconds=SECONDS)
    with serve(world, limit=2) as port, ExitStack() as opened:
        busy = [opened.enter_context(connect(port, HEAD % len(WAITING_BODY) + WAITING_BODY)) for _ in range(2)]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=SECONDS) as client:
            while len(world.opened) < 2:
                assert client.get("/healthz").status_code == 200
            refused = client.post("/graphql", content=BODY, headers={"content-type": "application/json"})
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.headers["connection"] == "close"
        for each in busy:
            each.settimeout(0.01)
            with pytest.raises(TimeoutError):
                each.recv(1)


def test_a_connection_whose_client_does_not_read_makes_room() -> None:
    world = World()
    world.app.router.routes.append(Route("/large", PlainTextResponse("a" * LARGE)))
    with serve(world, limit=1) as port, connect(port, b"GET /large HTTP/1.1\r\nhost: atoll\r\n\r\n") as unread:
        assert unread.recv(12) == b"HTTP/1.1 200"
        with connect(port) as honest:
            assert ask(honest).startswith(b"HTTP/1.1 200 ")
        assert len(read_all(unread)) < LARGE


@pytest.mark.parametrize("path", ["/graphql", "/nowhere"])
def test_a_body_after_the_response_keeps_no_connection_busy(path: str) -> None:
    head = b"POST %b HTTP/1.1\r\nhost: atoll\r\ncontent-type: text/plain\r\ncontent-length: 3\r\n\r\n" % path.encode()
    with serve(World(), limit=1) as port, connect(port, head) as refused:
        assert refused.recv(65_536).startswith(b"HTTP/1.1 4")
        refused.sendall(b"abc")
        with connect(port) as honest:
            assert ask(honest).startswith(b"HTTP/1.1 200 ")
