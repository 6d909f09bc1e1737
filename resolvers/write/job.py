"""Jobs: bulk changes too large for one request, queued and run in chunks. Exports are jobs of their own kind.

A chunk's results are committed with it, so that a job whose worker was killed resumes where it stopped. An ATOMIC job
is one transaction. Each transaction uses the viewer's permissions as of its start.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, cast

from sqlalchemy.ext.asyncio import AsyncConnection

from permissions import visible
from permissions.permission import Permission, has_permission
from permissions.viewer import viewer_by_pk
from resolvers.limits import LIMITS
from resolvers.write import export_job, undo_members, undo_transfer
from resolvers.write.bulk import BulkMode, ItemResult, changed_ids
from resolvers.write.input import Input, InputReader, Position, Side, index_by_id
from resolvers.write.membership_operations import (
    OPERATION_KINDS,
    MembershipOperation,
    Placement,
    find_collections,
)
from resolvers.write.transaction import MutationTransaction, Result
from resolvers.write.transfer_operation import TransferOperation, resume_transfer
from resolvers.write.user_error import MutationRejectedError, UserError, UserErrorCode
from store import jobs, sql
from store.changes import open_change_log
from store.database import ConnectionSnapshot, Database
from store.failure import StorageError
from store.ids import now_ms
from store.jobs import ClaimedJob
from store.rows import ChangeRow, CollectionRow, JobRow, MembershipRow
from store.tables import ChangeAction, JobKind, JobStatus
from store.transfer import Transfer

CHUNK_SIZE = 4_000
MAX_JOBS, MAX_DAILY_ITEMS = LIMITS.active_jobs, LIMITS.daily_job_items
DAY_MS = 24 * 3_600 * 1_000
PERMISSIONS: Mapping[JobKind, Permission] = {
    **dict.fromkeys(OPERATION_KINDS, Permission.SIGNED_IN),
    JobKind.ASSETS_TRANSFER: Permission.ADMIN,
    JobKind.CHANGES_UNDO: Permission.SIGNED_IN,
    JobKind.EXPORT: Permission.SIGNED_IN,
}
"""Site-wide permission that the user of a job must hold whenever it goes on, unless its input has another one."""
MAX_ERRORS = 100  # stored with a failed job; each item is stored with its own error

Operation = MembershipOperation | TransferOperation


async def enqueue(
    tx: MutationTransaction,
    kind: JobKind,
    input: Input,
    count: int,
    collection_ids: Sequence[str],
    *,
    field: str = "assetIds",
) -> str:
    """Queue a bulk change of so many items, those of `field`, and return the job's id. Four statements.

    Raises MutationRejectedError if the viewer has MAX_JOBS active jobs, or too many items in the jobs of a day.
    """
    assert tx.viewer.user_pk is not None  # noqa: S101 - bulk changes require SIGNED_IN
    if await jobs.count_active(tx.connection, tx.viewer.user_pk) >= MAX_JOBS:
        message = f"You have {MAX_JOBS} active jobs. Wait until one ends, or cancel one."
        raise _refused(message, MAX_JOBS, field)
    items = await jobs.count_items_since(tx.connection, tx.viewer.user_pk, now_ms() - DAY_MS)
    if items + count > MAX_DAILY_ITEMS:
        message = f"Your jobs of the last 24 hours have {items:,} items; at most {MAX_DAILY_ITEMS:,} are allowed."
        raise _refused(f"{message} Try again tomorrow.", MAX_DAILY_ITEMS, field)
    tx.must_commit = True
    return await jobs.queue(
        tx.connection,
        kind,
        tx.viewer.user_pk,
        dict(input),
        total=count,
        collection_ids=collection_ids,
        request_id=tx.log.request_id,
    )


def _refused(message: str, limit: int, field: str) -> MutationRejectedError:
    return MutationRejectedError([UserError(UserErrorCode.LIMIT_EXCEEDED, message, ("input", field), limit=limit)])


async def cancel(tx: MutationTransaction, reader: InputReader) -> Result:
    """Cancel a job of the viewer; its applied changes stay."""
    job: JobRow = await tx.get(reader, sql.job, "id")
    await jobs.cancel(tx.connection, job.pk)
    tx.must_commit = job.status in jobs.ACTIVE
    return {"job": job.id}


async def run_next_job(
    database: Database, is_stopping: Callable[[], bool] = lambda: False, export_folder: Path | None = None
) -> bool:
    """Claim the oldest waiting job and run it to its end, or until `is_stopping`; return whether there was one.

    Without a folder, exports fail.

    An exception ends the job as FAILED, unless the database is unavailable: then another worker resumes the job. The
    exception is raised again in both cases. Without a job, nothing is locked.
    """
    async with database.snapshot() as snapshot:
        if not await jobs.has_work(snapshot):
            return False
    async with database.write() as connection:
        job = await jobs.claim_next(connection)
    if job is None:
        return False
    try:
        if job.kind == JobKind.EXPORT:
            await export_job.run(database, job, export_folder, is_stopping)
        elif job.kind == JobKind.CHANGES_UNDO:
            await _run_undo(database, job, is_stopping)
        elif job.input["mode"] == BulkMode.ATOMIC:
            await _run_atomic(database, job)
        else:
            await _run_chunked(database, job, is_stopping)
    except StorageError:
        raise  # the database is unavailable: another worker will claim the job
    except Exception:
        async with database.write() as connection:
            await jobs.finish(connection, job.pk, JobStatus.FAILED)
        raise
    return True


async def _run_chunked(database: Database, job: ClaimedJob, is_stopping: Callable[[], bool]) -> None:
    """Run a BEST_EFFORT job, each chunk in a transaction."""
    indexes = list(index_by_id(job.input["asset_ids"]).items())
    while not is_stopping():
        async with database.write() as connection:
            if await _run_chunk(connection, job, indexes):
                return
    async with database.write() as connection:
        await jobs.release(connection, job.pk)


async def _run_chunk(connection: AsyncConnection, job: ClaimedJob, indexes: Sequence[tuple[str, int]]) -> bool:
    """Run the next chunk of a BEST_EFFORT job; return whether the job has ended."""
    resumed = await _resume(connection, job)
    if resumed is None:
        return True
    operation, done = resumed
    chunk = dict(indexes[done : done + CHUNK_SIZE])
    items = await operation.plan(chunk)
    effect = await operation.apply(changed_ids(items))
    rows = [item.to_row(index) for item, index in zip(items, chunk.values(), strict=True)]
    await jobs.record_progress(
        connection,
        job.pk,
        done + len(chunk),
        rows,
        change_ids=effect.changes,
        last_put_pk=operation.last_inserted_pk,
    )
    if done + len(chunk) < job.total:
        return False
    is_partial = await jobs.has_failed(connection, job.pk)
    await jobs.finish(connection, job.pk, JobStatus.PARTIALLY_FAILED if is_partial else JobStatus.SUCCEEDED)
    return True


async def _run_undo(database: Database, job: ClaimedJob, is_stopping: Callable[[], bool]) -> None:
    """Undo the changes of a job, the last first, each in a transaction."""
    while not is_stopping():
        async with database.write() as connection:
            if await _undo_next(connection, job):
                return
    async with database.write() as connection:
        await jobs.release(connection, job.pk)


async def _undo_next(connection: AsyncConnection, job: ClaimedJob) -> bool:
    """Undo the next change of a job; return whether the job has ended."""
    resumed = await _continue(connection, job)
    if resumed is None:
        return True
    tx, state = resumed
    done = 0
    for id_, count in job.input["changes"]:
        if done >= state.done:
            results, changes = await _undo_change(tx, id_)
            rows = [ItemResult.from_json(item).to_row(done + index) for index, item in enumerate(results)]
            done += count
            await jobs.record_progress(connection, job.pk, done, rows, change_ids=changes)
            break
        done += count
    if done < job.total:
        return False
    is_partial = await jobs.has_failed(connection, job.pk)
    await jobs.finish(connection, job.pk, JobStatus.PARTIALLY_FAILED if is_partial else JobStatus.SUCCEEDED)
    return True


async def _undo_change(tx: MutationTransaction, id_: str) -> tuple[Sequence[Mapping[str, Any]], Sequence[str]]:
    """Undo a change; return the results of its items, and the ids of the logged changes."""
    try:
        change: ChangeRow = await tx.get(InputReader({"change_id": id_}), sql.change, "change_id")
        undo = undo_transfer.undo if change.action == ChangeAction.ASSETS_TRANSFERRED else undo_members.undo
        result = await undo(tx, InputReader({}), change, max_items=LIMITS.bulk_items)
    except MutationRejectedError as rejected:
        return rejected.result.get("results", ()), ()
    return result["results"], result["changes"]


class _ItemsFailedError(Exception):
    """An ATOMIC job with failed items; raised to roll its transaction back."""

    def __init__(self, items: list[ItemResult]) -> None:
        """Take all items as planned."""
        super().__init__()
        self.items = items


async def _run_atomic(database: Database, job: ClaimedJob) -> None:
    """Run an ATOMIC job in one transaction."""
    try:
        async with database.write() as connection:
            await _apply_all(connection, job)
    except _ItemsFailedError as error:
        async with database.write() as connection:
            await _record_failure(connection, job, error.items)


async def _apply_all(connection: AsyncConnection, job: ClaimedJob) -> None:
    resumed = await _resume(connection, job)
    if resumed is None:
        return
    operation, _ = resumed
    items: list[ItemResult] = []
    indexes = iter(index_by_id(job.input["asset_ids"]).items())
    while chunk := dict(islice(indexes, CHUNK_SIZE)):
        items += await operation.plan(chunk)
    if any(item.error for item in items):
        raise _ItemsFailedError(items)
    effect = await operation.apply(changed_ids(items))
    await jobs.record_progress(connection, job.pk, len(items), _rows(job, items), change_ids=effect.changes)
    await jobs.finish(connection, job.pk, JobStatus.SUCCEEDED)


async def _record_failure(connection: AsyncConnection, job: ClaimedJob, items: list[ItemResult]) -> None:
    errors = [item.error.to_json() for item in items if item.error][:MAX_ERRORS]
    rows = _rows(job, [item.rolled_back() for item in items])
    await jobs.record_progress(connection, job.pk, 0, rows)
    await jobs.finish(connection, job.pk, JobStatus.FAILED, errors)


async def _resume(connection: AsyncConnection, job: ClaimedJob) -> tuple[Operation, int] | None:
    """Return the job's operation, as its user with their current permissions, and the number of items done.

    None if the job has ended: it was cancelled, its user may no longer run it, its collection no longer exists, or its
    new owner is deactivated.
    """
    resumed = await _continue(connection, job)
    if resumed is None:
        return None
    tx, state = resumed
    try:
        return await _operation(tx, job, state.last_put_pk), state.done
    except MutationRejectedError as rejected:
        errors = [error.to_json() for error in rejected.user_errors]
        await jobs.finish(connection, job.pk, JobStatus.FAILED, errors)
        return None


async def _continue(connection: AsyncConnection, job: ClaimedJob) -> tuple[MutationTransaction, JobRow] | None:
    """Return a transaction of the job's user with their current permissions, and the job; None if it has ended."""
    log = await open_change_log(connection, job.request_id)
    log.actor_pk = job.user_pk
    state = await jobs.renew_lease(connection, job.pk)
    if state.status != JobStatus.RUNNING:
        return None
    viewer = await viewer_by_pk(ConnectionSnapshot(connection), job.user_pk)
    permission = Permission(job.input.get("permission", PERMISSIONS[JobKind(job.kind)]))
    if state.is_cancelled or viewer is None or not has_permission(viewer, permission):
        await jobs.finish(connection, job.pk, JobStatus.CANCELLED)
        return None
    return MutationTransaction(connection, viewer, log), cast("JobRow", state)


async def _operation(tx: MutationTransaction, job: ClaimedJob, last_inserted_pk: int | None) -> Operation:
    if job.kind == JobKind.ASSETS_TRANSFER:
        return await resume_transfer(tx, Transfer(*(job.input[name] for name in Transfer._fields)))
    reader, kind = InputReader(job.input), OPERATION_KINDS[JobKind(job.kind)]
    source, target = await find_collections(tx, reader, kind)
    reader.raise_errors()
    placement = Placement()
    if target is not None:
        placement = await _next_placement(tx, target, reader.position(), last_inserted_pk)
    return MembershipOperation(tx, kind.action, source, target, placement, reader.note())


async def _next_placement(
    tx: MutationTransaction, collection: CollectionRow, position: Position, last_inserted_pk: int | None
) -> Placement:
    """Return the placement of the next chunk.

    At START or AFTER a neighbour, each chunk follows the last inserted asset, so that chunks stay in order. Otherwise
    it is the requested position, or the end if the neighbour is no longer a member.
    """
    last = last_inserted_pk if position.side in {Side.START, Side.AFTER} else None
    if last is None and position.id is None:
        return Placement(None, position.is_after)
    is_neighbour = sql.asset.c.id == position.id if last is None else sql.asset.c.pk == last
    in_collection = sql.membership.c.collection_pk == collection.pk
    rows: Sequence[MembershipRow] = await tx.rows(visible(sql.membership, tx.viewer).where(in_collection, is_neighbour))
    return Placement(rows[0].asset_pk, last is not None or position.is_after) if rows else Placement()


def _rows(job: ClaimedJob, items: Sequence[ItemResult]) -> list[dict[str, Any]]:
    """Return all items of the job as rows of `job_item`."""
    indexes = index_by_id(job.input["asset_ids"]).values()
    return [item.to_row(index) for item, index in zip(items, indexes, strict=True)]
