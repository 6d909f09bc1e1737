"""This file is jobs: bulk changes too large to be made at once."""

import strawberry

from resolvers import job as resolve
from resolvers.listing import connection as resolve_connection
from schema.connection import PageInfo
from schema.enums import JobKind, JobStatus
from schema.field import argument, field, forward_arguments
from schema.node import Node, match_rows
from schema.scalars import DateTime
from schema.write.bulk import AssetResult
from schema.write.user_error import UserError


@strawberry.type(description="What became of an asset, in a list.")
class AssetResultEdge:
    """What became of an asset, in a list."""

    cursor: str = field("Cursor of the result in the list.")
    node: AssetResult = field("The result.")


@strawberry.type(description="A page of results.")
class AssetResultConnection:
    """A page of results."""

    page_info: PageInfo = field("Where the page lies in the list.", resolver=resolve_connection.page_info)
    total_count: int = field("Number of results in the whole list.", resolver=resolve_connection.total_count)
    edges: list[AssetResultEdge] = field(
        "The results of the page, each with its cursor.", resolver=resolve.result_edges
    )
    nodes: list[AssetResult] = field("The results of the page.", resolver=resolve.result_nodes)


@strawberry.type(description="Long work. Seen by whoever started it, for seven days after its end.")
class Job(Node):
    """Long work."""

    is_type_of = match_rows("job_")
    kind: JobKind = field("What the job does.")
    status: JobStatus = field("Where the job is.")
    done: int = field("Number of items done; in ATOMIC mode 0 until all of them are.")
    total: int | None = field("Number of distinct items asked for.")
    results: AssetResultConnection = field(
        "What became of each item that is done, in the order of the input.",
        resolver=resolve.results,
        arguments=forward_arguments(
            only_failed=argument(bool | None, "Whether to list failed items alone.", default=False)
        ),
    )
    created_at: DateTime = field("Timestamp of the job's beginning.")
    finished_at: DateTime | None = field("Timestamp of the job's end; null before it.")
    user_errors: list[UserError] = field(
        "Why the job failed, at most 100 mistakes; each result tells its own.", resolver=resolve.user_errors
    )
