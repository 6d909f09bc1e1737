"""Input and payload of the deployment mutation."""

import strawberry

from resolvers.write import payload as resolve
from schema.change import Change
from schema.deployment import Deployment
from schema.enums import Audience
from schema.field import field, omittable
from schema.write.shared import dry_run, logged_changes
from schema.write.user_error import UserError, user_errors


@strawberry.input(description="Input for `deploymentUpdate`.")
class DeploymentUpdateInput:
    """Input for `deploymentUpdate`."""

    public_sharing: bool | None = omittable(
        "Whether PUBLIC collections are visible to members and anonymous visitors. While false, only administrators see"
        " them; nothing is deleted."
    )
    dry_run: bool = dry_run()


@strawberry.type(
    description="Effect of turning public sharing on or off: collections and assets that appear for an audience, or"
    " vanish."
)
class SharingEffect:
    """Effect of turning public sharing on or off for an audience."""

    audience: Audience = field("The viewers concerned.")
    appears: bool = field("Whether they appear; otherwise they vanish.")
    collections: int = field("The number of collections.")
    assets: int = field("The number of assets. Members see assets by their grants, whether sharing is on or off.")


@strawberry.type(description="Payload of `deploymentUpdate`.")
class DeploymentPayload:
    """Payload of `deploymentUpdate`."""

    deployment: Deployment | None = field("The updated deployment.", resolver=resolve.deployment)
    effects: list[SharingEffect] = field(
        "The effects of a changed setting, for a dry run as they would be.", resolver=resolve.sharing_effects
    )
    changes: list[Change] = logged_changes()
    user_errors: list[UserError] = user_errors()
