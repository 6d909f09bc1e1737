"""Users and groups."""

import strawberry

from permissions.directive import DeniedResult, permission
from permissions.permission import Permission
from schema.connection import Connection, edges_field, nodes_field
from schema.field import field
from schema.node import Node, match_rows


@strawberry.type(description="A person who can sign in: a member or an administrator.")
class User(Node):
    """A person who can sign in: a member or an administrator."""

    is_type_of = match_rows("usr")
    name: str = field("The user's name.")
    email: str | None = field(
        "The user's e-mail address; null for anonymous visitors.",
        permission(Permission.SIGNED_IN, denied=DeniedResult.NULL),
    )


@strawberry.type(description="A group of users, which can hold grants.")
class Group(Node):
    """A group of users, which can hold grants."""

    is_type_of = match_rows("grp")
    name: str = field("The group's name.")


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
