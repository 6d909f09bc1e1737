"""This file is who people are: users, groups, and the viewer among them."""

from typing import TYPE_CHECKING, Annotated

import strawberry

from permissions.directive import DeniedResult, permission
from permissions.permission import Permission
from resolvers import viewer as resolve
from schema.field import argument, field, forward_arguments, query_argument
from schema.node import Node, match_rows

if TYPE_CHECKING:
    from schema.collection import ViewerCollectionConnection

ViewerCollections = Annotated["ViewerCollectionConnection", strawberry.lazy("schema.collection")]


@strawberry.type(description="A person who can sign in.")
class User(Node):
    """A person who can sign in."""

    is_type_of = match_rows("usr_")
    name: str = field("Name of the user.")
    email: str | None = field(
        "E-mail address of the user; members see it.", permission(Permission.SIGNED_IN, denied=DeniedResult.NULL)
    )


@strawberry.type(description="Users who hold grants together.")
class Group(Node):
    """Users who hold grants together."""

    is_type_of = match_rows("grp_")
    name: str = field("Name of the group.")


@strawberry.type(description="Whoever is asking.")
class Viewer:
    """Whoever is asking."""

    user: User = field("The viewer's user.", resolver=resolve.user)
    is_admin: bool = field("Whether the viewer is an administrator.")
    collections: ViewerCollections = field(
        "Collections the viewer may add assets to, by name; with `assetId`, `containsAsset` on the edge says where"
        " that asset already is.",
        resolver=resolve.collections,
        arguments=forward_arguments(
            query=query_argument(), asset_id=argument(strawberry.ID | None, "Id of the asset to be looked for in each.")
        ),
    )
