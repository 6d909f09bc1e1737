"""Jobs of exports: a file of all that the user of the job sees, written beside the requests.

It is written in a thread of its own, with a connection of its own: on many rows it computes for minutes. A job whose
worker was killed starts again. A file without a row is deleted in time.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from permissions import Viewer
from permissions.viewer import viewer_by_pk
from resolvers.export import parquet_file
from resolvers.export.access import FileAccess, load_access
from resolvers.export.catalogue import catalogue_lines, count_objects
from resolvers.export.file_format import ENDINGS, ExportFormat, line_writer
from resolvers.export.scope import Scope, find_scope
from resolvers.pull.part import GraphPart
from resolvers.write.user_error import UserError, UserErrorCode
from store import exports, jobs
from store.database import UNLIMITED_SECONDS, ConnectionSnapshot, Database, Snapshot
from store.ids import new_id
from store.jobs import ClaimedJob
from store.new_file import UnwritableFileError, new_file
from store.tables import JobStatus

PROGRESS_SECONDS: Final = 3
"""Seconds after which the lease is renewed; several times in that of a lease."""

_log = logging.getLogger(__name__)


class _StoppedError(Exception):
    """The end of an export before its file is complete."""


@dataclass
class _Progress:
    """State of an export, shared with the thread that writes it."""

    done: int = 0
    total: int = 0
    must_stop: bool = False


async def run(database: Database, job: ClaimedJob, folder: Path | None, is_stopping: Callable[[], bool]) -> None:
    """Write the file of the job into the folder and record it, or let the job fail.

    Before its end, an export that `is_stopping` is released, for another worker.
    """
    format_ = ExportFormat(job.input["format"])
    if folder is None:
        await _fail(database, job, "Exports are turned off here. Ask the operator to set ATOLL_EXPORT_FOLDER.")
        return
    if format_ is ExportFormat.PARQUET and not parquet_file.is_available():
        await _fail(database, job, "This server cannot write PARQUET: PyArrow is not installed. Choose another format.")
        return
    name = f"{exports.FILE_PREFIX}{new_id('exp')}.{ENDINGS[format_]}"
    try:
        access = await _write_in_thread(database, job, folder / name, is_stopping)
    except _StoppedError:
        async with database.write() as connection:
            await _end_stopped(connection, job)
        return
    except UnwritableFileError as error:
        _log.warning("An export failed: %s", error)
        await _fail(database, job, "The server could not write the file. Try again later.")
        return
    async with database.write() as connection:
        is_recorded = await _record(connection, job, access, format_, name)
    if not is_recorded:
        (folder / name).unlink()


async def _fail(database: Database, job: ClaimedJob, message: str) -> None:
    async with database.write() as connection:
        error = UserError(UserErrorCode.UNAVAILABLE, message, ("input", "format"))
        await jobs.finish(connection, job.pk, JobStatus.FAILED, [error.to_json()])


async def _end_stopped(connection: AsyncConnection, job: ClaimedJob) -> None:
    """End a job that was cancelled or whose user is deactivated; release another, so that a worker claims it again."""
    state = await jobs.renew_lease(connection, job.pk)
    if state.status != JobStatus.RUNNING:
        return
    if state.is_cancelled or await viewer_by_pk(ConnectionSnapshot(connection), job.user_pk) is None:
        await jobs.finish(connection, job.pk, JobStatus.CANCELLED)
    else:
        await jobs.release(connection, job.pk)


async def _record(
    connection: AsyncConnection, job: ClaimedJob, access: FileAccess, format_: ExportFormat, name: str
) -> bool:
    """Record the file and end the job; return False if the job was cancelled, or another worker ended it."""
    state = await jobs.renew_lease(connection, job.pk)
    if state.status != JobStatus.RUNNING:
        return False
    if state.is_cancelled:
        await jobs.finish(connection, job.pk, JobStatus.CANCELLED)
        return False
    await exports.add_file(connection, state.id, job.user_pk, format_=format_, name=name, access=access.to_json())
    await jobs.finish(connection, job.pk, JobStatus.SUCCEEDED)
    return True


async def _write_in_thread(
    database: Database, job: ClaimedJob, file: Path, is_stopping: Callable[[], bool]
) -> FileAccess:
    """Write the file and record the progress meanwhile. Raises _StoppedError and UnwritableFileError."""
    progress = _Progress()
    url = database.url.render_as_string(hide_password=False)
    writing = asyncio.create_task(asyncio.to_thread(lambda: asyncio.run(_write(url, job, file, progress))))
    try:
        while not (await asyncio.wait({writing}, timeout=PROGRESS_SECONDS))[0]:
            async with database.write() as connection:
                state = await jobs.renew_lease(connection, job.pk)
                await jobs.set_progress(connection, job.pk, progress.done, progress.total)
            if state.is_cancelled or state.status != JobStatus.RUNNING or is_stopping():
                progress.must_stop = True
    finally:
        progress.must_stop = True  # a thread cannot be cancelled
    access = await writing
    async with database.write() as connection:
        await jobs.set_progress(connection, job.pk, progress.done, progress.total)
    return access


async def _write(url: str, job: ClaimedJob, file: Path, progress: _Progress) -> FileAccess:
    """Write the file as the user of the job; return the access that it relies on."""

    async def export(snapshot: Snapshot) -> FileAccess:
        viewer = await viewer_by_pk(snapshot, job.user_pk)
        if viewer is None:
            raise _StoppedError
        scope = await _find_scope(snapshot, viewer, job)
        progress.total = await count_objects(snapshot, viewer, scope)
        with (
            new_file(file) as temporary,
            temporary.open("wb") as stream,
            line_writer(ExportFormat(job.input["format"]), stream, file.parent, is_signed_in=True) as write_line,
        ):
            async for line in catalogue_lines(snapshot, viewer, scope):
                if progress.must_stop:
                    raise _StoppedError
                write_line(line)
                progress.done += line["kind"] != "members"
        return await load_access(snapshot, viewer, scope)

    database = Database(url, operation_seconds=UNLIMITED_SECONDS)
    try:
        return await database.read_long(export)
    finally:
        await database.close()


async def _find_scope(snapshot: Snapshot, viewer: Viewer, job: ClaimedJob) -> Scope:
    parts = frozenset(map(GraphPart, job.input["parts"]))
    chosen = job.input.get("scope")
    if chosen is None:
        return Scope(parts)
    return await find_scope(snapshot, viewer, parts, set(chosen["topics"]), set(chosen["collections"]))
