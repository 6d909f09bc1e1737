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
from permissions.require import Permission
from permissions.viewer import user
from resolvers.context import Context
from resolvers.write.act import Act, Adding, Indexes, Moving, Removing
from resolvers.write.bulk import BulkMode, Item, ItemStatus
from resolvers.write.reading import Input, Position, Reading, Side
from resolvers.write.transaction import Answer, Payload, Write, mutate
from resolvers.write.user_error import Rejected, UserError, UserErrorCode
from store import jobs, sql
from store.changes import open_log
from store.database import Database, Snapshot
from store.jobs import Taken
from store.tables import JobKind, JobStatus

CHUNK = 4_000
MOST_JOBS = 3  # of one user at once: all wait for the same workers
MOST_ERRORS = 100  # told of a failed job; each item tells its own


async def enqueue(write: Write, kind: JobKind, given: Input, ids: Indexes) -> str:
    """Queue a bulk change and return the job's id; raise Rejected for one too many of the viewer's.

    Three statements.
    """
    assert write.viewer.user_pk is not None  # noqa: S101 - members alone may ask for it
    if await jobs.unended(write.connection, write.viewer.user_pk) >= MOST_JOBS:
        message = f"{MOST_JOBS} jobs of yours have not ended: wait for one of them, or cancel it."
        path = ("input", "assetIds")
        raise Rejected([UserError(UserErrorCode.LIMIT_EXCEEDED, message, path, limit=MOST_JOBS)])
    write.is_kept = True
    return await jobs.queue(
        write.connection, kind, write.viewer.user_pk, dict(given), total=len(ids), request_id=write.log.request_id
    )


async def cancel(context: Context, given: Input) -> Payload:
    """Keep a job from going on; what it has done stays done."""
    return await mutate(context, Permission.SIGNED_IN, "jobCancel", given, _cancel)


async def _cancel(write: Write, reading: Reading) -> Answer:
    found = await write.visible_by_id(sql.job, [reading.given["id"]])
    if not found:
        reading.missing("job", "id")
    reading.stop()
    for job in found.values():
        await jobs.cancel(write.connection, job.pk)
        write.is_kept = job.status in jobs.UNENDED
    return {"job": reading.given["id"]}


async def work(database: Database, is_stopping: Callable[[], bool] = lambda: False) -> bool:
    """Take up the oldest job that waits and do it to its end, or until `is_stopping`; return whether there was one.

    A job that no retry can bring further ends as FAILED, and what went wrong is raised.
    """
    async with database.write() as connection:
        job = await jobs.take_up(connection)
    if job is None:
        return False
    try:
        if job.given["mode"] == BulkMode.ATOMIC:
            await _do_whole(database, job)
        else:
            await _do_chunks(database, job, is_stopping)
    except (DBAPIError, OSError, PoolTimeoutError):
        raise  # the database is away: another will take the job up
    except Exception:
        async with database.write() as connection:
            await jobs.end(connection, job.pk, JobStatus.FAILED)
        raise
    return True


async def _do_chunks(database: Database, job: Taken, is_stopping: Callable[[], bool]) -> None:
    """Do a BEST_EFFORT job, each chunk in a transaction."""
    items = list(_indexes(job).items())
    while not is_stopping():
        async with database.write() as connection:
            if await _do_chunk(connection, job, items):
                return
    async with database.write() as connection:
        await jobs.let_go(connection, job.pk)


async def _do_chunk(connection: AsyncConnection, job: Taken, all_items: Sequence[tuple[str, int]]) -> bool:
    """Do the next items of a BEST_EFFORT job; return whether it has ended."""
    resumed = await _resumed(connection, job)
    if resumed is None:
        return True
    act, done = resumed
    ids = dict(all_items[done : done + CHUNK])
    items = await act.judge(ids)
    await act.do(item.id for item in items if item.status is ItemStatus.CHANGED)
    await jobs.tell(connection, job.pk, done + len(ids), list(_told(done, items)), act.last_put_pk)
    if done + len(ids) < job.total:
        return False
    is_partial = await jobs.has_failed(connection, job.pk)
    await jobs.end(connection, job.pk, JobStatus.PARTIALLY_FAILED if is_partial else JobStatus.SUCCEEDED)
    return True


class _Failed(Exception):
    """An ATOMIC job in which items failed: its transaction is rolled back."""

    def __init__(self, items: list[Item]) -> None:
        """Take all items, as they were judged."""
        super().__init__()
        self.items = items


async def _do_whole(database: Database, job: Taken) -> None:
    """Do an ATOMIC job, all of it in one transaction."""
    try:
        async with database.write() as connection:
            await _do_all(connection, job)
    except _Failed as failed:
        async with database.write() as connection:
            await _tell_failed(connection, job, failed.items)


async def _do_all(connection: AsyncConnection, job: Taken) -> None:
    resumed = await _resumed(connection, job)
    if resumed is None:
        return
    act, _ = resumed
    items: list[Item] = []
    ids = iter(_indexes(job).items())
    while chunk := dict(islice(ids, CHUNK)):
        items += await act.judge(chunk)
    if any(item.error for item in items):
        raise _Failed(items)
    await act.do(item.id for item in items if item.status is ItemStatus.CHANGED)
    await jobs.tell(connection, job.pk, len(items), list(_told(0, items)))
    await jobs.end(connection, job.pk, JobStatus.SUCCEEDED)


async def _tell_failed(connection: AsyncConnection, job: Taken, items: list[Item]) -> None:
    rolled_back = [
        item._replace(status=ItemStatus.ROLLED_BACK) if item.status is ItemStatus.CHANGED else item for item in items
    ]
    errors = [item.error.kept() for item in items if item.error][:MOST_ERRORS]
    await jobs.tell(connection, job.pk, len(items), list(_told(0, rolled_back)))
    await jobs.end(connection, job.pk, JobStatus.FAILED, errors)


async def _resumed(connection: AsyncConnection, job: Taken) -> tuple[Act, int] | None:
    """Return what the job does and how many items are done; None where it has ended: cancelled, or with nowhere to go.

    It is done as its user, with the rights of now.
    """
    log = await open_log(connection, job.request_id)
    log.actor_pk = job.user_pk
    now = await jobs.hold(connection, job.pk)
    if now.status != JobStatus.RUNNING:
        return None
    if now.is_cancelled:
        await jobs.end(connection, job.pk, JobStatus.CANCELLED)
        return None
    viewer = await user(Snapshot(connection), job.user_pk)
    assert viewer is not None  # noqa: S101 - no user is ever deleted
    try:
        return await _act(Write(connection, viewer, log), job, now.last_put_pk), now.done
    except Rejected as rejected:
        errors = [error.kept() for error in rejected.user_errors]
        await jobs.end(connection, job.pk, JobStatus.FAILED, errors)
        return None


async def _act(write: Write, job: Taken, last_put_pk: int | None) -> Act:
    reading, fields = Reading(job.given), _COLLECTIONS[JobKind(job.kind)]
    found = await write.visible_by_id(sql.collection, [job.given[name] for name in fields])
    for name, field in fields.items():
        if job.given[name] not in found:
            reading.missing("collection", field)
    reading.stop()
    collections = [found[job.given[name]] for name in fields]
    first, last = collections[0], collections[-1]
    if job.kind == JobKind.ASSETS_REMOVE:
        return Removing(write, first)
    neighbour, is_after = await _place(write, last, reading.position(), last_put_pk)
    if job.kind == JobKind.ASSETS_ADD:
        return Adding(write, first, neighbour, is_after, reading.note())
    return Moving(write, first, last, neighbour, is_after)


_COLLECTIONS = {
    JobKind.ASSETS_ADD: {"collection_id": "collectionId"},
    JobKind.ASSETS_REMOVE: {"collection_id": "collectionId"},
    JobKind.ASSETS_MOVE: {"from_collection_id": "fromCollectionId", "to_collection_id": "toCollectionId"},
}


async def _place(write: Write, collection: Any, position: Position, last_put_pk: int | None) -> tuple[int | None, bool]:
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


def _indexes(job: Taken) -> dict[str, int]:
    indexes: dict[str, int] = {}
    for index, id_ in enumerate(job.given["asset_ids"]):
        indexes.setdefault(id_, index)
    return indexes


def _told(first: int, items: Iterable[Item]) -> Iterator[dict[str, Any]]:
    for place, item in enumerate(items, start=first):
        error = orjson.dumps(item.error.kept()).decode() if item.error else None
        yield {"place": place, "asset_id": item.id, "status": item.status, "error": error}
