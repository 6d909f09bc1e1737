"""Resolvers of jobs and the results of their items."""

from collections.abc import Awaitable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Unpack

from sqlalchemy import FromClause

from permissions import Viewer, visible
from resolvers.context import Context
from resolvers.listing.connection import Connection, Edge, PageArguments, connect
from resolvers.listing.listing import Listing
from resolvers.loaders import ChangeById, CollectionById, JobById, load_visible
from resolvers.write.bulk import ItemResult, ItemStatus
from resolvers.write.user_error import UserError
from store import sql
from store.ids import now_ms
from store.jobs import RETENTION_MS
from store.rows import ChangeRow, CollectionRow, JobRow
from store.sql import Expressions, Selection
from store.tables import JobKind, JobStatus


@dataclass(frozen=True)
class JobResults(Listing):
    """List of the results of a job's items, in the order of its input."""

    order: str = "PLACE"
    name = "job.results"
    # An item's key is its place in the job's input. The client knows it, so a cursor may contain it.
    table = SimpleNamespace(c=SimpleNamespace(pk=sql.job_item.c.place, id=sql.job_item.c.asset_id))
    edge_columns = ("status", "error")
    only_failed: bool = False

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Selection:
        """Return the items, or those that failed."""
        rows = visible(sql.job_item, viewer).where(sql.job_item.c.job_pk == parents.c.value)
        return rows.where(sql.job_item.c.status == ItemStatus.FAILED) if self.only_failed else rows

    def sort_keys(self, viewer: Viewer) -> Expressions:
        """Return the place."""
        del viewer
        return (sql.job_item.c.place,)

    def select_edge_columns(self, viewer: Viewer, parents: FromClause) -> Expressions:
        """Return the columns of the result."""
        del viewer, parents
        return (sql.job_item.c.status, sql.job_item.c.error)


async def job(_root: None, context: Context, id: str) -> JobRow | None:
    """Return the job; None for an unknown one and for one that another user started."""
    return await context.loader(JobById).load(id)


def results(
    job: JobRow, context: Context, *, only_failed: bool | None = False, **page: Unpack[PageArguments]
) -> Connection:
    """Return the results of the job's items."""
    return connect(context, JobResults(only_failed=bool(only_failed)), job, **page)


async def result_nodes(connection: Connection, _context: Context) -> list[ItemResult]:
    """Return the results of the page."""
    return [ItemResult.from_row(item.pk, item.id, *item.edge_values) for item in (await connection.page()).items]


async def result_edges(connection: Connection, context: Context) -> list[Edge]:
    """Return the edges of the page."""
    items, page = await result_nodes(connection, context), await connection.page()
    return [Edge(connection, page, index, item) for index, item in enumerate(items)]


def download_url(job: JobRow, _context: Context) -> str | None:
    """Return the URL of the export's file, relative to that of the endpoint; None if there is none."""
    if job.kind != JobKind.EXPORT or job.status != JobStatus.SUCCEEDED or job.finished_at is None:
        return None
    return f"exports/{job.id}" if now_ms() < job.finished_at + RETENTION_MS else None


def collections(job: JobRow, context: Context) -> Awaitable[list[CollectionRow]]:
    """Return the collections that the job changes, that which assets leave first."""
    return load_visible(context, CollectionById, job.collection_ids)


def changes(job: JobRow, context: Context) -> Awaitable[list[ChangeRow]]:
    """Return the changes that the job has made so far, in their order."""
    return load_visible(context, ChangeById, job.change_ids)


def user_errors(job: JobRow, _context: Context) -> list[UserError]:
    """Return the errors that made the job fail."""
    return [UserError.from_json(error) for error in job.user_errors]
