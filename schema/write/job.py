"""Input of `jobCancel`, and payload of mutations of a job."""

import strawberry

from resolvers.write import payload as resolve
from schema.field import field
from schema.job import Job
from schema.write.user_error import UserError, user_errors


@strawberry.input(description="Input for `jobCancel`.")
class JobCancelInput:
    """Input for `jobCancel`."""

    id: strawberry.ID = field("Id of the job.")


@strawberry.type(description="Payload of `jobCancel` and `exportCreate`.")
class JobPayload:
    """Payload of `jobCancel` and `exportCreate`."""

    job: Job | None = field("The cancelled or queued job.", resolver=resolve.job)
    user_errors: list[UserError] = user_errors()
