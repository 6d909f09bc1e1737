"""Tests of malformed requests over real sockets: each gets an error below 500, and the next request is served."""

import gzip
import http.client
import json
import logging
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any, Final

import pytest
from starlette.types import Receive, Scope, Send

from app import request as request_reading
from resolvers.limits import LIMITS, VISITOR_LIMITS
from tests.http_server import RESPONSE, World, run_server

JSON_TYPE: Final = {"content-type": "application/json", "accept": RESPONSE}
GOOD: Final = json.dumps({"query": "{ hello }"}).encode()
DEEP: Final = 100_000
MAX_ERRORS: Final = 5
ENDLESS_BYTES: Final = 100_000_000


def query(text: str, **members: Any) -> bytes:
    """Return the body of a request with this document."""
    return json.dumps({"query": text, **members}).encode()


def echo(text: str) -> bytes:
    """Return a body whose variable is this text, inserted into the JSON unescaped."""
    return b'{"query":"query($t:String!){echo(text:$t)}","variables":{"t":"' + text.encode() + b'"}}'


def padded(size: int) -> bytes:
    """Return a body of this size."""
    return query("{ hello }", extensions={"a": "a" * (size - len(query("{ hello }", extensions={"a": ""})))})


BODIES: Final[dict[str, tuple[bytes, int]]] = {
    "nothing": (b"", 400),
    "null": (b"null", 400),
    "a number": (b"3", 400),
    "true": (b"true", 400),
    "a string": (b'"{ hello }"', 400),
    "an empty list": (b"[]", 400),
    "a list of null": (b"[null]", 400),
    "a list of strings": (b'["{ hello }"]', 400),
    "a batch": (b"[" + GOOD + b"]", 400),
    "half an object": (GOOD[:-1], 400),
    "two objects": (GOOD + GOOD, 400),
    "a byte order mark": (b"\xef\xbb\xbf" + GOOD, 400),
    "UTF-16": (GOOD.decode().encode("utf-16"), 400),
    "bytes that are not UTF-8": (b'{"query":"{ hello } # \xff\xfe"}', 400),
    "an overlong form": (b'{"query":"{ hello } # \xc0\x80"}', 400),
    "NaN": (b'{"query":"{ hello }","variables":{"n":NaN}}', 400),
    "Infinity": (b'{"query":"{ hello }","variables":{"n":-Infinity}}', 400),
    "5,000 digits": (b'{"query":"{ hello }","variables":{"n":' + b"9" * 5_000 + b"}}", 400),
    "5,000 digits for an Int": (
        b'{"query":"query($n:Int!){double(number:$n)}","variables":{"n":1' + b"0" * 5_000 + b"}}",
        400,
    ),
    "2 to the 70": (query("query ($n: Int!) { double(number: $n) }", variables={"n": 2**70}), 400),
    "1e400": (b'{"query":"{ hello }","variables":{"n":1e400}}', 400),
    "deep lists": (b"[" * DEEP, 400),
    "deep lists, closed": (b'{"query":"{ hello }","variables":{"n":' + b"[" * DEEP + b"]" * DEEP + b"}}", 400),
    "deep objects": (b'{"a":' * 40_000 + b"1" + b"}" * 40_000, 400),
    "deep enough for a variable": (b'{"query":"{ hello }","variables":{"n":' + b"[" * 900 + b"]" * 900 + b"}}", 200),
    "deep in an argument": (query("{ echo(text: " + "[" * 1_000 + "]" * 1_000 + ") }"), 400),
    "deep selections": (query("{ branch " * 2_000 + "}" * 2_000), 400),
    "deep inline fragments": (query("{ " + "... { " * 2_000 + "hello" + "}" * 2_001), 400),
    "deep types": (query("query ($t: " + "[" * 2_000 + "Int" + "]" * 2_000 + ") { hello }"), 400),
    "half a surrogate pair": (echo("\\ud800"), 400),
    "surrogates the wrong way round": (echo("\\udc00\\ud800"), 400),
    "half a pair in a name": (b'{"query":"{ hello }","\\udfff":1}', 400),
    "half a pair in a document": (query('{ echo(text: "\\ud800") }'), 400),
    "a whole pair": (echo("\\ud83c\\udfdd"), 200),
    "NUL": (echo("a\\u0000b"), 400),
    "a raw NUL": (echo("a\0b"), 400),
    "NUL in a name": (b'{"query":"{ hello }","variables":{"\\u0000":1}}', 400),
    "NUL within lists": (b'{"query":"{ hello }","extensions":{"a":[[{"b":"\\u0000"}]]}}', 400),
    "NUL in the document": (b'{"query":"{ hello } \\u0000"}', 400),
    "NUL as an escape in the document": (query('{ echo(text: "\\u0000") }'), 400),
    "NUL as a longer escape": (query('{ echo(text: "\\u{0}") }'), 400),
    "NUL as a default": (query('query ($t: String! = "\\u0000") { echo(text: $t) }'), 400),
    "no NUL but the word": (echo("a\\\\u0000b"), 200),
    "query null": (b'{"query":null}', 400),
    "query a list": (b'{"query":["{ hello }"]}', 400),
    "query an object": (b'{"query":{}}', 400),
    "variables a list": (query("{ hello }", variables=[]), 400),
    "variables a string": (query("{ hello }", variables="{}"), 400),
    "variables false": (query("{ hello }", variables=False), 400),
    "extensions a number": (query("{ hello }", extensions=1), 400),
    "operationName a number": (query("{ hello }", operationName=1), 400),
    "operationName an object": (query("{ hello }", operationName={}), 400),
    "operationName empty": (query("{ hello }", operationName=""), 200),
    "an unclosed string": (query('{ echo(text: "'), 400),
    "an unclosed block string": (query('{ echo(text: """'), 400),
    "a wrong escape": (query('{ echo(text: "\\x") }'), 400),
    "only a comment": (query("# hello"), 400),
    "only spaces": (query("   "), 400),
    "a type definition": (query("type A { b: Int }"), 400),
    "a schema's introspection by alias": (query("{ a: __schema { __typename } __schema { __typename } }"), 400),
    "no such fragment": (query("{ ...Missing }"), 400),
    "a fragment in itself": (query("{ ...A } fragment A on Query { ...A }"), 400),
    "fragments in a circle": (query("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }"), 400),
    "twice the same fragment": (query("{ ...A } fragment A on Query { hello } fragment A on Query { hello }"), 400),
    "twice the same operation": (query("query A { hello } query A { hello }", operationName="A"), 400),
    "an unknown directive": (query("{ hello @aa @aa @aa @aa @aa @aa @aa @aa @aa @aa }"), 400),
    "too many tokens": (query("{ " + "hello " * 6_000 + "}"), 400),
    "too many comments": (query("#\n" * 20_000 + "{ hello }"), 400),
    "a subscription": (query("subscription { ticks }"), 400),
    "a mutation the graph lacks": (query("mutation { missing }"), 400),
    "just as large as allowed": (padded(VISITOR_LIMITS.body_bytes), 200),
    "one byte too large": (padded(VISITOR_LIMITS.body_bytes + 1), 413),
    "twice as large": (b" " * LIMITS.body_bytes * 2, 413),
    "as long a document as allowed": (query("{ hello } #" + "a" * (LIMITS.query_characters - 11)), 200),
    "too long a document": (query("{ hello } #" + "a" * (LIMITS.query_characters - 10)), 413),
}
HEADERS: Final[dict[str, tuple[dict[str, str], int]]] = {
    "plain text": ({"content-type": "text/plain"}, 415),
    "a form": ({"content-type": "application/x-www-form-urlencoded"}, 415),
    "a form with files": ({"content-type": "multipart/form-data; boundary=x"}, 415),
    "GraphQL itself": ({"content-type": "application/graphql"}, 415),
    "nearly JSON": ({"content-type": "application/jsonfoo"}, 415),
    "JSON within plain text": ({"content-type": "text/plain; application/json"}, 415),
    "two types": ({"content-type": "application/json, text/plain"}, 415),
    "an empty type": ({"content-type": ""}, 415),
    "another charset": ({"content-type": "application/json; charset=utf-16"}, 415),
    "declared as compressed": ({"content-type": "application/json", "content-encoding": "gzip"}, 415),
    "an accepted type that is malformed": ({"content-type": "application/json", "accept": "x"}, 406),
    "Accept of commas": ({"content-type": "application/json", "accept": ",;,=;q=,"}, 406),
}
URLS: Final[dict[str, tuple[str, int]]] = {
    "no parameters": ("/graphql", 400),
    "no query": ("/graphql?variables={}", 400),
    "an empty query": ("/graphql?query=", 400),
    "two queries": ("/graphql?query={hello}&query={hello}", 400),
    "bytes that are not UTF-8": ("/graphql?query={hello}%23%ff", 400),
    "NUL": ("/graphql?query={hello}%23%00", 400),
    "NUL in a variable": ("/graphql?query={hello}&variables={%22a%22:%22%5Cu0000%22}", 400),
    "variables no JSON": ("/graphql?query={hello}&variables=a", 400),
    "variables empty": ("/graphql?query={hello}&variables=", 400),
    "variables a list": ("/graphql?query={hello}&variables=[]", 400),
    "extensions null": ("/graphql?query={hello}&extensions=null", 400),
    "half an escape": ("/graphql?query={hello}&operationName=%d8%0", 400),
    "1,000 parameters": ("/graphql?query={hello}" + "&a=1" * 1_000, 400),
    "a mutation": ("/graphql?query=mutation{note(text:%22a%22)}", 405),
    "a good query": ("/graphql?query={hello}&other=1&other=2", 200),
}


@pytest.fixture(scope="module", params=["httptools", "h11"])
def server(request: pytest.FixtureRequest) -> Iterator[int]:
    """Yield the port of a served endpoint, with each of the server's HTTP parsers."""
    with run_server(World().endpoint, http=request.param) as port:
        yield port


@pytest.fixture(autouse=True)
def quiet_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail a test that logs a warning or an error: all malformed requests are mistakes of the client."""
    caplog.set_level(logging.INFO)
    yield
    # Records of the test itself: this line already runs in the next phase, the teardown.
    records = caplog.get_records("call")
    assert [record.getMessage() for record in records if record.levelno > logging.INFO or record.exc_info] == []


@dataclass
class Connection:
    """A keep-alive connection to the server."""

    http: http.client.HTTPConnection

    def ask(
        self, method: str, path: str, body: bytes | Iterator[bytes] | None, headers: dict[str, str]
    ) -> tuple[int, dict[str, Any]]:
        """Return the status and JSON of the response; assert the headers that all responses have."""
        self.http.request(method, path, body, headers)
        response = self.http.getresponse()
        body = response.read()
        is_query = method == "GET" and response.status == http.client.OK
        assert response.getheader("cache-control") == f"private, {'no-cache' if is_query else 'no-store'}"
        assert response.getheader("vary") == "Accept, Accept-Encoding, Authorization"
        assert response.getheader("x-content-type-options") == "nosniff"
        assert response.getheader("x-request-id")
        assert response.getheader("content-length") == str(len(body))
        return response.status, json.loads(body)

    def assert_usable(self) -> None:
        """Assert that the next request is answered on the same connection."""
        assert self.http.sock is not None
        status, body = self.ask("POST", "/graphql", GOOD, JSON_TYPE)
        assert (status, body["data"]) == (200, {"hello": "world"})


@pytest.fixture
def connection(server: int) -> Iterator[Connection]:
    """Yield a new connection to the server."""
    with closing(http.client.HTTPConnection("127.0.0.1", server, timeout=10)) as http_connection:
        yield Connection(http_connection)


def assert_status(response: tuple[int, dict[str, Any]], expected: int) -> None:
    """Assert the status, and that errors are few and none is the server's."""
    status, body = response
    assert status == expected, body
    if status != http.client.OK:
        assert body.keys() - {"extensions"} == {"errors"}
        assert 0 < len(body["errors"]) <= MAX_ERRORS
        assert all(error["extensions"]["code"] != "INTERNAL" and error["message"] for error in body["errors"])


@pytest.mark.parametrize("body", BODIES)
def test_a_malformed_body_gets_a_response(connection: Connection, body: str) -> None:
    sent, expected = BODIES[body]
    assert_status(connection.ask("POST", "/graphql", sent, JSON_TYPE), expected)
    connection.assert_usable()


@pytest.mark.parametrize("headers", HEADERS)
def test_wrong_headers_get_a_response(connection: Connection, headers: str) -> None:
    sent, expected = HEADERS[headers]
    body = gzip.compress(GOOD) if "content-encoding" in sent else GOOD
    assert_status(connection.ask("POST", "/graphql", body, sent), expected)
    connection.assert_usable()


@pytest.mark.parametrize("url", URLS)
def test_a_wrong_url_gets_a_response(connection: Connection, url: str) -> None:
    sent, expected = URLS[url]
    assert_status(connection.ask("GET", sent, None, {"accept": RESPONSE}), expected)
    connection.assert_usable()


@pytest.mark.parametrize(("size", "expected"), [(LIMITS.body_bytes, 200), (LIMITS.body_bytes + 1, 413)])
def test_a_body_with_a_token_may_be_larger(connection: Connection, size: int, expected: int) -> None:
    headers = JSON_TYPE | {"authorization": "Bearer good"}
    assert_status(connection.ask("POST", "/graphql", padded(size), headers), expected)
    connection.assert_usable()


@pytest.mark.parametrize(("chunks", "expected"), [(3, 400), (5, 413), (7, 413)])
@pytest.mark.parametrize("token", [{}, {"authorization": "Bearer good"}], ids=["visitor", "member"])
def test_a_body_of_undeclared_length_is_limited_while_it_is_read(
    connection: Connection, chunks: int, expected: int, token: dict[str, str]
) -> None:
    sent = iter([b" " * ((LIMITS.body_bytes if token else VISITOR_LIMITS.body_bytes) // 4)] * chunks)
    assert_status(connection.ask("POST", "/graphql", sent, JSON_TYPE | token), expected)
    connection.assert_usable()


@pytest.mark.parametrize("length", ["content-length: 100000000", "transfer-encoding: chunked"])
def test_an_endless_body_is_not_read(server: int, length: str) -> None:
    head = f"POST /graphql HTTP/1.1\r\nhost: atoll\r\ncontent-type: application/json\r\n{length}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server), 5) as endless:
        endless.sendall(head.encode())
        sent_bytes = 0
        with suppress(ConnectionError):
            while "chunked" in length and sent_bytes < ENDLESS_BYTES:
                sent_bytes += endless.send(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
            answer = endless.recv(1_000)
            assert answer.startswith(b"HTTP/1.1 413 ")
            assert b"connection: close" in answer
    assert sent_bytes < ENDLESS_BYTES


@pytest.mark.parametrize("is_abrupt", [False, True])
def test_a_client_that_disconnects_within_a_body_is_not_logged(is_abrupt: bool) -> None:  # noqa: FBT001 - a parameter of the test
    endpoint, finished = World().endpoint, threading.Event()

    async def notify_end(scope: Scope, receive: Receive, send: Send) -> None:
        await endpoint(scope, receive, send)
        finished.set()

    head = b"POST /graphql HTTP/1.1\r\nhost: atoll\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n"
    with run_server(notify_end) as port, socket.create_connection(("127.0.0.1", port), 5) as leaving:
        leaving.sendall(head + b'{"query":')
        if is_abrupt:
            leaving.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        leaving.close()
        assert finished.wait(5)


def test_a_body_that_does_not_arrive_times_out(server: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_reading, "BODY_SECONDS", 0.1)
    head = b"POST /graphql HTTP/1.1\r\nhost: atoll\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server), 5) as slow:
        slow.sendall(head + b'{"query":')
        assert slow.recv(1_000).startswith(b"HTTP/1.1 408 ")
        while slow.recv(1_000):
            pass


def test_a_response_to_head_has_no_body(connection: Connection) -> None:
    connection.http.request("HEAD", "/graphql")
    response = connection.http.getresponse()
    assert (response.status, response.read()) == (405, b"")
    connection.assert_usable()


def test_a_websocket_is_rejected_in_the_handshake(connection: Connection) -> None:
    headers = {
        "connection": "upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
        "sec-websocket-protocol": "graphql-transport-ws",
    }
    connection.http.request("GET", "/graphql", headers=headers)
    assert connection.http.getresponse().status == http.client.FORBIDDEN
