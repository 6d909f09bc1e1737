"""Inputs and payloads of the mutations of users and groups."""

from typing import Any

import strawberry

from resolvers.write import payload as resolve
from schema.enums import PrincipalSource
from schema.field import field, omittable
from schema.user import Group, User
from schema.write.principal import PrincipalRef
from schema.write.shared import idempotency_key
from schema.write.user_error import UserError, user_errors


def hand_over(noun: str) -> Any:
    """Declare the source that an administrator gives a user or group to."""
    return omittable(
        f"Source that owns the {noun} from now on. With it, administrators may write a {noun} of any source; without"
        " it, only their own (MANUAL), which new ones are."
    )


@strawberry.input(description="Input for `userUpsert`.")
class UserUpsertInput:
    """Input for `userUpsert`."""

    external_id: str = field(
        "Id of the user in the platform, at most 255 characters; with OpenID Connect, the `sub` of their tokens."
    )
    name: str = field("Name of the user; at most 200 characters.")
    email: str | None = omittable(
        "E-mail address of the user; at most 1,000 characters. Omit it to keep the current one; null deletes it."
    )
    is_admin: bool | None = omittable(
        "Whether the user is an administrator. Omit it to keep the current value; a new user is none."
    )
    provisioned_by: PrincipalSource | None = hand_over("user")
    idempotency_key: str | None = idempotency_key()


@strawberry.input(description="Input for `userDeactivate`.")
class UserDeactivateInput:
    """Input for `userDeactivate`."""

    user_id: strawberry.ID = field("Id of the user.")


@strawberry.input(description="Input for `userReactivate`.")
class UserReactivateInput:
    """Input for `userReactivate`."""

    user_id: strawberry.ID = field("Id of the user.")


@strawberry.input(description="Input for `groupUpsert`.")
class GroupUpsertInput:
    """Input for `groupUpsert`."""

    external_id: str = field("Id of the group in the platform; at most 255 characters.")
    name: str = field("Name of the group; at most 200 characters.")
    provisioned_by: PrincipalSource | None = hand_over("group")
    idempotency_key: str | None = idempotency_key()


@strawberry.input(description="Input for `groupMembersUpdate`.")
class GroupMembersUpdateInput:
    """Input for `groupMembersUpdate`."""

    group_id: strawberry.ID = field("Id of the group, which belongs to the source MANUAL.")
    add: list[PrincipalRef] | None = omittable("Users to add, at most 100; no error for one who is a member.")
    remove: list[PrincipalRef] | None = omittable("Users to remove, at most 100; no error for one who is no member.")
    idempotency_key: str | None = idempotency_key()


@strawberry.type(description="Payload of `userUpsert`, `userDeactivate` and `userReactivate`.")
class UserPayload:
    """Payload of mutations of one user."""

    user: User | None = field("The created or updated user.", resolver=resolve.user)
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="Payload of `groupUpsert` and `groupMembersUpdate`.")
class GroupPayload:
    """Payload of mutations of one group."""

    group: Group | None = field("The created or updated group.", resolver=resolve.group)
    user_errors: list[UserError] = user_errors()
