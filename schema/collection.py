"""Collections: named sets of assets within a topic, which nest."""

from typing import Annotated

import strawberry

from permissions.directive import DeniedResult, PermissionScope, permission
from permissions.permission import Permission
from resolvers import change as resolve_change
from resolvers import collection as resolve
from resolvers import membership as resolve_membership
from resolvers.listing import connection as resolve_connection
from schema.arguments import collection_arguments
from schema.asset import Asset
from schema.change import ChangeConnection
from schema.connection import Connection, edges_field, nodes_field
from schema.counts import AssetCounts
from schema.enums import (
    AssetOrderField,
    CollectionOrderField,
    CollectionVisibility,
    MembershipOrderField,
    OrderDirection,
)
from schema.facet import FacetedConnection
from schema.field import argument, field, forward_arguments, paging_arguments, query_argument
from schema.filter import AssetFilter
from schema.node import Node, match_rows
from schema.order import AssetOrder, MembershipOrder
from schema.scalars import DateTime
from schema.topic import Topic
from schema.user import User

OMITS_HIDDEN_ASSETS = permission(Permission.ASSET_DISCOVER, on=PermissionScope.ITEM, denied=DeniedResult.OMIT)


@strawberry.type(description="The viewer's permissions on a collection.")
class CollectionViewerCan:
    """The viewer's permissions on a collection."""

    update: bool = field("Whether the viewer can update the collection: rename, edit or publish it.")
    delete: bool = field("Whether the viewer can delete the collection.")
    add_assets: bool = field("Whether the viewer can add assets that they own.")
    reorder_assets: bool = field("Whether the viewer can reorder the collection's assets.")
    move_to_topic: bool = field("Whether the viewer can move the collection to another topic.")


@strawberry.type(
    description="A named, ordered set of assets within one topic. Each viewer sees only the assets that they have"
    " access to."
)
class Collection(Node):
    """A named, ordered set of assets within one topic."""

    is_type_of = match_rows("col")
    slug: str = field("The collection's slug, for use in URLs. Unique among collections.")
    name: str = field("The collection's name. Unique among its siblings.")
    description: str = field("The collection's description, in Markdown; empty if it has none.")
    visibility: CollectionVisibility = field("The collection's visibility: INTERNAL, or PUBLIC once published.")
    topic: Topic = field("The collection's topic.", resolver=resolve.topic)
    parent: Annotated["Collection", strawberry.lazy("schema.collection")] | None = field(
        "The parent collection; null at the top level of the topic. Collections nest up to"
        " `deployment.limits.collectionDepth` levels.",
        resolver=resolve.parent,
    )
    ancestors: list[Annotated["Collection", strawberry.lazy("schema.collection")]] = field(
        "The ancestors, from the top level down to the parent. Fewer than `deployment.limits.collectionDepth`.",
        resolver=resolve.ancestors,
    )
    children: Annotated["CollectionConnection", strawberry.lazy("schema.collection")] = field(
        "The child collections; by default in the administrators' order.",
        resolver=resolve.children,
        arguments=collection_arguments(CollectionOrderField.POSITION),
    )
    version: int = field(
        "The collection's version, for `expectedVersion`. It increases when the collection itself"
        " changes, never when its assets change: a change to hidden assets must not show."
    )
    assets: Annotated["CollectionAssetConnection", strawberry.lazy("schema.collection")] = field(
        "The collection's assets that are visible to the viewer; by default in the collection's own order.",
        OMITS_HIDDEN_ASSETS,
        resolver=resolve_membership.assets,
        arguments=paging_arguments(
            filter=argument(AssetFilter | None, "Filters for the assets."),
            query=query_argument(),
            include_descendants=argument(
                bool | None,
                "Whether to include the assets of all descendant collections, each asset once.",
                default=False,
            ),
            order_by=argument(
                MembershipOrder | None,
                "The sort order of the assets.",
                MembershipOrder(field=MembershipOrderField.POSITION),
            ),
        ),
    )
    asset_counts: AssetCounts = field(
        "Counts of the collection's assets that are visible to the viewer.",
        OMITS_HIDDEN_ASSETS,
        resolver=resolve_membership.asset_counts,
        arguments={
            "filter": argument(AssetFilter | None, "Filters for the assets to count."),
            "include_descendants": argument(
                bool | None,
                "Whether to include the assets of all descendant collections, each asset once.",
                default=False,
            ),
        },
    )
    contains_asset: bool | None = field(
        "Whether the collection contains the asset; null if the asset does not exist or is hidden from the viewer.",
        permission(Permission.ASSET_DISCOVER, on=PermissionScope.ITEM, denied=DeniedResult.NULL),
        resolver=resolve_membership.contains_asset,
        arguments={"asset_id": argument(strawberry.ID, "The asset's id.")},
    )
    addable_assets: Annotated["AddableAssetConnection", strawberry.lazy("schema.collection")] | None = field(
        "The assets that the viewer owns and can add to the collection (the Manage Assets panel). Assets"
        " that are already members are included and marked on the edge.",
        permission(Permission.ASSET_OWN, on=PermissionScope.ITEM, denied=DeniedResult.OMIT),
        permission(Permission.SIGNED_IN),
        resolver=resolve_membership.addable_assets,
        arguments=forward_arguments(
            filter=argument(AssetFilter | None, "Filters for the assets."),
            query=query_argument(),
            order_by=argument(
                AssetOrder | None,
                "The sort order of the assets.",
                AssetOrder(field=AssetOrderField.RELEVANCE, direction=OrderDirection.DESC),
            ),
            exclude_members=argument(bool | None, "Whether to omit assets that are already members.", default=False),
        ),
    )
    viewer_can: CollectionViewerCan = field("The viewer's permissions on the collection.", resolver=resolve.viewer_can)
    created_at: DateTime = field("The date and time when the collection was created.")
    updated_at: DateTime = field(
        "The date and time when the collection itself was last updated. Changes of its assets do not count."
    )
    created_by: User | None = field(
        "The user who created the collection; null if a catalogue import created it.", resolver=resolve.created_by
    )
    history: ChangeConnection | None = field(
        "The history (change log) of the collection and its assets, newest first, without changes"
        " that are hidden from the viewer. Members only.",
        permission(Permission.SIGNED_IN),
        resolver=resolve_change.collection_history,
        arguments=forward_arguments(),
    )


@strawberry.type(description="An edge in a list of collections.")
class CollectionEdge:
    """An edge in a list of collections."""

    cursor: str = field("The collection's cursor in the list.")
    node: Collection = field("The collection.")


@strawberry.type(description="A membership: an asset in a collection, with the date and the user who added it.")
class CollectionAssetEdge:
    """A membership: an asset in a collection."""

    cursor: str = field("The asset's cursor in the list.", resolver=resolve_connection.edge_cursor)
    node: Asset = field("The asset.")
    added_at: DateTime = field("The date and time when the asset was added to the collection.")
    added_by: User | None = field(
        "The user who added the asset; null if a catalogue import added it.", resolver=resolve_membership.added_by
    )
    note: str | None = field("The note on why the asset is in the collection.")
    viewer_can_remove: bool = field(
        "Whether the viewer can remove the asset from the collection. Its owners and administrators can.",
        resolver=resolve_membership.viewer_can_remove,
    )


@strawberry.type(description="An asset that the viewer can add to a collection, or that is already a member of it.")
class AddableAssetEdge:
    """An asset that the viewer can add to a collection, or that is already a member of it."""

    cursor: str = field("The asset's cursor in the list.")
    node: Asset = field("The asset.")
    is_member: bool = field(
        "Whether the asset is already a member of the collection.", resolver=resolve_membership.is_member
    )
    added_at: DateTime | None = field(
        "The date and time when the asset was added to the collection; null if it is not a member."
    )


@strawberry.type(description="A collection that the viewer can add assets to.")
class ViewerCollectionEdge:
    """A collection that the viewer can add assets to."""

    cursor: str = field("The collection's cursor in the list.")
    node: Collection = field("The collection.")
    contains_asset: bool | None = field(
        "Whether the collection contains the asset that `assetId` names. Null without `assetId`, or if"
        " the asset does not exist or is hidden from the viewer."
    )


@strawberry.type(description="A page of collections.")
class CollectionConnection(Connection):
    """A page of collections."""

    edges: list[CollectionEdge] = edges_field("collections")
    nodes: list[Collection] = nodes_field("collections")


@strawberry.type(description="A page of assets.")
class CollectionAssetConnection(FacetedConnection):
    """A page of a collection's assets."""

    edges: list[CollectionAssetEdge] = edges_field("assets")
    nodes: list[Asset] = nodes_field("assets")


@strawberry.type(description="A page of assets.")
class AddableAssetConnection(FacetedConnection):
    """A page of assets that the viewer can add to a collection."""

    edges: list[AddableAssetEdge] = edges_field("assets")
    nodes: list[Asset] = nodes_field("assets")


@strawberry.type(description="A page of collections.")
class ViewerCollectionConnection(Connection):
    """A page of collections that the viewer can add assets to."""

    edges: list[ViewerCollectionEdge] = edges_field("collections")
    nodes: list[Collection] = nodes_field("collections")
