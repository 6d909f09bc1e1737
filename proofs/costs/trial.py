"""A trial sends random operations that the limits allow, half of them costly, and measures their cost.

Operations are drawn from the whole schema, with pages of 100 and lists within lists. CPU time is measured, not elapsed
time, so that other processes make no difference; on PostgreSQL it is that of Atoll alone.

A stall of the event loop is the CPU time that the process uses between two ticks of a task that asks for one every 5
milliseconds, as a request for `/healthz` would. It includes a thread that keeps the interpreter's lock. After each
trial, the process may have no more memory than after its first ones: see `proofs.memory`.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from unittest.mock import patch

import httpx
from graphql import GraphQLError, get_operation_ast, parse

from app.application import create_application
from app.request_limits import RequestLimits
from app.settings import Settings
from proofs.costs.world import LargeWorld, create_large_world
from proofs.databases import Databases
from proofs.differential.applications import INTERNAL_ERROR
from proofs.differential.generator import SMALL, DocumentGenerator, Request, Shape
from proofs.memory import MemoryWatch
from proofs.proof import BrokenPromiseError, Proof
from schema.graph import build_schema
from store.database import Database
from tests.in_process import InProcessTransport
from tests.oracle import ANONYMOUS

OPERATIONS = 100  # per trial
MAX_SECONDS = 1.0
"""Most CPU time of an operation."""

MAX_STALL_SECONDS = 0.5
"""Longest time that an operation keeps the event loop from other requests."""

TICK_SECONDS = 0.005
PATIENT_SECONDS = 600
"""Limit of elapsed time. On a busy machine, that of the product ends operations that take little CPU time."""

SHAPES = (SMALL, Shape(composites=20, depth=20, nested_lists=4, page_sizes=(2, 5, 20, 50, 100)))
COSTLY_SHARE = 0.1  # of a limit
MAX_DRAWS = 30

_worlds: dict[str, LargeWorld] = {}  # of this process, by backend: trials only read
_schema = build_schema()
_memory = MemoryWatch()


async def trial(databases: Databases, seed: int) -> int:
    """Measure operations in the world of this process, which is created first. Returns their number."""
    world = _worlds.get(databases.backend)
    if world is None:
        world = _worlds[databases.backend] = await create_large_world(databases)
    try:
        await measure_operations(world, seed)
        _memory.check(databases.backend)
    except BrokenPromiseError as error:
        raise BrokenPromiseError(f"seed {seed} on {databases.backend}, {error}") from None
    return OPERATIONS


async def measure_operations(
    world: LargeWorld,
    seed: int,
    operations: int = OPERATIONS,
    max_seconds: float = MAX_SECONDS,
    max_stall: float = MAX_STALL_SECONDS,
) -> None:
    """Send operations, and raise BrokenPromiseError at the first that takes too long or fails."""
    random = Random(seed)
    async with _client(world) as client:
        for number in range(operations):
            who = random.choice(world.viewers)
            request = draw(random, world, who, is_costly=number % 2 == 0)
            seconds, stall = await _measure(client, world, who, request)
            if seconds > max_seconds or stall > max_stall:
                times = f"{seconds:.2f} s of CPU time; the event loop was stalled for {stall:.2f} s"
                raise BrokenPromiseError(f"operation {number}, as {who}: {times}\n{request}")


def draw(random: Random, world: LargeWorld, who: str, *, is_costly: bool) -> Request:
    """Draw an operation that the limits allow, if possible one that costs a good part of one of them."""
    allowed: Request | None = None
    for _ in range(MAX_DRAWS):
        shape = SHAPES[is_costly]
        permissions = {ANONYMOUS: (), "member": ("SIGNED_IN",)}.get(who, ("SIGNED_IN", "ADMIN"))
        request = DocumentGenerator(random, world.vocabulary, permissions=permissions, shape=shape).request()
        share = cost_share(request, is_visitor=who == ANONYMOUS)
        if share is not None:
            allowed = request
            if share >= COSTLY_SHARE or not is_costly:
                return request
    return allowed or Request("{ __typename }", {})


def cost_share(request: Request, *, is_visitor: bool) -> float | None:
    """Return the largest share of a limit that the operation costs; None if it is refused or has no operation."""
    try:
        document = parse(request.document)
        definition = get_operation_ast(document, request.operation_name)
    except GraphQLError:
        return None
    if definition is None:
        return None
    checked = RequestLimits(_schema, document, definition).check(request.variables, is_visitor=is_visitor)
    return (
        None if checked.errors else max(cost / limit for cost, limit in zip(checked.cost, checked.limits, strict=True))
    )


async def _measure(client: httpx.AsyncClient, world: LargeWorld, who: str, request: Request) -> tuple[float, float]:
    """Return the CPU time of the process for the operation, and the longest stall of the event loop."""
    headers = {} if who == ANONYMOUS else {"authorization": f"Bearer {world.tokens[who]}"}
    stalls = [0.0]
    watching = asyncio.create_task(_watch(stalls))
    await asyncio.sleep(0)
    started = time.process_time()
    response = await client.post("/graphql", json=request.body(), headers=headers)
    seconds = time.process_time() - started
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR or INTERNAL_ERROR.encode() in response.content:
        raise BrokenPromiseError(f"as {who}: {response.status_code} {response.text[:500]}\n{request}")
    return seconds, max(stalls)


async def _watch(stalls: list[float]) -> None:
    """Append the CPU time of the process between two ticks of the event loop, again and again."""
    while True:
        before = time.process_time()
        try:
            await asyncio.sleep(TICK_SECONDS)
        finally:
            stalls.append(time.process_time() - before)


@asynccontextmanager
async def _client(world: LargeWorld) -> AsyncIterator[httpx.AsyncClient]:
    database = Database(world.url, operation_seconds=PATIENT_SECONDS)
    settings = Settings(database_url=world.url, operation_seconds=PATIENT_SECONDS, rate_points=0)
    transport = InProcessTransport(create_application(settings, database=database))
    try:
        await transport.refresh()
        with patch("store.sqlite_limit.STATEMENT_SECONDS", PATIENT_SECONDS):
            async with httpx.AsyncClient(
                transport=transport, base_url="http://atoll", timeout=PATIENT_SECONDS
            ) as client:
                yield client
    finally:
        await database.close()


COSTS = Proof(
    "costs",
    f"No operation within the limits takes more than {MAX_SECONDS:g} s of CPU time, stalls other requests for more than"
    f" {MAX_STALL_SECONDS:g} s, or leaves memory in use.",
    unit="operations",
    goal=40_000,
    trial=trial,
)
