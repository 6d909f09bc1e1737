"""Users, groups, and the viewer."""

from typing import TYPE_CHECKING, Annotated

import strawberry

from permissions.directive import DeniedResult, permission
from permissions.permission import Permission
from resolvers import viewer as resolve
from schema.field import argument, field, forward_arguments, query_argument
from schema.node import Node, match_rows

if TYPE_CHECKING:
    from schema.collection import ViewerCollectionConnection

LazyViewerCollectionConnection = Annotated["ViewerCollectionConnection", strawberry.lazy("schema.collection")]


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


@strawberry.type(description="The signed-in caller of the API.")
class Viewer:
    """The signed-in caller of the API."""

    user: User = field("The viewer's user.", resolver=resolve.user)
    is_admin: bool = field("Whether the viewer is an administrator.")
    collections: LazyViewerCollectionConnection = field(
        "The collections that the viewer can add assets to, by name. With `assetId`, `containsAsset` on"
        " the edge tells whether the collection already contains that asset.",
        resolver=resolve.collections,
        arguments=forward_arguments(
            query=query_argument(),
            asset_id=argument(strawberry.ID | None, "Id of an asset to look up in each collection."),
        ),
    )
