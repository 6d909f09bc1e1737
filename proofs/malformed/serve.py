"""Server process of the proof: `atoll serve` with short time-outs, and a planted fault if one is named.

`python -m proofs.malformed.serve PORT [FAULT]`. The signal SIGUSR1 returns unused memory to the system, so that what
is left is in use.
"""

import os
import signal
import sys
from functools import lru_cache
from typing import Any, Final

from app import cli, documents, http_protocol, query_engine, request, turns, websocket_protocol
from app.http_request import HTTPRequest
from app.live import socket as live_socket
from proofs.memory import settled_bytes
from resolvers.listing import statement_cache

HEAD_SECONDS: Final = 0.5
BODY_SECONDS: Final = 0.7
IDLE_SECONDS: Final = 1
WAIT_SECONDS: Final = 60
"""Longest wait for a turn: an operation that waits long on a busy machine is no fault."""

CACHED_ENTRIES: Final = 8
"""Size of the caches of documents, plans and statements: so small that they are full after the warm-up."""

FAULTY_HEADER: Final = b"traceparent"


def _raise_for_a_header() -> None:
    """Fail if a request has a certain header."""
    first_header = HTTPRequest.first_header

    def failing(self: HTTPRequest, name: bytes, default: bytes = b"") -> bytes:
        if first_header(self, FAULTY_HEADER):
            raise LookupError(FAULTY_HEADER)
        return first_header(self, name, default)

    HTTPRequest.first_header = failing  # type: ignore[method-assign]  # a planted fault


def _keep_descriptors() -> None:
    """Keep a descriptor for each connection."""
    connection_made = http_protocol.GuardedProtocol.connection_made

    def keeping(self: http_protocol.GuardedProtocol, transport: Any) -> None:
        connection_made(self, transport)
        os.dup(sys.stderr.fileno())

    http_protocol.GuardedProtocol.connection_made = keeping  # type: ignore[method-assign]  # a planted fault


def _keep_memory() -> None:
    """Keep a megabyte for each connection."""
    connection_made, kept = http_protocol.GuardedProtocol.connection_made, []

    def keeping(self: http_protocol.GuardedProtocol, transport: Any) -> None:
        connection_made(self, transport)
        kept.append(b"x" * 2**20)

    http_protocol.GuardedProtocol.connection_made = keeping  # type: ignore[method-assign]  # a planted fault


def _wait_for_ever() -> None:
    """Set no time-out for heads."""

    def wait(self: http_protocol.GuardedProtocol) -> None:
        del self

    http_protocol.GuardedProtocol._start_deadline = wait  # type: ignore[method-assign]  # noqa: SLF001 - a planted fault


FAULTS: Final = {
    "header": _raise_for_a_header,
    "descriptors": _keep_descriptors,
    "memory": _keep_memory,
    "time-out": _wait_for_ever,
}


def main(port: str, fault: str | None = None) -> None:
    """Serve until the process is stopped."""
    vars(http_protocol)["HEAD_SECONDS"] = HEAD_SECONDS
    vars(request)["BODY_SECONDS"] = BODY_SECONDS
    vars(turns)["WAIT_SECONDS"] = WAIT_SECONDS
    vars(live_socket)["INITIALISATION_SECONDS"] = HEAD_SECONDS
    vars(websocket_protocol)["CLOSE_SECONDS"] = HEAD_SECONDS
    vars(documents)["_parse_cached"] = lru_cache(CACHED_ENTRIES)(vars(documents)["_parse_cached"].__wrapped__)
    vars(query_engine)["CACHE_SIZE"] = CACHED_ENTRIES
    vars(statement_cache)["MAX_STATEMENTS"] = CACHED_ENTRIES
    if fault is not None:
        FAULTS[fault]()
    signal.signal(signal.SIGUSR1, lambda *_: settled_bytes())
    sys.argv = ["atoll", "serve", "--port", port]
    cli.main()


if __name__ == "__main__":
    main(*sys.argv[1:])
