"""Input and payload of the job mutation."""

import strawberry

from resolvers.write import payload as resolve
from schema.field import field
from schema.job import Job
from schema.write.user_error import UserError, user_errors


@strawberry.input(description="Input for `jobCancel`.")
class JobCancelInput:
    """Input for `jobCancel`."""

    id: strawberry.ID = field("Id of the job.")


@strawberry.type(description="Payload of `jobCancel`.")
class JobPayload:
    """Payload of `jobCancel`."""

    job: Job | None = field("The cancelled job.", resolver=resolve.job)
    user_errors: list[UserError] = user_errors()
