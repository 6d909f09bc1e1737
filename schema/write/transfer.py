"""Input and payload of the transfer of assets."""

import strawberry

from resolvers.write import payload as resolve
from schema.change import Change
from schema.field import field
from schema.job import Job
from schema.write.bulk import BulkSummary
from schema.write.principal import PrincipalRef
from schema.write.shared import dry_run, idempotency_key
from schema.write.user_error import UserError, user_errors


@strawberry.input(description="Input for `assetsTransfer`.")
class AssetsTransferInput:
    """Input for `assetsTransfer`."""

    from_: PrincipalRef = field("User whose assets are handed over.", name="from")
    to: PrincipalRef = field("User who becomes the owner; must be active.")
    keep_editor: bool = strawberry.field(
        default=False, description="Whether the former owner keeps EDITOR access to the assets."
    )
    dry_run: bool = dry_run()
    idempotency_key: str | None = idempotency_key()


@strawberry.type(description="Payload of `assetsTransfer`.")
class AssetsTransferPayload:
    """Payload of `assetsTransfer`."""

    summary: BulkSummary = field("Number of assets of each status.", resolver=resolve.summary)
    changes: list[Change] = field(
        "The logged changes that the viewer may see; empty for a dry run and a job.", resolver=resolve.changes
    )
    job: Job | None = field("The queued job; null for at most 1,000 assets.", resolver=resolve.job)
    user_errors: list[UserError] = user_errors()
