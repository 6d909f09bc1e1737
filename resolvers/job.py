"""This file is what is asked of jobs."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import orjson
from sqlalchemy import ColumnElement, FromClause, Select

from permissions import Viewer, visible
from resolvers.context import Context
from resolvers.listing.connection import Connection, Edge, connect
from resolvers.listing.listing import Listing
from resolvers.loaders import JobById
from resolvers.write.bulk import ItemResult, ItemStatus
from resolvers.write.user_error import UserError
from store import sql
from store.rows import JobRow


@dataclass(frozen=True)
class JobResults(Listing):
    """What became of the items of a job, in the order of its input."""

    order: str = "PLACE"
    name = "job.results"
    # Items are told apart by their place, which the client itself chose: a cursor may hold it.
    table = SimpleNamespace(c=SimpleNamespace(pk=sql.job_item.c.place, id=sql.job_item.c.asset_id))
    edge_columns = ("status", "error")
    only_failed: bool = False

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Select[Any]:
        """Return the items that are done."""
        rows = visible(sql.job_item, viewer).where(sql.job_item.c.job_pk == parents.c.value)
        return rows.where(sql.job_item.c.status == ItemStatus.FAILED) if self.only_failed else rows

    def sort_keys(self, viewer: Viewer) -> Sequence[ColumnElement[Any]]:
        """Return the place."""
        del viewer
        return (sql.job_item.c.place,)

    def select_edge_columns(self, viewer: Viewer, parents: FromClause) -> Sequence[ColumnElement[Any]]:
        """Return what became of the item."""
        del viewer, parents
        return (sql.job_item.c.status, sql.job_item.c.error)


async def job(_root: None, context: Context, id: str) -> JobRow | None:
    """Return the job, None when the viewer did not start it."""
    return await context.loader(JobById).load(id)


def results(job: JobRow, context: Context, *, only_failed: bool | None = False, **page: Any) -> Connection:
    """Return what became of the job's items."""
    return connect(context, JobResults(only_failed=bool(only_failed)), job, **page)


async def result_nodes(connection: Connection, _context: Context) -> list[ItemResult]:
    """Return the results of the page."""
    return [_item(item.id, *item.edge_values) for item in (await connection.page()).items]


async def result_edges(connection: Connection, context: Context) -> list[Edge]:
    """Return the results of the page, each with its cursor."""
    items, page = await result_nodes(connection, context), await connection.page()
    return [Edge(connection, page, index, item) for index, item in enumerate(items)]


def user_errors(job: JobRow, _context: Context) -> list[UserError]:
    """Return why the job failed."""
    return [UserError.from_json(kept) for kept in job.user_errors]


def _item(id_: str, status: str, error: str | None) -> ItemResult:
    return ItemResult(id_, ItemStatus(status), UserError.from_json(orjson.loads(error)) if error else None)
