"""Connections whose requests arrive slowly, or with too large a head."""

import json
import logging
import socket
import time
from collections.abc import Iterator

import pytest

from app import http_protocol
from app.http_protocol import HEAD_BYTES, GuardedProtocol
from tests.http_server import World, run_server

SECONDS = 0.3
BODY = json.dumps({"query": "{ hello }"}).encode()
REQUEST = b"POST /graphql HTTP/1.1\r\nhost: atoll\r\ncontent-type: application/json\r\ncontent-length: %d\r\n" % len(
    BODY
)
ANSWERED = b"HTTP/1.1 200 "


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Connect to a server with a short deadline."""
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", SECONDS)
    with (
        run_server(World().app, http=GuardedProtocol) as port,
        socket.create_connection(("127.0.0.1", port), 5) as opened,
    ):
        yield opened


def read_all(connection: socket.socket) -> tuple[bytes, float]:
    """Read until the server closes the connection; return the bytes, and the seconds that it took."""
    started, received = time.monotonic(), b""
    while chunk := connection.recv(65_536):
        received += chunk
    return received, time.monotonic() - started


def assert_answered(connection: socket.socket) -> None:
    """Fail unless the server answers a good request on the connection."""
    connection.sendall(REQUEST + b"\r\n" + BODY)
    assert_response(connection)


def assert_response(connection: socket.socket) -> None:
    """Fail unless the next response on the connection is that to a good request."""
    received = b""
    while b'"hello"' not in received:
        chunk = connection.recv(65_536)
        assert chunk, received
        received += chunk
    assert received.startswith(ANSWERED)


def test_a_silent_connection_is_closed(connection: socket.socket) -> None:
    received, seconds = read_all(connection)
    assert received == b""
    assert SECONDS * 0.9 < seconds < 5


@pytest.mark.parametrize("start", [b"P", b"POST /gra", REQUEST, REQUEST + b"x-a: b"])
def test_a_head_that_never_ends_is_answered_with_408(connection: socket.socket, start: bytes) -> None:
    connection.sendall(start)
    assert read_all(connection)[0].startswith(b"HTTP/1.1 408 ")


def test_bytes_one_by_one_do_not_extend_the_deadline(connection: socket.socket) -> None:
    started, is_open = time.monotonic(), True
    for byte in REQUEST * 10:
        try:
            connection.sendall(bytes([byte]))
        except OSError:
            is_open = False
            break
        time.sleep(SECONDS / 20)
    assert not is_open
    assert time.monotonic() - started < SECONDS * 5


@pytest.mark.parametrize("start", [b"\r\n", b"P", REQUEST])
def test_the_deadline_holds_for_each_request_of_a_connection(connection: socket.socket, start: bytes) -> None:
    for _ in range(3):
        assert_answered(connection)
    connection.sendall(start)
    received, seconds = read_all(connection)
    assert seconds < 4
    assert received == b"" if start == b"\r\n" else received.startswith(b"HTTP/1.1 408 ")


def test_an_idle_connection_stays_open_and_so_does_one_with_a_slow_body(connection: socket.socket) -> None:
    assert_answered(connection)
    time.sleep(SECONDS * 2)
    assert_answered(connection)
    connection.sendall(REQUEST + b"\r\n" + BODY[:5])
    time.sleep(SECONDS * 2)
    connection.sendall(BODY[5:])
    assert_response(connection)
    assert_answered(connection)


@pytest.mark.parametrize(
    "head",
    [
        REQUEST + b"x: " + b"a" * HEAD_BYTES + b"\r\n\r\n",
        REQUEST + b"x: a\r\n" * HEAD_BYTES + b"\r\n",
        b"GET /graphql?query=" + b"a" * HEAD_BYTES + b" HTTP/1.1\r\nhost: atoll\r\n\r\n",
        REQUEST + b"x: " + b"a" * 50_000_000,
        b"a" * 50_000_000,
    ],
    ids=["a long header", "many headers", "a long URL", "an endless header", "an endless method"],
)
def test_a_large_head_is_refused_while_it_arrives(connection: socket.socket, head: bytes) -> None:
    try:
        connection.sendall(head)
        received = read_all(connection)[0]
    except OSError:  # the server closed the connection while the rest was being sent
        return
    assert received.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 ")), received[:200]


def test_a_large_body_may_follow_a_request_that_was_refused_by_its_head(connection: socket.socket) -> None:
    body = b"a" * (4 * HEAD_BYTES)
    head = b"POST /graphql HTTP/1.1\r\nhost: atoll\r\ncontent-type: text/plain\r\ncontent-length: %d\r\n\r\n" % len(
        body
    )
    connection.sendall(head)
    assert connection.recv(65_536).startswith(b"HTTP/1.1 415 ")
    connection.sendall(body)
    assert_answered(connection)


def test_a_head_just_small_enough_is_answered(connection: socket.socket) -> None:
    connection.sendall(REQUEST + b"x: " + b"a" * (HEAD_BYTES - len(REQUEST)) + b"\r\n\r\n" + BODY)
    assert_response(connection)
    assert_answered(connection)


def test_a_head_one_byte_too_large_is_refused_in_words(connection: socket.socket) -> None:
    connection.sendall(b"GET / HTTP/1.1\r\nx: " + b"a" * (HEAD_BYTES - 1) + b"\r\n\r\n")
    received = read_all(connection)[0]
    assert received.startswith(b"HTTP/1.1 431 ")
    assert received.endswith(b"URL and headers may have 32,768 bytes together.")


HANDSHAKE = b"GET /graphql HTTP/1.1\r\nhost: atoll\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"


@pytest.mark.parametrize("last", [b"no HTTP\r\n\r\n", HANDSHAKE], ids=["garbage", "handshake"])
def test_all_requests_of_a_pipeline_end_with_their_connection(last: bytes, caplog: pytest.LogCaptureFixture) -> None:
    world = World(operation_seconds=60)
    waiting = json.dumps({"query": "{ wait }"}).encode()
    first = REQUEST.replace(b"%d" % len(BODY), b"%d" % len(waiting)) + b"\r\n" + waiting
    with run_server(world.app, http=GuardedProtocol) as port:
        with socket.create_connection(("127.0.0.1", port), 60) as connection:
            connection.sendall(first + REQUEST + b"\r\n" + BODY + last)
            assert read_all(connection)[0].startswith(b"HTTP/1.1 400 ")
        deadline = time.monotonic() + 20
        while world.closed != world.opened:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
