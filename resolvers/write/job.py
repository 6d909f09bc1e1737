"""This file is bulk changes too large to be made at once: queued as jobs, and gone on with chunk by chunk.

What is told of a chunk is committed with it: a job whose worker was killed is taken up where it stands. An ATOMIC job
is one transaction. The viewer's rights are those they have when each transaction begins.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import orjson
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection

from permissions import visible
from permissions.permission import Permission
from permissions.viewer import viewer_by_pk
from resolvers.context import Context
from resolvers.write.bulk import BulkMode, ItemResult, ItemStatus
from resolvers.write.input import Input, InputReader, Position, Side
from resolvers.write.membership_operations import AddAssets, IndexById, MembershipOperation, MoveAssets, RemoveAssets
from resolvers.write.transaction import MutationTransaction, Payload, Result, run_mutation
from resolvers.write.user_error import MutationRejectedError, UserError, UserErrorCode
from store import jobs, sql
from store.changes import open_change_log
from store.database import Database, Snapshot
from store.jobs import ClaimedJob
from store.tables import JobKind, JobStatus

CHUNK_SIZE = 4_000
MAX_JOBS = 3  # of one user at once: all wait for the same workers
MAX_ERRORS = 100  # told of a failed job; each item tells its own


async def enqueue(write: MutationTransaction, kind: JobKind, given: Input, ids: IndexById) -> str:
    """Queue a bulk change and return the job's id; raise Rejected for one too many of the viewer's.

    Three statements.
    """
    assert write.viewer.user_pk is not None  # noqa: S101 - members alone may ask for it
    if await jobs.count_active(write.connection, write.viewer.user_pk) >= MAX_JOBS:
        message = f"{MAX_JOBS} jobs of yours have not ended: wait for one of them, or cancel it."
        path = ("input", "assetIds")
        raise MutationRejectedError([UserError(UserErrorCode.LIMIT_EXCEEDED, message, path, limit=MAX_JOBS)])
    write.must_commit = True
    return await jobs.queue(
        write.connection, kind, write.viewer.user_pk, dict(given), total=len(ids), request_id=write.log.request_id
    )


async def cancel(context: Context, given: Input) -> Payload:
    """Keep a job from going on; what it has done stays done."""
    return await run_mutation(context, Permission.SIGNED_IN, "jobCancel", given, _cancel)


async def _cancel(write: MutationTransaction, reading: InputReader) -> Result:
    found = await write.visible_by_id(sql.job, [reading.input["id"]])
    if not found:
        reading.add_not_found("job", "id")
    reading.raise_errors()
    for job in found.values():
        await jobs.cancel(write.connection, job.pk)
        write.must_commit = job.status in jobs.ACTIVE
    return {"job": reading.input["id"]}


async def run_next_job(database: Database, is_stopping: Callable[[], bool] = lambda: False) -> bool:
    """Take up the oldest job that waits and do it to its end, or until `is_stopping`; return whether there was one.

    A job that no retry can bring further ends as FAILED, and what went wrong is raised.
    """
    async with database.write() as connection:
        job = await jobs.claim_next(connection)
    if job is None:
        return False
    try:
        if job.input["mode"] == BulkMode.ATOMIC:
            await _run_atomic(database, job)
        else:
            await _run_chunked(database, job, is_stopping)
    except (DBAPIError, OSError, PoolTimeoutError):
        raise  # the database is away: another will take the job up
    except Exception:
        async with database.write() as connection:
            await jobs.finish(connection, job.pk, JobStatus.FAILED)
        raise
    return True


async def _run_chunked(database: Database, job: ClaimedJob, is_stopping: Callable[[], bool]) -> None:
    """Do a BEST_EFFORT job, each chunk in a transaction."""
    items = list(_index_by_id(job).items())
    while not is_stopping():
        async with database.write() as connection:
            if await _run_chunk(connection, job, items):
                return
    async with database.write() as connection:
        await jobs.release(connection, job.pk)


async def _run_chunk(connection: AsyncConnection, job: ClaimedJob, all_items: Sequence[tuple[str, int]]) -> bool:
    """Do the next items of a BEST_EFFORT job; return whether it has ended."""
    resumed = await _resume(connection, job)
    if resumed is None:
        return True
    act, done = resumed
    ids = dict(all_items[done : done + CHUNK_SIZE])
    items = await act.judge(ids)
    await act.do(item.id for item in items if item.status is ItemStatus.CHANGED)
    await jobs.record_progress(connection, job.pk, done + len(ids), list(_job_rows(done, items)), act.last_put_pk)
    if done + len(ids) < job.total:
        return False
    is_partial = await jobs.has_failed(connection, job.pk)
    await jobs.finish(connection, job.pk, JobStatus.PARTIALLY_FAILED if is_partial else JobStatus.SUCCEEDED)
    return True


class _ItemsFailedError(Exception):
    """An ATOMIC job in which items failed: its transaction is rolled back."""

    def __init__(self, items: list[ItemResult]) -> None:
        """Take all items, as they were judged."""
        super().__init__()
        self.items = items


async def _run_atomic(database: Database, job: ClaimedJob) -> None:
    """Do an ATOMIC job, all of it in one transaction."""
    try:
        async with database.write() as connection:
            await _apply_all(connection, job)
    except _ItemsFailedError as failed:
        async with database.write() as connection:
            await _record_failure(connection, job, failed.items)


async def _apply_all(connection: AsyncConnection, job: ClaimedJob) -> None:
    resumed = await _resume(connection, job)
    if resumed is None:
        return
    act, _ = resumed
    items: list[ItemResult] = []
    ids = iter(_index_by_id(job).items())
    while chunk := dict(islice(ids, CHUNK_SIZE)):
        items += await act.judge(chunk)
    if any(item.error for item in items):
        raise _ItemsFailedError(items)
    await act.do(item.id for item in items if item.status is ItemStatus.CHANGED)
    await jobs.record_progress(connection, job.pk, len(items), list(_job_rows(0, items)))
    await jobs.finish(connection, job.pk, JobStatus.SUCCEEDED)


async def _record_failure(connection: AsyncConnection, job: ClaimedJob, items: list[ItemResult]) -> None:
    rolled_back = [
        item._replace(status=ItemStatus.ROLLED_BACK) if item.status is ItemStatus.CHANGED else item for item in items
    ]
    errors = [item.error.to_json() for item in items if item.error][:MAX_ERRORS]
    await jobs.record_progress(connection, job.pk, len(items), list(_job_rows(0, rolled_back)))
    await jobs.finish(connection, job.pk, JobStatus.FAILED, errors)


async def _resume(connection: AsyncConnection, job: ClaimedJob) -> tuple[MembershipOperation, int] | None:
    """Return what the job does and how many items are done; None where it has ended: cancelled, or with nowhere to go.

    It is done as its user, with the rights of now.
    """
    log = await open_change_log(connection, job.request_id)
    log.actor_pk = job.user_pk
    now = await jobs.renew_lease(connection, job.pk)
    if now.status != JobStatus.RUNNING:
        return None
    if now.is_cancelled:
        await jobs.finish(connection, job.pk, JobStatus.CANCELLED)
        return None
    viewer = await viewer_by_pk(Snapshot(connection), job.user_pk)
    assert viewer is not None  # noqa: S101 - no user is ever deleted
    try:
        return await _operation(MutationTransaction(connection, viewer, log), job, now.last_put_pk), now.done
    except MutationRejectedError as rejected:
        errors = [error.to_json() for error in rejected.user_errors]
        await jobs.finish(connection, job.pk, JobStatus.FAILED, errors)
        return None


async def _operation(write: MutationTransaction, job: ClaimedJob, last_put_pk: int | None) -> MembershipOperation:
    reading, fields = InputReader(job.input), _COLLECTION_FIELDS[JobKind(job.kind)]
    found = await write.visible_by_id(sql.collection, [job.input[name] for name in fields])
    for name, field in fields.items():
        if job.input[name] not in found:
            reading.add_not_found("collection", field)
    reading.raise_errors()
    collections = [found[job.input[name]] for name in fields]
    first, last = collections[0], collections[-1]
    if job.kind == JobKind.ASSETS_REMOVE:
        return RemoveAssets(write, first)
    neighbour, is_after = await _next_position(write, last, reading.position(), last_put_pk)
    if job.kind == JobKind.ASSETS_ADD:
        return AddAssets(write, first, neighbour, is_after, reading.note())
    return MoveAssets(write, first, last, neighbour, is_after)


_COLLECTION_FIELDS = {
    JobKind.ASSETS_ADD: {"collection_id": "collectionId"},
    JobKind.ASSETS_REMOVE: {"collection_id": "collectionId"},
    JobKind.ASSETS_MOVE: {"from_collection_id": "fromCollectionId", "to_collection_id": "toCollectionId"},
}


async def _next_position(
    write: MutationTransaction, collection: Any, position: Position, last_put_pk: int | None
) -> tuple[int | None, bool]:
    """Return where the next items go: behind those of the job that are in, where the place grows from its start.

    A neighbour that is not in any more leaves the end.
    """
    last = last_put_pk if position.side in {Side.START, Side.AFTER} else None
    if last is None and position.id is None:
        return None, position.is_after
    beside = sql.asset.c.id == position.id if last is None else sql.asset.c.pk == last
    rows = visible(sql.membership, write.viewer).where(sql.membership.c.collection_pk == collection.pk, beside)
    found = await write.rows(rows)
    return (found[0].asset_pk, last is not None or position.is_after) if found else (None, True)


def _index_by_id(job: ClaimedJob) -> dict[str, int]:
    indexes: dict[str, int] = {}
    for index, id_ in enumerate(job.input["asset_ids"]):
        indexes.setdefault(id_, index)
    return indexes


def _job_rows(first: int, items: Iterable[ItemResult]) -> Iterator[dict[str, Any]]:
    for place, item in enumerate(items, start=first):
        error = orjson.dumps(item.error.to_json()).decode() if item.error else None
        yield {"place": place, "asset_id": item.id, "status": item.status, "error": error}
