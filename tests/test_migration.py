"""This file is migrations: by several processes at once, to the tables the code knows, and back."""

import os
import re
import subprocess
import sys
from subprocess import Popen

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, select
from sqlmodel import SQLModel

from store import sql
from store.database import Database
from store.migrate import _config, current_revision, head_revision, migrate
from tests.cli_process import ROOT
from tests.conftest import World

MIGRATING = """
import asyncio, sys
from sqlalchemy import select
from store import sql
from store.database import Database
from store.migrate import migrate

async def start():
    database = Database(sys.argv[1])
    print("ready", flush=True)
    sys.stdin.readline()
    await migrate(database)
    async with database.snapshot() as snapshot:
        print(len(await snapshot.rows(select(sql.principal))))
    await database.close()

asyncio.run(start())
"""


def test_of_processes_that_start_at_once_one_migrates_and_all_serve(empty_url: str) -> None:
    starts = [
        Popen(
            [sys.executable, "-c", MIGRATING, empty_url],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for start in starts:
        assert start.stdout
        assert start.stdout.readline() == "ready\n"
    for start in starts:
        assert start.stdin
        start.stdin.write("\n")
        start.stdin.flush()
    assert [start.communicate(timeout=60) for start in starts] == [("2\n", "")] * 4  # everyone and public, once


def _differences(connection: Connection) -> list[object]:
    # Indexes over expressions are made by hand, and SQLite's cannot be read back; so are those that are searched.
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    by_hand = re.compile("uq_collection_sibling|ix_access_grant_owner|(asset|collection|topic)_search")
    return [each for each in compare_metadata(context, SQLModel.metadata) if not by_hand.search(str(each))]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
async def test_migrations_make_the_tables_that_the_code_knows(empty_url: str) -> None:
    database = Database(empty_url)
    assert await migrate(database) == head_revision() == await current_revision(database)
    async with database.write() as connection:
        assert await connection.run_sync(_differences) == []
    await database.close()


async def test_migrations_go_back_and_forth_with_data_in_the_tables(own_world: World) -> None:
    database = Database(own_world.url)
    async with database.engines[0].begin() as connection:  # whose writes nothing is done for
        await connection.run_sync(lambda sync: command.downgrade(_config(sync), "base"))
        assert await connection.run_sync(lambda sync: inspect(sync).get_table_names()) == ["alembic_version"]
    assert await migrate(database) == head_revision()
    async with database.snapshot() as snapshot:
        assert [row.external_id for row in await snapshot.rows(select(sql.principal))] == ["everyone", "public"]
    await database.close()
