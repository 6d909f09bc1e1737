"""Benchmark of bulk mutations against a plain executemany of the same rows, in one transaction on the same database.

The time of a job includes the mutation that queues it.

`python -m benchmarks.bulk [--assets 100000] [--rounds 5]` prints medians and ratios for SQLite and PostgreSQL. It
fails unless both ways leave the same rows in the database.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sqlalchemy import delete, insert

from benchmarks.comparison import Comparison, Report, compare_medians, print_comparison, print_header
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
)  # in the order of their foreign keys
Rows = dict[str, list[dict[str, Any]]]


async def measure(url: str, name: str, assets: int, rounds: int, report: Report) -> None:
    """Report the times of adding assets with Atoll and of a plain insertion of the same rows."""
    world = await build_world(url, assets)
    try:
        await compare_inline(world, name, rounds, report)
        for mode in ("ATOMIC", "BEST_EFFORT"):
            report(await _compare(world, f"{name}: job of {assets:,}, {mode}", assets, _add_by_job(mode), rounds))
    finally:
        await world.close()


async def compare_inline(world: BenchmarkWorld, name: str, rounds: int, report: Report) -> None:
    """Report the times of adding INLINE assets in one request; the viewer must own them."""
    report(await _compare(world, f"{name}: add of {INLINE:,}, ATOMIC", INLINE, _add_inline, rounds))


async def _compare(
    world: BenchmarkWorld,
    name: str,
    assets: int,
    add: Callable[[BenchmarkWorld, int], Awaitable[None]],
    rounds: int,
) -> Comparison:
    times: dict[str, list[float]] = {"atoll": [], "bare": []}
    for _ in range(rounds):
        await _empty_tables(world)
        started = time.perf_counter()
        await add(world, assets)
        times["atoll"].append(time.perf_counter() - started)
        rows = await _read_rows(world)
        await _empty_tables(world)
        started = time.perf_counter()
        await _insert_rows(world, rows)
        times["bare"].append(time.perf_counter() - started)
        if await _read_rows(world) != rows or len(rows["membership"]) != assets:
            raise SystemExit("Both must leave the same rows, a membership for each asset.")
    return compare_medians(name, times["atoll"], times["bare"])


async def _add_inline(world: BenchmarkWorld, assets: int) -> None:
    input_ = {"collectionId": world.collection_id, "assetIds": world.asset_ids[:assets]}
    await world.ask(ADD, input=input_)


def _add_by_job(mode: str) -> Callable[[BenchmarkWorld, int], Awaitable[None]]:
    async def add(world: BenchmarkWorld, assets: int) -> None:
        input_ = {"collectionId": world.collection_id, "assetIds": world.asset_ids[:assets], "mode": mode}
        await world.ask(ADD, input=input_)
        await run_next_job(world.database)

    return add


async def _insert_rows(world: BenchmarkWorld, rows: Rows) -> None:
    """Insert the rows that Atoll wrote: one statement for each table, all in one transaction."""
    async with world.database.write() as connection:
        for table in TABLES:
            if rows[table.name]:
                await connection.execute(insert(table), rows[table.name])


async def _empty_tables(world: BenchmarkWorld) -> None:
    async with world.database.write() as connection:
        for table in reversed(TABLES):
            await connection.execute(delete(table))


async def _read_rows(world: BenchmarkWorld) -> Rows:
    """Return every row that a bulk mutation writes, by table."""
    async with world.database.snapshot() as snapshot:
        return {
            table.name: [dict(row._mapping) for row in await snapshot.rows(table.select().order_by(*table.primary_key))]  # noqa: SLF001 - a row's public name for its columns
            for table in TABLES
        }


def main() -> None:
    """Measure on both databases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print_header("bare")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        url = f"sqlite+aiosqlite:///{Path(folder) / 'bulk.db'}"
        asyncio.run(measure(url, "SQLite", arguments.assets, arguments.rounds, print_comparison))
        server = opened.enter_context(Postgres(durable=True))
        asyncio.run(
            measure(server.create_database("bulk"), "PostgreSQL", arguments.assets, arguments.rounds, print_comparison)
        )


if __name__ == "__main__":
    main()
