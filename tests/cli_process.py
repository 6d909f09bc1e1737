"""The command line as a user runs it: each command in a process and an environment of its own."""

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
TIMEOUT_SECONDS = 60
ATOLL = "from app.cli import main; main()"
# Importing takes seconds, so one process imports everything once and forks for each command. This includes modules that
# are otherwise imported late: a command under another account may be unable to read Python's directory.
FORKER = """
import json, os, sys
import aiosqlite, alembic.ddl.sqlite
from app.cli import main
for line in sys.stdin:
    request = json.loads(line)
    child = os.fork()
    if not child:
        os.environ.clear()
        os.environ.update(request["environment"])
        for descriptor, name in enumerate((os.devnull, "out", "err")):
            path = os.path.join(request["folder"], name)
            os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC), descriptor)
        if request["user"]:
            os.setgroups([])
            os.setgid(request["user"])
            os.setuid(request["user"])
        sys.argv = ["atoll", *request["arguments"]]
        sys.exit(main())
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@dataclass(frozen=True)
class CommandResult:
    """Exit code and output of a command."""

    code: int
    out: str
    err: str

    @property
    def error_line(self) -> str:
        """The only line on stderr after exit code 1; fail for any other outcome."""
        return self._single_line(1)

    @property
    def usage_error(self) -> str:
        """The only line on stderr after exit code 2 (invalid option or setting); fail for any other outcome."""
        return self._single_line(2)

    def _single_line(self, code: int) -> str:
        assert (self.code, self.out) == (code, ""), self
        assert self.err.endswith("\n"), self
        [line] = self.err.splitlines()
        assert "Traceback" not in line, self
        return line


@dataclass
class CommandRunner:
    """Runs commands, by default on the test's own database."""

    forker: subprocess.Popen[str]
    folder: Path
    database_url: str
    user: int = 0  # id of the account to run as; 0 for the test's own

    def __call__(self, *arguments: str, **settings: str) -> CommandResult:
        """Run `atoll` with these arguments and ATOLL_ settings."""
        assert self.forker.stdin
        assert self.forker.stdout
        request = {
            "arguments": arguments,
            "environment": self.environment(**settings),
            "folder": str(self.folder),
            "user": self.user,
        }
        self.forker.stdin.write(json.dumps(request) + "\n")
        self.forker.stdin.flush()
        self.forker.stdout.readline()  # the id of the process
        code = int(self.forker.stdout.readline())
        out, err = ((self.folder / name).read_text(encoding="utf-8") for name in ("out", "err"))
        return CommandResult(code, out, err)

    def environment(self, **settings: str) -> dict[str, str]:
        """Return the environment variables of a command, with this database and no ATOLL_ settings but these."""
        return environment(**{"DATABASE_URL": self.database_url} | settings)

    @contextmanager
    def run_server(self, *arguments: str, **settings: str) -> Iterator["Server"]:
        """Run `atoll serve` on a free port until the end of the block, then stop it by SIGTERM."""
        with run_server(self.folder, self.environment(**settings), *arguments) as server:
            yield server


def environment(**settings: str) -> dict[str, str]:
    """Return the current environment variables with these ATOLL_ settings in place of all others, and PYTHONPATH.

    A server ends at once and has no rate limit, unless DRAIN_SECONDS and RATE_POINTS say otherwise.
    """
    settings = {"DRAIN_SECONDS": "0", "RATE_POINTS": "0"} | settings
    others = {name: value for name, value in os.environ.items() if not name.startswith("ATOLL_")}
    return others | {"PYTHONPATH": str(ROOT)} | {f"ATOLL_{name}": value for name, value in settings.items()}


@contextmanager
def run_server(
    folder: Path,
    process_environment: dict[str, str],
    *arguments: str,
    program: str = ATOLL,
    python: str | Path = sys.executable,
) -> Iterator["Server"]:
    """Run the program as `atoll serve` on a free port until the end of the block, then stop it by SIGTERM."""
    port = free_port()
    log_file = folder / f"serve-{port}"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [python, "-c", program, "serve", "--port", str(port), *arguments],
            env=process_environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    server = Server(f"http://127.0.0.1:{port}", process, log_file)
    try:
        server.wait()
        yield server
        server.stop()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@dataclass
class Server:
    """A running server."""

    url: str
    process: subprocess.Popen[bytes]
    _log_file: Path

    @property
    def output(self) -> str:
        """The output so far."""
        return self._log_file.read_text(encoding="utf-8")

    def wait(self) -> None:
        """Wait until the server answers; fail if it ends or takes too long."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.output
            try:
                if httpx.get(f"{self.url}/healthz").is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise AssertionError(self.output)

    def stop(self) -> None:
        """Send SIGTERM; fail unless the server stops within seconds, with exit code 0."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(10) == 0, self.output
        assert "Traceback" not in self.output, self.output


@contextmanager
def start_forker(prelude: str = "") -> Iterator[subprocess.Popen[str]]:
    """Start the process that commands are forked from, until the end of the block. It runs the prelude first."""
    forker = subprocess.Popen(
        [sys.executable, "-c", f"{prelude}\n{FORKER}"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield forker
    finally:
        forker.communicate(timeout=TIMEOUT_SECONDS)


def free_port() -> int:
    """Return a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
