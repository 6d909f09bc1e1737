"""Time that the index of one process takes to follow a write of another."""

import asyncio
import statistics
import time

from benchmarks.race.server import Server
from benchmarks.race.writer import Membership
from fragments import Memory
from store.database import Database

WRITES = 60


def measure_catch_up(server: Server, url: str, membership: Membership) -> float:
    """Return the median seconds that an index in this process takes to follow a write of the server."""
    return asyncio.run(_measure(server, url, membership))


async def _measure(server: Server, url: str, membership: Membership) -> float:
    database = Database(url)
    memory, times = Memory(database), list[float]()
    try:
        await memory.refresh()
        for number in range(WRITES):
            await asyncio.to_thread(membership.change, server, number)
            started = time.perf_counter()
            await memory.refresh()
            times.append(time.perf_counter() - started)
    finally:
        await memory.stop()
        await database.close()
    return statistics.median(times)
