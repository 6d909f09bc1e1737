"""This file is jobs being kept: queued, taken up by one worker at a time, told how far they are, and forgotten."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.bulk_insert import insert_many
from store.ids import new_id, now_ms
from store.tables import JobKind, JobStatus

LEASE_MS = 15 * 1_000  # how long a worker may be silent before another takes its job up
RETENTION_MS = 7 * 24 * 3_600 * 1_000
ACTIVE = (JobStatus.QUEUED, JobStatus.RUNNING)


async def queue(
    connection: AsyncConnection, kind: JobKind, user_pk: int, given: dict[str, Any], *, total: int, request_id: str
) -> str:
    """Queue a job and return its id; `given` is all that it needs to know. Two statements."""
    row = {"id": new_id("job"), "kind": kind, "status": JobStatus.QUEUED, "user_pk": user_pk}
    row |= {"request_id": request_id, "total": total, "done": 0, "is_cancelled": False, "user_errors": []}
    queued = insert(sql.job).values(row | {"created_at": now_ms(), "leased_until": 0}).returning(sql.job.c.pk)
    pk = (await connection.execute(queued)).scalar_one()
    await connection.execute(insert(sql.job_input).values(job_pk=pk, given=given))
    return str(row["id"])


class ClaimedJob(NamedTuple):
    """A job that was taken up, with all that it needs to know."""

    pk: int
    kind: str
    user_pk: int
    request_id: str
    total: int
    given: dict[str, Any]


async def count_active(connection: AsyncConnection, user_pk: int) -> int:
    """Return how many jobs of a user wait or are under way. One statement."""
    mine = select(func.count()).select_from(sql.job).where(sql.job.c.user_pk == user_pk, sql.job.c.status.in_(ACTIVE))
    return int((await connection.execute(mine)).scalar_one())


async def claim_next(connection: AsyncConnection) -> ClaimedJob | None:
    """Take up the oldest job that waits, or that nobody goes on with; None for none. Forgets those of a week ago."""
    now, job = now_ms(), sql.job
    await _forget(connection, now - RETENTION_MS)
    waits = or_(job.c.status == JobStatus.QUEUED, (job.c.status == JobStatus.RUNNING) & (job.c.leased_until < now))
    oldest = select(func.min(job.c.pk)).where(waits).scalar_subquery()
    taken = update(job).where(job.c.pk == oldest, waits).values(status=JobStatus.RUNNING, leased_until=now + LEASE_MS)
    row = (await connection.execute(taken.returning(*job.c["pk", "kind", "user_pk", "request_id", "total"]))).first()
    if row is None:
        return None
    asked = select(sql.job_input.c.given).where(sql.job_input.c.job_pk == row.pk)
    given = (await connection.execute(asked)).scalar_one()
    return ClaimedJob(row.pk, row.kind, row.user_pk, row.request_id, row.total, given)


async def renew_lease(connection: AsyncConnection, pk: int) -> Row[Any]:
    """Return how the job stands, renew its lease, and keep all others from it until the transaction ends."""
    held = update(sql.job).where(sql.job.c.pk == pk).values(leased_until=now_ms() + LEASE_MS)
    return (await connection.execute(held.returning(*sql.job.c))).one()


async def release(connection: AsyncConnection, pk: int) -> None:
    """Leave the job to whoever comes next. One statement."""
    await connection.execute(update(sql.job).where(sql.job.c.pk == pk).values(leased_until=0))


async def record_progress(
    connection: AsyncConnection, pk: int, done: int, items: Sequence[dict[str, Any]], last_put_pk: int | None = None
) -> None:
    """Keep what became of further items, how many are done, and which asset was put in last, if any was."""
    await insert_many(connection, sql.job_item, [{"job_pk": pk, **item} for item in items])
    last = func.coalesce(last_put_pk, sql.job.c.last_put_pk)
    await connection.execute(update(sql.job).where(sql.job.c.pk == pk).values(done=done, last_put_pk=last))


async def finish(
    connection: AsyncConnection, pk: int, status: JobStatus, user_errors: Sequence[dict[str, Any]] = ()
) -> None:
    """End a job, and forget what it was asked for. Two statements."""
    ended = {"status": status, "finished_at": now_ms(), "user_errors": list(user_errors)}
    await connection.execute(update(sql.job).where(sql.job.c.pk == pk).values(ended))
    await connection.execute(delete(sql.job_input).where(sql.job_input.c.job_pk == pk))


async def cancel(connection: AsyncConnection, pk: int) -> None:
    """Keep a job from going on; one that has ended stays as it is. Two statements."""
    job = sql.job
    here = (job.c.pk == pk, job.c.status.in_(ACTIVE))
    await connection.execute(update(job).where(*here).values(is_cancelled=True))
    queued = (*here, job.c.status == JobStatus.QUEUED)
    await connection.execute(update(job).where(*queued).values(status=JobStatus.CANCELLED, finished_at=now_ms()))


async def has_failed(connection: AsyncConnection, pk: int) -> bool:
    """Return whether any item of the job failed."""
    item = sql.job_item
    failed = select(item.c.place).where(item.c.job_pk == pk, item.c.status == "FAILED").limit(1)
    return (await connection.execute(failed)).first() is not None


async def _forget(connection: AsyncConnection, before: int) -> None:
    old = select(sql.job.c.pk).where(sql.job.c.finished_at < before)
    for table in (sql.job_item, sql.job_input):
        await connection.execute(delete(table).where(table.c.job_pk.in_(old)))
    await connection.execute(delete(sql.job).where(sql.job.c.finished_at < before))
