"""X: export of all that the viewer sees, beside a bare read and write of the rows; and a pull, beside the export."""

import asyncio
import json
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg
import orjson

from app.export import export_catalogue, identify
from app.garbage import collect_garbage_seldom
from benchmarks.comparison import Comparison, compare_medians
from benchmarks.race.competitors import libpq_url
from benchmarks.race.server import Server
from benchmarks.race.world import World
from store.asset_columns import ASSET_COLUMNS
from store.database import UNLIMITED_SECONDS, Database

USER = "user:1"
PULL = """query($after: String) {
  collectionGraph(first: 1000, after: $after, include: [COLLECTIONS, ASSETS, MEMBERSHIPS]) {
  collections { id slug }
  assets { __typename ... on AssetFields {
    id externalId name description status tags version doi createdAt updatedAt owner { id } } }
  memberships { collectionId assetId addedAt note }
  pageInfo { hasNextPage endCursor } } }"""
IS_VISIBLE = """exists (select 1 from access_grant g where g.asset_pk = a.pk
  and (g.access = 4 or a.status not in ('ARCHIVED', 'WITHDRAWN')) and g.principal_pk in ({}))"""
COLUMNS = ", ".join(f"a.{column.name}" for column in ASSET_COLUMNS)
ASSETS = f"""select a.external_id, p.external_id, a.created_at, a.updated_at, a.is_gold, {COLUMNS}
  from asset a join principal p on p.pk = a.owner_pk where {IS_VISIBLE} order by a.external_id"""
MEMBERSHIPS = f"""select c.slug, a.external_id, m.note, m.added_at
  from collection c join membership m on m.collection_pk = c.pk join asset a on a.pk = m.asset_pk
  where {IS_VISIBLE} order by c.rank, m.rank, m.asset_pk"""
MEMBERSHIP_COLUMNS = 4
FETCHED = 1_000
"""Rows that the bare read fetches at once."""
ROUNDS = 3

Membership = tuple[str, str]
"""Slug of the collection, and external id of the asset."""


def compare_exports(server: Server, url: str, world: World) -> list[Comparison]:
    """Compare export, bare read and pull; exit if their memberships differ."""
    collect_garbage_seldom()  # as the command does
    principals = [1, 2, world.viewer_pk, *world.viewer_group_pks]
    with tempfile.TemporaryDirectory(prefix="atoll-bench-") as folder:
        exported, bare = Path(folder) / "export.jsonl", Path(folder) / "bare.jsonl"
        exports, bare_reads, pulls = list[float](), list[float](), list[float]()
        for _ in range(ROUNDS):
            exports.append(_time(_export(url, exported)))
            bare_reads.append(_time(_read_bare(url, principals, bare)))
            started = time.perf_counter()
            pages = list(_pages(server))
            pulls.append(time.perf_counter() - started)
        memberships = _exported_memberships(exported)
        if not memberships == _bare_memberships(bare) == _pulled_memberships(pages):
            raise SystemExit("X: the memberships of export, bare read and pull differ.")
    of_rows = f"{len(memberships):,} memberships"
    return [
        compare_medians(f"{server.name}: export of {of_rows}, beside a bare read and write", exports, bare_reads),
        compare_medians(f"{server.name}: `collectionGraph` of {of_rows}, beside the export", pulls, exports),
    ]


def _time(work: Coroutine[Any, Any, None]) -> float:
    started = time.perf_counter()
    asyncio.run(work)
    return time.perf_counter() - started


async def _export(url: str, file: Path) -> None:
    database = Database(url, operation_seconds=UNLIMITED_SECONDS)
    try:
        await export_catalogue(database, file, identify(USER, is_anonymous=False), replace=True)
    finally:
        await database.close()


async def _read_bare(url: str, principals: Sequence[int], file: Path) -> None:
    """Write a line of JSON for each row of the assets and the memberships that the viewer sees."""
    with file.open("wb") as stream:
        for statement in (ASSETS, MEMBERSHIPS):
            rows = _rows_of_sqlite if url.startswith("sqlite") else _rows_of_postgresql
            async for row in rows(url, statement, principals):
                stream.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))


async def _rows_of_sqlite(url: str, statement: str, principals: Sequence[int]) -> AsyncIterator[tuple[Any, ...]]:
    with closing(sqlite3.connect(url.partition(":///")[2])) as database:
        text = statement.format("select value from json_each(?)")
        for row in database.execute(text, [json.dumps(principals)]):
            yield row


async def _rows_of_postgresql(url: str, statement: str, principals: Sequence[int]) -> AsyncIterator[tuple[Any, ...]]:
    connection = await asyncpg.connect(libpq_url(url))
    try:
        async with connection.transaction(readonly=True):
            text = statement.format("select unnest($1::bigint[])")
            async for row in connection.cursor(text, principals, prefetch=FETCHED):
                yield tuple(row)
    finally:
        await connection.close()


def _pages(server: Server) -> Iterator[Any]:
    after: str | None = None
    while True:
        page = server.execute(PULL, {"after": after})["collectionGraph"]
        yield page
        if not page["pageInfo"]["hasNextPage"]:
            return
        after = page["pageInfo"]["endCursor"]


def _exported_memberships(file: Path) -> list[Membership]:
    slugs = {"collection": "slug", "members": "collection"}
    with file.open("rb") as lines:
        found = [line for line in map(orjson.loads, lines) if line["kind"] in slugs]
    return sorted((line[slugs[line["kind"]]], member["id"]) for line in found for member in line.get("assets", ()))


def _bare_memberships(file: Path) -> list[Membership]:
    with file.open("rb") as lines:
        rows = map(orjson.loads, lines)
        return sorted((row[0], row[1]) for row in rows if len(row) == MEMBERSHIP_COLUMNS)


def _pulled_memberships(pages: Sequence[Any]) -> list[Membership]:
    slugs = {row["id"]: row["slug"] for page in pages for row in page["collections"]}
    ids = {row["id"]: row["externalId"] for page in pages for row in page["assets"]}
    return sorted((slugs[row["collectionId"]], ids[row["assetId"]]) for page in pages for row in page["memberships"])
