"""API tokens, by which programs act as their user."""

import strawberry

from schema.connection import Connection, edges_field, nodes_field
from schema.field import field
from schema.node import Node, match_rows
from schema.scalars import DateTime


@strawberry.type(description="An API token of the viewer, by which programs act as the viewer.")
class ApiToken(Node):
    """An API token of the viewer."""

    is_type_of = match_rows("tok")
    name: str = field("The token's name.")
    created_at: DateTime = field("The date and time when the token was created.")
    last_used_at: DateTime | None = field(
        "The date and time when the token was last used, to within ten minutes; null if it was never used."
    )
    expires_at: DateTime = field("The date and time when the token expires.")


@strawberry.type(description="An edge in a list of API tokens.")
class ApiTokenEdge:
    """An edge in a list of API tokens."""

    cursor: str = field("The token's cursor in the list.")
    node: ApiToken = field("The token.")


@strawberry.type(description="A page of API tokens.")
class ApiTokenConnection(Connection):
    """A page of API tokens."""

    edges: list[ApiTokenEdge] = edges_field("tokens")
    nodes: list[ApiToken] = nodes_field("tokens")
