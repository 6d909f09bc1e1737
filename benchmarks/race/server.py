"""The raced servers as processes: started on a core of their own, asked, and measured from outside."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx

from benchmarks.race.operations import Operation

SERVER_CORE, LOAD_CORE = "0", "1"
START_SECONDS = 60
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Server:
    """A server to race: its command, which finds its port in PORT, and its operations."""

    name: str
    command: list[str]
    operations: Mapping[str, Operation]
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    companion_pids: tuple[int, ...] = ()  # processes that work for it, such as its database
    token: str = ""
    port: int = 0

    def __enter__(self) -> Self:
        """Start the server and wait until it accepts connections."""
        self.port = self.port or free_port()
        command = [part.format(port=self.port) for part in self.command]
        environment = os.environ | self.environment | {"PORT": str(self.port)}
        pinned = ["taskset", "--cpu-list", SERVER_CORE, *command]
        self._process = subprocess.Popen(pinned, cwd=self.folder, env=environment, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.__exit__()
                    raise SystemExit(f"{self.name} does not start: {' '.join(command)}") from None
                time.sleep(0.1)
            else:
                return self

    def __exit__(self, *_exception: object) -> None:
        """Stop the server."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def url(self) -> str:
        """The address of its GraphQL endpoint."""
        return f"http://127.0.0.1:{self.port}/graphql"

    @property
    def headers(self) -> dict[str, str]:
        """The headers of each request."""
        media = "application/json"
        return {"content-type": media, "accept": media, "authorization": f"Bearer {self.token}"}

    def body(self, name: str) -> str:
        """Return the request body of an operation."""
        operation = self.operations[name]
        return json.dumps({"query": operation.query, "variables": operation.variables, "operationName": name})

    def ask(self, name: str) -> Any:
        """Return the answer to an operation; end the race on any other status than 200 and on errors."""
        response = httpx.post(self.url, content=self.body(name), headers=self.headers, timeout=120)
        answer = response.json() if response.status_code == httpx.codes.OK else {"errors": response.text[:500]}
        if "errors" in answer:
            raise SystemExit(f"{self.name} cannot answer {name}: {answer['errors']}")
        return answer

    def cpu_seconds(self) -> float:
        """Return the CPU time that the server and its companions have used so far."""
        return sum(_cpu_seconds(pid) for pid in (self._process.pid, *self.companion_pids))

    def memory(self) -> float:
        """Return the resident memory of the server's process, in MB."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="utf-8")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


def python(*arguments: str) -> list[str]:
    """Return a command of this environment's Python."""
    return [sys.executable, *arguments]


def free_port() -> int:
    """Return a port of the loopback address that is free now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _cpu_seconds(pid: int) -> float:
    total = 0.0
    for child in (pid, *_children(pid)):
        try:
            fields = Path(f"/proc/{child}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
        except OSError:
            continue  # it ended meanwhile
        total += (int(fields[11]) + int(fields[12])) / TICKS
    return total


def _children(pid: int) -> list[int]:
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]
    except OSError:
        return []
