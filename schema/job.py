"""Jobs: bulk mutations too large to run within the request."""

import strawberry

from resolvers import job as resolve
from resolvers.listing import connection as resolve_connection
from schema.change import Change
from schema.collection import Collection
from schema.connection import Connection, PageInfo, edges_field, nodes_field, page_info_field
from schema.enums import JobKind, JobStatus
from schema.field import argument, field, forward_arguments
from schema.node import Node, match_rows
from schema.scalars import DateTime
from schema.write.bulk import AssetResult
from schema.write.user_error import UserError


@strawberry.type(description="An edge in a list of results.")
class AssetResultEdge:
    """An edge in a list of results."""

    cursor: str = field("The result's cursor in the list.")
    node: AssetResult = field("The result.")


@strawberry.type(description="A page of a job's results.")
class AssetResultConnection:
    """A page of a job's results."""

    page_info: PageInfo = page_info_field()
    total_count: int = field("The number of results in the whole list.", resolver=resolve_connection.total_count)
    edges: list[AssetResultEdge] = field(
        "The page's results, each as an edge with its cursor.", resolver=resolve.result_edges
    )
    nodes: list[AssetResult] = field("The page's results.", resolver=resolve.result_nodes)


@strawberry.type(
    description="Asynchronous bulk operation. Visible to the viewer who started it, until seven days after it finished."
)
class Job(Node):
    """Asynchronous bulk operation."""

    is_type_of = match_rows("job")
    kind: JobKind = field("The bulk mutation that the job runs, or EXPORT.")
    status: JobStatus = field("The job's status.")
    done: int = field(
        "The job's progress: the number of processed items. In ATOMIC mode it is 0 until all are processed, and stays 0"
        " if one fails. Of an export, the number of written objects."
    )
    total: int | None = field(
        "The number of distinct items in the input. Of an export, the number of objects in the file; 0 until they are"
        " counted."
    )
    download_url: str | None = field(
        "The URL of the file of an export, relative to the URL of the GraphQL endpoint; null if there is none."
        " Available for 7 days to the viewer who started the job, with the bearer token or by a link that works once;"
        " gone (410) once the viewer lost any access that the file relies on.",
        resolver=resolve.download_url,
    )
    results: AssetResultConnection = field(
        "The results of the processed items, in the order of the input.",
        resolver=resolve.results,
        arguments=forward_arguments(
            only_failed=argument(bool | None, "Whether to return only failed items.", default=False)
        ),
    )
    collections: list[Collection] = field(
        "The collections that the job changes: of a move, that from which assets are moved, then the other.",
        resolver=resolve.collections,
    )
    changes: list[Change] = field(
        "The changes that the job has logged so far, each of which `changeUndo` can undo.", resolver=resolve.changes
    )
    created_at: DateTime = field("The date and time when the job was created.")
    finished_at: DateTime | None = field("The date and time when the job finished; null until then.")
    user_errors: list[UserError] = field(
        "The errors that made the job fail, at most 100. Errors of single items are in `results`.",
        resolver=resolve.user_errors,
    )


@strawberry.type(description="An edge in a list of jobs.")
class JobEdge:
    """An edge in a list of jobs."""

    cursor: str = field("The job's cursor in the list.")
    node: Job = field("The job.")


@strawberry.type(description="A page of jobs.")
class JobConnection(Connection):
    """A page of jobs."""

    edges: list[JobEdge] = edges_field("jobs")
    nodes: list[Job] = nodes_field("jobs")
