"""L: the time from a write until an event has reached all subscribers, each another user, clients included."""

import asyncio
import json
import statistics
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from websockets.asyncio.client import ClientConnection

from benchmarks.race.server import Server
from benchmarks.race.world import World
from benchmarks.race.writer import Membership
from proofs.subscribers.subscriber import subscribe
from store import sql, tokens
from store.database import Database
from store.ids import now_ms
from store.tables import EVERYONE_PK, AssetAccess

SUBSCRIBERS = (200, 1_000)
EVENTS = 6
OPENING = 20
"""Connections that are opened at the same time."""

TOKEN_MS = 86_400_000
QUERY = """subscription($id: ID!) { collectionChanged(id: $id) {
  cursor reload collection { name } addedEdges { node { ... on AssetFields { id name } } } removedAssetIds
  change { action actor { name } } } }"""


def measure_events(server: Server, url: str, world: World, membership: Membership) -> dict[int, float]:
    """Return the median seconds from the request for a write to the last event, by the number of subscribers."""
    return asyncio.run(_measure(server, url, world, membership))


async def _measure(server: Server, url: str, world: World, membership: Membership) -> dict[int, float]:
    secrets = await _prepare(url, world, membership)
    connections = list[ClientConnection]()
    seconds = {}
    try:
        for count in SUBSCRIBERS:
            while len(connections) < min(count, len(secrets)):
                opened = [_open(server, secret, membership) for secret in secrets[len(connections) : count][:OPENING]]
                connections += await asyncio.gather(*opened)
            times = [await _time_event(server, membership, number, connections) for number in range(EVENTS)]
            seconds[len(connections)] = statistics.median(times)
    finally:
        for connection in connections:
            connection.transport.abort()
    return seconds


async def _prepare(url: str, world: World, membership: Membership) -> list[str]:
    """Share the assets with everyone, and create a token for each user."""
    database = Database(url)
    try:
        async with database.write() as connection:
            is_written = sql.asset.c.id.in_(membership.input["assetIds"])
            pks = (await connection.scalars(select(sql.asset.c.pk).where(is_written))).all()
            is_shared = sql.grant.c.asset_pk.in_(pks) & (sql.grant.c.principal_pk == EVERYONE_PK)
            shared = (await connection.scalars(select(sql.grant.c.asset_pk).where(is_shared))).all()
            grant = {"principal_pk": EVERYONE_PK, "access": AssetAccess.VIEWER.value}
            for pk in set(pks) - set(shared):
                await connection.execute(sql.grant.insert().values(asset_pk=pk, **grant))
            at, users = now_ms(), [each.pk for each in world.principals() if each.kind == "USER"]
            return [
                (await tokens.create(connection, pk, "bench", at=at, expires_at=at + TOKEN_MS)).secret
                for pk in users[: max(SUBSCRIBERS)]
            ]
    finally:
        await database.close()


async def _open(server: Server, secret: str, membership: Membership) -> ClientConnection:
    url = f"http://127.0.0.1:{server.port}"
    connection = await subscribe(url, secret, QUERY, id=membership.input["collectionId"])
    await connection.recv()
    return connection


async def _time_event(
    server: Server, membership: Membership, number: int, connections: Sequence[ClientConnection]
) -> float:
    """Return the seconds from a write until the last client has parsed its event; exit if one has other assets."""
    received = asyncio.gather(*(connection.recv() for connection in connections))
    started = time.perf_counter()
    await asyncio.to_thread(membership.change, server, number)
    events = [json.loads(message) for message in await received]
    seconds = time.perf_counter() - started
    if any(_written_ids(event) != set(membership.input["assetIds"]) for event in events):
        raise SystemExit(f"L: {server.name} sent other assets than those that were written.")
    return seconds


def _written_ids(message: dict[str, Any]) -> set[str]:
    event = message["payload"]["data"]["collectionChanged"]
    return {*event["removedAssetIds"], *(edge["node"]["id"] for edge in event["addedEdges"])}
