"""Input of the mutation that starts an export."""

import strawberry

from schema.enums import ExportFormat, GraphPart
from schema.field import field, optional
from schema.write.shared import idempotency_key


@strawberry.input(description="Input for `exportCreate`.")
class ExportCreateInput:
    """Input for `exportCreate`."""

    format: ExportFormat = field("Format of the file.")
    topic_ids: list[strawberry.ID] | None = optional(
        "Ids of topics whose collections to export, beside those in `collectionIds`; at most 100. By default,"
        " everything is exported."
    )
    collection_ids: list[strawberry.ID] | None = optional(
        "Ids of collections to export with all their descendants, their topics, their assets, and the uses among these;"
        " at most 100."
    )
    include: list[GraphPart] | None = optional(
        "Parts of the file, at most 100; all by default. MEMBERSHIPS need COLLECTIONS, and USES need ASSETS. USERS are"
        " all users and groups that the viewer sees."
    )
    idempotency_key: str | None = idempotency_key()
