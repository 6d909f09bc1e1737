"""Queue of bulk jobs: claimed by one worker at a time under a lease, deleted a week after they finish."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.bulk_insert import insert_many
from store.database import Snapshot
from store.ids import new_id, now_ms
from store.tables import JobKind, JobStatus

LEASE_MS = 15 * 1_000  # another worker may claim a job whose lease was not renewed for this long
RETENTION_DAYS = 7
RETENTION_MS = RETENTION_DAYS * 24 * 3_600 * 1_000
ACTIVE = (JobStatus.QUEUED, JobStatus.RUNNING)


async def queue(
    connection: AsyncConnection,
    kind: JobKind,
    user_pk: int,
    job_input: dict[str, Any],
    *,
    total: int,
    collection_ids: Sequence[str],
    request_id: str,
) -> str:
    """Queue a job and return its id. Two statements."""
    row = {"id": new_id("job"), "kind": kind, "status": JobStatus.QUEUED, "user_pk": user_pk}
    row |= {"request_id": request_id, "total": total, "done": 0, "is_cancelled": False, "user_errors": []}
    row |= {"collection_ids": list(collection_ids), "change_ids": []}
    queued = insert(sql.job).values(row | {"created_at": now_ms(), "leased_until": 0}).returning(sql.job.c.pk)
    pk = (await connection.execute(queued)).scalar_one()
    await connection.execute(insert(sql.job_input).values(job_pk=pk, given=job_input))
    return str(row["id"])


class ClaimedJob(NamedTuple):
    """A job under lease, with its input."""

    pk: int
    kind: str
    user_pk: int
    request_id: str
    total: int
    input: dict[str, Any]


async def count_active(connection: AsyncConnection, user_pk: int) -> int:
    """Count a user's queued and running jobs. One statement."""
    active = select(func.count()).select_from(sql.job).where(sql.job.c.user_pk == user_pk, sql.job.c.status.in_(ACTIVE))
    return int((await connection.execute(active)).scalar_one())


async def count_items_since(connection: AsyncConnection, user_pk: int, since: int) -> int:
    """Count the items of all jobs that a user started since a time in milliseconds, except exports. One statement."""
    started = sql.job.c.user_pk == user_pk, sql.job.c.created_at > since, sql.job.c.kind != JobKind.EXPORT
    items = select(func.coalesce(func.sum(sql.job.c.total), 0)).where(*started)
    return int((await connection.execute(items)).scalar_one())


async def count_exports_since(connection: AsyncConnection, user_pk: int, since: int) -> int:
    """Count the exports that a user started since a time in milliseconds. One statement."""
    started = sql.job.c.user_pk == user_pk, sql.job.c.created_at > since, sql.job.c.kind == JobKind.EXPORT
    return int((await connection.execute(select(func.count()).select_from(sql.job).where(*started))).scalar_one())


async def count_active_by_status(snapshot: Snapshot) -> dict[JobStatus, int]:
    """Count the queued and the running jobs of all users. One statement."""
    active = select(sql.job.c.status, func.count().label("jobs")).where(sql.job.c.status.in_(ACTIVE))
    counts = {row.status: row.jobs for row in await snapshot.rows(active.group_by(sql.job.c.status))}
    return {status: counts.get(status, 0) for status in ACTIVE}


async def has_work(snapshot: Snapshot) -> bool:
    """Return whether `claim_next` would change anything. One statement, which takes no lock."""
    now = now_ms()
    work = select(sql.job.c.pk).where(or_(_is_claimable(now), sql.job.c.finished_at < now - RETENTION_MS)).limit(1)
    return bool(await snapshot.rows(work))


async def claim_next(connection: AsyncConnection) -> ClaimedJob | None:
    """Lease the oldest job that is queued or whose lease has expired; return None if there is none.

    Also deletes jobs that finished more than RETENTION_MS ago.
    """
    now, job = now_ms(), sql.job
    await _delete_finished(connection, now - RETENTION_MS)
    is_claimable = _is_claimable(now)
    oldest = select(func.min(job.c.pk)).where(is_claimable).scalar_subquery()
    claim = update(job).where(job.c.pk == oldest, is_claimable)
    claim = claim.values(status=JobStatus.RUNNING, leased_until=now + LEASE_MS)
    row = (await connection.execute(claim.returning(*job.c["pk", "kind", "user_pk", "request_id", "total"]))).first()
    if row is None:
        return None
    stored_input = select(sql.job_input.c.given).where(sql.job_input.c.job_pk == row.pk)
    job_input = (await connection.execute(stored_input)).scalar_one()
    return ClaimedJob(row.pk, row.kind, row.user_pk, row.request_id, row.total, job_input)


def _is_claimable(now: int) -> ColumnElement[bool]:
    job = sql.job
    return or_(job.c.status == JobStatus.QUEUED, (job.c.status == JobStatus.RUNNING) & (job.c.leased_until < now))


async def renew_lease(connection: AsyncConnection, pk: int) -> Row[Any]:
    """Renew the job's lease, lock its row until the transaction ends, and return it. One statement."""
    renewed = update(sql.job).where(sql.job.c.pk == pk).values(leased_until=now_ms() + LEASE_MS)
    return (await connection.execute(renewed.returning(*sql.job.c))).one()


async def release(connection: AsyncConnection, pk: int) -> None:
    """Give up the job's lease, so that any worker may claim it. One statement."""
    await connection.execute(update(sql.job).where(sql.job.c.pk == pk).values(leased_until=0))


async def record_progress(
    connection: AsyncConnection,
    pk: int,
    done: int,
    items: Sequence[dict[str, Any]],
    *,
    change_ids: Sequence[str] = (),
    last_put_pk: int | None = None,
) -> None:
    """Append item results and ids of changes, set the number of items done, and the asset inserted last, if any."""
    await insert_many(connection, sql.job_item, [{"job_pk": pk, **item} for item in items])
    job = sql.job
    before = (await connection.scalars(select(job.c.change_ids).where(job.c.pk == pk))).one()
    progress = {"done": done, "change_ids": [*before, *change_ids]}
    last = func.coalesce(last_put_pk, job.c.last_put_pk)
    await connection.execute(update(job).where(job.c.pk == pk).values(progress | {"last_put_pk": last}))


async def set_progress(connection: AsyncConnection, pk: int, done: int, total: int) -> None:
    """Set the number of items done and of all items. One statement."""
    await connection.execute(update(sql.job).where(sql.job.c.pk == pk).values(done=done, total=total))


async def finish(
    connection: AsyncConnection, pk: int, status: JobStatus, user_errors: Sequence[dict[str, Any]] = ()
) -> None:
    """Set the job's final status and delete its input. Two statements."""
    final = {"status": status, "finished_at": now_ms(), "user_errors": list(user_errors)}
    await connection.execute(update(sql.job).where(sql.job.c.pk == pk).values(final))
    await connection.execute(delete(sql.job_input).where(sql.job_input.c.job_pk == pk))


async def cancel(connection: AsyncConnection, pk: int) -> None:
    """Cancel a queued job at once, a running job before its next chunk. Finished jobs stay as they are.

    Two statements.
    """
    job = sql.job
    is_active = (job.c.pk == pk, job.c.status.in_(ACTIVE))
    await connection.execute(update(job).where(*is_active).values(is_cancelled=True))
    is_queued = (*is_active, job.c.status == JobStatus.QUEUED)
    await connection.execute(update(job).where(*is_queued).values(status=JobStatus.CANCELLED, finished_at=now_ms()))


async def has_failed(connection: AsyncConnection, pk: int) -> bool:
    """Return whether any item of the job failed. One statement."""
    item = sql.job_item
    failed = select(item.c.place).where(item.c.job_pk == pk, item.c.status == "FAILED").limit(1)
    return (await connection.execute(failed)).first() is not None


async def _delete_finished(connection: AsyncConnection, before: int) -> None:
    expired = select(sql.job.c.pk).where(sql.job.c.finished_at < before)
    for table in (sql.job_item, sql.job_input):
        await connection.execute(delete(table).where(table.c.job_pk.in_(expired)))
    await connection.execute(delete(sql.job).where(sql.job.c.finished_at < before))
