"""This file is the proof that what is taken back stays taken: two servers on one database, and one clock."""

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random

from sqlalchemy import select

from app.tokens import create_token
from proofs.databases import Databases
from proofs.proof import BrokenPromiseError, Proof
from proofs.revocation.actions import Stage
from proofs.revocation.grants import HOLDER, sights_of_members, sights_of_visitors, world
from proofs.revocation.history import Event, around, contradiction, witnessed
from proofs.revocation.worker import Lane
from store import sql
from store.database import Database
from store.tables import PrincipalKind
from tests.cli_process import ATOLL, environment, run_server

LANES = 2  # of members; visitors have one more, for what opens to one of them opens to all
REVOCATIONS = 150  # in each lane


async def trial(databases: Databases, seed: int) -> int:
    """Return how many times something was taken back, and no one who asked either server later saw it."""
    return await tried(databases, seed, REVOCATIONS)


async def tried(databases: Databases, seed: int, revocations: int, program: str = ATOLL) -> int:
    """Try so many revocations in each lane, on two servers that the program starts; see `trial`."""
    sights = [*map(sights_of_members, range(LANES)), sights_of_visitors()]
    url = await databases.written(world(LANES, [sight for of_one in sights for sight in of_one]))
    database, over = Database(url), asyncio.Event()
    where = f"on {databases.backend}, seed {seed}, {revocations} in each lane"
    try:
        with _two_servers(url, program) as (folder, urls):
            stage = Stage(database, folder, urls, await _ids(database), await _tokens(database))
            lanes = [Lane(stage, of_one, Random(f"{seed} {of_one[0].name}"), over) for of_one in sights]
            history = await _history(lanes, revocations, where)
            # Before the servers stop: one that is wrong may do even that with errors.
            wrong = contradiction(history)
            if wrong:
                raise BrokenPromiseError(f"Otherwise than was acknowledged before, {where}:\n{around(history, wrong)}")
    finally:
        await database.close()
        databases.drop(url)
    return witnessed(history)


@contextmanager
def _two_servers(database_url: str, program: str) -> Iterator[tuple[Path, dict[str, str]]]:
    """Give a folder, and the address of each server."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="atoll-proof-")))
        started = {
            name: run_server(folder, environment(DATABASE_URL=database_url), program=program)
            for name in ("first", "second")
        }
        yield folder, {name: stack.enter_context(server).url for name, server in started.items()}


async def _history(lanes: Sequence[Lane], revocations: int, where: str) -> list[Event]:
    """Return what happened, once every lane has given and taken back so many times."""
    try:
        async with asyncio.TaskGroup() as running:
            for lane in lanes:
                running.create_task(lane.run(revocations))
    except ExceptionGroup as failed:
        raise BrokenPromiseError(f"A lane ended early, {where}: {failed.exceptions}") from failed
    return [event for lane in lanes for event in lane.history]


async def _ids(database: Database) -> dict[str, str]:
    """Return the ids of users, groups and assets by the platform's, and of collections by "collection:" and slug."""
    async with database.snapshot() as snapshot:
        tables = (sql.principal, sql.asset)
        rows = [row for table in tables for row in await snapshot.rows(select(table.c.external_id, table.c.id))]
        collections = await snapshot.rows(select(sql.collection.c.slug, sql.collection.c.id))
    return {row.external_id: row.id for row in rows} | {f"collection:{row.slug}": row.id for row in collections}


async def _tokens(database: Database) -> dict[str, str]:
    """Return a token of each user; of those who are to be given one later it is worth nothing."""
    users = select(sql.principal.c.external_id).where(sql.principal.c.kind == PrincipalKind.USER)
    async with database.snapshot() as snapshot:
        names = [row.external_id for row in await snapshot.rows(users)]
    return {name: await create_token(database, name, 0 if name.startswith(HOLDER) else 3_600) for name in names}


REVOCATION = Proof(
    "revocation",
    "What is taken back is seen by no operation that begins after the acknowledgement, in any process.",
    unit="revocations",
    goal=10_000,
    trial=trial,
)
