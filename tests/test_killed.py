"""Processes killed during bulk mutations: acknowledged batches are durable, and no batch is partial."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from app.tokens import create_token
from store import sql
from store.catalogue.importer import import_catalogue
from store.database import Database
from store.migrate import migrate
from tests.cli_process import ROOT
from tests.conftest import write_lines

KILLS = 50  # on each database
ASSETS = [f"asset-{number}" for number in range(60)]
COLLECTIONS = [f"collection-{number}" for number in range(3)]

# Importing takes seconds: one process imports, and forks each child to be killed. A child adds all assets to one
# collection after another, then removes them, and so on; it prints each acknowledged batch.
FORKER = """
import asyncio, gc, itertools, json, os, sys
import aiosqlite, asyncpg, httpx
from app.application import create_application
from app.settings import Settings

MUTATION = "mutation($input: %sInput!) { %s(input: $input) { summary { changed } userErrors { code } } }"

async def change(asked):
    transport = httpx.ASGITransport(create_application(Settings(database_url=asked["url"])))
    headers = {"authorization": "Bearer " + asked["token"]}
    async with httpx.AsyncClient(transport=transport, base_url="http://atoll.test", headers=headers) as client:
        for batch in itertools.count(asked["first"]):
            name = "Remove" if batch // len(asked["collections"]) % 2 else "Add"
            collection = asked["collections"][batch % len(asked["collections"])]
            query = MUTATION % ("CollectionAssets" + name, "collectionAssets" + name)
            given = {"collectionId": collection, "assetIds": asked["assets"]}
            answer = (await client.post("/graphql", json={"query": query, "variables": {"input": given}})).json()
            ((_, payload),) = answer["data"].items()
            assert payload == {"summary": {"changed": len(asked["assets"])}, "userErrors": []}, answer
            os.write(1, b"%d\\n" % batch)

create_application(Settings())  # builds the schema once for all children
gc.freeze()  # as a server does: a collection in a child would copy the pages of all objects

for line in sys.stdin:
    child = os.fork()
    if not child:
        asyncio.run(change(json.loads(line)))
    os.write(1, b"%d\\n" % child)
    os.waitpid(child, 0)
    os.write(1, b"dead\\n")
"""


@contextmanager
def forking() -> Iterator[subprocess.Popen[str]]:
    forker = subprocess.Popen(
        [sys.executable, "-c", FORKER],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield forker
    finally:
        forker.communicate(timeout=60)


async def _fill_database(url: str, folder: Path) -> dict[str, Any]:
    """Create a database with assets and empty collections; return the child's parameters."""
    lines: list[dict[str, Any]] = [{"kind": "user", "id": "olu", "name": "olu"}]
    lines += [{"kind": "topic", "slug": "topic", "name": "topic"}]
    lines += [
        {"kind": "asset", "id": id_, "type": "MODEL", "name": id_, "owner": "olu", "grants": []} for id_ in ASSETS
    ]
    lines += [
        {"kind": "collection", "slug": slug, "name": slug, "topic": "topic", "visibility": "INTERNAL", "assets": []}
        for slug in COLLECTIONS
    ]
    database = Database(url)
    await migrate(database)
    await import_catalogue(database, write_lines(folder / "killed.jsonl", lines), "killed", lambda _bytes: None)
    token = await create_token(database, "olu", 3_600)
    async with database.snapshot() as snapshot:
        assets = [row.id for row in await snapshot.rows(select(sql.asset.c.id))]
        collections = [
            row.id for row in await snapshot.rows(select(sql.collection.c.id).order_by(sql.collection.c.slug))
        ]
    await database.close()
    return {"url": url, "token": token, "assets": assets, "collections": collections}


async def _count_rows(url: str) -> tuple[list[int], list[int]]:
    """Return the member count of each collection, and the asset count of each change in the log's order."""
    database = Database(url)
    held = (
        select(func.count(sql.membership.c.asset_pk).label("held"))
        .select_from(sql.collection.outerjoin(sql.membership))
        .group_by(sql.collection.c.slug)
        .order_by(sql.collection.c.slug)
    )
    touched = (
        select(func.count().label("touched"))
        .select_from(sql.change_asset)
        .group_by(sql.change_asset.c.change_pk)
        .order_by(sql.change_asset.c.change_pk)
    )
    async with database.snapshot() as snapshot:
        counts = [row.held for row in await snapshot.rows(held)], [row.touched for row in await snapshot.rows(touched)]
    await database.close()
    return counts


def _expected(batches: int) -> list[int]:
    """Return the expected member count of each collection after that many batches."""
    of_each = [len(range(place, batches, len(COLLECTIONS))) for place in range(len(COLLECTIONS))]
    return [len(ASSETS) if count % 2 else 0 for count in of_each]


def _kill_child(forker: subprocess.Popen[str], asked: dict[str, Any], seconds: float) -> list[int]:
    """Kill a child some time after its first batch; return the batches that it acknowledged."""
    assert forker.stdin
    assert forker.stdout
    forker.stdin.write(json.dumps(asked) + "\n")
    forker.stdin.flush()
    child, lines = int(forker.stdout.readline()), [forker.stdout.readline()]
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    while lines[-1] != "dead\n":
        lines.append(forker.stdout.readline())
    return [int(line) for line in lines[:-1]]


def test_a_killed_process_leaves_all_of_a_batch_or_nothing_and_loses_none_that_it_acknowledged(
    empty_url: str, tmp_path: Path
) -> None:
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    asked, done = asyncio.run(_fill_database(empty_url, tmp_path)), 0
    with forking() as forker:
        for kill in range(KILLS):
            acknowledged = _kill_child(forker, asked | {"first": done}, chance.uniform(0, 0.06))
            held, touched = asyncio.run(_count_rows(empty_url))
            trial = f"seed {seed}, kill {kill}"
            assert acknowledged == list(range(done, done + len(acknowledged))), trial
            least = done + len(acknowledged)
            assert touched in ([len(ASSETS)] * least, [len(ASSETS)] * (least + 1)), trial
            assert held == _expected(len(touched)), trial
            done = len(touched)
    assert done > KILLS, "every child acknowledges its first batch"
