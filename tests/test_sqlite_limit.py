"""SQLite statements that read are interrupted when their time is over, or when nobody waits for them any more."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from store import sql, sqlite_limit
from store.database import Database, Snapshot
from store.failure import Failure, StorageError
from store.migrate import migrate

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture
async def database(tmp_path: Path) -> Any:
    """Yield an empty SQLite database."""
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}")
    await migrate(database)
    yield database
    await database.close()


async def count_for_ever(snapshot: Snapshot) -> object:
    """Run a statement that never ends."""
    numbers = text(ENDLESS).columns(sql.asset.c.pk)
    return await snapshot.rows(numbers)


async def test_a_statement_of_a_reader_thread_ends_after_its_time(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_limit, "STATEMENT_SECONDS", 0.05)
    with pytest.raises(StorageError) as raised:
        await database.read(count_for_ever)
    assert raised.value.failure is Failure.SLOW
    assert await database.read(read_nothing) == []  # the connection is whole


async def test_a_statement_of_a_snapshot_ends_after_its_time(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_limit, "STATEMENT_SECONDS", 0.05)
    with pytest.raises(StorageError) as raised:
        async with database.snapshot() as snapshot:
            await snapshot.rows(text(ENDLESS))
    assert raised.value.failure is Failure.SLOW
    async with database.snapshot() as snapshot:
        assert await read_nothing(snapshot) == []


async def test_a_statement_ends_when_nobody_waits_for_it(database: Database) -> None:
    reading = asyncio.create_task(database.read(count_for_ever))
    await asyncio.sleep(0.05)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    began = time.monotonic()
    await database.close()  # waits for the thread
    assert time.monotonic() - began < sqlite_limit.STATEMENT_SECONDS / 2


async def test_writes_have_no_limit(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_limit, "STATEMENT_SECONDS", 0)
    monkeypatch.setattr(sqlite_limit, "STEPS", 1)
    long = f"{ENDLESS.replace('FROM n)', 'FROM n WHERE i < 1000)')}"
    async with database.write() as connection:
        assert (await connection.execute(text(long))).scalar_one() == 1_000
    with pytest.raises(StorageError):
        async with database.snapshot() as snapshot:
            await snapshot.rows(text(long))


async def read_nothing(snapshot: Snapshot) -> list[Any]:
    """Return the rows of an empty table."""
    return list(await snapshot.rows(sql.asset.select()))
