"""The migration of the search index: in steps, and beside servers of the version before."""

from typing import Any

import pytest
from alembic import command
from sqlalchemy import Connection, delete, select, text, update

from store import sql
from store.database import Database
from store.migrate import alembic_config, migrate
from tests.conftest import GraphQLClient, World
from tests.test_search import search, update_assets

BEFORE = "0012_0010"


def _downgrade(connection: Connection) -> None:
    command.downgrade(alembic_config(connection), BEFORE)


async def test_the_migration_indexes_all_rows_in_steps(own_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    derived = (
        select(sql.asset.c.pk, sql.asset.c.sort_key).order_by(sql.asset.c.pk),
        select(sql.collection.c.pk, sql.collection.c.sort_key).order_by(sql.collection.c.pk),
        select(sql.principal.c.pk, sql.principal.c.sort_key).order_by(sql.principal.c.pk),
        select(sql.asset_tag).order_by(sql.asset_tag.c.asset_pk, sql.asset_tag.c.tag),
    )

    async def read(database: Database) -> list[Any]:
        async with database.snapshot() as snapshot:
            return [list(map(tuple, await snapshot.rows(rows))) for rows in derived]

    database = Database(own_world.url)
    before = await read(database)
    async with database.engines[0].begin() as connection:
        await connection.run_sync(_downgrade)
        await connection.execute(text("DELETE FROM asset_search"))
    monkeypatch.setattr("store.search.index.BATCH", 4)
    left = list[tuple[int, int]]()
    await migrate(database, lambda rows, count: left.append((rows, count)))
    assert [rows for rows, _ in left] == list(range(left[0][1], 0, -4))
    assert await read(database) == before
    await database.close()
    client = GraphQLClient(own_world)
    assert "align" in await search(client, "ada", "align")
    await client.close()


async def test_a_row_written_by_an_earlier_version_is_indexed_with_the_next_write(ask_own: GraphQLClient) -> None:
    async with ask_own.database.engines[0].begin() as connection:  # `write` would index the row
        await connection.execute(update(sql.asset).where(sql.asset.c.external_id == "align").values(name="解析 10"))
        assert len((await connection.execute(select(sql.search_stale))).all()) == 1
        await connection.execute(delete(sql.search_stale))  # the earlier version has indexed it
    assert await search(ask_own, "ada", "析") == []
    await update_assets(ask_own, blast={"name": "other"})
    assert await search(ask_own, "ada", "析") == ["解析 10"]
    async with ask_own.database.snapshot() as snapshot:
        key = select(sql.asset.c.sort_key).where(sql.asset.c.external_id == "align")
        assert [row.sort_key for row in await snapshot.rows(key)] == ["解析 210"]
        for markers in (sql.search_stale, sql.search_unindexed):
            assert await snapshot.rows(select(markers)) == []
