"""A trial sends malformed requests to a server process in batches, many connections at once, and watches the process.

A request that the server is too busy for (503 and UNAVAILABLE) is sent once more alone, because other work on the
machine slows the server down. After each batch, it must answer a good request, and its log may have no error. After the
first batches of a process, its descriptors and its memory must stay as they are.
"""

import asyncio
import atexit
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from random import Random

from proofs.databases import Databases
from proofs.differential.trial import RandomWorld, make_world
from proofs.interference.world import USERS, VIEWERS
from proofs.malformed.exchange import Exchange, ask_well, run_alone, run_exchange
from proofs.malformed.generator import MalformedRequests
from proofs.malformed.server import ServerProcess, run_server_process
from proofs.proof import BrokenPromiseError, Proof

REQUESTS = 2_000  # per trial
BATCH = 250
CONNECTIONS = 120  # at once
VALID_REQUESTS = 40  # per trial, of which the others are damaged copies
WARM_UP = 4_000
"""Requests until the caches of a process, such as that of parsed documents, are full."""

MEMBER = USERS[1]
GOOD_BODY = b'{"query":"{ topics { totalCount } viewer { isAdmin } }"}'
GOOD_REQUEST = (
    b"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
    % (len(GOOD_BODY), GOOD_BODY)
)
GOOD_ANSWER = b'"viewer":null}'


@dataclass
class Served:
    """A world, the server process of it, and the number of requests that it got."""

    world: RandomWorld
    server: ServerProcess
    requests: int = 0


_served: dict[str, Served] = {}  # of this process, by backend


async def trial(databases: Databases, seed: int) -> int:
    """Send malformed requests to the server of this process, which is started first. Returns their number."""
    served = _served.get(databases.backend)
    if served is None:
        stack = ExitStack()
        atexit.register(stack.close)
        world = await make_world(databases, Random(seed))
        served = _served[databases.backend] = Served(world, stack.enter_context(run_server_process(world.url)))
    try:
        return await send_malformed(served, seed)
    except BrokenPromiseError as error:
        raise BrokenPromiseError(f"seed {seed} on {databases.backend}: {error}") from None


async def send_malformed(served: Served, seed: int, count: int = REQUESTS, warm_up: int = WARM_UP) -> int:
    """Send this many malformed requests. Returns the number, or raises BrokenPromiseError."""
    exchanges = list(draw(served.world, seed, count))
    for start in range(0, count, BATCH):
        batch = exchanges[start : start + BATCH]
        await _send_batch(served.server, batch)
        served.requests += len(batch)
        await ask_well(served.server.port, GOOD_REQUEST, GOOD_ANSWER)
        try:
            await asyncio.to_thread(served.server.check)
        except BrokenPromiseError as error:
            raise BrokenPromiseError(f"{error}\n{await _find_culprit(served.server, batch)}") from None
        if served.server.reference is None and served.requests >= warm_up:
            served.server.reference = await asyncio.to_thread(served.server.figures)
    return count


def draw(world: RandomWorld, seed: int, count: int) -> Iterator[Exchange]:
    """Yield the exchanges of a seed."""
    random = Random(seed)
    valid = [world.draw(random, random.choice(VIEWERS)) for _ in range(VALID_REQUESTS)]
    requests = MalformedRequests(random, valid, world.tokens[MEMBER])
    for _ in range(count):
        yield requests.draw()


async def _send_batch(server: ServerProcess, batch: Sequence[Exchange]) -> None:
    free = asyncio.Semaphore(CONNECTIONS)

    async def run(exchange: Exchange) -> bool:
        async with free:
            return await run_exchange(server.port, exchange)

    tasks = [asyncio.create_task(run(exchange)) for exchange in batch]
    try:
        are_served = await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for exchange, is_served in zip(batch, are_served, strict=True):
        if not is_served:
            await run_alone(server.port, exchange)


async def _find_culprit(server: ServerProcess, batch: Sequence[Exchange]) -> str:
    """Send the exchanges of a batch one by one; describe the first after which the log has an error."""
    for exchange in batch:
        try:
            await run_exchange(server.port, exchange)
        except (BrokenPromiseError, OSError):
            return exchange.describe()
        if errors := server.new_errors():
            return f"{errors}\n{exchange.describe()}"
    return "No single request of the batch leads to an error in the log."


MALFORMED = Proof(
    "malformed",
    "Every malformed, slow or abandoned request is answered below 500 or closed in time, and leaves nothing behind.",
    unit="requests",
    goal=100_000,
    trial=trial,
)
