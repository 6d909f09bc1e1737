"""Servers of the race as processes: pinned to one core, asked over HTTP, and measured from outside."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, NamedTuple, Self

from benchmarks.race.operations import Operation

SERVER_CORE, LOAD_CORE = 0, 1
START_SECONDS = 60
ANSWER_SECONDS = 120
TICKS = os.sysconf("SC_CLK_TCK")


class ServerStartError(Exception):
    """A server does not start; the message has the end of its output."""


class Answer(NamedTuple):
    """An answer, its size in bytes, and the seconds until it arrived."""

    content: Any
    size: int
    seconds: float


@dataclass
class Server:
    """A server: its command, in which `{port}` is its port, also in the environment as PORT; and its operations."""

    name: str
    command: list[str]
    operations: Mapping[str, Operation]
    token: str
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    companion_pids: tuple[int, ...] = ()  # processes that work for it, such as its database
    core: int = SERVER_CORE
    port: int = 0
    _process: subprocess.Popen[bytes] = field(init=False, repr=False)
    _client: HTTPConnection = field(init=False, repr=False)

    def __enter__(self) -> Self:
        """Start the server and wait until it accepts connections. Raises ServerStartError."""
        self.port = self.port or free_port()
        self._client = HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        command = [part.format(port=self.port) for part in self.command]
        environment = os.environ | self.environment | {"PORT": str(self.port)}
        pinned = ["taskset", "--cpu-list", str(self.core), *command]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(pinned, env=environment, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while not self._accepts():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise ServerStartError(f"It does not start: {' '.join(command)}\n{self._output()}")
            time.sleep(0.1)
        return self

    def __exit__(self, *_exception: object) -> None:
        """Stop the server."""
        self._client.close()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def twin(self) -> Self:
        """Return another server with the same database, for the core of the load."""
        name = f"{self.name}, second process"
        return replace(self, name=name, core=LOAD_CORE, log=self.log.with_name(f"{name}.log"), port=0)

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self._process.pid

    @property
    def url(self) -> str:
        """The address of its GraphQL endpoint."""
        return f"http://127.0.0.1:{self.port}/graphql"

    @property
    def headers(self) -> dict[str, str]:
        """The headers of each request."""
        media = "application/json"
        return {"content-type": media, "accept": media, "authorization": f"Bearer {self.token}"}

    def body(self, name: str, variables: Mapping[str, Any] | None = None) -> str:
        """Return the request body of an operation, with the measured variables by default."""
        operation = self.operations[name]
        values = operation.variables if variables is None else variables
        return json.dumps({"query": operation.query, "variables": values, "operationName": name})

    def ask(self, name: str, variables: Mapping[str, Any] | None = None) -> Answer:
        """Return the answer to an operation; exit on another status than 200 and on errors."""
        return self._post(self.body(name, variables), name)

    def execute(self, query: str, variables: Mapping[str, Any]) -> Any:
        """Return the data of an operation that is not one of the race; exit on errors."""
        return self._post(json.dumps({"query": query, "variables": variables}), query).content["data"]

    def ask_without_token(self, name: str) -> str:
        """Return the body of the response to an unknown token."""
        return self._request(self.body(name), self.headers | {"authorization": "Bearer unknown"})[1].decode()

    def cpu_seconds(self) -> float:
        """Return the CPU time that the server and its companions have used so far."""
        return sum(_cpu_seconds(pid) for pid in (self._process.pid, *self.companion_pids))

    def memory(self) -> float:
        """Return the resident memory of the server's process, in MB, without companions."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="utf-8")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024

    def _output(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-2_000:]

    def _accepts(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def _post(self, body: str, title: str) -> Answer:
        started = time.perf_counter()
        try:
            status, text = self._request(body, self.headers)
        except (HTTPException, OSError) as error:
            raise SystemExit(f"{self.name} does not answer {title}: {error}\n{self._output()}") from error
        seconds = time.perf_counter() - started
        content = json.loads(text) if status == HTTPStatus.OK else {"errors": text[:500]}
        if "errors" in content:
            raise SystemExit(f"{self.name} cannot answer {title}: {content['errors']!r}")
        return Answer(content, len(text), seconds)

    def _request(self, body: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Return the status and the body of a response."""
        try:
            return self._send(body, headers)
        except ConnectionError:  # servers close a connection that was not used for some seconds
            self._client.close()
            return self._send(body, headers)

    def _send(self, body: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        self._client.request("POST", "/graphql", body.encode(), dict(headers))
        response = self._client.getresponse()
        return response.status, response.read()


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
    for process in (pid, *_children(pid)):
        try:
            fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
        except OSError:
            continue  # it ended meanwhile
        total += (int(fields[11]) + int(fields[12])) / TICKS
    return total


def _children(pid: int) -> Iterator[int]:
    try:
        yield from map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split())
    except OSError:
        return  # it ended meanwhile
