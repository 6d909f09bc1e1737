"""End of a server process without a reset connection: unready first, then closing connections, then closed."""

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Final

import uvicorn
from starlette.types import Message, Send
from uvicorn.supervisors.multiprocess import Multiprocess

CLOSE: Final = (b"connection", b"close")

GRACEFUL_SECONDS: Final = 20
"""How long a server that has closed its listening sockets goes on answering."""

STOP_SECONDS: Final = GRACEFUL_SECONDS + 5
"""How long a supervisor should wait for the end of a server, beside its drain, before it kills it."""


class Drain:
    """Last seconds of a process after SIGTERM: it is not ready, and closes each connection with its next response."""

    def __init__(self, seconds: float) -> None:
        """Take the length; 0 to end at once."""
        self._seconds = seconds
        self.has_begun = False
        self.begun = asyncio.Event()
        """The same, to be awaited: subscriptions end then, for which the server would wait."""

    @contextmanager
    def on_signal(self) -> Iterator[None]:
        """Drain at the first SIGTERM in the block, then pass the signal on to the server, which ends.

        Without a length, and at SIGINT, the server ends at once.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        ends: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        loop = asyncio.get_running_loop()

        def begin(number: int, frame: object) -> None:
            if number == signal.SIGINT or not self._seconds:
                loop.call_soon_threadsafe(self.begun.set)
                ends[number](number, frame)
            elif not self.has_begun:
                self.has_begun = True
                loop.call_soon_threadsafe(self.begun.set)
                loop.call_soon_threadsafe(loop.call_later, self._seconds, finish, number, frame)

        def finish(number: int, frame: object) -> None:
            if isinstance(server := getattr(ends[number], "__self__", None), uvicorn.Server):
                _stop_listening(server)
            ends[number](number, frame)

        for number in ends:
            signal.signal(number, begin)
        try:
            yield
        finally:
            for number, end in ends.items():
                signal.signal(number, end)


def closing(send: Send) -> Send:
    """Return `send`, which closes the connection with its response."""

    async def send_closing(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], CLOSE]
        await send(message)

    return send_closing


def _stop_listening(server: uvicorn.Server) -> None:
    """Close the listening sockets after accepting all connections in their backlogs, which the kernel would reset."""
    loop, state = asyncio.get_running_loop(), server.server_state
    kind: Any = server.config.http_protocol_class
    make_protocol = partial(kind, server.config, state, server.lifespan.state)
    for listening in server.servers:
        for listener in listening.sockets:
            with socket.socket(fileno=os.dup(listener.fileno())) as backlog, suppress(BlockingIOError):
                while True:
                    connection = backlog.accept()[0]
                    connection.settimeout(0)
                    task: asyncio.Task[Any] = loop.create_task(loop.connect_accepted_socket(make_protocol, connection))
                    state.tasks.add(task)
                    task.add_done_callback(state.tasks.discard)
        listening.close()


class DrainingSupervisor(Multiprocess):
    """Supervisor of workers that drain. It holds no listening socket meanwhile, whose backlog nobody would answer."""

    def terminate_all(self) -> None:
        """Close the sockets, which the workers have as well, and have the workers end."""
        for listener in self.sockets:
            listener.close()
        super().terminate_all()
