"""Random malformed requests: damaged copies of valid ones, and bytes of other protocols."""

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final
from urllib.parse import quote

from proofs.differential.generator import Request
from proofs.malformed.exchange import End, Exchange
from proofs.malformed.serve import BODY_SECONDS, HEAD_SECONDS

SLOW_SHARE: Final = 0.05
CUT_SHARE: Final = 0.15
SPLIT_SHARE: Final = 0.2  # are sent in several parts
TOKEN_SHARE: Final = 0.3
BOMB_SHARE: Final = 0.05  # of damaged documents
DRIP_SECONDS: Final = 0.1
DRIPS: Final = int((HEAD_SECONDS + BODY_SECONDS) / DRIP_SECONDS) * 2
GOOD: Final = b'{"query":"{ __typename }"}'
ODD_VALUES: Final[Sequence[Any]] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        2**31,
        2**63,
        1e308,
        "",
        "x",
        "\u0000",
        "\ud800",
        [],
        {},
        [None],
        ["x"],
        {"a": {"b": []}},
    ),
    *("{ hello", "é" * 200, {"": ""}, [[[[]]]], 0.1, "null"),
)
MEMBERS: Final = ("query", "variables", "operationName", "extensions", "", "QUERY", "id")
TOKENS: Final = (
    b"{",
    b"}",
    b"(",
    b")",
    b"[",
    b"]",
    b":",
    b"$",
    b"@",
    b"!",
    b"...",
    b'"',
    b'"""',
    b"#",
    b"&",
    b"|",
    b"=",
)
BYTES: Final = (
    b"\0",
    b"\xff",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\r",
    b"\n",
    b"\r\n",
    b" ",
    b"\t",
    b"\x7f",
)
METHODS: Final = (
    *(b"GET", b"POST", b"PUT", b"DELETE", b"HEAD", b"OPTIONS", b"PATCH", b"TRACE", b"CONNECT", b"PRI", b"PROPFIND"),
    *(b"get", b"", b"G\0T", b"POSTPOST", b"\xff", b"A" * 5_000),
)
TARGETS: Final = (
    *(b"/", b"/graphql/", b"//graphql", b"/graphql?", b"/graphql#x", b"/graphql/../graphql", b"/GRAPHQL", b"/healthz"),
    *(b"/readyz", b"/metrics", b"*", b"", b"graphql", b"http://127.0.0.1/graphql", b"http://[::1", b"127.0.0.1:443"),
    *(
        b"/graphql%",
        b"/graph%71l",
        b"/%00",
        b"/%ff%fe",
        b"/graphql;x",
        b"/\xff",
        b"/" + b"a" * 40_000,
        b"/../../etc/passwd",
    ),
    *(b"/graphql?query={__typename}", b"/graphql?query=%7B&query=%7B", b"/graphql?" + b"a=1&" * 500, b"/graphql/ide"),
)
VERSIONS: Final = (
    b"HTTP/1.1",
    b"HTTP/1.1",
    b"HTTP/1.0",
    b"HTTP/0.9",
    b"HTTP/2.0",
    b"HTTP/1.9",
    b"http/1.1",
    b"",
    b"HTTP",
)
HEADERS: Final = (
    *(b"Content-Length: 5", b"Content-Length: -1", b"Content-Length: 99999999999999999999", b"Content-Length: 1e3"),
    *(
        b"Content-Length: ",
        b"Content-Length: 0x10",
        b"Content-Length: 3, 3",
        b"content-length : 4",
        b"Content-Length: 700000",
    ),
    *(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", b"Transfer-Encoding: gzip, chunked"),
    *(b"Transfer-Encoding: chunked, chunked", b"Transfer-Encoding: \x0bchunked", b"TE: trailers", b"Trailer: Host"),
    *(b"Host: ", b"Host: evil.example", b"Host: a, b", b"Host: [::1]:99999", b"Host: \xff", b"Host: a\r\nHost: b"),
    *(b"Accept: ", b"Accept: text/html", b"Accept: */*;q=x", b"Accept: " + b"a/b," * 2_000, b"Accept: \xff/\xfe"),
    *(b"Accept: application/graphql-response+json;q=0, */*", b"Content-Type: text/plain", b"Content-Type: \xff"),
    *(
        b"Content-Type: application/json; charset=utf-7",
        b"Content-Type: multipart/form-data",
        b"Content-Encoding: gzip",
    ),
    *(b"Expect: 100-continue", b"Expect: x", b"Upgrade: h2c", b"Connection: Upgrade", b"Connection: close"),
    *(
        b"Connection: keep-alive, close, \xff",
        b"Authorization: ",
        b"Authorization: Bearer",
        b"Authorization: Bearer \xff",
    ),
    *(b"Authorization: Bearer a b", b"Authorization: Basic YTpi", b"Authorization: Bearer " + b"a" * 9_000),
    *(
        b"Authorization: Bearer e30.e30.e30",
        b"X-Request-Id: \xff",
        b"X-Request-Id: " + b"a" * 65,
        b"x-request-id: a\tb",
    ),
    *(b"traceparent: 00-0-0-0", b"traceparent: \xff", b"Sec-Fetch-Site: cross-site", b"Cookie: " + b"a=b; " * 1_000),
    *(b": no name", b"no colon", b" folded: yes", b"\0: x", b"a: \0", b"X-Forwarded-For: " + b"9" * 40_000),
    *(b"X-HTTP-Method-Override: DELETE", b"Range: bytes=0-", b"Sec-WebSocket-Key: x", b"Sec-WebSocket-Version: 13"),
)
CHUNKS: Final = (
    *(
        b"5\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhell\r\n0\r\n\r\n",
        b"g\r\n",
        b"-1\r\n",
        b"ffffffffffffffff\r\n",
        b"\r\n\r\n",
        b"0\r\n\r\n",
    ),
    *(
        b"1;" + b"a" * 9_000 + b"\r\nx\r\n0\r\n\r\n",
        b"0\r\nTrailer: x\r\n\r\n",
        b"0\r\nContent-Length: 5\r\n\r\n",
        b"1\r\nx",
    ),
    *(b"1\r\n{\r\n" * 500 + b"0\r\n\r\n", b"0x5\r\nhello\r\n", b"5 \r\nhello\r\n0\r\n\r\n", b"5\nhello\n0\n\n"),
)
WEBSOCKET: Final = (
    b"GET /graphql HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)
OTHER_PROTOCOLS: Final = (
    *(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xab" * 506, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0" * 9),
    *(
        WEBSOCKET,
        WEBSOCKET + b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x05\x01\x00",
    ),
    *(b"GET /graphql\r\n", b"\0" * 100, b"\r\n" * 50, b"{}\n", b"\x00\x00\x00\x08\x04\xd2\x16\x2f", b"EHLO a\r\n", b""),
)


class MalformedRequests:
    """Generator of exchanges, which begin with valid requests."""

    def __init__(self, random: Random, requests: Sequence[Request], token: str) -> None:
        """Take valid operations, and a token that some requests have."""
        self._random, self._requests, self._token = random, requests, token.encode()
        self._kinds: Sequence[Callable[[], bytes]] = (
            *(self._damaged_document, self._damaged_document, self._damaged_document, self._damaged_json),
            *(self._odd_members, self._deep_json, self._large, self._odd_headers, self._odd_headers, self._odd_start),
            *(self._damaged_head, self._chunks, self._pipeline, self._url, self._other_protocol),
        )

    def draw(self) -> Exchange:
        """Draw an exchange; one in twenty is slow."""
        make = self._random.choice(self._kinds)
        sent, kind = make(), make.__name__.strip("_")
        if self._happens(SLOW_SHARE):
            return self._slowly(kind, sent)
        if self._happens(CUT_SHARE):
            sent = sent[: self._random.randrange(len(sent) + 1)]
            return Exchange(
                f"{kind}, cut off", (sent,), self._random.choice((End.LEFT, End.RESET, End.LEFT, End.RESET))
            )
        parts = tuple(self._split(sent)) if self._happens(SPLIT_SHARE) else (sent,)
        return Exchange(kind, parts, self._random.choice((End.ANSWERED,) * 8 + (End.LEFT, End.RESET)))

    def _slowly(self, kind: str, sent: bytes) -> Exchange:
        """Send a part at once and some bytes in drips, without ever finishing."""
        at_once = self._random.randrange(len(sent)) if sent else 0
        drips = [
            sent[at_once + number : at_once + number + 1] for number in range(self._random.choice((0, 1, 5, DRIPS)))
        ]
        parts = (sent[:at_once], *(drip for drip in drips if drip))
        return Exchange(f"{kind}, slow", parts, End.SERVER, DRIP_SECONDS)

    def _split(self, sent: bytes) -> list[bytes]:
        places = sorted(self._random.randrange(len(sent) + 1) for _ in range(self._random.randrange(1, 6)))
        return [sent[start:end] for start, end in zip([0, *places], [*places, len(sent)], strict=True)]

    def _happens(self, share: float) -> bool:
        return self._random.random() < share

    # Heads

    def _post(self, body: bytes, *headers: bytes) -> bytes:
        length = b"Content-Length: %d" % len(body)
        usual = [b"Host: 127.0.0.1", b"Content-Type: application/json", b"Accept: application/graphql-response+json"]
        if self._happens(TOKEN_SHARE):
            usual.append(b"Authorization: Bearer " + self._token)
        return b"\r\n".join([b"POST /graphql HTTP/1.1", *usual, length, *headers, b"", body])

    def _odd_headers(self) -> bytes:
        headers = self._random.choices(HEADERS, k=self._random.choice((1, 1, 2, 3, 60)))
        return self._post(self._body(), *headers)

    def _odd_start(self) -> bytes:
        start = (self._random.choice(METHODS), self._random.choice(TARGETS), self._random.choice(VERSIONS))
        usual = (b"POST", b"/graphql", b"HTTP/1.1")
        line = b" ".join(self._random.choice(pair) for pair in zip(start, usual, strict=True))
        return line + self._post(self._body()).removeprefix(b"POST /graphql HTTP/1.1")

    def _damaged_head(self) -> bytes:
        head, separator, body = self._post(self._body()).partition(b"\r\n\r\n")
        return self._damage(head, BYTES) + separator + body

    def _chunks(self) -> bytes:
        _, _, rest = self._post(b"", b"Transfer-Encoding: chunked").partition(b"\r\n")
        head = b"POST /graphql HTTP/1.1\r\n" + rest.replace(b"Content-Length: 0\r\n", b"")
        body = self._body()
        chunk = b"%x\r\n%b\r\n" % (len(body), body)
        return head + self._random.choice((b"", chunk, chunk[:-2])) + self._random.choice(CHUNKS)

    def _pipeline(self) -> bytes:
        count = self._random.choice((2, 3, 10, 30))
        requests = [self._post(self._random.choice((GOOD, self._body()))) for _ in range(count)]
        garbage = self._random.choice((b"", b"", *CHUNKS, *OTHER_PROTOCOLS))
        requests.insert(self._random.randrange(count), garbage)
        return b"".join(requests)

    def _url(self) -> bytes:
        names = self._random.choices(MEMBERS, k=self._random.randrange(1, 5))
        values = [self._damage(self._request_members()["query"].encode(), TOKENS) for _ in names]
        pairs = [f"{name}={quote(value[:8_000])}" for name, value in zip(names, values, strict=True)]
        query = self._damage("&".join(pairs).encode(), (b"%", b"&", b"=", b"+", b"%00", b"%ff", b";"))
        return b"GET /graphql?%b HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\n\r\n" % query

    def _other_protocol(self) -> bytes:
        sent = self._random.choice((*OTHER_PROTOCOLS, self._random.randbytes(self._random.randrange(300))))
        return self._damage(sent, BYTES) if self._happens(0.3) else sent

    # Bodies

    def _body(self) -> bytes:
        return json.dumps(self._request_members()).encode()

    def _request_members(self) -> dict[str, Any]:
        request = self._random.choice(self._requests)
        return dict(request.body())

    def _damaged_document(self) -> bytes:
        members = self._request_members()
        damaged = self._damage(members["query"].encode(), TOKENS)
        if self._happens(BOMB_SHARE):
            count = self._random.choice((30, 1_000, 20_000))
            damaged = self._random.choice((b"{ a " * count, b"a " * count, b"# " * count, b"[" * count, damaged * 30))
        return self._post(json.dumps({**members, "query": damaged.decode(errors="replace")}).encode())

    def _damaged_json(self) -> bytes:
        return self._post(
            self._damage(self._body(), (*TOKENS, *BYTES, b"\\u0000", b"\\ud800", b"NaN", b"1e999", b"9" * 400))
        )

    def _odd_members(self) -> bytes:
        members = self._request_members()
        for _ in range(self._random.randrange(1, 4)):
            members[self._random.choice(MEMBERS)] = self._random.choice(ODD_VALUES)
        if members.get("variables") and isinstance(members["variables"], dict) and self._happens(0.5):
            members["variables"] = dict.fromkeys(members["variables"], self._random.choice(ODD_VALUES))
        whole = self._random.choice((members, members, members, [members], self._random.choice(ODD_VALUES)))
        return self._post(json.dumps(whole).encode())

    def _deep_json(self) -> bytes:
        depth = self._random.choice((10, 500, 2_000, 30_000))
        start, end = self._random.choice(((b"[", b"]"), (b'{"a":', b"}")))
        closing = self._random.choice((b"", b"1" + end * depth, b"1" + end * (depth - 1)))
        return self._post(b'{"query":"{ __typename }","variables":{"a":%b}}' % (start * depth + closing))

    def _large(self) -> bytes:
        size = self._random.choice((70_000, 260_000, 300_000))
        return self._post(b'{"query":"{ __typename } #%b"}' % (b"a" * size))

    def _damage(self, text: bytes, pieces: Sequence[bytes]) -> bytes:
        """Return a copy with some bytes flipped, dropped, doubled, moved or inserted."""
        damaged = bytearray(text)
        for _ in range(self._random.choice((1, 1, 1, 2, 5, 20))):
            place = self._random.randrange(len(damaged) + 1)
            size = self._random.choice((1, 1, 2, 10, 200))
            piece = damaged[place : place + size]
            match self._random.randrange(5):
                case 0:
                    damaged[place : place + size] = b""
                case 1:
                    damaged[place:place] = piece
                case 2:
                    damaged[place:place] = self._random.choice(pieces)
                case 3:
                    damaged[place : place + 1] = bytes(byte ^ (1 << self._random.randrange(8)) for byte in piece[:1])
                case _:
                    other = self._random.randrange(len(damaged) + 1)
                    damaged[other:other] = piece
        return bytes(damaged)
