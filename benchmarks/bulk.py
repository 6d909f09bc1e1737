"""This file is bulk changes beside a bare executemany of the same rows in one transaction on the same database.

A job's time runs from its mutation to its last row.

`python -m benchmarks.bulk [--assets 100000] [--rounds 5]` prints a table of medians and ratios for SQLite and, where
its binaries are installed, for PostgreSQL. What both leave in the database is compared before a time counts.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sqlalchemy import delete, insert

from benchmarks.world import BenchmarkWorld, build_world
from resolvers.write.job import run_next_job
from store import sql
from tests.postgres import Postgres

ADD = """mutation($input: CollectionAssetsAddInput!) { collectionAssetsAdd(input: $input) {
  summary { changed } job { id } userErrors { code }
} }"""
INLINE = 1_000
TABLES = (
    sql.membership,
    sql.change,
    sql.change_asset,
    sql.job,
    sql.job_input,
    sql.job_item,
)  # those first that others refer to
Rows = dict[str, list[dict[str, Any]]]


async def measure(url: str, name: str, assets: int, rounds: int) -> None:
    """Print what adding costs beside the bare insertion of the same rows."""
    found = await build_world(url, assets)
    try:
        await _compare(found, f"{name}: add of {INLINE:,}, ATOMIC", INLINE, _added, rounds)
        for mode in ("ATOMIC", "BEST_EFFORT"):
            await _compare(found, f"{name}: job of {assets:,}, {mode}", assets, _job(mode), rounds)
    finally:
        await found.close()


async def _compare(
    found: BenchmarkWorld, name: str, assets: int, adding: Callable[[BenchmarkWorld, int], Awaitable[None]], rounds: int
) -> None:
    times: dict[str, list[float]] = {"atoll": [], "bare": []}
    for _ in range(rounds):
        await _emptied(found)
        started = time.perf_counter()
        await adding(found, assets)
        times["atoll"].append(time.perf_counter() - started)
        rows = await _rows(found)
        await _emptied(found)
        started = time.perf_counter()
        await _bare(found, rows)
        times["bare"].append(time.perf_counter() - started)
        if await _rows(found) != rows or len(rows["membership"]) != assets:
            raise SystemExit("Both must leave the same rows, a membership for each asset.")
    atoll, bare = statistics.median(times["atoll"]), statistics.median(times["bare"])
    sys.stdout.write(f"{name:<44} {atoll * 1_000:>9.1f} ms {bare * 1_000:>9.1f} ms  {atoll / bare:>5.2f}\n")
    sys.stdout.flush()


async def _added(found: BenchmarkWorld, assets: int) -> None:
    given = {"collectionId": found.collection_id, "assetIds": found.asset_ids[:assets]}
    await found.ask(ADD, input=given)


def _job(mode: str) -> Callable[[BenchmarkWorld, int], Awaitable[None]]:
    async def added(found: BenchmarkWorld, assets: int) -> None:
        given = {"collectionId": found.collection_id, "assetIds": found.asset_ids[:assets], "mode": mode}
        await found.ask(ADD, input=given)
        await run_next_job(found.database)

    return added


async def _bare(found: BenchmarkWorld, rows: Rows) -> None:
    """Insert the rows that Atoll wrote, as plainly as it goes: a statement for each table, all in one transaction."""
    async with found.database.write() as connection:
        for table in TABLES:
            if rows[table.name]:
                await connection.execute(insert(table), rows[table.name])


async def _emptied(found: BenchmarkWorld) -> None:
    async with found.database.write() as connection:
        for table in reversed(TABLES):
            await connection.execute(delete(table))


async def _rows(found: BenchmarkWorld) -> Rows:
    """Return every row that a bulk change writes, by table."""
    async with found.database.snapshot() as snapshot:
        return {
            table.name: [dict(row._mapping) for row in await snapshot.rows(table.select().order_by(*table.primary_key))]  # noqa: SLF001 - a row's public name for its columns
            for table in TABLES
        }


def main() -> None:
    """Measure on both databases."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--assets", type=int, default=100_000)
    asked.add_argument("--rounds", type=int, default=5)
    given = asked.parse_args()
    sys.stdout.write(f"{'':<44} {'Atoll':>12} {'bare':>12}  ratio\n")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        url = f"sqlite+aiosqlite:///{Path(folder) / 'bulk.db'}"
        asyncio.run(measure(url, "SQLite", given.assets, given.rounds))
        server = opened.enter_context(Postgres(durable=True))
        asyncio.run(measure(server.create_database("bulk"), "PostgreSQL", given.assets, given.rounds))


if __name__ == "__main__":
    main()
