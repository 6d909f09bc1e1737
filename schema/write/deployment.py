"""Input and payload of the deployment mutation."""

import strawberry

from resolvers.write import payload as resolve
from schema.change import Change
from schema.deployment import Deployment
from schema.field import field, omittable
from schema.write.shared import logged_changes
from schema.write.user_error import UserError, user_errors


@strawberry.input(description="Input for `deploymentUpdate`.")
class DeploymentUpdateInput:
    """Input for `deploymentUpdate`."""

    public_sharing: bool | None = omittable(
        "Whether PUBLIC collections are visible to members and anonymous visitors. While false, only administrators see"
        " them; nothing is deleted."
    )


@strawberry.type(description="Payload of `deploymentUpdate`.")
class DeploymentPayload:
    """Payload of `deploymentUpdate`."""

    deployment: Deployment | None = field("The updated deployment.", resolver=resolve.deployment)
    changes: list[Change] = logged_changes()
    user_errors: list[UserError] = user_errors()
