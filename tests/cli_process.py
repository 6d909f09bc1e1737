"""This file is the command line as a user runs it: each command in a process and an environment of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[1]
NOBODY = 65_534
SECONDS = 60
ATOLL = "from app.cli import main; main()"
# Importing takes seconds: one process imports, and forks for each command. Another account may be unable to read what
# would be imported late: Python may lie in a folder of root's own.
FORKER = """
import json, os, sys
import aiosqlite, alembic.ddl.sqlite
from app.cli import main
for line in sys.stdin:
    asked = json.loads(line)
    child = os.fork()
    if not child:
        os.environ.clear()
        os.environ.update(asked["environment"])
        for descriptor, name in enumerate((os.devnull, "out", "err")):
            path = os.path.join(asked["folder"], name)
            os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC), descriptor)
        if asked["user"]:
            os.setgroups([])
            os.setgid(asked["user"])
            os.setuid(asked["user"])
        sys.argv = ["atoll", *asked["arguments"]]
        sys.exit(main())
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@dataclass(frozen=True)
class CommandResult:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def error_line(self) -> str:
        """The one plain line of a command that refuses; fail for any other end."""
        assert (self.code, self.out) == (2, ""), self
        assert self.err.endswith("\n"), self
        [line] = self.err.splitlines()
        assert "Traceback" not in line, self
        return line


@dataclass
class CommandRunner:
    """Runs commands, by default on one database of the test's own."""

    forker: subprocess.Popen[str]
    folder: Path
    database_url: str
    user: int = 0  # the number of the account to run as; 0 for our own

    def __call__(self, *arguments: str, **settings: str) -> CommandResult:
        """Run `atoll` with the arguments, under these ATOLL_ settings."""
        assert self.forker.stdin
        assert self.forker.stdout
        asked = {
            "arguments": arguments,
            "environment": self.environment(**settings),
            "folder": str(self.folder),
            "user": self.user,
        }
        self.forker.stdin.write(json.dumps(asked) + "\n")
        self.forker.stdin.flush()
        code = int(self.forker.stdout.readline())
        out, err = ((self.folder / name).read_text(encoding="utf-8") for name in ("out", "err"))
        return CommandResult(code, out, err)

    def environment(self, **settings: str) -> dict[str, str]:
        """Return the environment of a command: nothing of ours but what Python needs."""
        return environment(**{"DATABASE_URL": self.database_url} | settings)

    @contextmanager
    def run_server(self, *arguments: str, **settings: str) -> Iterator["Server"]:
        """Run `atoll serve` on a free port until the end of the block, when it has to stop by SIGTERM."""
        with run_server(self.folder, self.environment(**settings), *arguments) as served:
            yield served


def environment(**settings: str) -> dict[str, str]:
    """Return what a process of ours is to know: these ATOLL_ settings alone, and what Python needs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ATOLL_")}
    return kept | {"PYTHONPATH": str(ROOT)} | {f"ATOLL_{name}": value for name, value in settings.items()}


@contextmanager
def run_server(
    folder: Path,
    surroundings: dict[str, str],
    *arguments: str,
    program: str = ATOLL,
    python: str | Path = sys.executable,
) -> Iterator["Server"]:
    """Run the program as `atoll serve` on a free port until the end of the block, when it has to stop by SIGTERM."""
    port = free_port()
    said = folder / f"serve-{port}"
    with said.open("wb") as log:
        server = subprocess.Popen(
            [python, "-c", program, "serve", "--port", str(port), *arguments],
            env=surroundings,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    served = Server(f"http://127.0.0.1:{port}", server, said)
    try:
        served.wait()
        yield served
        served.stop()
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()


@dataclass
class Server:
    """A server that runs."""

    url: str
    process: subprocess.Popen[bytes]
    _said: Path

    @property
    def output(self) -> str:
        """What it printed so far."""
        return self._said.read_text(encoding="utf-8")

    def wait(self) -> None:
        """Return when it answers; fail when it ends or takes too long."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.output
            try:
                if httpx.get(f"{self.url}/healthz").is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise AssertionError(self.output)

    def stop(self) -> None:
        """Send SIGTERM; fail unless it stops in seconds, with exit code 0."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(10) == 0, self.output
        assert "Traceback" not in self.output, self.output


@contextmanager
def start_forker() -> Iterator[subprocess.Popen[str]]:
    """Start the process that commands are forked from; it ends with the block."""
    forker = subprocess.Popen(
        [sys.executable, "-c", FORKER],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield forker
    finally:
        forker.communicate(timeout=SECONDS)


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
