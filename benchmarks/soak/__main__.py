"""Command `python -m benchmarks.soak [--minutes 60] [--assets 10000]`: runs the soak test and writes docs/soak.md.

It exits with 1 if a figure grows: see `benchmarks.soak.figures`. Linux only.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import httpx
import typer

from app.tokens import create_token
from benchmarks.race.atoll_tables import write_atoll
from benchmarks.race.competitors import SERVE
from benchmarks.race.server import Server, python
from benchmarks.race.world import VIEWER_ASSETS, Sizes, World
from benchmarks.soak.figures import FIGURES, MIN_SAMPLES, Sample, is_flat, second_half
from benchmarks.soak.load import Target, run_load
from benchmarks.soak.report import draw_lines, format_report, format_samples, format_verdict, write_files
from store.database import Database

SMALL = "{ viewer { isAdmin user { name } } }"
SAMPLE_SECONDS = 10
ASK_SECONDS = 0.1
TOKEN_SECONDS = 86_400
MEGABYTE = 2**20
DOCS = Path("docs")


async def sample(server: Server, database: Path, token: str, minutes: float) -> list[Sample]:
    """Return the samples of that time, and print each."""
    samples: list[Sample] = []
    started = time.monotonic()
    async with httpx.AsyncClient(timeout=60) as client:
        while (seconds := time.monotonic() - started) < minutes * 60 or len(samples) < MIN_SAMPLES:
            latencies = await _ask_repeatedly(client, server.port, token)
            samples.append(_sample(server, database, seconds + SAMPLE_SECONDS, latencies))
            typer.echo("\n".join(format_samples(samples[-1:]).splitlines()[2 if len(samples) > 1 else 0 :]))
    return samples


async def _ask_repeatedly(client: httpx.AsyncClient, port: int, token: str) -> list[float]:
    """Send the small query until the next sample; return the milliseconds of each."""
    url, headers = f"http://127.0.0.1:{port}/graphql", {"authorization": f"Bearer {token}"}
    latencies = list[float]()
    deadline = time.monotonic() + SAMPLE_SECONDS
    while time.monotonic() < deadline:
        started = time.perf_counter()
        (await client.post(url, json={"query": SMALL}, headers=headers)).raise_for_status()
        latencies.append((time.perf_counter() - started) * 1_000)
        await asyncio.sleep(ASK_SECONDS)
    return latencies


def _sample(server: Server, database: Path, seconds: float, latencies: list[float]) -> Sample:
    process = Path(f"/proc/{server.pid}")
    wal = database.with_name(f"{database.name}-wal")
    return Sample(
        seconds=seconds,
        memory_mb=server.memory(),
        threads=len(list((process / "task").iterdir())),
        descriptors=len(list((process / "fd").iterdir())),
        wal_mb=wal.stat().st_size / MEGABYTE if wal.exists() else 0,
        database_mb=database.stat().st_size / MEGABYTE,
        p50_ms=statistics.median(latencies),
        p99_ms=sorted(latencies)[int(len(latencies) * 0.99)],
    )


@contextmanager
def _loaded(target: Target, done: dict[str, int]) -> Iterator[None]:
    """Load the server during the block; then `done` has the number of requests by kind."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=run_load, args=(target, 1, theirs), daemon=True)
    process.start()
    try:
        yield
        ours.send("stop")
        done |= json.loads(ours.recv()) if ours.poll(60) else {}
    finally:
        process.kill()
        process.join()


async def _prepare(world: World, url: str) -> tuple[str, str]:
    """Write the world; return the tokens of the viewer and of another user."""
    viewer = await write_atoll(world, url)
    database = Database(url)
    try:
        return viewer, await create_token(database, "user:2", TOKEN_SECONDS)
    finally:
        await database.close()


def main() -> None:
    """Run the soak test."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--assets", type=int, default=10_000)
    arguments = parser.parse_args()
    world = World(Sizes(assets=arguments.assets, members=100))
    done: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "world.db"
        url = f"sqlite+aiosqlite:///{database}"
        token, small = asyncio.run(_prepare(world, url))
        environment = {"ATOLL_DATABASE_URL": url, "ATOLL_RATE_POINTS": "0"}
        environment |= {"ATOLL_LOG_LEVEL": "error", "ATOLL_LOG": "json"}
        with Server("Atoll", python(*SERVE), {}, token, Path(folder) / "log", environment) as server:
            owned = [asset.id for asset in list(world.assets())[-VIEWER_ASSETS:]]
            topics = [topic.id for topic in islice(world.topics(), 20)]
            collections = [collection.id for collection in islice(world.collections(), 20)]
            with _loaded(Target(server.port, token, topics, collections, owned), done):
                samples = asyncio.run(sample(server, database, small, arguments.minutes))
        log = (Path(folder) / "log").read_text(encoding="utf-8", errors="replace")
    header = {"minutes": arguments.minutes, "assets": arguments.assets, "interval": SAMPLE_SECONDS}
    write_files(DOCS, format_report(samples, done, header), draw_lines(samples))
    typer.echo(f"\n{format_verdict(samples)}\n{len(log.splitlines())} lines of errors in the log\n{log[:2_000]}")
    half = second_half(samples)
    sys.exit(not all(is_flat(half, figure) for figure in FIGURES if figure.is_judged))


if __name__ == "__main__":
    main()
