"""The server process as the proof sees it: its descriptors, its memory, and the errors in its log. Linux only."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.race.server import free_port
from proofs.malformed.serve import IDLE_SECONDS
from proofs.memory import resident_bytes
from proofs.proof import BrokenPromiseError

START_SECONDS = 120
SETTLE_SECONDS = 60
POLL_SECONDS = 0.1
SPARE_DESCRIPTORS = 32
"""How many more descriptors a process may have than at first: connections of pools, which open when they are needed."""

MAX_GROWTH, SPARE_BYTES = 0.1, 32 * 2**20
"""How much more memory it may have than after the warm-up."""

ENVIRONMENT = {
    "ATOLL_LOG": "json",
    "ATOLL_LOG_LEVEL": "warning",
    "ATOLL_IDLE_SECONDS": str(IDLE_SECONDS),
    "ATOLL_OPERATION_SECONDS": "60",  # a busy machine is no fault
    "ATOLL_DRAIN_SECONDS": "0",
    "ATOLL_RATE_POINTS": "0",
}


class Figures(NamedTuple):
    """Descriptors and memory of a process."""

    descriptors: int
    resident_bytes: int


class ServerProcess:
    """A server process, watched from outside."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        """Take the process, its port, and the file of its standard error output."""
        self.port, self._process, self._log, self._read_bytes = port, process, log, 0
        self.reference: Figures | None = None
        """Figures after the warm-up."""

    def figures(self) -> Figures:
        """Return descriptors and memory, after unused memory was returned to the system."""
        self._process.send_signal(signal.SIGUSR1)
        time.sleep(POLL_SECONDS)  # until it was
        return Figures(self._descriptors(), resident_bytes(self._process.pid))

    def check(self) -> None:
        """Raise BrokenPromiseError if it ended, logged an error, or keeps descriptors or memory."""
        if self._process.poll() is not None:
            raise BrokenPromiseError(f"The server ended with exit code {self._process.returncode}.\n{self._tail()}")
        if errors := self.new_errors():
            raise BrokenPromiseError(f"The log has errors:\n{errors}")
        if self.reference is None:
            return
        most = self.reference.descriptors + SPARE_DESCRIPTORS
        deadline = time.monotonic() + SETTLE_SECONDS
        while self._descriptors() > most and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        figures = self.figures()
        if figures.descriptors > most:
            raise BrokenPromiseError(
                f"{figures.descriptors} descriptors are open, {self.reference.descriptors} after the warm-up."
            )
        if figures.resident_bytes > self.reference.resident_bytes * (1 + MAX_GROWTH) + SPARE_BYTES:
            used, reference = figures.resident_bytes // 2**20, self.reference.resident_bytes // 2**20
            raise BrokenPromiseError(f"{used} MiB of memory are in use, {reference} after the warm-up.")

    def new_errors(self) -> str:
        """Return the lines that were logged since the last call and are errors, or no JSON."""
        with self._log.open("rb") as log:
            log.seek(self._read_bytes)
            text = log.read()
        self._read_bytes += len(text)
        lines = text.decode(errors="replace").splitlines()
        return "\n".join(line[:2_000] for line in lines if '"level":"warning"' not in line)

    def _descriptors(self) -> int:
        return len(list(Path(f"/proc/{self._process.pid}/fd").iterdir()))

    def _tail(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")[-2_000:]

    def wait_until_ready(self) -> None:
        """Wait until it listens. Raises BrokenPromiseError if it does not."""
        deadline = time.monotonic() + START_SECONDS
        while not self._is_listening():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise BrokenPromiseError(f"The server does not start.\n{self._tail()}")
            time.sleep(POLL_SECONDS)

    def _is_listening(self) -> bool:
        local = f":{self.port:04X} 00000000:0000 0A"  # listening
        return local in Path("/proc/net/tcp").read_text(encoding="ascii")


@contextmanager
def run_server_process(url: str, fault: str | None = None) -> Iterator[ServerProcess]:
    """Serve the database by a process of its own, which ends with the block."""
    port = free_port()
    command = [sys.executable, "-m", "proofs.malformed.serve", str(port), *([fault] if fault else [])]
    with tempfile.TemporaryDirectory(prefix="atoll-malformed-") as folder:
        path = Path(folder) / "log"
        with path.open("wb") as log:
            environment = os.environ | ENVIRONMENT | {"ATOLL_DATABASE_URL": url}
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            server = ServerProcess(process, port, path)
            server.wait_until_ready()
            yield server
        finally:
            process.kill()
            process.wait()
