"""Reference to a principal, shared by all inputs that name one."""

import strawberry

from schema.field import omittable


@strawberry.input(
    one_of=True, description="Reference to a principal, such as the holder of a grant. Exactly one field must be set."
)
class PrincipalRef:
    """Reference to a principal."""

    user_id: strawberry.ID | None = omittable("Id of a user.")
    user_external_id: str | None = omittable("Id of a user in the platform.")
    group_id: strawberry.ID | None = omittable("Id of a group.")
    group_external_id: str | None = omittable("Id of a group in the platform.")
    everyone: bool | None = omittable("Must be true: all members of the deployment.")
    public: bool | None = omittable("Must be true: anyone, even without signing in.")
