"""The tests' PostgreSQL: a real server, durable after a crash, and removed without a trace."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from tests.missing import skip_or_fail
from tests.postgres import Postgres, postgres_or_skip
from tests.postgres_binaries import PostgresUnavailableError, find_account, find_binaries

CHECKOUT = Path(__file__).parent.parent
PYTHON_PATH = os.pathsep.join((str(CHECKOUT), str(Path(asyncpg.__file__).parent.parent)))
BUSY = "SET statement_timeout = '20s'; SELECT count(*) FROM generate_series(1, 1000000000)"
SERVE = """
import os, sys
from tests.postgres import Postgres
with Postgres() as server:
    print(server.pid, server.folder, os.geteuid(), flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """Return one server for the tests of this file."""
    with postgres_or_skip() as running:
        yield running


@pytest.fixture
def someone() -> int:
    """Return the user id of an ordinary account; skip the test unless root runs it."""
    account = find_account()
    if account is None:
        pytest.skip("only root can run a program as another user")
    return account.pw_uid


async def test_it_answers_a_query(server: Postgres) -> None:
    assert await ask(server, "SELECT 6 * 7") == 42


async def test_databases_of_any_name_can_be_created_and_dropped(server: Postgres) -> None:
    server.create_database('Björn\'s "own" database')

    assert await ask(server, "SELECT current_database()", 'Björn\'s "own" database') == 'Björn\'s "own" database'

    server.drop_database('Björn\'s "own" database')
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await ask(server, "SELECT 1", 'Björn\'s "own" database')


async def test_a_database_can_be_created_as_a_copy(server: Postgres) -> None:
    server.create_database("original")
    await ask(server, "CREATE TABLE shell AS SELECT 3 AS count", "original")

    server.create_database("copy", template="original")

    assert await ask(server, "SELECT count FROM shell", "copy") == 3


async def test_its_collation_differs_from_byte_order(server: Postgres) -> None:
    if server.collation in {"builtin C.UTF-8", "libc C"}:
        skip_or_fail(f"the order of text: {server.collation} sorts as bytes do; add the locale en_US.UTF-8")
    assert await ask(server, "SELECT 'a' < 'B' AND 'B' < 'c'") is True


async def test_its_time_zone_is_not_utc(server: Postgres) -> None:
    assert await ask(server, "SHOW timezone") == "Asia/Kathmandu"


async def test_other_users_of_the_machine_have_no_access(server: Postgres) -> None:
    assert await ask(server, "SHOW listen_addresses") == "127.0.0.1"
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(host="127.0.0.1", port=server.port, user="postgres", password="guess")


async def test_a_crash_ends_all_connections_and_loses_no_commit(server: Postgres) -> None:
    server.create_database("crashed")
    await ask(server, "CREATE TABLE kept AS SELECT 1 AS number", "crashed")
    url = server.url("crashed")
    connection = await asyncpg.connect(driverless(url))
    backend = await connection.fetchval("SELECT pg_backend_pid()")
    # A busy backend does not notice by itself that the server is gone.
    busy = asyncio.create_task(connection.execute(BUSY))
    await asyncio.sleep(0.1)

    server.crash()

    assert server.pid == 0
    assert eventually(lambda: not is_alive(backend), seconds=5)
    with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError)):
        await busy
    with pytest.raises(OSError, match="Connect call failed"):
        await ask(server, "SELECT 1", "crashed")
    server.start()
    assert server.url("crashed") == url
    assert await ask(server, "SELECT number FROM kept", "crashed") == 1


async def test_it_can_be_stopped_and_started_again(server: Postgres) -> None:
    server.stop()
    server.stop()
    assert server.pid == 0
    server.start()
    assert await ask(server, "SELECT 1") == 1


async def test_only_a_durable_server_syncs_to_disk(server: Postgres) -> None:
    assert await ask(server, "SHOW fsync") == "off"
    with Postgres(durable=True, settings={"max_connections": "7"}) as durable:
        assert await ask(durable, "SHOW fsync") == "on"
        assert await ask(durable, "SHOW max_connections") == "7"


@pytest.mark.usefixtures("server")  # skip where there is no PostgreSQL
def test_a_server_that_cannot_start_reports_the_reason() -> None:
    refused = Postgres(settings={"shared_buffers": "many"})
    with pytest.raises(RuntimeError, match='invalid value for parameter "shared_buffers": "many"'), refused:
        pass
    assert not refused.folder.exists()


@pytest.mark.usefixtures("server")  # skip where there is no PostgreSQL
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are listed in /proc")
def test_it_leaves_no_process_and_no_folder() -> None:
    with Postgres() as other:
        pid, folder = other.pid, other.folder
        assert is_alive(pid)
        assert processes_naming(folder)

    assert not is_alive(pid)
    assert not folder.exists()
    assert eventually(lambda: not processes_naming(folder))


@pytest.mark.usefixtures("server")  # skip where there is no PostgreSQL
def test_it_ends_with_the_process_that_started_it() -> None:
    with subprocess.Popen(
        (sys.executable, "-c", SERVE), cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        pid, folder, _ = owner.stdout.readline().split()
        assert is_alive(int(pid))
        owner.send_signal(signal.SIGKILL)

    assert eventually(lambda: not is_alive(int(pid)))
    assert eventually(lambda: not Path(folder).exists())


@pytest.mark.usefixtures("server")  # skip where there is no PostgreSQL
def test_an_ordinary_user_can_run_it(someone: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("home")
    os.chown(home, someone, someone)
    python = python_for(someone)
    if python is None:
        pytest.skip("NOT TESTED AS AN ORDINARY USER: nobody but root may run this Python or read its packages")
    with subprocess.Popen(
        (python, "-c", SERVE),
        user=someone,
        group=someone,
        extra_groups=[],
        cwd=home,
        env={"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": PYTHON_PATH},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as owner:
        assert owner.stdout is not None
        pid, folder, uid = owner.stdout.readline().split()
        assert int(uid) == someone
        assert Path(f"/proc/{pid}").stat().st_uid == someone

    assert owner.returncode == 0
    assert not Path(folder).exists()


@pytest.mark.usefixtures("server")  # skip where there is no PostgreSQL
async def test_binaries_that_only_root_can_read_are_copied(
    someone: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binaries = find_binaries()
    package = binaries.parent.parent
    for part in (package, package.with_name(f"{package.name}.libs")):
        if part.exists():
            (tmp_path / part.name).symlink_to(part)
    tmp_path.chmod(0o700)
    monkeypatch.setenv("ATOLL_POSTGRES_BIN", str(tmp_path / binaries.relative_to(package.parent)))
    accounts = Path("/etc/passwd").read_bytes()

    with Postgres() as closed_in:
        assert await ask(closed_in, "SELECT 1") == 1
        assert Path(f"/proc/{closed_in.pid}/exe").readlink().is_relative_to(closed_in.folder)
        assert Path(f"/proc/{closed_in.pid}").stat().st_uid == someone

    assert tmp_path.stat().st_mode & 0o777 == 0o700
    assert Path("/etc/passwd").read_bytes() == accounts


@pytest.mark.parametrize(
    ("required", "outcome", "words"),
    [
        ({}, pytest.skip.Exception, "NOT TESTED: no PostgreSQL here"),
        ({"CI": "true"}, pytest.skip.Exception, "NOT TESTED: no PostgreSQL here"),
        ({"ATOLL_REQUIRE_ALL": "1"}, pytest.fail.Exception, "no PostgreSQL here"),
    ],
)
def test_without_binaries_a_test_is_skipped_unless_it_is_required(
    required: dict[str, str],
    outcome: type[BaseException],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("CI", "ATOLL_REQUIRE_ALL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (required | {"ATOLL_POSTGRES_BIN": str(tmp_path)}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(PostgresUnavailableError):
        Postgres()
    # Both exceptions are caught: an unexpected skip would otherwise skip this test.
    with pytest.raises((pytest.skip.Exception, pytest.fail.Exception), match=words) as ended, postgres_or_skip():
        pass
    assert ended.type is outcome


async def ask(server: Postgres, statement: str, database: str = "postgres") -> object:
    """Return the statement's first value, over a new connection."""
    connection = await asyncpg.connect(driverless(server.url(database)))
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def driverless(url: str) -> str:
    """Return SQLAlchemy's URL in asyncpg's form."""
    return url.replace("postgresql+asyncpg", "postgresql")


def python_for(uid: int) -> str | None:
    """Return a Python that has the same packages and that the user may run; None if there is none."""
    named = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/{named}", f"/usr/local/bin/{named}"):
        try:
            tried = subprocess.run(
                (python, "-c", "import tests.postgres"),
                check=False,
                capture_output=True,
                cwd="/",
                env={"PYTHONPATH": PYTHON_PATH},
                user=uid,
                group=uid,
                extra_groups=[],
            )
        except OSError:
            continue
        if tried.returncode == 0:
            return python
    return None


def processes_naming(folder: Path) -> list[str]:
    """Return the command lines that contain the folder."""
    lines = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            lines.append(process.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [line for line in lines if str(folder) in line]


def is_alive(pid: int) -> bool:
    """Return whether the process exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def eventually(condition: Callable[[], bool], seconds: float = 10) -> bool:
    """Wait for the condition; return whether it held before the timeout."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()
