"""Proof that killed servers and databases keep acknowledged changes, and have none in part."""

import asyncio
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from random import Random

from sqlalchemy import select

from app.tokens import create_token
from proofs.crashes.load import KEY, Drawing, Load
from proofs.crashes.replay import Replay
from proofs.crashes.server import PRELUDE, ServerProcess, open_server
from proofs.crashes.world import draw_lines
from proofs.databases import Databases
from proofs.proof import BrokenPromiseError, Proof
from store import sql
from store.database import Database
from tests.conftest import MEMBERS, set_public_sharing
from tests.model import build_world
from tests.postgres import Postgres

KILLS_PER_TRIAL = 25
CLIENTS = 4
LOAD_SECONDS = 0.4  # longest time from the first response to the kill
DATABASE_SHARE = 0.4  # of the kills on PostgreSQL; the others are of the server process
JOB_SECONDS = 120
"""Longest time in which interrupted jobs end, on a machine that is busy with other work."""


async def trial(databases: Databases, seed: int) -> int:
    """Return the number of kills after which everything was as acknowledged."""
    return await run_trial(databases, seed, KILLS_PER_TRIAL)


async def run_trial(databases: Databases, seed: int, kills: int, prelude: str = PRELUDE) -> int:
    """Kill so many times, on one world. A PostgreSQL server that is killed is one of the trial's own."""
    try:
        if databases.backend == "sqlite":
            return await _run(databases, None, seed, kills, prelude)
        with Postgres() as server, tempfile.TemporaryDirectory(prefix="atoll-proof-") as folder:
            own = Databases("postgresql", Path(folder), server)
            await own.create_template()
            return await _run(own, server, seed, kills, prelude)
    except BrokenPromiseError as error:
        raise BrokenPromiseError(f"On {databases.backend}, seed {seed}: {error}") from error


async def _run(databases: Databases, postgres: Postgres | None, seed: int, kills: int, prelude: str) -> int:
    random = Random(seed)
    lines = draw_lines(random)
    url = await databases.create_from_catalogue(lines)
    database = Database(url)
    try:
        await set_public_sharing(database)
        tokens = {name: await create_token(database, name, 86_400) for name in MEMBERS}
        replay = Replay(database, build_world(lines), await _read_ids(database))
        await replay.skip()
        with (
            tempfile.TemporaryDirectory(prefix="atoll-proof-") as folder,
            open_server(Path(folder), url, prelude) as server,
        ):
            server.start()
            crashes = _Crashes(server, postgres, replay, Load(server.url, tokens), random)
            for number in range(kills):
                try:
                    await crashes.kill()
                    _check_file(database)
                except BrokenPromiseError as error:
                    raise BrokenPromiseError(f"kill {number + 1}, {error}") from error
            await crashes.finish_jobs()
    finally:
        await database.close()
        databases.drop(url)
    return kills


class _Crashes:
    """Kills of one server, or of its PostgreSQL server, under load, each followed by a check."""

    def __init__(
        self, server: ServerProcess, postgres: Postgres | None, replay: Replay, load: Load, random: Random
    ) -> None:
        self._server, self._postgres, self._replay, self._load, self._random = server, postgres, replay, load, random

    async def kill(self) -> None:
        """Kill at a random moment under load, start again, check, and repeat operations without a response."""
        sent = len(self._load.operations)
        kills_database = self._postgres is not None and self._random.random() < DATABASE_SHARE
        clients = self._start_clients()
        await self._load.wait_for_response()
        await asyncio.sleep(self._random.uniform(0, LOAD_SECONDS))
        self._load.stop()
        if self._postgres is not None and kills_database:
            self._postgres.crash()
            self._postgres.start()
        else:
            self._server.kill()
        await asyncio.gather(*clients)
        if kills_database:
            self._server.wait_until_ready()
        else:
            self._server.start()
        await self.check()
        open_ = [each for each in self._load.operations[sent:] if not each.is_acknowledged and KEY in each.input]
        await self._load.repeat(open_)

    async def check(self) -> None:
        """Check log, state and responses."""
        await self._replay.check({each.request_id: each for each in self._load.operations})

    async def finish_jobs(self) -> None:
        """Wait until all jobs have ended, and check once more."""
        deadline = time.monotonic() + JOB_SECONDS
        while await self._replay.has_active_jobs():
            if time.monotonic() > deadline:
                raise BrokenPromiseError(f"Jobs have not ended {JOB_SECONDS} seconds after the last kill.")
            await asyncio.sleep(0.05)
        await self.check()

    def _start_clients(self) -> list[asyncio.Task[None]]:
        drawings = [
            Drawing(Random(self._random.getrandbits(64)), self._replay.model, self._replay.ids) for _ in range(CLIENTS)
        ]
        return [asyncio.create_task(self._load.run(drawing)) for drawing in drawings]


async def _read_ids(database: Database) -> dict[str, str]:
    """Return the public id of each object, by the model's label."""
    tables = {sql.topic: "slug", sql.collection: "slug", sql.asset: "external_id", sql.principal: "external_id"}
    async with database.snapshot() as snapshot:
        return {
            row.label: row.id
            for table, name in tables.items()
            for row in await snapshot.rows(select(table.c.id, table.c[name].label("label")))
        }


def _check_file(database: Database) -> None:
    """Fail unless a SQLite file is whole and keeps its constraints; PostgreSQL checks its constraints itself."""
    if not database.is_sqlite:
        return
    with closing(sqlite3.connect(str(database.url.database))) as connection:
        verdicts = [
            row for check in ("integrity_check", "foreign_key_check") for row in connection.execute(f"PRAGMA {check}")
        ]
    if verdicts != [("ok",)]:
        raise BrokenPromiseError(f"The file is damaged: {verdicts}")


CRASHES = Proof(
    "crashes",
    "A server or database that is killed under load keeps every acknowledged change, and has none in part or twice.",
    unit="kills",
    goal=600,
    trial=trial,
)
