"""Job worker of a server process: runs queued jobs one after another, beside the requests."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from resolvers.write.job import run_next_job
from store.database import Database
from store.failure import StorageError

POLL_SECONDS: Final = 5
"""Longest wait before this process notices a job that another process queued or abandoned."""

_log = logging.getLogger(__name__)


@asynccontextmanager
async def run_worker(database: Database) -> AsyncIterator[None]:
    """Run jobs while the block runs. Leaving the block waits for the current chunk of a running job."""
    stopping = asyncio.Event()
    worker = asyncio.create_task(_run_jobs(database, stopping))
    try:
        yield
    finally:
        stopping.set()
        database.job_queued.set()
        await worker


async def _run_jobs(database: Database, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        database.job_queued.clear()
        try:
            while await run_next_job(database, stopping.is_set):
                pass
        except StorageError as error:
            _log.warning("Jobs wait for the database: %s", error)
        except Exception:  # noqa: BLE001 - a failed job must not stop the jobs behind it
            _log.exception("A job failed.")
        try:
            await asyncio.wait_for(database.job_queued.wait(), POLL_SECONDS)
        except TimeoutError:
            continue
