"""PostgreSQL server for the tests: temporary, deleted with its folder."""

import asyncio
import os
import secrets
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
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
    # Far from UTC, and not by whole hours, so that code which depends on the time zone fails.
    "timezone": "Asia/Kathmandu",
}
# Faster, and safe when a process is killed; only a power failure would lose data.
FAST = {"fsync": "off", "full_page_writes": "off"}
# The first collation that the binaries and the machine support is used. The first two do not sort by bytes, so that a
# query which depends on the server's collation fails.
COLLATIONS = {
    "ICU en-US": ("--locale-provider=icu", "--icu-locale=en-US", "--locale=C"),
    "libc en_US.UTF-8": ("--locale=en_US.UTF-8", "--lc-messages=C"),
    "builtin C.UTF-8": ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
    "libc C": ("--locale=C",),
}
SECONDS = 30
# The shell becomes the server, so that the child process is the server itself. A watcher in the background reads the
# pipe. On a line it exits; on end of file, when the parent has died, it stops the server and removes the folder.
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
        self._settings = SETTINGS | ({} if durable else FAST) | dict(settings or {})
        self._password = secrets.token_urlsafe(12)
        self._server: subprocess.Popen[bytes] | None = None
        self.port = 0
        self.collation = ""

    def __enter__(self) -> Self:
        """Initialize a new server and start it."""
        # /tmp is the only temporary folder that every account can reach.
        self.folder = Path(tempfile.mkdtemp(prefix="atoll-postgres-", dir="/tmp" if self._account else None))  # noqa: S108 - mkdtemp creates a private folder
        try:
            self._change_owner(self.folder)
            self._copy_binaries_if_unreadable()
            self.collation = self._initialize()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        """Stop the server at once and remove its folder.

        After a whole run it contains hundreds of thousands of files, so another process removes them meanwhile.
        """
        self._end(signal.SIGQUIT)
        removed = self.folder.rename(self.folder.with_name(f"{self.folder.name}-removed"))
        subprocess.run(["/bin/sh", "-c", 'rm -rf "$1" >/dev/null 2>&1 &', "sh", removed], check=True)

    @property
    def pid(self) -> int:
        """The process id of the running server; 0 when none runs."""
        return self._server.pid if self._server and self._server.poll() is None else 0

    def url(self, database: str = "postgres") -> str:
        """Return the URL of a database for SQLAlchemy, with the password in it."""
        return f"postgresql+asyncpg://postgres:{self._password}@127.0.0.1:{self.port}/{quote(database, safe='')}"

    def create_database(self, name: str, template: str = "template1") -> str:
        """Create a database as a copy of the template, which must have no connections; return its URL."""
        self._execute(f"CREATE DATABASE {_quote_identifier(name)} TEMPLATE {_quote_identifier(template)}")
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database if it exists, and close its connections."""
        self._execute(f"DROP DATABASE IF EXISTS {_quote_identifier(name)} WITH (FORCE)")

    def start(self) -> None:
        """Start the server on its port and wait until it accepts connections.

        Raises RuntimeError with the end of its log.
        """
        deadline = time.monotonic() + SECONDS
        fixed_port = self.port
        while True:
            self.port = fixed_port or _free_port()
            self._launch()
            if self._becomes_ready(deadline):
                return
            self.stop()
            log = (self.folder / "log").read_text(errors="replace")
            # Another process took the port meanwhile, or the last child of a killed server still has it: retry.
            if "in use" not in log or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL does not start: {log[-3000:]}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop the server as an operator would: sessions end, committed data stays."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """Kill the server and all its processes, like a power failure; `start` recovers."""
        if pid := self.pid:
            _send(signal.SIGSTOP, pid)  # a stopped server starts no child while they are listed
            _send(signal.SIGKILL, *_children(pid), pid)
        self._end(signal.SIGKILL)

    def terminate_sessions(self) -> None:
        """End all sessions but its own, as an administrator does before a restart."""
        others = "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL"
        self._execute(f"SELECT pg_terminate_backend(pid) {others}")

    @contextmanager
    def freeze(self) -> Iterator[None]:
        """Stop all processes of the server during the block: its connections stay open, and nothing answers."""
        server = self.pid
        _send(signal.SIGSTOP, server)  # a stopped server starts no child while they are listed
        children = _children(server)
        _send(signal.SIGSTOP, *children)
        try:
            yield
        finally:
            _send(signal.SIGCONT, server, *children)

    @contextmanager
    def pooled(self, binary: str) -> Iterator[int]:
        """Run PgBouncer before the server, in transaction mode and with few connections; yield its port."""
        port, folder = _free_port(), self.folder
        (folder / "users").write_text(f'"postgres" "{self._password}"')
        settings = {"listen_addr": "127.0.0.1", "listen_port": port, "unix_socket_dir": "", "auth_type": "trust"}
        settings |= {"auth_file": folder / "users", "pool_mode": "transaction", "default_pool_size": 3}
        lines = [f"{name} = {value}" for name, value in settings.items()]
        databases = f"[databases]\n* = host=127.0.0.1 port={self.port}\n[pgbouncer]\n"
        (folder / "pgbouncer.ini").write_text(databases + "\n".join(lines))
        for name in ("users", "pgbouncer.ini"):
            self._change_owner(folder / name)
        command = (binary, "-q", folder / "pgbouncer.ini")
        pooler = subprocess.Popen(command, stderr=subprocess.DEVNULL, **self._process_options())
        try:
            yield port
        finally:
            pooler.kill()
            pooler.wait()

    def _initialize(self) -> str:
        """Create the data folder; return the name of its collation."""
        password = self.folder / "password"
        password.write_text(self._password)
        self._change_owner(password)
        data: tuple[str | Path, ...] = ("--pgdata", self.folder / "data", "--username=postgres", "--pwfile", password)
        for name, locale in COLLATIONS.items():
            arguments = (*data, "--auth=scram-sha-256", "--encoding=UTF8", *locale, "--no-sync", "--no-instructions")
            initdb = self._run("initdb", *arguments)
            if initdb.returncode == 0:
                return name
        raise RuntimeError(f"initdb: {initdb.stdout}{initdb.stderr}")

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
                start_new_session=True,  # Ctrl-C of the tests does not reach the server
                **self._process_options(),
            )

    def _becomes_ready(self, deadline: float) -> bool:
        status = self.folder / "data" / "postmaster.pid"
        while (pid := self.pid) and time.monotonic() < deadline:
            lines = status.read_text().split("\n") if status.exists() else []
            if lines[:1] == [str(pid)] and lines[7:8] and lines[7].strip() == "ready":
                return True
            time.sleep(0.01)
        return False

    def _end(self, signal_: signal.Signals) -> None:
        if self._server is None:
            return
        self._server.send_signal(signal_)  # no effect if it has ended by itself
        self._server.communicate(b"\n", timeout=SECONDS)
        self._server = None

    def _execute(self, statement: str) -> None:
        async def execute() -> None:
            connection = await asyncpg.connect(self.url().replace("+asyncpg", ""))
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        # The caller may run in an event loop, in which no other can be started.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(lambda: asyncio.run(execute())).result()

    def _copy_binaries_if_unreadable(self) -> None:
        """Copy the binaries into the server's folder if its account may not run them, for example under /root."""
        try:
            self._run("postgres", "--version")
        except PermissionError:
            self._binaries = copy_binaries(self._binaries, self.folder)
            for path in self.folder.rglob("*"):
                self._change_owner(path)

    def _run(self, binary: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = (self._binaries / binary, *arguments)
        return subprocess.run(command, check=False, capture_output=True, text=True, **self._process_options())

    def _change_owner(self, path: Path) -> None:
        if self._account:
            os.chown(path, self._account.pw_uid, self._account.pw_gid, follow_symlinks=False)

    def _process_options(self) -> dict[str, Any]:
        ours = {"HOME": str(self.folder), "LC_ALL": "C"}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        options: dict[str, Any] = {"cwd": self.folder, "env": inherited | ours}
        if self._account:
            options |= {"user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": []}
        return options


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _children(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")  # on Linux; macOS has pgrep
    if children.exists():
        return [int(child) for child in children.read_text().split()]
    pgrep = subprocess.run(("pgrep", "-P", str(pid)), check=False, capture_output=True, text=True)  # noqa: S607 - found in PATH
    return [int(child) for child in pgrep.stdout.split()]


def _send(signal_: signal.Signals, *processes: int) -> None:
    """Send a signal to those processes that have not ended by themselves, such as a worker of autovacuum."""
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, signal_)


def _quote_identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
