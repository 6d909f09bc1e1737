"""PostgreSQL server for the tests: temporary, deleted with its folder."""

import asyncio
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import asyncpg

from tests.missing import skip_or_fail
from tests.postgres_binaries import PostgresUnavailableError, copy_binaries, find_account, find_binaries

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "32MB",
    # Far from UTC, and not by whole hours: whoever leans on the server's time zone is wrong at once.
    "timezone": "Asia/Kathmandu",
}
# A killed process loses nothing by these; a machine without power would.
HASTE = {"fsync": "off", "full_page_writes": "off"}
# The first that binaries and machine offer is taken. The first two do not sort as bytes do, so that a query that leans
# on the server's collation fails.
COLLATIONS = {
    "ICU en-US": ("--locale-provider=icu", "--icu-locale=en-US", "--locale=C"),
    "libc en_US.UTF-8": ("--locale=en_US.UTF-8", "--lc-messages=C"),
    "builtin C.UTF-8": ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
    "libc C": ("--locale=C",),
}
SECONDS = 30
# The shell becomes the server, so that the process we hold is the server itself. What stays behind waits for our pipe:
# a line sends it away; an end without one means that we died, and it takes the server and the folder along.
LAUNCH = """
folder=$1; shift
exec 3<&0 </dev/null
( { read -r _ <&3 || {
    kill -QUIT $$
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do kill -0 $$ || break; sleep 0.5; done
    rm -rf "$folder"
} } & )
exec "$@" 3<&-
"""


@contextmanager
def postgres_or_skip() -> Iterator["Postgres"]:
    """Run a server; without PostgreSQL, skip the test, or fail it if all tests are required."""
    try:
        server = Postgres()
    except PostgresUnavailableError as error:
        skip_or_fail(str(error))
    with server:
        yield server


class Postgres:
    """One server on a free port of 127.0.0.1, with a password and a folder of its own.

    `with Postgres() as server:` starts it in about a second. The server and its folder are removed when the block ends
    or this process dies, in any way.
    """

    def __init__(self, *, durable: bool = False, settings: Mapping[str, str] | None = None) -> None:
        """Choose binaries and settings; only a durable server syncs to disk. Nothing starts yet.

        Raises PostgresUnavailableError.
        """
        self._binaries = find_binaries()
        self._account = find_account()
        self._settings = SETTINGS | ({} if durable else HASTE) | dict(settings or {})
        self._password = secrets.token_urlsafe(12)
        self._server: subprocess.Popen[bytes] | None = None
        self.port = 0
        self.collation = ""

    def __enter__(self) -> Self:
        """Initialize a new server and start it."""
        # Another account can rely on no temporary folder but everybody's.
        self.folder = Path(tempfile.mkdtemp(prefix="atoll-postgres-", dir="/tmp" if self._account else None))  # noqa: S108 - mkdtemp makes it ours
        try:
            self._give(self.folder)
            self._reach_binaries()
            self.collation = self._lay_out()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        """Stop the server at once and remove its folder."""
        self._end(signal.SIGQUIT)
        shutil.rmtree(self.folder)

    @property
    def pid(self) -> int:
        """The process of the running server; 0 when none runs."""
        return self._server.pid if self._server and self._server.poll() is None else 0

    def url(self, database: str = "postgres") -> str:
        """Return the URL of a database for SQLAlchemy, with the password in it."""
        return f"postgresql+asyncpg://postgres:{self._password}@127.0.0.1:{self.port}/{quote(database, safe='')}"

    def create_database(self, name: str, template: str = "template1") -> str:
        """Create a database as a copy of the template, which must have no connections; return its URL."""
        self._execute(f"CREATE DATABASE {_quoted(name)} TEMPLATE {_quoted(template)}")
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database if it exists, and its connections."""
        self._execute(f"DROP DATABASE IF EXISTS {_quoted(name)} WITH (FORCE)")

    def start(self) -> None:
        """Start the server on its port and wait until it accepts connections.

        Raises RuntimeError with the end of its log.
        """
        deadline = time.monotonic() + SECONDS
        had_port = self.port
        while True:
            self.port = had_port or _free_port()
            self._launch()
            if self._becomes_ready(deadline):
                return
            self.stop()
            log = (self.folder / "log").read_text(errors="replace")
            # The port was taken since we looked, or the last child of a killed server is not quite gone: once more.
            if "in use" not in log or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL does not start: {log[-3000:]}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop the server as an operator would: sessions end, committed data stays."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """Kill the server and all its processes, like a power failure; `start` recovers."""
        if pid := self.pid:
            os.kill(pid, signal.SIGSTOP)  # it makes no child while we list them
            for process in (*_children(pid), pid):
                _kill(process)
        self._end(signal.SIGKILL)

    def _lay_out(self) -> str:
        """Create the data folder; return the name of its collation."""
        password = self.folder / "password"
        password.write_text(self._password)
        self._give(password)
        data: tuple[str | Path, ...] = ("--pgdata", self.folder / "data", "--username=postgres", "--pwfile", password)
        for name, locale in COLLATIONS.items():
            options = (*data, "--auth=scram-sha-256", "--encoding=UTF8", *locale, "--no-sync", "--no-instructions")
            made = self._run("initdb", *options)
            if made.returncode == 0:
                return name
        raise RuntimeError(f"initdb: {made.stdout}{made.stderr}")

    def _launch(self) -> None:
        settings = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        server: tuple[str | Path, ...] = (
            self._binaries / "postgres",
            "-D",
            self.folder / "data",
            "-p",
            str(self.port),
            *settings,
        )
        with (self.folder / "log").open("wb") as log:
            self._server = subprocess.Popen(
                ("/bin/sh", "-c", LAUNCH, "sh", self.folder, *server),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # interrupting the tests is not interrupting the server
                **self._surroundings(),
            )

    def _becomes_ready(self, deadline: float) -> bool:
        status = self.folder / "data" / "postmaster.pid"
        while (pid := self.pid) and time.monotonic() < deadline:
            lines = status.read_text().split("\n") if status.exists() else []
            if lines[:1] == [str(pid)] and lines[7:8] and lines[7].strip() == "ready":
                return True
            time.sleep(0.01)
        return False

    def _end(self, how: signal.Signals) -> None:
        if self._server is None:
            return
        self._server.send_signal(how)  # does nothing where it ended by itself
        self._server.communicate(b"\n", timeout=SECONDS)
        self._server = None

    def _execute(self, statement: str) -> None:
        async def execute() -> None:
            connection = await asyncpg.connect(self.url().replace("+asyncpg", ""))
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        # The caller may be inside a running event loop, which bears no other.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(lambda: asyncio.run(execute())).result()

    def _reach_binaries(self) -> None:
        """Copy the binaries into the server's folder if its account may not run them, for example under /root."""
        try:
            self._run("postgres", "--version")
        except PermissionError:
            self._binaries = copy_binaries(self._binaries, self.folder)
            for path in self.folder.rglob("*"):
                self._give(path)

    def _run(self, binary: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = (self._binaries / binary, *arguments)
        return subprocess.run(command, check=False, capture_output=True, text=True, **self._surroundings())

    def _give(self, path: Path) -> None:
        if self._account:
            os.chown(path, self._account.pw_uid, self._account.pw_gid, follow_symlinks=False)

    def _surroundings(self) -> dict[str, Any]:
        ours = {"HOME": str(self.folder), "LC_ALL": "C"}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        surroundings: dict[str, Any] = {"cwd": self.folder, "env": inherited | ours}
        if self._account:
            surroundings |= {"user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": []}
        return surroundings


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")  # Linux has it, macOS has pgrep
    if listed.exists():
        return [int(child) for child in listed.read_text().split()]
    asked = subprocess.run(("pgrep", "-P", str(pid)), check=False, capture_output=True, text=True)  # noqa: S607 - wherever it is
    return [int(child) for child in asked.stdout.split()]


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
