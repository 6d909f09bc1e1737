"""Backups: consistent copies of a database that servers write to, and failures."""

import asyncio
import os
import resource
import shlex
import shutil
import sqlite3
import stat
import subprocess
import threading
from contextlib import closing
from pathlib import Path
from subprocess import Popen
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from store import sql
from store.backup import back_up, postgresql_command
from store.database import Database
from store.error import DatabaseUnusableError, parse_database_url
from store.migrate import head_revision
from tests.cli_process import NOBODY, CommandRunner
from tests.conftest import GraphQLClient, World
from tests.db_snapshot import db_snapshot
from tests.missing import skip_or_fail
from tests.postgres_binaries import find_binaries
from tests.test_topic_write import CREATE

WRITES = 30

on_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True, scope="session")
on_postgresql = pytest.mark.parametrize("backend", ["postgresql"], indirect=True, scope="session")


@pytest.fixture
def atoll(forker: Popen[str], tmp_path: Path, own_world: World) -> CommandRunner:
    """Return a runner of commands on a copy of the world."""
    return CommandRunner(forker, tmp_path, own_world.url)


@pytest.fixture
def source(own_world: World) -> Path:
    """Return the file of a copy of the world."""
    return Path(str(parse_database_url(own_world.url).database))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty folder for backups."""
    folder = tmp_path / "backups"
    folder.mkdir()
    return folder


async def rows(url: str) -> Any:
    database = Database(url)
    try:
        return await db_snapshot(database)
    finally:
        await database.close()


@on_sqlite
async def test_a_backup_has_the_state_in_which_it_began_although_writes_go_on(
    ask_own: GraphQLClient, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.backup.STEP_PAGES", 2)
    loop, names = asyncio.get_running_loop(), iter(range(WRITES))

    def write(_left: int, _count: int) -> None:
        """Write between two steps of the copy."""
        if (number := next(names, None)) is not None:
            asyncio.run_coroutine_threadsafe(CREATE(ask_own, "ada", name=f"New {number}"), loop).result()

    before = await db_snapshot(ask_own.database)
    copied = await asyncio.to_thread(back_up, ask_own.database.url, folder / "copy.db", report=write)
    assert next(names, None) is None  # all writes were made meanwhile
    assert len((await db_snapshot(ask_own.database))["topic"]) == len(before["topic"]) + WRITES
    assert await rows(f"sqlite+aiosqlite:///{folder / 'copy.db'}") == before
    assert (copied.schema_revision, copied.size_bytes) == (head_revision(), (folder / "copy.db").stat().st_size)
    assert [copied.revision] == [row[1] for row in before["deployment"]]


@on_sqlite
def test_a_restored_backup_of_a_running_server_is_served_and_agrees_with_its_change_log(
    atoll: CommandRunner, own_world: World, folder: Path
) -> None:
    with atoll.run_server() as server:
        acknowledged, stopping = [0], threading.Event()
        writer = threading.Thread(
            target=write_topics, args=(server.url, own_world.tokens["ada"], acknowledged, stopping)
        )
        writer.start()
        while acknowledged[0] < 3 and writer.is_alive():
            stopping.wait(0.01)
        first = acknowledged[0]
        made = atoll("backup", str(folder / "copy.db"))
        stopping.set()
        writer.join()
    assert (made.code, made.err) == (0, "")
    assert made.out.startswith(f"{folder / 'copy.db'}: ")
    restored = CommandRunner(atoll.forker, atoll.folder, f"sqlite+aiosqlite:///{atoll.folder / 'restored.db'}")
    shutil.copy(folder / "copy.db", atoll.folder / "restored.db")
    with restored.run_server(MIGRATE="0") as server:
        assert httpx.get(f"{server.url}/readyz").json() == {"status": "ready"}
        query = {"query": "{ topics { totalCount } }"}
        headers = {"authorization": f"Bearer {own_world.tokens['mei']}"}
        answer = httpx.post(f"{server.url}/graphql", json=query, headers=headers).json()
    logged, revision = asyncio.run(created_topics(restored.database_url))
    assert logged == [f"New {number}" for number in range(len(logged))]
    assert first <= len(logged) <= acknowledged[0]
    assert answer["data"]["topics"]["totalCount"] == 3 + len(logged)
    assert f"revision {revision} of the change log" in made.out


def write_topics(url: str, token: str, acknowledged: list[int], stopping: threading.Event) -> None:
    """Create topics one after another; count those that the server acknowledges."""
    headers = {"authorization": f"Bearer {token}"}
    with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
        while not stopping.is_set():
            variables = {"input": {"name": f"New {acknowledged[0]}"}}
            answer = client.post("/graphql", json={"query": CREATE.query, "variables": variables})
            assert answer.json()["data"]["topicCreate"]["userErrors"] == []
            acknowledged[0] += 1


async def created_topics(url: str) -> tuple[list[str], int]:
    """Return the names of the topics in the log that have a creator, and the last revision; fail if they disagree."""
    database = Database(url)
    created = select(sql.change.c.revision, sql.change.c.fields).where(
        sql.change.c.action == "CREATED", sql.change.c.subject_id.like("top_%"), sql.change.c.actor_pk.is_not(None)
    )
    async with database.snapshot() as snapshot:
        changes = await snapshot.rows(created.order_by(sql.change.c.pk))
        [deployment] = await snapshot.rows(select(sql.deployment.c.revision))
    await database.close()
    assert deployment.revision == changes[-1].revision
    return [field["after"] for change in changes for field in change.fields if field["field"] == "name"], (
        deployment.revision
    )


@on_sqlite
def test_a_backup_is_one_file_for_its_owner_only(source: Path, folder: Path) -> None:
    back_up(parse_database_url(f"sqlite+aiosqlite:///{source}"), folder / "copy.db")
    assert list(folder.iterdir()) == [folder / "copy.db"]
    assert stat.S_IMODE((folder / "copy.db").stat().st_mode) == 0o600
    # Of a database in WAL mode, which needs companions, both bytes are 2 (SQLite's file format, 1.3.3).
    assert (folder / "copy.db").read_bytes()[18:20] == b"\x01\x01"


@on_sqlite
def test_an_existing_file_is_replaced_only_by_force(atoll: CommandRunner, folder: Path) -> None:
    file = folder / "copy.db"
    file.write_text("old")
    refused = atoll("backup", str(file)).error_line
    assert refused == f"{file} exists. Name another file, or replace it with --force."
    assert file.read_text() == "old"
    assert atoll("backup", str(file), "--force").code == 0
    assert file.read_bytes().startswith(b"SQLite format 3")


@on_sqlite
@pytest.mark.parametrize("ending", ["", "-wal", "-shm", "-journal", ".lock"])
def test_files_of_the_database_itself_are_never_replaced(atoll: CommandRunner, source: Path, ending: str) -> None:
    before = source.read_bytes()
    (source.parent / "link").symlink_to(source.parent)
    for path in (f"{source}{ending}", f"{source.parent / 'link' / source.name}{ending}"):
        refused = atoll("backup", path, "--force").error_line
        assert refused == f"{path} is a file of the database itself. Name another file."
    assert source.read_bytes() == before


@on_sqlite
def test_a_database_in_use_is_not_replaced(atoll: CommandRunner, folder: Path) -> None:
    file = folder / "other.db"
    with closing(sqlite3.connect(file)) as other:
        other.execute("PRAGMA journal_mode=WAL")
        other.execute("CREATE TABLE t (x)")
        refused = atoll("backup", str(file), "--force").error_line
    assert refused == f"{file} is a database in use: {file}-wal exists. Name another file."


@on_sqlite
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a command as another account")
def test_a_folder_that_is_not_writable_or_missing_is_named(atoll: CommandRunner, open_folder: Path) -> None:
    atoll.database_url, atoll.user = f"sqlite+aiosqlite:///{open_folder / 'data' / 'atoll.db'}", NOBODY
    for name in ("data", "backups"):
        (open_folder / name).mkdir()
    os.chown(open_folder / "data", NOBODY, NOBODY)
    assert atoll("migrate").code == 0
    folder = open_folder / "backups"
    reasons = {
        folder / "copy.db": "permission denied",
        folder / "absent" / "copy.db": "no such file or directory",
    }
    for file, reason in reasons.items():
        assert atoll("backup", str(file)).error_line == f"Cannot write {file}: {reason}. Name another file."
    refused = atoll("backup", str(folder)).error_line
    assert refused == f"{folder} is a folder. Name a file, for example {folder / 'atoll.db'}."
    assert list(folder.iterdir()) == []


@on_sqlite
def test_a_missing_database_is_named_and_not_created(atoll: CommandRunner, folder: Path) -> None:
    url = f"sqlite+aiosqlite:///{folder / 'absent.db'}"
    refused = atoll("backup", str(folder / "copy.db"), DATABASE_URL=url).error_line
    assert refused == f"There is no database {folder / 'absent.db'} to back up. Check ATOLL_DATABASE_URL."
    assert list(folder.iterdir()) == []


@on_sqlite
def test_a_full_disk_leaves_nothing_behind(source: Path, folder: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(DatabaseUnusableError, match=rf"^The disk of {folder / 'copy.db'} is full"):
            back_up(parse_database_url(f"sqlite+aiosqlite:///{source}"), folder / "copy.db")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(folder.iterdir()) == []


@on_sqlite
def test_an_interrupted_backup_leaves_nothing_behind(source: Path, folder: Path) -> None:
    def interrupt(_left: int, _count: int) -> None:
        raise KeyboardInterrupt

    (folder / "copy.db").write_text("old")
    url = parse_database_url(f"sqlite+aiosqlite:///{source}")
    with pytest.raises(KeyboardInterrupt):
        back_up(url, folder / "copy.db", replace=True, report=interrupt)
    assert [path.read_text() for path in folder.iterdir()] == ["old"]


@on_sqlite
def test_a_damaged_or_foreign_database_is_not_backed_up(source: Path, folder: Path) -> None:
    with closing(sqlite3.connect(source)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'asset'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with source.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * 100)
    with pytest.raises(DatabaseUnusableError, match="damaged"):
        back_up(parse_database_url(f"sqlite+aiosqlite:///{source}"), folder / "copy.db")
    other = folder.parent / "other.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE t (x)")
    with pytest.raises(DatabaseUnusableError, match=f"^{other} is not a database of Atoll"):
        back_up(parse_database_url(f"sqlite+aiosqlite:///{other}"), folder / "copy.db")
    assert list(folder.iterdir()) == []


@on_postgresql
def test_the_command_for_postgresql_makes_a_backup_that_is_restored(
    atoll: CommandRunner, own_world: World, folder: Path
) -> None:
    refused = atoll("backup", str(folder / "a copy")).usage_error
    command = refused.partition("Run: ")[2].partition(" (it asks")[0]
    url = parse_database_url(own_world.url)
    assert url.password
    assert url.password not in refused
    arguments = shlex.split(command)
    assert arguments[0] == "pg_dump"
    if not (find_binaries() / "pg_restore").exists():
        skip_or_fail("PostgreSQL's pg_dump and pg_restore are not installed")
    run_postgresql(arguments, url.password)
    run_postgresql(["createdb", *address(url), "restored"], url.password)
    run_postgresql(["pg_restore", *address(url), "--dbname=restored", str(folder / "a copy")], url.password)
    restored = own_world.url.replace(f"/{url.database}", "/restored")
    try:
        assert asyncio.run(rows(restored)) == asyncio.run(rows(own_world.url))
        assert atoll("check", DATABASE_URL=restored).code == 0
    finally:
        run_postgresql(["dropdb", *address(url), "restored"], url.password)


def address(url: Any) -> list[str]:
    return [f"--host={url.host}", f"--port={url.port}", f"--username={url.username}"]


def run_postgresql(arguments: list[str], password: str) -> None:
    """Run one of PostgreSQL's commands, in the version of the tests' server."""
    program = find_binaries() / arguments[0]
    finished = subprocess.run(
        [program, *arguments[1:]],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"PGPASSWORD": password},
    )
    assert finished.returncode == 0, finished.stderr


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("postgresql+asyncpg://me:s3cret@db.example.org/atoll", "postgresql://me@db.example.org/atoll"),
        ("postgresql+asyncpg://me@db/atoll?password=s3cret&ssl=require", "postgresql://me@db/atoll?sslmode=require"),
        ("postgresql+asyncpg:///a%20b?host=/run/postgresql", "postgresql:///a%20b?host=%2Frun%2Fpostgresql"),
        ("postgresql+asyncpg://db:6432/atoll?statement_cache_size=0", "postgresql://db:6432/atoll"),
    ],
)
def test_the_command_for_postgresql_has_the_address_and_no_password(url: str, address: str) -> None:
    command = shlex.split(postgresql_command(parse_database_url(url), Path("a b.dump")))
    assert command == ["pg_dump", "--format=custom", "--file=a b.dump", address]
