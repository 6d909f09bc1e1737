"""The world in Atoll's tables, on SQLite or PostgreSQL, and a token of the viewer."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Table, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from app.tokens import create_token
from benchmarks.race.world import NOW, TAGS, World
from benchmarks.world import analyse
from store import sql
from store.bulk_insert import insert_many
from store.database import Database
from store.migrate import migrate
from store.text import fold_name

TOKEN_SECONDS = 86_400 * 30
BATCH = 20_000
RowT = TypeVar("RowT")


async def write_atoll(world: World, url: str) -> str:
    """Migrate the database at the URL, write the world to it, analyse it, and return a token of the viewer."""
    database = Database(url)
    try:
        await migrate(database)
        async with database.write() as connection:
            await _write_principals(world, connection)
            await _write_collections(world, connection)
            await _write_assets(world, connection)
            members = ({**row._asdict(), "added_at": NOW} for row in world.memberships())
            await _insert(connection, sql.membership, members)
        await analyse(database)
        return await create_token(database, "user:1", TOKEN_SECONDS)
    finally:
        await database.close()


async def _write_principals(world: World, connection: AsyncConnection) -> None:
    rows = [{**row._asdict(), "is_admin": False} for row in world.principals()]
    await connection.execute(insert(sql.principal), rows)
    groups = [{"group_pk": pk, "user_pk": world.viewer_pk} for pk in world.viewer_group_pks]
    await connection.execute(insert(sql.group_member), groups)


async def _write_collections(world: World, connection: AsyncConnection) -> None:
    stamps = {"version": 1, "created_at": NOW, "updated_at": NOW}
    topics = [
        {
            **row._asdict(),
            **stamps,
            "slug": f"t{row.pk}",
            "name_key": fold_name(row.name),
            "description": "",
            "rank": row.pk,
        }
        for row in world.topics()
    ]
    await connection.execute(insert(sql.topic), topics)
    collections = [
        {
            **row._asdict(),
            **stamps,
            "slug": f"c{row.pk}",
            "name_key": fold_name(row.name),
            "visibility": "INTERNAL",
            "rank": row.pk,
        }
        for row in world.collections()
    ]
    await connection.execute(insert(sql.collection), collections)


async def _write_assets(world: World, connection: AsyncConnection) -> None:
    for assets in _batches(world.assets()):
        rows = [
            {
                "pk": asset.pk,
                "id": asset.id,
                "external_id": f"a{asset.pk}",
                "kind": asset.kind,
                "status": "RELEASED",
                "name": asset.name,
                "name_key": fold_name(asset.name),
                "description": asset.description,
                "owner_pk": asset.owner_pk,
                "tags": TAGS,
                "doi": asset.doi,
                "version": asset.version,
                "created_at": asset.created_at,
                "updated_at": asset.created_at,
                "is_gold": 0,
            }
            for asset in assets
        ]
        await connection.execute(insert(sql.asset), rows)
        await insert_many(connection, sql.asset_tag, [{"asset_pk": a.pk, "tag": tag} for a in assets for tag in TAGS])
        grants = [
            {"asset_pk": asset.pk, "principal_pk": pk, "access": access}
            for asset in assets
            for pk, access in asset.grants.items()
        ]
        await insert_many(connection, sql.grant, grants)


async def _insert(connection: AsyncConnection, table: Table, rows: Iterable[dict[str, Any]]) -> None:
    for batch in _batches(rows):
        await insert_many(connection, table, batch)


def _batches(rows: Iterable[RowT]) -> Iterator[list[RowT]]:
    remaining = iter(rows)
    while batch := list(islice(remaining, BATCH)):
        yield batch
