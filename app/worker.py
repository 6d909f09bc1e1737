"""This file is the worker of a server: it does the jobs that wait, one after another, beside the requests."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from resolvers.write.job import run_next_job
from store.database import Database

POLL_SECONDS: Final = 5
"""How long a job may wait that another process queued, or left behind."""

_log = logging.getLogger(__name__)


@asynccontextmanager
async def run_worker(database: Database) -> AsyncIterator[None]:
    """Do jobs until the end of the block, which waits for the chunk at hand."""
    stopping = asyncio.Event()
    worker = asyncio.create_task(_work(database, stopping))
    try:
        yield
    finally:
        stopping.set()
        database.job_queued.set()
        await worker


async def _work(database: Database, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        database.job_queued.clear()
        try:
            while await run_next_job(database, stopping.is_set):
                pass
        except Exception:  # noqa: BLE001 - whatever it is, the jobs behind it are to be done
            _log.exception("A job failed.")
        try:
            await asyncio.wait_for(database.job_queued.wait(), POLL_SECONDS)
        except TimeoutError:
            continue
