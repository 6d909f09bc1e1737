"""This file is the deployment being changed: its input and payload."""

import strawberry

from resolvers.write import payload as resolve
from schema.deployment import Deployment
from schema.field import field, omittable
from schema.write.user_error import UserError, user_errors


@strawberry.input(description="What to change of the deployment.")
class DeploymentUpdateInput:
    """What to change of the deployment."""

    public_sharing: bool | None = omittable(
        "Whether PUBLIC collections are shared with anyone. While they are not, administrators alone see them, and"
        " nothing is deleted."
    )


@strawberry.type(description="What became of the deployment.")
class DeploymentPayload:
    """What became of the deployment."""

    deployment: Deployment | None = field("The deployment as it is now.", resolver=resolve.deployment)
    user_errors: list[UserError] = user_errors()
