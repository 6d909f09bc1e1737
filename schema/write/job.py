"""This file is jobs being cancelled: input and payload."""

import strawberry

from resolvers.write import payload as resolve
from schema.field import field
from schema.job import Job
from schema.write.user_error import UserError, user_errors


@strawberry.input(description="A job to be cancelled.")
class JobCancelInput:
    """A job to be cancelled."""

    id: strawberry.ID = field("Id of the job.")


@strawberry.type(description="What became of a job.")
class JobPayload:
    """What became of a job."""

    job: Job | None = field("The job as it is now.", resolver=resolve.job)
    user_errors: list[UserError] = user_errors()
