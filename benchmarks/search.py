"""Benchmark of searches with facets against one hand-written statement that returns the same rows.

`python -m benchmarks.search [--assets 100000 1000000] [--rounds 9] [--only sqlite]` prints medians and ratios for
SQLite and PostgreSQL. The number of matches is the same for any number of assets. It fails if the rows differ.
"""

import argparse
import asyncio
import gc
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any

import orjson
from sqlalchemy import bindparam, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from benchmarks.comparison import Comparison, Report, compare_medians, print_comparison, print_header
from benchmarks.world import BenchmarkWorld, analyse, build_world
from store import sql
from store.bulk_insert import insert_many
from store.ids import new_id
from store.tables import EVERYONE_PK, OWNER_BY_GRANT, AssetAccess, AssetStatus
from tests.postgres import Postgres

OWNED = 5_000  # assets of the viewer
NEEDLES = 5_000  # assets that the search matches; half are the viewer's, and half match by name
WORDS = [
    f"{first}{last}" for first in ("bal", "cor", "dim", "fen", "gar") for last in ("ato", "ine", "ura", "osk", "eth")
]
OWNERS = 50
FACETS = "facets { kinds { kind count } tags(first: 20) { tag count } owners(first: 20) { count owner { name } } }"
ROWS = f"totalCount nodes {{ ... on AssetFields {{ id name }} }} {FACETS}"
OFFERED = f"found: addableAssets(first: 20, query: $q) {{ {ROWS} }}"
PANEL = f"query($q: String, $c: ID!) {{ collection(by: {{id: $c}}) {{ {OFFERED} }} }}"
GLOBAL = f"query($q: String) {{ found: assets(first: 20, query: $q) {{ {ROWS} }} }}"

# SQL fragments with the same meaning in both databases.
DIALECTS = {
    "sqlite": {
        "match": "asset.pk IN (SELECT rowid FROM asset_search WHERE asset_search MATCH :anywhere)",
        "named": "asset.pk IN (SELECT rowid FROM asset_search WHERE asset_search MATCH :name)",
        "rows": "json_group_array(json_array({0}))",
    },
    "postgresql": {
        "match": "asset.pk IN (SELECT rowid FROM asset_search WHERE words @@ CAST(:anywhere AS tsquery))",
        "named": "asset.pk IN (SELECT rowid FROM asset_search WHERE words @@ CAST(:name AS tsquery))",
        "rows": "coalesce(json_agg(json_build_array({0})), '[]')",
    },
}
PARAMETERS = {
    "sqlite": {"anywhere": '"needle" *', "name": '{name} : ("needle")'},
    "postgresql": {"anywhere": "'needle':*", "name": "'needle':A"},
}
VISIBLE = f"""EXISTS (SELECT 1 FROM access_grant WHERE asset_pk = asset.pk AND principal_pk IN (:user, 1, 2)
  AND access >= {AssetAccess.DISCOVERABLE.value})"""
ELIGIBLE = f"""status = '{AssetStatus.RELEASED}' AND asset.pk IN (
  SELECT asset_pk FROM access_grant WHERE {OWNER_BY_GRANT} IN (:user, 1, 2))"""
BY_HAND = """WITH found AS MATERIALIZED (
  SELECT asset.pk, asset.id, asset.name, asset.kind, asset.owner_pk, is_gold, updated_at, {better} AS better
  FROM asset WHERE {where}),
page AS (SELECT id, name FROM found ORDER BY better DESC, is_gold DESC, updated_at DESC, id DESC LIMIT 20),
kinds AS (SELECT kind, count(*) AS n FROM found GROUP BY kind ORDER BY n DESC, kind),
tags AS (SELECT tag, count(*) AS n FROM found CROSS JOIN asset_tag WHERE asset_pk = pk GROUP BY tag
  ORDER BY n DESC, tag LIMIT 20),
owners AS (SELECT principal.name, count(*) AS n, principal.id FROM found JOIN principal ON principal.pk = owner_pk
  GROUP BY principal.pk, principal.name, principal.sort_key, principal.id
  ORDER BY n DESC, principal.sort_key, principal.id LIMIT 20)
SELECT (SELECT count(*) FROM found), (SELECT {page} FROM page), (SELECT {kinds} FROM kinds), (SELECT {tags} FROM tags),
  (SELECT {owners} FROM owners)"""


async def build_search_world(url: str, assets: int) -> BenchmarkWorld:
    """Create a benchmark world in which the viewer owns OWNED assets and the search matches NEEDLES assets."""
    world, chance = await build_world(url, assets), Random(1)
    async with world.database.write() as connection:
        owners = await _insert_owners(connection)
        strangers = world.asset_pks[OWNED:]
        for place, owner in enumerate(owners):
            await _change_owner(connection, strangers[place::OWNERS], owner)
        await _describe_assets(connection, chance, world.asset_pks)
    await analyse(world.database)
    return world


async def _insert_owners(connection: AsyncConnection) -> list[int]:
    rows = [
        {"id": new_id("usr"), "external_id": f"other{place}", "kind": "USER", "name": f"Other {place:02}"}
        for place in range(OWNERS)
    ]
    await connection.execute(insert(sql.principal), [row | {"is_admin": False} for row in rows])
    others = select(sql.principal.c.pk).where(sql.principal.c.external_id.like("other%"))
    return list(await connection.scalars(others))


async def _change_owner(connection: AsyncConnection, pks: list[int], owner: int) -> None:
    """Give the assets to another owner, and grant everyone DISCOVERABLE access to every second one and all needles."""
    asset, grant = sql.asset, sql.grant
    await connection.execute(update(asset).where(asset.c.pk.in_(sql.int_list(pks))).values(owner_pk=owner))
    await connection.execute(grant.delete().where(grant.c.asset_pk.in_(sql.int_list(pks))))
    own = [{"asset_pk": pk, "principal_pk": owner, "access": AssetAccess.OWNER.value} for pk in pks]
    known = [pk for pk in pks if pk % 2 or pk <= OWNED + NEEDLES // 2]
    shared = [{"asset_pk": pk, "principal_pk": EVERYONE_PK, "access": AssetAccess.DISCOVERABLE.value} for pk in known]
    await insert_many(connection, grant, own + shared)


async def _describe_assets(connection: AsyncConnection, chance: Random, pks: list[int]) -> None:
    """Set the names, descriptions, tags and dates of the assets."""
    needles = {*pks[: NEEDLES // 2], *pks[OWNED : OWNED + NEEDLES // 2]}
    rows, tags = [], []
    for pk in pks:
        words = f"{chance.choice(WORDS)} {chance.choice(WORDS)} {pk}"
        name = f"needle {words}" if pk in needles and pk % 2 else words
        about = f"A needle of {words}." if pk in needles else f"Made of {chance.choice(WORDS)}."
        of = sorted({chance.choice(WORDS) for _ in range(3)})
        row = {
            "to_name": name,
            "to_name_key": name,
            "to_description": about,
            "to_tags": of,
            "to_updated_at": pk * 1_000,
        }
        rows.append({"of": pk} | row)
        tags += [{"asset_pk": pk, "tag": tag, "tag_key": tag} for tag in of]
    written = ("name", "name_key", "description", "tags", "updated_at")
    columns: dict[str, Any] = {name: bindparam(f"to_{name}") for name in written}
    for start in range(0, len(rows), OWNED):
        one = update(sql.asset).where(sql.asset.c.pk == bindparam("of")).values(columns)
        await connection.execute(one, rows[start : start + OWNED])
    await insert_many(connection, sql.asset_tag, tags)


async def measure(url: str, name: str, assets: int, rounds: int, report: Report) -> None:
    """Report the times of each query and of the hand-written statement."""
    world = await build_search_world(url, assets)
    try:
        await compare_searches(world, f"{name}, {assets:,}", rounds, report)
    finally:
        await world.close()


async def compare_searches(world: BenchmarkWorld, name: str, rounds: int, report: Report) -> None:
    """Report the times of each query in a world of `build_search_world`, and of the hand-written statement."""
    gc.collect()
    gc.freeze()  # garbage of building the world must not be collected during the measurement
    backend = "sqlite" if world.database.is_sqlite else "postgresql"
    matching = DIALECTS[backend]["match"]
    queries = {
        "panel of 5,000": (PANEL, None, ELIGIBLE),
        "panel, searched": (PANEL, "needle", f"{matching} AND {ELIGIBLE}"),
        "all, searched": (GLOBAL, "needle", f"{matching} AND {VISIBLE}"),
    }
    for title, (query, typed, where) in queries.items():
        better = f"CASE WHEN {DIALECTS[backend]['named']} THEN 1 ELSE 0 END" if typed else "0"
        by_hand = _by_hand(backend, where, better), PARAMETERS[backend] if typed else {}
        report(await _compare(world, f"{name}: {title}", (query, typed), by_hand, rounds))


def _by_hand(backend: str, where: str, better: str) -> str:
    rows = DIALECTS[backend]["rows"]
    lists = {"page": "id, name", "kinds": "kind, n", "tags": "tag, n", "owners": "name, n"}
    return BY_HAND.format(where=where, better=better, **{name: rows.format(of) for name, of in lists.items()})


async def _compare(
    world: BenchmarkWorld,
    title: str,
    operation: tuple[str, str | None],
    by_hand: tuple[str, dict[str, str]],
    rounds: int,
) -> Comparison:
    query, typed = operation
    statement, words = by_hand
    async with world.database.snapshot() as snapshot:
        mine = select(sql.principal.c.pk).where(sql.principal.c.external_id == "owner")
        user = (await snapshot.rows(mine))[0].pk
    times: dict[str, list[float]] = {"atoll": [], "by hand": []}
    for _ in range(rounds):
        started = time.perf_counter()
        response = await world.ask(query, q=typed, c=world.collection_id)
        times["atoll"].append(time.perf_counter() - started)
        started = time.perf_counter()
        async with world.database.snapshot() as snapshot:
            row = (await snapshot.rows(text(statement), {"user": user, **words}))[0]
        answer = _answer(row)
        times["by hand"].append(time.perf_counter() - started)
        if (response.get("collection") or response)["found"] != answer:
            raise SystemExit(f"{title}: the two responses differ.\n{response}\n{answer}")
    return compare_medians(title, times["atoll"], times["by hand"])


def _answer(row: Any) -> dict[str, Any]:
    count, *lists = row
    page, kinds, tags, owners = (orjson.loads(each) if isinstance(each, str) else each for each in lists)
    return {
        "totalCount": count,
        "nodes": [{"id": id_, "name": name} for id_, name in page],
        "facets": {
            "kinds": [{"kind": kind, "count": number} for kind, number in kinds],
            "tags": [{"tag": tag, "count": number} for tag, number in tags],
            "owners": [{"count": number, "owner": {"name": name}} for name, number in owners],
        },
    }


def main() -> None:
    """Measure on both databases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    arguments = parser.parse_args()
    print_header("by hand")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        server = opened.enter_context(Postgres(durable=True)) if arguments.only != "sqlite" else None
        for assets in arguments.assets:
            if arguments.only != "postgresql":
                url = f"sqlite+aiosqlite:///{Path(folder) / f'search{assets}.db'}"
                asyncio.run(measure(url, "SQLite", assets, arguments.rounds, print_comparison))
            if server is not None:
                asyncio.run(
                    measure(
                        server.create_database(f"search{assets}"),
                        "PostgreSQL",
                        assets,
                        arguments.rounds,
                        print_comparison,
                    )
                )


if __name__ == "__main__":
    main()
