"""This file is collections: named sets of assets in a topic, which nest."""

from typing import Annotated

import strawberry

from permissions.directive import DeniedResult, PermissionScope, permission
from permissions.permission import Permission
from resolvers import change as resolve_change
from resolvers import collection as resolve
from resolvers import membership as resolve_membership
from schema.asset import Asset
from schema.change import ChangeConnection
from schema.connection import Connection, edges_field, nodes_field
from schema.counts import AssetCounts
from schema.enums import AssetOrderField, CollectionVisibility, MembershipOrderField, OrderDirection
from schema.facet import FacetedConnection
from schema.field import argument, field, forward_arguments, paging_arguments, query_argument
from schema.filter import AssetFilter
from schema.node import Node, match_rows
from schema.order import AssetOrder, MembershipOrder
from schema.scalars import DateTime
from schema.topic import Topic
from schema.user import User

OMITTED = permission(Permission.ASSET_DISCOVER, on=PermissionScope.ITEM, denied=DeniedResult.OMIT)


@strawberry.type(description="What the viewer can do with a collection.")
class CollectionViewerCan:
    """What the viewer can do with a collection."""

    update: bool = field("Whether the viewer can change the collection.")
    delete: bool = field("Whether the viewer can delete the collection.")
    add_assets: bool = field("Whether the viewer can add assets that they own.")
    reorder_assets: bool = field("Whether the viewer can change the order of its assets.")
    move_to_topic: bool = field("Whether the viewer can move the collection to another topic.")


@strawberry.type(
    description="A named set of assets in one topic. Every member sees it; in it, each sees what is theirs to see."
)
class Collection(Node):
    """A named set of assets in one topic."""

    is_type_of = match_rows("col_")
    slug: str = field("Slug of the collection, unique among collections: for addresses.")
    name: str = field("Name of the collection, unique among its siblings.")
    description: str = field("Description of the collection, in Markdown; empty when there is none.")
    visibility: CollectionVisibility = field("Who sees the collection.")
    topic: Topic = field("Topic of the collection.", resolver=resolve.topic)
    parent: Annotated["Collection", strawberry.lazy("schema.collection")] | None = field(
        "Collection right above; null at the top of its topic. Collections nest, at most"
        " deployment.limits.collectionDepth deep.",
        resolver=resolve.parent,
    )
    ancestors: list[Annotated["Collection", strawberry.lazy("schema.collection")]] = field(
        "Collections above, from the top down, without itself; fewer than deployment.limits.collectionDepth.",
        resolver=resolve.ancestors,
    )
    children: Annotated["CollectionConnection", strawberry.lazy("schema.collection")] = field(
        "Collections right below, in the administrators' order.",
        resolver=resolve.children,
        arguments=paging_arguments(),
    )
    version: int = field(
        "Counts changes of the collection itself, never of what it holds: a hidden addition must not show."
    )
    assets: Annotated["CollectionAssetConnection", strawberry.lazy("schema.collection")] = field(
        "Assets that the collection holds and the viewer may see, in its own order unless asked otherwise.",
        OMITTED,
        resolver=resolve_membership.assets,
        arguments=paging_arguments(
            filter=argument(AssetFilter | None, "What assets to keep."),
            query=query_argument(),
            include_descendants=argument(
                bool | None, "Whether to list what the collections below hold as well, each asset once.", default=False
            ),
            order_by=argument(
                MembershipOrder | None, "How to order the assets.", MembershipOrder(field=MembershipOrderField.POSITION)
            ),
        ),
    )
    asset_counts: AssetCounts = field(
        "Numbers of assets that the collection holds and the viewer may see.",
        OMITTED,
        resolver=resolve_membership.asset_counts,
        arguments={
            "filter": argument(AssetFilter | None, "What assets to count."),
            "include_descendants": argument(
                bool | None, "Whether to count what the collections below hold as well, each asset once.", default=False
            ),
        },
    )
    contains_asset: bool | None = field(
        "Whether the collection holds the asset; null for an asset that does not exist for the viewer.",
        permission(Permission.ASSET_DISCOVER, on=PermissionScope.ITEM, denied=DeniedResult.NULL),
        resolver=resolve_membership.contains_asset,
        arguments={"asset_id": argument(strawberry.ID, "Id of the asset.")},
    )
    addable_assets: Annotated["AddableAssetConnection", strawberry.lazy("schema.collection")] = field(
        "The Manage Assets panel: assets that the viewer owns and may add here. What is already in is listed too, and"
        " marked on the edge.",
        permission(Permission.ASSET_OWN, on=PermissionScope.ITEM, denied=DeniedResult.OMIT),
        permission(Permission.SIGNED_IN),
        resolver=resolve_membership.addable_assets,
        arguments=forward_arguments(
            filter=argument(AssetFilter | None, "What assets to keep."),
            query=query_argument(),
            order_by=argument(
                AssetOrder | None,
                "How to order the assets.",
                AssetOrder(field=AssetOrderField.RELEVANCE, direction=OrderDirection.DESC),
            ),
            exclude_members=argument(bool | None, "Whether to leave out what is already in.", default=False),
        ),
    )
    viewer_can: CollectionViewerCan = field("What the viewer can do with the collection.", resolver=resolve.viewer_can)
    created_at: DateTime = field("Timestamp of the collection's creation.")
    updated_at: DateTime = field("Timestamp of the last change of the collection itself, never of what it holds.")
    created_by: User | None = field(
        "User who created the collection; null when it came with a catalogue.", resolver=resolve.created_by
    )
    history: ChangeConnection = field(
        "Changes to it and to what it holds, less what the viewer may not see, the newest first; members see it.",
        permission(Permission.SIGNED_IN),
        resolver=resolve_change.collection_history,
        arguments=forward_arguments(),
    )


@strawberry.type(description="A collection in a list.")
class CollectionEdge:
    """A collection in a list."""

    cursor: str = field("Cursor of the collection in the list.")
    node: Collection = field("The collection.")


@strawberry.type(description="A membership: what is true of the asset in this collection, not of the asset.")
class CollectionAssetEdge:
    """An asset in a collection."""

    cursor: str = field("Cursor of the asset in the collection.")
    node: Asset = field("The asset.")
    added_at: DateTime = field("Timestamp of the asset's addition.")
    added_by: User | None = field(
        "User who added the asset; null when it came with a catalogue.", resolver=resolve_membership.added_by
    )
    note: str | None = field("Note on why the asset is here.")
    viewer_can_remove: bool = field(
        "Whether the viewer may take the asset out: its owners and administrators may.",
        resolver=resolve_membership.viewer_can_remove,
    )


@strawberry.type(description="An asset that the viewer may add to a collection, or has in it.")
class AddableAssetEdge:
    """An asset that the viewer may add."""

    cursor: str = field("Cursor of the asset in the list.")
    node: Asset = field("The asset.")
    is_member: bool = field("Whether the asset is in the collection.", resolver=resolve_membership.is_member)
    added_at: DateTime | None = field("Timestamp of the asset's addition; null when it is not in.")


@strawberry.type(description="A collection that the viewer may add assets to.")
class ViewerCollectionEdge:
    """A collection that the viewer may add assets to."""

    cursor: str = field("Cursor of the collection in the list.")
    node: Collection = field("The collection.")
    contains_asset: bool | None = field(
        "Whether the collection holds the asset; null when no assetId was given, and for an asset that does not exist"
        " for the viewer."
    )


@strawberry.type(description="A page of collections.")
class CollectionConnection(Connection):
    """A page of collections."""

    edges: list[CollectionEdge] = edges_field("collections")
    nodes: list[Collection] = nodes_field("collections")


@strawberry.type(description="A page of assets.")
class CollectionAssetConnection(FacetedConnection):
    """A page of assets."""

    edges: list[CollectionAssetEdge] = edges_field("assets")
    nodes: list[Asset] = nodes_field("assets")


@strawberry.type(description="A page of assets.")
class AddableAssetConnection(FacetedConnection):
    """A page of assets."""

    edges: list[AddableAssetEdge] = edges_field("assets")
    nodes: list[Asset] = nodes_field("assets")


@strawberry.type(description="A page of collections.")
class ViewerCollectionConnection(Connection):
    """A page of collections."""

    edges: list[ViewerCollectionEdge] = edges_field("collections")
    nodes: list[Collection] = nodes_field("collections")
