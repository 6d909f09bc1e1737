"""Compressed responses: queries without errors, and nothing else."""

import gzip
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
import zstandard

from app import compression
from app.compression import MIN_BYTES, THREAD_BYTES, compress_beside
from app.negotiation import Coding
from app.operation import OperationRecord
from tests.http_server import World, run_server, without_cost

DECOMPRESS: dict[str | None, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "zstd": zstandard.decompress,
    None: bytes,
}
BOTH = "gzip, deflate, br, zstd"  # as browsers send it
LONG = "{ branch { branches(first: 100) { name } } }"


@pytest.fixture(scope="module")
def records() -> list[OperationRecord]:
    """Return the list of the server's operations."""
    return []


@pytest.fixture(scope="module")
def server(records: list[OperationRecord]) -> Iterator[int]:
    """Yield the port of a served endpoint, with a page."""
    with run_server(World(observe=[records.append], has_ide=True).app) as port:
        yield port


def post(port: int, query: str, accept_encoding: str | None = BOTH) -> tuple[http.client.HTTPResponse, bytes]:
    """Send the query; return the response and its decompressed body, after a look at its length."""
    headers = {"content-type": "application/json", "accept": "application/graphql-response+json"}
    return send(port, "POST", json.dumps({"query": query}), headers, accept_encoding)


def send(
    port: int, method: str, body: str | None, headers: dict[str, str], accept_encoding: str | None
) -> tuple[http.client.HTTPResponse, bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        encoding = {} if accept_encoding is None else {"accept-encoding": accept_encoding}
        connection.request(method, "/graphql", body, headers | encoding)
        response = connection.getresponse()
        content = response.read()
        assert response.getheader("content-length") == str(len(content))
        assert response.getheader("vary") == "Accept, Accept-Encoding, Authorization"
        return response, DECOMPRESS[response.getheader("content-encoding")](content)


@pytest.mark.parametrize(
    ("accept_encoding", "expected"),
    [
        ("gzip", "gzip"),
        ("GZIP ; q=0.5", "gzip"),
        (BOTH, "zstd"),
        ("zstd;q=0.5, gzip;q=0.8", "gzip"),
        ("zstd;q=0, gzip", "gzip"),
        ("gzip;q=0.5, identity", None),
        ("identity;q=0.5, gzip", "gzip"),
        ("gzip;q=0", None),
        ("*", None),
        ("br, deflate", None),
        ("", None),
        (None, None),
    ],
)
def test_a_query_is_compressed_by_the_coding_that_the_client_prefers(
    server: int, accept_encoding: str | None, expected: str | None
) -> None:
    response, body = post(server, LONG, accept_encoding)
    assert (response.status, response.getheader("content-encoding")) == (200, expected)
    assert json.loads(body)["data"] == {"branch": {"branches": [{"name": "branch"}] * 100}}
    assert body == post(server, LONG, None)[1]


def test_a_query_by_get_is_compressed(server: int) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", server, timeout=10)) as connection:
        path = "/graphql?query=" + LONG.replace(" ", "%20")
        connection.request("GET", path, headers={"accept": "application/json", "accept-encoding": "gzip"})
        response = connection.getresponse()
        assert response.getheader("content-encoding") == "gzip"
        assert json.loads(gzip.decompress(response.read())) == json.loads(post(server, LONG, None)[1])


def test_a_short_body_is_not_compressed(server: int) -> None:
    padding = MIN_BYTES - len(post(server, '{ echo(text: "") }')[1])
    for characters, expected in ((padding - 1, None), (padding, "zstd")):
        response, body = post(server, '{ echo(text: "%s") }' % ("a" * characters))
        assert (len(body), response.getheader("content-encoding")) == (MIN_BYTES - (not expected), expected)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        (f'mutation {{ note(text: "{"a" * 2_000}") }}', 200),
        (f'{{ echo(text: "{"a" * 2_000}") fail }}', 200),
        ("{" + " ".join(f"{'unknown' * 40}{number}" for number in range(9)) + "}", 400),
    ],
    ids=["mutation", "field error", "request error"],
)
def test_nothing_else_is_compressed(server: int, query: str, status: int) -> None:
    response, body = post(server, query)
    assert (response.status, response.getheader("content-encoding")) == (status, None)
    assert len(body) > MIN_BYTES


def test_the_page_is_not_compressed(server: int) -> None:
    response, body = send(server, "GET", None, {"accept": "text/html"}, BOTH)
    assert (body, response.getheader("content-encoding")) == (b"a page", None)


def test_the_log_has_the_length_as_sent(server: int, records: list[OperationRecord]) -> None:
    response, body = post(server, LONG)
    assert records[-1].response_bytes == int(response.getheader("content-length") or 0) < len(body) / 4


@pytest.mark.parametrize("coding", Coding)
async def test_only_long_bodies_are_compressed_by_another_thread(
    monkeypatch: pytest.MonkeyPatch, coding: Coding
) -> None:
    threads: list[int] = []

    def compress(body: bytes, *arguments: Any) -> bytes:
        threads.append(threading.get_ident())
        return original(body, *arguments)

    original = compression.compress
    monkeypatch.setattr(compression, "compress", compress)
    for size in (THREAD_BYTES, THREAD_BYTES + 1):
        assert DECOMPRESS[coding](await compress_beside(b"a" * size, coding)) == b"a" * size
    assert [thread == threading.get_ident() for thread in threads] == [True, False]


async def test_clients_read_compressed_responses() -> None:
    async with World().client() as client:
        response = await client.post("/graphql", json={"query": LONG}, headers={"accept-encoding": "gzip"})
    assert response.headers["content-encoding"] == "gzip"
    assert without_cost(response)["data"]["branch"]["branches"] == [{"name": "branch"}] * 100
