"""Databases: unusable ones are rejected; concurrent readers and writers."""

import asyncio
import os
import re
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from subprocess import Popen

import pytest
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from store import sql
from store.database import Database, Snapshot
from store.failure import StorageError
from store.migrate import current_revision, migrate
from tests.cli_process import NOBODY, CommandRunner, free_port
from tests.conftest import World
from tests.db_snapshot import db_snapshot
from tests.postgres import Postgres


@pytest.fixture
def atoll(forker: Popen[str], tmp_path: Path) -> CommandRunner:
    """Return a runner of commands on a file that does not exist yet."""
    return CommandRunner(forker, tmp_path, f"sqlite+aiosqlite:///{tmp_path / 'atoll.db'}")


@pytest.fixture
def file(atoll: CommandRunner) -> Path:
    """Return the database file of the `atoll` fixture's commands."""
    return atoll.folder / "atoll.db"


@pytest.fixture
async def database(own_world: World) -> AsyncIterator[Database]:
    """Return a copy of the world."""
    world = Database(own_world.url)
    yield world
    await world.close()


def rejection_by_all_commands(atoll: CommandRunner) -> str:
    """Return the error message for a database, after checking that every command prints the same one."""
    error_lines = {atoll(*words).error_line for words in (("migrate",), ("serve", "--port", str(free_port())))}
    (error_line,) = error_lines
    assert atoll("check").err == error_line + "\n"
    return error_line


def test_a_file_that_is_no_sqlite_database_is_rejected_and_unchanged(atoll: CommandRunner, file: Path) -> None:
    file.write_text("this is no database, however long it may be" * 100, encoding="utf-8")
    before = file.read_bytes()
    message = f"{file} is not a SQLite database. Set ATOLL_DATABASE_URL to another file, or move this one away."
    assert rejection_by_all_commands(atoll) == message
    assert file.read_bytes() == before


def test_a_directory_instead_of_a_file_is_rejected(atoll: CommandRunner, file: Path) -> None:
    file.mkdir()
    assert rejection_by_all_commands(atoll) == (
        f"{file} is a directory. Set ATOLL_DATABASE_URL to a file, for example {file}/atoll.db."
    )


def test_a_missing_directory_is_rejected_and_not_created(atoll: CommandRunner) -> None:
    atoll.database_url = f"sqlite+aiosqlite:///{atoll.folder}/missing/atoll.db"
    message = f"The directory {atoll.folder}/missing does not exist. Create it, or change ATOLL_DATABASE_URL."
    assert rejection_by_all_commands(atoll) == message
    assert not (atoll.folder / "missing").exists()


def _overwritten(pages: bytearray) -> bytes:
    for page in range(2, len(pages) // 4096):
        pages[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    return bytes(pages)


DAMAGES = {
    "pages overwritten": _overwritten,
    "the second half lost": lambda pages: bytes(pages[: len(pages) // 2]),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_rejected_before_the_server_starts(atoll: CommandRunner, file: Path, damage: object) -> None:
    assert atoll("migrate").code == 0
    assert callable(damage)
    file.write_bytes(damage(bytearray(file.read_bytes())))
    for words in (("migrate",), ("serve", "--port", str(free_port()))):
        error_line = atoll(*words).error_line
        assert error_line.startswith(f"{file} is damaged")
        assert error_line.endswith("Restore it from a backup, or move it away to start with an empty database.")


def test_an_empty_file_becomes_a_database_and_only_its_owner_may_read_a_new_one(
    atoll: CommandRunner, file: Path
) -> None:
    file.touch()
    assert atoll("migrate").code == 0
    file.unlink()
    assert atoll("migrate").code == 0
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_that_another_process_writes_to_is_rejected_after_seconds(atoll: CommandRunner, file: Path) -> None:
    assert atoll("migrate").code == 0
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        message = f"Another process is writing to {file}. Retry when it has finished, or stop it."
        assert atoll("migrate").error_line == message
    finally:
        other.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not write")
def test_files_without_permissions_are_rejected(atoll: CommandRunner, open_folder: Path) -> None:
    file = open_folder / "atoll.db"
    atoll.database_url = f"sqlite+aiosqlite:///{file}"
    message = f"{file} or its directory is not writable. Give this user write permission on both."
    atoll.user = NOBODY
    assert atoll("migrate").error_line == message  # the folder is root's, and there is no file
    atoll.user = 0
    assert atoll("migrate").code == 0
    atoll.user = NOBODY
    assert atoll("migrate").error_line == message  # the file is root's too
    for path in open_folder.iterdir():
        os.chown(path, NOBODY, NOBODY)
    file.chmod(0o444)
    open_folder.chmod(0o777)
    assert atoll("migrate").error_line == message  # the folder is open, the file is not
    catalogue = open_folder / "catalogue.jsonl"
    catalogue.touch(0o000)
    assert atoll("import", str(catalogue)).error_line == f"Cannot read {catalogue}: permission denied."


async def test_a_database_of_a_newer_version_is_rejected_and_unchanged(
    own_world: World, forker: Popen[str], tmp_path: Path
) -> None:
    database = Database(own_world.url)
    async with database.write() as connection:
        await connection.execute(text("update alembic_version set version_num = '9999'"))
    before = await db_snapshot(database)
    await database.close()
    atoll = CommandRunner(forker, tmp_path, own_world.url)
    message = (
        "The database is at revision 9999, which this version of Atoll does not know: a newer one wrote it. "
        "Run the newer version, or restore an older backup."
    )
    for words in (("migrate",), ("token", "mei"), ("serve", "--port", str(free_port()))):
        assert atoll(*words).error_line == message
    assert await current_revision(database) == "9999"
    assert await db_snapshot(database) == before
    await database.close()


def test_an_unusable_postgresql_server_is_rejected_with_the_reason(atoll: CommandRunner, postgres: Postgres) -> None:
    setting, address = "ATOLL_DATABASE_URL", f"127.0.0.1:{postgres.port}"
    rejected = f"The PostgreSQL server at {address}/postgres rejects the user or the password. Check both in {setting}."
    closed = free_port()
    hint = f"Check that it is running, and host and port in {setting}."
    messages = {
        postgres.url("absent"): f"The PostgreSQL server has no database {address}/absent. Create it with createdb.",
        re.sub(r"//postgres:[^@]*", "//postgres:sesame", postgres.url()): rejected,
        re.sub(r"//postgres:[^@]*", "//stranger:sesame", postgres.url()): rejected,
        f"postgresql+asyncpg://me:sesame@127.0.0.1:{closed}/atoll": (
            f"No PostgreSQL server answers at 127.0.0.1:{closed}/atoll. {hint}"
        ),
        f"postgresql+asyncpg://me:sesame@nowhere.invalid:{closed}/atoll": (
            f"No PostgreSQL server answers at nowhere.invalid:{closed}/atoll. {hint}"
        ),
    }
    for url, message in messages.items():
        atoll.database_url = url
        assert rejection_by_all_commands(atoll) == message


INCREMENT = update(sql.deployment).values(revision=sql.deployment.c.revision + 1)


async def revision(snapshot: Snapshot) -> int:
    [row] = await snapshot.rows(select(sql.deployment.c.revision))
    return int(row.revision)


async def test_a_reader_sees_one_snapshot_from_its_first_statement_on(database: Database) -> None:
    async with database.snapshot() as early, database.snapshot() as late:
        before = await revision(early)
        async with database.write() as connection:
            await connection.execute(INCREMENT)
        assert (await revision(early), await revision(late)) == (before, before + 1)
        async with database.write() as connection:
            await connection.execute(INCREMENT)
        assert (await revision(early), await revision(late)) == (before, before + 1)
    async with database.snapshot() as now:
        assert await revision(now) == before + 2


async def test_each_way_of_reading_has_its_plans_on_postgresql(database: Database) -> None:
    if database.is_sqlite:
        return

    async def plan_mode(snapshot: Snapshot) -> str:
        [row] = await snapshot.rows(select(func.current_setting("plan_cache_mode").label("mode")))
        return str(row.mode)

    modes = [await read(plan_mode) for read in (database.read_few, database.read, database.read_long, database.read)]
    assert modes == ["force_generic_plan", "auto", "force_custom_plan", "auto"]


async def test_concurrent_writers_lose_no_update(database: Database) -> None:
    async def read_and_write_back() -> None:
        async with database.write() as connection:
            seen = (await connection.execute(select(sql.deployment.c.revision).with_for_update())).scalar_one()
            await asyncio.sleep(0.001)
            await connection.execute(update(sql.deployment).values(revision=seen + 1))

    async with database.snapshot() as snapshot:
        before = await revision(snapshot)
    await asyncio.gather(*(read_and_write_back() for _ in range(30)))
    async with database.snapshot() as snapshot:
        assert await revision(snapshot) == before + 30


async def test_readers_cannot_write(database: Database) -> None:
    before = await db_snapshot(database)
    async with database.snapshot() as snapshot:
        with pytest.raises(StorageError, match=r"not writable|read-only"):
            await snapshot.rows(INCREMENT.returning(sql.deployment.c.revision))
    assert await db_snapshot(database) == before


async def test_a_write_that_fails_changes_nothing(database: Database) -> None:
    before = await db_snapshot(database)

    async def write_and_fail() -> None:
        async with database.write() as connection:
            await connection.execute(INCREMENT)
            raise LookupError

    with pytest.raises(LookupError):
        await write_and_fail()
    assert await db_snapshot(database) == before


async def test_foreign_keys_are_enforced(database: Database) -> None:
    row = {"collection_pk": 1, "asset_pk": 1_000_000, "rank": 1, "added_at": 1}
    with pytest.raises(IntegrityError):
        async with database.write() as connection:
            await connection.execute(insert(sql.membership).values(row))


async def test_sibling_names_are_unique_even_at_the_top_level(database: Database) -> None:
    async with database.snapshot() as snapshot:
        top = select(sql.collection).where(sql.collection.c.slug == "open")
        [row] = [row._asdict() for row in await snapshot.rows(top)]
    del row["pk"]
    with pytest.raises(IntegrityError):
        async with database.write() as connection:
            await connection.execute(insert(sql.collection).values(row | {"id": "col_other", "slug": "other"}))


async def test_sqlite_syncs_acknowledged_writes_to_disk(file: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{file}")
    await migrate(database)
    async with database.write() as connection:
        pragmas = {
            pragma: (await connection.exec_driver_sql(f"PRAGMA {pragma}")).scalar_one()
            for pragma in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    await database.close()
