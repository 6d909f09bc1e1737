"""Benchmark world: a database with many assets of one owner and an empty collection, and the owner's client."""

from dataclasses import dataclass
from itertools import cycle
from typing import Any

import httpx
from sqlalchemy import insert, select

from app.application import create_application
from app.settings import Settings
from app.tokens import create_token
from store import sql
from store.bulk_insert import insert_many
from store.database import Database
from store.ids import new_id, now_ms
from store.migrate import migrate
from store.tables import AssetAccess, AssetKind


@dataclass
class BenchmarkWorld:
    """A database, an HTTP client of the assets' owner, and the keys of the collection and the assets."""

    database: Database
    client: httpx.AsyncClient
    collection_id: str
    collection_pk: int
    asset_ids: list[str]
    asset_pks: list[int]

    async def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Execute an operation as the owner and return its data; exit if it has errors."""
        answer = (await self.client.post("/graphql", json={"query": query, "variables": variables})).json()
        if "errors" in answer:
            raise SystemExit(str(answer["errors"]))
        return dict(answer["data"])

    async def close(self) -> None:
        """Close the client and the database."""
        await self.client.aclose()
        await self.database.close()


async def build_world(url: str, asset_count: int) -> BenchmarkWorld:
    """Create a world of `asset_count` released assets, all of one owner."""
    database, now = Database(url), now_ms()
    await migrate(database)
    async with database.write() as connection:
        owner = {"id": new_id("usr"), "external_id": "owner", "kind": "USER", "name": "Owner", "is_admin": False}
        await connection.execute(insert(sql.principal).values(owner))
        owner_pk = await connection.scalar(select(sql.principal.c.pk).where(sql.principal.c.external_id == "owner"))
        stamps = {"created_at": now, "updated_at": now, "version": 1}
        topic = {"id": new_id("top"), "slug": "t", "name": "t", "name_key": "t", "description": "", "rank": 1}
        await connection.execute(insert(sql.topic).values(topic | stamps))
        topic_pk = await connection.scalar(select(sql.topic.c.pk))
        collection: dict[str, Any] = {"id": new_id("col"), "slug": "c", "name": "c", "name_key": "c", "description": ""}
        collection |= {"visibility": "INTERNAL", "topic_pk": topic_pk, "rank": 1}
        await connection.execute(insert(sql.collection).values(collection | stamps))
        collection_pk = await connection.scalar(select(sql.collection.c.pk))
        kinds = cycle(AssetKind)
        rows: list[dict[str, Any]] = [
            {"id": new_id("ast"), "external_id": f"a{number}", "kind": next(kinds), "status": "RELEASED"}
            | {"name": f"Asset {number}", "name_key": f"asset {number}", "owner_pk": owner_pk, "tags": []}
            | {"created_at": now, "updated_at": now, "is_gold": 0}
            for number in range(asset_count)
        ]
        await connection.execute(insert(sql.asset), rows)
        assets = (await connection.execute(select(sql.asset.c.pk, sql.asset.c.id).order_by(sql.asset.c.pk))).all()
        grants = [{"asset_pk": row.pk, "principal_pk": owner_pk, "access": AssetAccess.OWNER.value} for row in assets]
        await insert_many(connection, sql.grant, grants)
    token = await create_token(database, "owner", 86_400)
    transport = httpx.ASGITransport(create_application(Settings(database_url=url, rate_points=0), database=database))
    headers = {"authorization": f"Bearer {token}"}
    client = httpx.AsyncClient(transport=transport, base_url="http://atoll.test", headers=headers, timeout=600)
    return BenchmarkWorld(
        database,
        client,
        str(collection["id"]),
        int(collection_pk or 0),
        [row.id for row in assets],
        [row.pk for row in assets],
    )


async def analyse(database: Database) -> None:
    """Update the statistics of all tables."""
    async with database.engines[0].connect() as connection:
        autocommit = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await autocommit.exec_driver_sql("ANALYZE" if database.is_sqlite else "VACUUM ANALYZE")
