"""Benchmark of fairness: the small query of one viewer while others overload the server.

`python -m benchmarks.overload [--assets 10000] [--rounds 100]` starts `atoll serve` on SQLite, and prints the latencies
of a small query alone, and beside 50 slow queries of another viewer, 1,000 sockets with half a request, and 16 slow
reads whose clients leave at once, all of them again and again.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from pathlib import Path

import httpx
import typer

from app.tokens import create_token
from benchmarks.race.atoll_tables import write_atoll
from benchmarks.race.competitors import SERVE
from benchmarks.race.server import Server, python
from benchmarks.race.world import Sizes, World
from store.database import Database

SMALL = "{ viewer { isAdmin user { name } } }"
SLOW = """{ collections(first: 100) { nodes { assets(first: 50, orderBy: {field: NAME}) { totalCount
  facets { tags { count } owners { count } } nodes { ... on AssetFields { id name owner { name } } } } } } }"""
SLOW_QUERIES, HALF_OPEN, ABANDONED = 50, 1_000, 16
LEAVE_SECONDS = 0.15
SETTLE_SECONDS = 3
TOKEN_SECONDS = 86_400


async def measure(server: Server, token: str, rounds: int, where: str) -> None:
    """Print the latencies of the small query."""
    seconds, failed = [], 0
    async with httpx.AsyncClient(timeout=60) as client:
        for _ in range(rounds):
            started = time.perf_counter()
            response = await _ask(client, server.port, SMALL, token)
            seconds.append(time.perf_counter() - started)
            failed += response.status_code != httpx.codes.OK
    median, worst = statistics.median(seconds) * 1_000, max(seconds) * 1_000
    typer.echo(f"the small query {where}: median {median:.1f} ms, worst {worst:.1f} ms, {failed} of {rounds} failed")


async def _ask(client: httpx.AsyncClient, port: int, query: str, token: str) -> httpx.Response:
    url, headers = f"http://127.0.0.1:{port}/graphql", {"authorization": f"Bearer {token}"}
    return await client.post(url, json={"query": query}, headers=headers)


async def overload(port: int, token: str) -> None:
    """Overload the server for ever."""
    async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=None)) as client:

        async def ask_slowly() -> None:
            await _ask(client, port, SLOW, token)

        async def stay_half_open() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST /graphql HTTP/1.1\r\nhost: x\r\n")
            await reader.read()  # until the server closes the connection
            writer.close()

        async def leave() -> None:
            with suppress(TimeoutError):
                await asyncio.wait_for(ask_slowly(), LEAVE_SECONDS)

        async def again(work: Callable[[], Awaitable[None]]) -> None:
            while True:
                with suppress(httpx.HTTPError, OSError):
                    await work()

        work = [ask_slowly] * SLOW_QUERIES + [stay_half_open] * HALF_OPEN + [leave] * ABANDONED
        await asyncio.gather(*map(again, work))


@contextmanager
def _overloaded(server: Server, token: str) -> Iterator[None]:
    process = get_context("spawn").Process(target=_run_overload, args=(server.port, token), daemon=True)
    process.start()
    time.sleep(SETTLE_SECONDS)
    try:
        yield
    finally:
        process.kill()
        process.join()


def _run_overload(port: int, token: str) -> None:
    asyncio.run(overload(port, token))


async def _prepare(url: str, assets: int) -> tuple[str, str]:
    """Write the world, and return tokens of two users."""
    first = await write_atoll(World(Sizes(assets=assets, members=100)), url)
    database = Database(url)
    try:
        return first, await create_token(database, "user:2", TOKEN_SECONDS)
    finally:
        await database.close()


async def _ask_once(port: int, query: str, token: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=60) as client:
        return (await _ask(client, port, query, token)).raise_for_status()


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=100)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite+aiosqlite:///{Path(folder) / 'world.db'}"
        busy, small = asyncio.run(_prepare(url, arguments.assets))
        environment = {"ATOLL_DATABASE_URL": url, "ATOLL_LOG_LEVEL": "error", "ATOLL_RATE_POINTS": "0"}
        with Server("Atoll", python(*SERVE), {}, busy, Path(folder) / "log", environment) as server:
            slow = asyncio.run(_ask_once(server.port, SLOW, busy))
            typer.echo(f"the slow query: {len(slow.content):,} bytes in {slow.elapsed.total_seconds():.2f} s")
            asyncio.run(measure(server, small, arguments.rounds, "alone"))
            with _overloaded(server, busy):
                asyncio.run(measure(server, small, arguments.rounds, "beside the overload"))


if __name__ == "__main__":
    main()
