"""Proof of revocation: two server processes on one database, and readers and writers on one clock."""

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
from proofs.revocation.actions import ISSUER_KEY, Deployment
from proofs.revocation.grants import TOKEN_HOLDER, catalogue_lines, member_accesses, visitor_accesses
from proofs.revocation.history import Event, count_confirmed, find_contradiction, format_context
from proofs.revocation.worker import Worker
from store import sql
from store.database import Database
from store.tables import PrincipalKind
from tests.cli_process import ATOLL, environment, run_server
from tests.oidc.fake_issuer import AUDIENCE, FakeIssuer

MEMBER_WORKERS = 2  # anonymous visitors share one more worker, because what is public is public to all of them
REVOCATIONS_PER_WORKER = 150


async def trial(databases: Databases, seed: int) -> int:
    """Return the number of revocations after which no later read at either server had the access."""
    return await run_trial(databases, seed, REVOCATIONS_PER_WORKER)


async def run_trial(databases: Databases, seed: int, revocations: int, program: str = ATOLL) -> int:
    """Run a trial of this many revocations per worker, on two servers started by the program."""
    accesses = [*map(member_accesses, range(MEMBER_WORKERS)), visitor_accesses()]
    url = await databases.create_from_catalogue(
        catalogue_lines(MEMBER_WORKERS, [access for accesses_of_worker in accesses for access in accesses_of_worker])
    )
    database, stopped = Database(url), asyncio.Event()
    context = f"on {databases.backend}, seed {seed}, {revocations} revocations per worker"
    try:
        async with FakeIssuer(keys=[ISSUER_KEY.published()]) as issuer:
            with _start_servers(url, program, issuer) as (folder, urls):
                stage = Deployment(
                    database, folder, urls, await _read_ids(database), await _create_tokens(database), issuer
                )
                workers = [
                    Worker(stage, accesses_of_worker, Random(f"{seed} {accesses_of_worker[0].name}"), stopped)
                    for accesses_of_worker in accesses
                ]
                history = await _run_workers(workers, revocations, context)
                # Reported before the servers stop, because a faulty server may not stop cleanly.
                contradiction = find_contradiction(history)
                if contradiction:
                    events = format_context(history, contradiction)
                    raise BrokenPromiseError(f"A read contradicts an acknowledged write, {context}:\n{events}")
    finally:
        await database.close()
        databases.drop(url)
    return count_confirmed(history)


@contextmanager
def _start_servers(database_url: str, program: str, issuer: FakeIssuer) -> Iterator[tuple[Path, dict[str, str]]]:
    """Start two servers. Yields a folder, and the address of each server by name."""
    with ExitStack() as stack:
        settings = {"DATABASE_URL": database_url, "OIDC_ISSUER": issuer.url, "OIDC_AUDIENCE": AUDIENCE}
        variables = environment(**settings, OIDC_PROVISIONING="create")
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="atoll-proof-")))
        servers = {name: run_server(folder, variables, program=program) for name in ("first", "second")}
        yield folder, {name: stack.enter_context(server).url for name, server in servers.items()}


async def _run_workers(workers: Sequence[Worker], revocations: int, context: str) -> list[Event]:
    """Run all workers to their end and return their events."""
    try:
        async with asyncio.TaskGroup() as running:
            for worker in workers:
                running.create_task(worker.run(revocations))
    except ExceptionGroup as failed:
        raise BrokenPromiseError(f"A worker failed, {context}: {failed.exceptions}") from failed
    return [event for worker in workers for event in worker.history]


async def _read_ids(database: Database) -> dict[str, str]:
    """Return public ids by external id, and of collections by "collection:" and slug."""
    async with database.snapshot() as snapshot:
        tables = (sql.principal, sql.asset)
        rows = [row for table in tables for row in await snapshot.rows(select(table.c.external_id, table.c.id))]
        collections = await snapshot.rows(select(sql.collection.c.slug, sql.collection.c.id))
    return {row.external_id: row.id for row in rows} | {f"collection:{row.slug}": row.id for row in collections}


async def _create_tokens(database: Database) -> dict[str, str]:
    """Create a token for each user, already expired for the token holders."""
    users = select(sql.principal.c.external_id).where(sql.principal.c.kind == PrincipalKind.USER)
    async with database.snapshot() as snapshot:
        names = [row.external_id for row in await snapshot.rows(users)]
    return {name: await create_token(database, name, 0 if name.startswith(TOKEN_HOLDER) else 3_600) for name in names}


REVOCATION = Proof(
    "revocation",
    "No request that starts after a revocation was acknowledged benefits from the revoked permission, in any process.",
    unit="revocations",
    goal=10_000,
    trial=trial,
)
