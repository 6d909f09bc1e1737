"""Job worker of a server process: runs queued jobs one after another, beside the requests."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf
from pathlib import Path
from time import monotonic
from typing import Final

from resolvers.write.job import run_next_job
from store.database import Database
from store.exports import delete_expired_files
from store.failure import StorageError

POLL_SECONDS: Final = 5
"""Longest wait before this process notices a job that another process queued or abandoned."""

SWEEP_SECONDS: Final = 3_600
"""Seconds between two searches for expired exports."""

_log = logging.getLogger(__name__)


@asynccontextmanager
async def run_worker(database: Database, export_folder: Path | None = None) -> AsyncIterator[None]:
    """Run jobs while the block runs, and delete expired exports from the folder.

    Leaving the block waits for the current chunk of a running job.
    """
    stopping = asyncio.Event()
    worker = asyncio.create_task(_run_jobs(database, stopping, export_folder))
    try:
        yield
    finally:
        stopping.set()
        database.job_queued.set()
        await worker


async def _run_jobs(database: Database, stopping: asyncio.Event, export_folder: Path | None) -> None:
    swept_at = -inf
    while not stopping.is_set():
        database.job_queued.clear()
        try:
            while await run_next_job(database, stopping.is_set, export_folder):
                pass
            if export_folder is not None and monotonic() - swept_at >= SWEEP_SECONDS:
                swept_at = monotonic()
                await asyncio.to_thread(delete_expired_files, export_folder)
        except StorageError as error:
            _log.warning("Jobs wait for the database: %s", error)
        except Exception:  # noqa: BLE001 - a failed job must not stop the jobs behind it
            _log.exception("A job failed.")
        try:
            await asyncio.wait_for(database.job_queued.wait(), POLL_SECONDS)
        except TimeoutError:
            continue
