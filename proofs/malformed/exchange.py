"""Exchanges: bytes that a client sends on a connection of its own, and how the server ends them."""

import asyncio
import re
import socket
import struct
import time
from dataclasses import dataclass
from enum import Enum, auto

from proofs.malformed.serve import BODY_SECONDS, HEAD_SECONDS, IDLE_SECONDS
from proofs.proof import BrokenPromiseError

PATIENCE_SECONDS = 60
"""How much longer than its time-outs the server may take, on a busy machine."""

SERVER_SECONDS = HEAD_SECONDS + BODY_SECONDS + IDLE_SECONDS
UNAVAILABLE = b'"code":"UNAVAILABLE"'
ATTEMPTS, PAUSE_SECONDS = 5, 1
MAX_RECEIVED = 64 * 1024 * 1024
ABORT = struct.pack("ii", 1, 0)  # of SO_LINGER: closing the socket resets the connection
STATUS = re.compile(rb"^HTTP/1\.1 (\d{3}) ", re.MULTILINE)
LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


class End(Enum):
    """Who ends a connection, and when."""

    ANSWERED = auto()
    """The client, after the first response."""

    SERVER = auto()
    """The server, after its time-outs."""

    LEFT = auto()
    """The client, as soon as it has sent everything."""

    RESET = auto()
    """The client, likewise, by a reset."""


@dataclass(frozen=True)
class Exchange:
    """Bytes to send in parts, with a pause between each two, in seconds."""

    kind: str
    parts: tuple[bytes, ...]
    end: End = End.ANSWERED
    pause: float = 0

    def describe(self) -> str:
        """Return kind and bytes, cut."""
        parts = "\n".join(repr(part[:3_000]) for part in self.parts[:20])
        return f"{self.kind}, ended by {self.end.name}, {len(self.parts)} parts:\n{parts}"


async def run_exchange(port: int, exchange: Exchange) -> bool:
    """Send the bytes; return False if the server is too busy for them.

    Raises BrokenPromiseError for a status of the server's own failure, and for a late end.
    """
    try:
        received = await _send(port, exchange)
    except TimeoutError:
        message = f"The connection was neither answered nor closed within {SERVER_SECONDS + PATIENCE_SECONDS} s."
        raise BrokenPromiseError(f"{message}\n{exchange.describe()}") from None
    failures = {status for status in STATUS.findall(received) if status.startswith(b"5")}
    if failures == {b"503"} and UNAVAILABLE in received:
        return False
    if failures:
        raise BrokenPromiseError(f"A server error: {received[:2_000]!r}\n{exchange.describe()}")
    return True


async def run_alone(port: int, exchange: Exchange) -> None:
    """Send the bytes again, beside no others. Raises BrokenPromiseError if the server is too busy once more."""
    for _ in range(ATTEMPTS):
        await asyncio.sleep(PAUSE_SECONDS)
        if await run_exchange(port, exchange):
            return
    raise BrokenPromiseError(f"The server is unavailable for a request alone.\n{exchange.describe()}")


async def _send(port: int, exchange: Exchange) -> bytes:
    """Return the bytes received until the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    if exchange.end is End.RESET:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
    try:
        receiving = asyncio.ensure_future(_receive(reader, exchange.end))
        try:
            return await _converse(writer, receiving, exchange)
        finally:
            receiving.cancel()
            await asyncio.gather(receiving, return_exceptions=True)
    except ConnectionError:
        return b""  # a reset is an end, too
    finally:
        writer.transport.abort()


async def _converse(writer: asyncio.StreamWriter, receiving: "asyncio.Future[bytes]", exchange: Exchange) -> bytes:
    for number, part in enumerate(exchange.parts):
        if number and exchange.pause:
            await asyncio.wait({receiving}, timeout=exchange.pause)
        if receiving.done():
            break
        writer.write(part)
        # A server that does not read any more closes the connection, which ends the wait.
        async with asyncio.timeout(SERVER_SECONDS + PATIENCE_SECONDS):
            await writer.drain()
    if exchange.end in {End.LEFT, End.RESET}:
        return b""
    async with asyncio.timeout(SERVER_SECONDS + PATIENCE_SECONDS):
        return await asyncio.shield(receiving)


async def _receive(reader: asyncio.StreamReader, end: End) -> bytes:
    """Return the bytes received until the first response is complete, or until the server closes the connection."""
    received = bytearray()
    try:
        while chunk := await reader.read(2**16):
            received += chunk
            if len(received) > MAX_RECEIVED:
                raise BrokenPromiseError(f"More than {MAX_RECEIVED} bytes were received.")
            if end is End.ANSWERED and _is_answered(received):
                break
    except ConnectionError:
        pass  # a reset is an end, too
    return bytes(received)


def _is_answered(received: bytearray) -> bool:
    head, separator, body = bytes(received).partition(b"\r\n\r\n")
    length = LENGTH.search(head + b"\r\n")
    return bool(separator) and (length is None or len(body) >= int(length[1]))


async def ask_well(port: int, request: bytes, expected: bytes) -> None:
    """Raise BrokenPromiseError unless the server answers a good request."""
    started = time.monotonic()
    try:
        received = await _send(port, Exchange("good", (request,)))
    except TimeoutError:
        received = b"nothing"
    if expected not in received:
        seconds = time.monotonic() - started
        raise BrokenPromiseError(f"A good request got this after {seconds:.1f} s: {received[:2_000]!r}")
