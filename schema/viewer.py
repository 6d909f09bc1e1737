"""The viewer: the signed-in caller of the API."""

import strawberry

from permissions.directive import DeniedResult, PermissionScope, permission
from permissions.permission import Permission
from resolvers import viewer as resolve
from schema.arguments import asset_arguments
from schema.asset import AssetConnection
from schema.collection import ViewerCollectionConnection
from schema.enums import JobStatus
from schema.field import argument, field, forward_arguments, query_argument
from schema.job import JobConnection
from schema.node import Node, match_rows
from schema.token import ApiTokenConnection
from schema.user import GroupConnection, User


@strawberry.type(description="The signed-in caller of the API. Its id is not that of the user.")
class Viewer(Node):
    """The signed-in caller of the API."""

    is_type_of = match_rows("vwr")
    user: User = field("The viewer's user.", resolver=resolve.user)
    is_admin: bool = field("Whether the viewer is an administrator.")
    groups: GroupConnection = field(
        "The groups that the viewer is a member of, by name.", resolver=resolve.groups, arguments=forward_arguments()
    )
    assets: AssetConnection = field(
        "The assets that the viewer owns. By default ordered by relevance, like `Query.assets`.",
        permission(Permission.ASSET_OWN, on=PermissionScope.ITEM, denied=DeniedResult.OMIT),
        resolver=resolve.assets,
        arguments=asset_arguments(),
    )
    collections: ViewerCollectionConnection = field(
        "The collections that the viewer can add assets to, by name. With `assetId`, `containsAsset` on"
        " the edge tells whether the collection already contains that asset.",
        resolver=resolve.collections,
        arguments=forward_arguments(
            query=query_argument(),
            asset_id=argument(strawberry.ID | None, "Id of an asset to look up in each collection."),
        ),
    )
    tokens: ApiTokenConnection = field(
        "The viewer's API tokens, newest first; expired ones for at least 30 days, revoked ones not at all.",
        resolver=resolve.tokens,
        arguments=forward_arguments(),
    )
    jobs: JobConnection = field(
        "The jobs that the viewer started, newest first, until seven days after they finished.",
        resolver=resolve.jobs,
        arguments=forward_arguments(statuses=argument(list[JobStatus] | None, "Statuses of the jobs.")),
    )
