"""Server process that is killed and started again, and the database server below it."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from app import worker
from app.application import create_application
from app.settings import Settings
from proofs.proof import BrokenPromiseError
from resolvers.write import job, membership
from store import jobs
from tests.cli_process import environment, free_port, start_forker

INLINE_ITEMS = 12
CHUNK = 5
READY_SECONDS = 60
"""Longest start of a server, on a machine that is busy with other work."""

PRELUDE = "from proofs.crashes.server import prepare_process; prepare_process()"
"""Program of the process that servers are forked from, before it waits for requests."""


def prepare_process() -> None:
    """Build the schema once for all servers, and let small bulk mutations be jobs with short leases.

    A killed server's job would otherwise wait 15 seconds for the next one.
    """
    for module, name, value in (
        (membership, "INLINE_BULK_ITEMS", INLINE_ITEMS),
        (job, "CHUNK_SIZE", CHUNK),
        (jobs, "LEASE_MS", 300),
        (worker, "POLL_SECONDS", 0.1),
    ):
        setattr(module, name, value)
    create_application(Settings())


class ServerProcess:
    """`atoll serve` in a process of its own, forked from one that has imported everything."""

    def __init__(self, forker: subprocess.Popen[str], folder: Path, database_url: str) -> None:
        """Use `open_server` instead."""
        self._forker, self._folder = forker, folder
        self._environment = environment(DATABASE_URL=database_url, RATE_POINTS="0")
        port = free_port()
        self._arguments = ("serve", "--port", str(port))
        self.url = f"http://127.0.0.1:{port}"
        self._pid = 0

    def start(self) -> None:
        """Start the process, and wait until it is ready."""
        request = {"arguments": self._arguments, "environment": self._environment, "folder": str(self._folder)}
        assert self._forker.stdin
        self._forker.stdin.write(json.dumps(request | {"user": 0}) + "\n")
        self._forker.stdin.flush()
        self._pid = self._read_number()
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Wait until the server can use its database. Raises BrokenPromiseError if it takes too long."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{self.url}/readyz").is_success:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.02)
        output = "\n".join((self._folder / name).read_text(encoding="utf-8")[-2_000:] for name in ("out", "err"))
        raise BrokenPromiseError(f"The server is not ready after {READY_SECONDS} seconds.\n{output}")

    def kill(self) -> None:
        """Kill the process, and wait until it is gone."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            self._pid = 0
            code = self._read_number()
            if code != -signal.SIGKILL:
                raise BrokenPromiseError(f"The server ended by itself, with code {code}.")

    def _read_number(self) -> int:
        assert self._forker.stdout
        return int(self._forker.stdout.readline())


@contextmanager
def open_server(folder: Path, database_url: str, prelude: str = PRELUDE) -> Iterator[ServerProcess]:
    """Prepare a server, started and killed by the block; one that still runs is killed on exit."""
    with start_forker(prelude) as forker:
        server = ServerProcess(forker, folder, database_url)
        try:
            yield server
        finally:
            server.kill()
