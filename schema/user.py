"""Users and groups."""

from typing import Any

import strawberry

from permissions.directive import DeniedResult, PermissionScope, permission
from permissions.permission import Permission
from resolvers import user as resolve
from schema.connection import Connection, edges_field, nodes_field
from schema.enums import PrincipalSource
from schema.field import field, forward_arguments, optional
from schema.node import Node, match_rows

NULL_FOR_VISITORS = permission(Permission.SIGNED_IN, denied=DeniedResult.NULL)


def provisioned_by(noun: str) -> Any:
    """Declare the source of a user or group."""
    return field(
        f"The source that owns the {noun}, the only one that writes it; null for anonymous visitors.",
        NULL_FOR_VISITORS,
        resolver=resolve.provisioned_by,
    )


@strawberry.type(description="A person who can sign in: a member or an administrator.")
class User(Node):
    """A person who can sign in: a member or an administrator."""

    is_type_of = match_rows("usr")
    name: str = field("The user's name.")
    email: str | None = field("The user's e-mail address; null for anonymous visitors.", NULL_FOR_VISITORS)
    external_id: str | None = field(
        "The user's id in the platform; with OpenID Connect, the `sub` of their tokens. Null for anonymous visitors.",
        NULL_FOR_VISITORS,
    )
    is_admin: bool | None = field(
        "Whether the user is an administrator; null for anonymous visitors.", NULL_FOR_VISITORS
    )
    is_active: bool | None = field(
        "Whether the user can sign in; false for a deactivated user, and null for anonymous visitors.",
        NULL_FOR_VISITORS,
    )
    provisioned_by: PrincipalSource | None = provisioned_by("user")


@strawberry.type(description="An edge in a list of users.")
class UserEdge:
    """An edge in a list of users."""

    cursor: str = field("The user's cursor in the list.")
    node: User = field("The user.")


@strawberry.type(description="A page of users.")
class UserConnection(Connection):
    """A page of users."""

    edges: list[UserEdge] = edges_field("users")
    nodes: list[User] = nodes_field("users")


@strawberry.type(description="A group of users, which can hold grants.")
class Group(Node):
    """A group of users, which can hold grants."""

    is_type_of = match_rows("grp")
    name: str = field("The group's name.")
    external_id: str = field("The group's id in the platform.")
    provisioned_by: PrincipalSource | None = provisioned_by("group")
    members: UserConnection | None = field(
        "The group's members, by name; null unless the viewer is one of them or an administrator.",
        permission(Permission.GROUP_MEMBER, on=PermissionScope.PARENT, denied=DeniedResult.NULL),
        resolver=resolve.members,
        arguments=forward_arguments(),
    )


@strawberry.type(description="An edge in a list of groups.")
class GroupEdge:
    """An edge in a list of groups."""

    cursor: str = field("The group's cursor in the list.")
    node: Group = field("The group.")


@strawberry.type(description="A page of groups.")
class GroupConnection(Connection):
    """A page of groups."""

    edges: list[GroupEdge] = edges_field("groups")
    nodes: list[Group] = nodes_field("groups")


@strawberry.input(one_of=True, description="Reference to a user, by id, id in the platform or e-mail address.")
class UserRef:
    """Reference to a user."""

    id: strawberry.ID | None = optional("The user's id.")
    external_id: str | None = optional("The user's id in the platform.")
    email: str | None = optional("The user's e-mail address, which no other user has. The case of a-z is ignored.")


@strawberry.input(one_of=True, description="Reference to a group, by its id or by its id in the platform.")
class GroupRef:
    """Reference to a group."""

    id: strawberry.ID | None = optional("The group's id.")
    external_id: str | None = optional("The group's id in the platform.")


@strawberry.input(description="Filters for users. Fields combine with AND; the values of a list, at most 100, with OR.")
class UserFilter:
    """Filters for users."""

    is_admin: bool | None = optional("Whether the user is an administrator.")
    is_active: bool | None = optional("Whether the user is active; false for deactivated users.")
    group_ids: list[strawberry.ID] | None = optional(
        "Ids of groups, at least one of which the user is a member of. Only groups whose members the viewer may see;"
        " others match nobody."
    )
