"""Migrations: run by several processes at once, equal to the models, reversible, and generated."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from subprocess import Popen

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, func, inspect, select, text, update
from sqlmodel import SQLModel

from store import sql
from store.database import Database
from store.make_migration import main
from store.migrate import MIGRATIONS, alembic_config, current_revision, head_revision, migrate
from store.model_comparison import COMPARISON, expression_indexes
from store.search.index import reset_index
from tests.cli_process import ROOT
from tests.conftest import World

MIGRATE = """
import asyncio, sys
from sqlalchemy import select
from store import sql
from store.database import Database
from store.migrate import migrate

async def run():
    database = Database(sys.argv[1])
    print("ready", flush=True)
    sys.stdin.readline()
    await migrate(database)
    async with database.snapshot() as snapshot:
        print(len(await snapshot.rows(select(sql.principal))))
    await database.close()

asyncio.run(run())
"""


ALL_INDEXES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'index'",
    "postgresql": "SELECT indexname FROM pg_indexes",
}
# Run in a process of its own, because a model cannot be changed back. Prints the differences left by the migration.
CHANGE_MODEL = """
import asyncio, sys, warnings
from pathlib import Path
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Column
from sqlmodel import SQLModel
from store import migrate, sql
from store.database import Database
from store.make_migration import make_migration
from store.model_comparison import COMPARISON
from store.tables import TEXT

warnings.simplefilter("ignore")
url, directory = sys.argv[1:]
migrate.MIGRATIONS = Path(directory)
sql.topic.append_column(Column("sample", TEXT, nullable=True, index=True))

def compare(connection):
    return compare_metadata(MigrationContext.configure(connection, opts=COMPARISON), SQLModel.metadata)

async def change():
    await make_migration("Add the sample of topics")
    database = Database(url)
    await migrate.migrate(database)
    async with database.write() as connection:
        print(await connection.run_sync(compare))
    await database.close()

asyncio.run(change())
"""


def test_one_of_several_processes_migrates_while_the_others_wait(empty_url: str) -> None:
    processes = [
        Popen(
            [sys.executable, "-c", MIGRATE, empty_url],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate(timeout=60) for process in processes] == [
        ("2\n", "")
    ] * 4  # two rows: the principals everyone and public were inserted once


def _differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts=COMPARISON)
    return list(compare_metadata(context, SQLModel.metadata))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
async def test_migrations_create_the_tables_of_the_models(empty_url: str) -> None:
    database = Database(empty_url)
    try:
        assert await migrate(database) == head_revision() == await current_revision(database)
        async with database.write() as connection:
            assert await connection.run_sync(_differences) == []
            indexes = set((await connection.scalars(text(ALL_INDEXES[connection.dialect.name]))).all())
    finally:
        await database.close()
    assert expression_indexes() <= indexes


@pytest.fixture
def migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let migrations be read from, and written to, a copy of the directory."""
    copy = shutil.copytree(MIGRATIONS, tmp_path / "migrations")
    monkeypatch.setattr("store.migrate.MIGRATIONS", copy)
    return copy


@pytest.mark.usefixtures("migrations")
def test_no_migration_is_generated_without_a_message_or_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    for message, error in (("", "needs a message"), ("Add nothing", "nothing to migrate")):
        monkeypatch.setattr(sys, "argv", ["make_migration", message])
        with pytest.raises(SystemExit, match=error):
            main()


def test_a_generated_migration_creates_the_changed_model(empty_url: str, migrations: Path) -> None:
    number = int(head_revision()[:4]) + 1
    changed = subprocess.run(
        (sys.executable, "-c", CHANGE_MODEL, empty_url, str(migrations)),
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    generated = migrations / "versions" / f"{number:04}_add_the_sample_of_topics.py"
    assert (changed.stdout.splitlines()[-1], changed.stderr) == ("[]", "")
    assert generated.read_text(encoding="utf-8").startswith('"""Add the sample of topics."""\n')


async def test_migrations_are_reversible_with_data_in_the_tables(own_world: World) -> None:
    database = Database(own_world.url)
    try:
        async with database.engines[0].begin() as connection:  # `write` would update the search index
            while await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision()):
                await connection.run_sync(_revert_newest)
            assert await connection.run_sync(lambda sync: inspect(sync).get_table_names()) == ["alembic_version"]
        assert await migrate(database) == head_revision()
        async with database.snapshot() as snapshot:
            assert [row.external_id for row in await snapshot.rows(select(sql.principal))] == ["everyone", "public"]
    finally:
        await database.close()


def _revert_newest(connection: Connection) -> None:
    """Revert the newest migration, and repeat it in between: a column that `downgrade` left behind is an error then."""
    config = alembic_config(connection)
    command.downgrade(config, "-1")
    command.upgrade(config, "+1")
    command.downgrade(config, "-1")


async def test_collections_are_ranked_in_the_order_of_their_tree(own_world: World) -> None:
    database = Database(own_world.url)
    in_order = select(sql.collection.c.slug).order_by(sql.collection.c.topic_pk, sql.collection.c.rank)
    async with database.snapshot() as snapshot:
        before = [row.slug for row in await snapshot.rows(in_order)]
    async with database.engines[0].begin() as connection:
        await connection.run_sync(lambda sync: command.downgrade(alembic_config(sync), "0005"))
        await connection.execute(update(sql.collection).where(sql.collection.c.slug == "deep").values(rank=-1))
        assert list(await connection.scalars(in_order)) != before
    await migrate(database)
    async with database.snapshot() as snapshot:
        assert [row.slug for row in await snapshot.rows(in_order)] == before
    await database.close()


async def test_rows_are_indexed_in_transactions_of_their_own(own_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.search.index.BATCH", 4)
    database = Database(own_world.url)
    async with database.engines[0].begin() as connection:
        count = await reset_index(connection)
    left = []
    await migrate(database, lambda rows, all_rows: left.append((rows, all_rows)))
    assert left == [(rows, count) for rows in range(count, 0, -4)]
    await database.close()


async def test_a_write_between_two_batches_indexes_its_own_rows_only(
    own_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.search.index.BATCH", 4)
    database = Database(own_world.url)
    async with database.engines[0].begin() as connection:
        count = await reset_index(connection)

    def interrupt(rows: int, _all: int) -> None:
        if rows < count:
            raise RuntimeError("Interrupted.")

    with pytest.raises(RuntimeError, match="Interrupted"):
        await migrate(database, interrupt)
    # The first batch has four assets. Of the other rows, the write changes one.
    async with database.write() as connection:
        newest = select(func.max(sql.asset.c.pk)).scalar_subquery()
        await connection.execute(update(sql.asset).where(sql.asset.c.pk == newest).values(name="rewritten"))
    async with database.snapshot() as snapshot:
        assert await snapshot.rows(select(func.count()).select_from(sql.search_unindexed)) == [(count - 5,)]
    await migrate(database)
    async with database.snapshot() as snapshot:
        assert await snapshot.rows(select(sql.search_unindexed)) == []
    await database.close()
