"""Findings of `atoll check`: each with the state that causes it, and its remedy."""

import asyncio
import os
import socket
import time
from dataclasses import replace
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
from sqlalchemy import text, update

from app.check import LIMITS, TEMPORARY_FOLDERS, Finding, Level, check_database, check_settings
from app.settings import Settings
from store import sql
from store.database import Database
from store.inspection import ContentFacts, DatabaseFacts, FileFacts, ServerFacts, find_file_system, inspect_database
from store.migrate import head_revision
from tests.cli_process import NOBODY, CommandResult, CommandRunner
from tests.conftest import World
from tests.missing import skip_or_fail
from tests.postgres import Postgres
from tests.test_pgbouncer import BINARY

NOW_MS = 1_800_000_000_000
FILE = FileFacts(
    Path("/srv/atoll/atoll.db"),
    "ext4",
    is_writable=True,
    is_shared=False,
    size_bytes=5_000_000_000,
    free_bytes=50_000_000_000,
    journal_mode="wal",
)
SERVER = ServerFacts(97, is_pooled=False, now_ms=NOW_MS, is_durable=True, has_time_outs=True)
CONTENT = ContentFacts(stale_rows=0, public_sharing=False, last_change_ms=NOW_MS - 1)
ON_SQLITE = DatabaseFacts("", CONTENT, FILE, None)
ON_POSTGRESQL = DatabaseFacts("", CONTENT, None, SERVER)
GOOD = Settings(database_url="sqlite+aiosqlite:////srv/atoll/atoll.db", allowed_hosts=("atoll.example.org",))
GOOD_POSTGRESQL = replace(GOOD, database_url="postgresql+asyncpg://atoll@db/atoll")
POOLED = replace(GOOD, database_url="postgresql+asyncpg://atoll@db/atoll?statement_cache_size=0")
DESCRIPTORS = 65_536


def of_settings(descriptors: int = DESCRIPTORS, **settings: Any) -> list[Finding]:
    return list(check_settings(replace(GOOD, **settings), descriptors))


def of_file(**facts: Any) -> list[Finding]:
    return of_database(ON_SQLITE._replace(file=FILE._replace(**facts)))


def of_server(settings: Settings = GOOD_POSTGRESQL, processes: int = 1, **facts: Any) -> list[Finding]:
    return of_database(ON_POSTGRESQL._replace(server=SERVER._replace(**facts)), settings, processes)


def of_content(**facts: Any) -> list[Finding]:
    return of_database(ON_SQLITE._replace(content=CONTENT._replace(**facts)))


def of_database(facts: DatabaseFacts, settings: Settings = GOOD, processes: int = 1) -> list[Finding]:
    """Return the findings about a database; its revision is the newest unless the facts have one."""
    return list(check_database(facts._replace(revision=facts.revision or head_revision()), settings, processes, NOW_MS))


def test_a_good_deployment_has_nothing_but_lines_that_are_ok() -> None:
    findings = [*of_settings(), *of_file(), *of_server()]
    assert [finding for finding in findings if finding.level is not Level.OK] == []
    assert len(findings) > 15


NOTICES = {
    "no allowed hosts": (of_settings(allowed_hosts=()), "allowed hosts", "Set ATOLL_ALLOWED_HOSTS"),
    "pages of every site": (of_settings(cors_origins=("*",)), "CORS origins", "Set ATOLL_CORS_ORIGINS to those"),
    "GraphiQL": (of_settings(graphiql=True), "GraphiQL", "set ATOLL_GRAPHIQL=0"),
    "a changed limit": (
        of_settings(drain_seconds=60),
        "limits",
        "ATOLL_DRAIN_SECONDS is 60, not 5. Give the server 25 seconds more than that",
    ),
    "few descriptors": (of_settings(1_024), "descriptors", "for 896 connections, not 1,000. Raise them: ulimit -n"),
    "a relative path": (of_file(path=Path("a.db")), "database file", f"Write {Path('a.db').resolve()} instead."),
    "a temporary folder": (of_file(path=TEMPORARY_FOLDERS[0] / "a.db"), "database file", "Move it."),
    "a network file system": (of_file(file_system="nfs4"), "file system", "nfs4, a network file system"),
    "a container's layer": (of_file(file_system="overlay"), "file system", "Put the file on a volume"),
    "memory": (of_file(file_system="tmpfs"), "file system", "tmpfs: memory"),
    "a readable file": (of_file(is_shared=True), "file mode", "Run: chmod 600 /srv/atoll/atoll.db"),
    "no room for a copy": (of_file(free_bytes=4_900_000_000), "disk space", "4.9 GB free, for a database of 5.0 GB."),
    "little room": (of_file(size_bytes=1, free_bytes=900_000_000), "disk space", "0.9 GB free"),
    "another journal": (of_file(journal_mode="delete"), "journal mode", "delete: readers and writers wait"),
    "too many processes": (
        of_server(processes=6),
        "connections",
        "102 of 97 at most, in 6 processes. Lower ATOLL_POOL_SIZE",
    ),
    "a small server": (of_server(connections=10), "connections", "17 of 10 at most, in 1 process."),
    "a pooler without its option": (of_server(is_pooled=True), "pooler", "Add ?statement_cache_size=0"),
    "the option without a pooler": (of_server(POOLED), "pooler", "Remove it"),
    "a pooled role without time-outs": (
        of_server(POOLED, is_pooled=True, has_time_outs=False),
        "pooler",
        "Give it one by ALTER ROLE.",
    ),
    "commits that are not durable": (of_server(is_durable=False), "durability", "Turn both on."),
    "a clock behind the last write": (
        of_content(last_change_ms=NOW_MS + 3_600_000),
        "clock",
        "3,600 seconds behind the last write.",
    ),
    "a clock apart from the server's": (of_server(now_ms=NOW_MS + 9_000), "clock", "9.0 seconds from that of"),
    "public sharing": (of_content(public_sharing=True), "public sharing", "by the mutation deploymentUpdate"),
}
ERRORS = {
    "no descriptors left": (of_settings(60), "descriptors", "enough for 1 connections, not 1,000."),
    "a file that is not writable": (of_file(is_writable=False), "database file", "Give it write permission"),
    "a full disk": (of_file(free_bytes=9_000_000), "disk space", "Free some space."),
    "an old revision": (of_database(ON_SQLITE._replace(revision="0001")), "database revision", "Run: atoll migrate"),
    "a newer revision": (of_database(ON_SQLITE._replace(revision="9999")), "database revision", "a newer version"),
    "rows without an index": (of_content(stale_rows=3), "search index", "3 rows are not indexed. Run: atoll migrate"),
}


@pytest.mark.parametrize(("findings", "subject", "part"), NOTICES.values(), ids=NOTICES)
def test_a_state_that_deserves_a_look_is_a_notice(findings: list[Finding], subject: str, part: str) -> None:
    [finding] = [finding for finding in findings if finding.level is not Level.OK]
    assert (finding.level, finding.subject) == (Level.NOTICE, subject)
    assert part in finding.text


@pytest.mark.parametrize(("findings", "subject", "part"), ERRORS.values(), ids=ERRORS)
def test_a_state_in_which_atoll_does_not_work_is_an_error(findings: list[Finding], subject: str, part: str) -> None:
    [finding] = [finding for finding in findings if finding.level is not Level.OK]
    assert (finding.level, finding.subject) == (Level.ERROR, subject)
    assert part in finding.text


def test_each_limit_is_a_setting_with_advice() -> None:
    for name in LIMITS:
        [finding] = [finding for finding in of_settings(**{name: 77}) if finding.subject == "limits"]
        assert f"ATOLL_{name.upper()} is 77" in finding.text


def test_a_pooler_that_is_expected_is_in_order() -> None:
    findings = of_server(POOLED, is_pooled=True)
    assert [finding.level for finding in findings if finding.level is not Level.OK] == []
    assert "connections" not in [finding.subject for finding in findings]  # the pooler has limits of its own


MOUNTS = (
    "overlay / overlay rw 0 0",
    "/dev/sda1 /data ext4 rw 0 0",
    "server:/x /data/für\\040alle nfs4 rw 0 0",
    "tmpfs /twice tmpfs rw 0 0",
    "/dev/sdb1 /twice xfs rw 0 0",
)


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/a.db", "overlay"), ("/data/a.db", "ext4"), ("/data/für alle/a.db", "nfs4"), ("/twice/a.db", "xfs")],
)
def test_the_file_system_is_that_of_the_innermost_mount(path: str, kind: str) -> None:
    assert find_file_system(Path(path), MOUNTS) == kind
    assert find_file_system(Path(path), ()) is None


@pytest.fixture
def atoll(forker: Popen[str], tmp_path: Path, own_world: World) -> CommandRunner:
    """Return a runner of commands on a copy of the world."""
    return CommandRunner(forker, tmp_path, own_world.url)


@pytest.fixture
def facts(own_world: World) -> DatabaseFacts:
    """Return the facts about a copy of the world."""
    return inspect(own_world.url)


def inspect(url: str) -> DatabaseFacts:
    async def read() -> DatabaseFacts:
        database = Database(url)
        try:
            return await inspect_database(database)
        finally:
            await database.close()

    return asyncio.run(read())


def lines(result: CommandResult, level: str) -> dict[str, str]:
    """Return the findings of a level, by their subject."""
    found = [line.split(None, 1)[1] for line in result.out.splitlines() if line.split()[0] == level]
    return {line[:17].strip(): line[17:].strip() for line in found}


def test_the_facts_are_read_from_the_database(facts: DatabaseFacts, backend: str) -> None:
    assert facts.revision == head_revision()
    assert facts.content is not None
    assert (facts.content.stale_rows, facts.content.public_sharing) == (0, True)
    assert facts.content.last_change_ms is not None
    if backend == "sqlite":
        assert facts.server is None
        assert facts.file is not None
        assert (facts.file.journal_mode, facts.file.is_writable) == ("wal", True)
        assert facts.file.size_bytes == facts.file.path.stat().st_size > 0
        assert facts.file.free_bytes > 0
    else:
        assert facts.file is None
        assert facts.server is not None
        # The tests' server turns fsync off.
        assert (facts.server.connections, facts.server.is_pooled, facts.server.is_durable) == (97, False, False)
        assert facts.server.has_time_outs


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True, scope="session")
def test_the_mode_of_the_file_is_read(own_world: World) -> None:
    file = Path(own_world.url.partition(":///")[2])
    for mode, is_shared in ((0o600, False), (0o640, True), (0o604, True)):
        file.chmod(mode)
        facts = inspect(own_world.url).file
        assert facts is not None
        assert facts.is_shared is is_shared


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True, scope="session")
def test_limits_of_the_role_and_of_the_database_count(own_world: World, postgres: Postgres) -> None:
    async def execute(*statements: str) -> None:
        database = Database(own_world.url)
        async with database.write() as connection:
            for statement in statements:
                await connection.execute(text(statement))
        await database.close()

    name = own_world.url.rpartition("/")[2]
    asyncio.run(execute(f'alter database "{name}" connection limit 40'))
    server = inspect(own_world.url).server
    assert server is not None
    assert server.connections == 40
    asyncio.run(execute("create role few login superuser connection limit 30 password 'few'"))
    server = inspect(f"postgresql+asyncpg://few:few@127.0.0.1:{postgres.port}/{name}").server
    assert server is not None
    assert server.connections == 30


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True, scope="session")
def test_a_pooler_is_recognised(own_world: World, postgres: Postgres, atoll: CommandRunner) -> None:
    if BINARY is None:
        skip_or_fail("pgbouncer is not installed")
    with postgres.pooled(BINARY) as port:
        wait_for(port)
        url = own_world.url.replace(f":{postgres.port}/", f":{port}/")
        pooled = atoll("check", DATABASE_URL=f"{url}?statement_cache_size=0")
        refused = atoll("check", DATABASE_URL=url)
    assert pooled.code == 0
    assert lines(pooled, "notice")["pooler"].startswith("the role has no statement_timeout")
    assert refused.code == 1
    assert "Add ?statement_cache_size=0 to ATOLL_DATABASE_URL" in refused.err


def wait_for(port: int) -> None:
    """Wait until something listens on the port."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return


def test_notices_are_no_errors_and_processes_are_counted(atoll: CommandRunner, backend: str) -> None:
    checked = atoll("check", "--processes", "6", GRAPHIQL="1")
    assert (checked.code, checked.err, lines(checked, "error")) == (0, "", {})
    notices = lines(checked, "notice")
    assert {"allowed hosts", "GraphiQL", "public sharing", "limits"} <= notices.keys()
    assert notices.get("connections", "").startswith("102 of 97") is (backend == "postgresql")


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True, scope="session")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a command as another account")
def test_an_account_that_may_not_write_is_an_error(atoll: CommandRunner, open_folder: Path) -> None:
    atoll.database_url = f"sqlite+aiosqlite:///{open_folder / 'atoll.db'}"
    atoll.user = NOBODY
    assert "Give it write permission" in lines(atoll("check"), "error")["database file"]
    os.chown(open_folder, NOBODY, NOBODY)
    assert "database file" not in lines(atoll("check"), "error")
    assert atoll("migrate").code == 0
    (open_folder / "atoll.db").chmod(0o400)
    checked = atoll("check")
    assert (checked.code, "Give it write permission" in lines(checked, "error")["database file"]) == (1, True)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True, scope="session")
def test_sharing_that_is_off_is_in_order(atoll: CommandRunner) -> None:
    async def turn_off() -> None:
        database = Database(atoll.database_url)
        async with database.write() as connection:
            await connection.execute(update(sql.deployment).values(public_sharing=False))
        await database.close()

    asyncio.run(turn_off())
    assert lines(atoll("check"), "ok")["public sharing"] == "off: visitors see nothing"
