"""TCP proxy that stops passing bytes, as a network does that loses them silently."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any


class StallingProxy:
    """Proxy before a port of this machine, in the event loop of its caller. Opened with `open_proxy`."""

    def __init__(self, target: int) -> None:
        """Take the port that bytes are passed to."""
        self.port = 0
        self._target = target
        self._passes = asyncio.Event()
        self._passes.set()
        self._connections: set[asyncio.Task[Any] | None] = set()

    @contextmanager
    def stall(self) -> Iterator[None]:
        """Pass no bytes during the block: connections are accepted and stay open. Pass the held bytes afterwards."""
        self._passes.clear()
        try:
            yield
        finally:
            self._passes.set()

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass the bytes of a connection in both directions until either side closes it."""
        self._connections.add(asyncio.current_task())
        await self._passes.wait()
        with suppress(OSError):
            others = await asyncio.open_connection("127.0.0.1", self._target)
            await asyncio.gather(self._pass(reader, others[1]), self._pass(others[0], writer))

    async def close(self) -> None:
        """Close all connections."""
        for task in filter(None, self._connections):
            task.cancel()
        await asyncio.gather(*filter(None, self._connections), return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                await self._passes.wait()
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()


@asynccontextmanager
async def open_proxy(target: int) -> AsyncIterator[StallingProxy]:
    """Open a proxy on a free port of this machine, and close it at the end of the block."""
    proxy = StallingProxy(target)
    async with await asyncio.start_server(proxy.connect, "127.0.0.1", 0) as server:
        proxy.port = server.sockets[0].getsockname()[1]
        try:
            yield proxy
        finally:
            await proxy.close()
