"""Topics: the headings that administrators define."""

from typing import TYPE_CHECKING, Annotated

import strawberry

from permissions.directive import DeniedResult, PermissionScope, permission
from permissions.permission import Permission
from resolvers import change as resolve_change
from resolvers import collection as resolve_collection
from resolvers import topic as resolve
from schema.arguments import collection_arguments
from schema.change import ChangeConnection
from schema.connection import Connection, edges_field, nodes_field
from schema.counts import AssetCounts
from schema.enums import CollectionOrderField
from schema.field import field, forward_arguments
from schema.node import Node, match_rows
from schema.scalars import DateTime
from schema.user import User

if TYPE_CHECKING:
    from schema.collection import CollectionConnection

LazyCollectionConnection = Annotated["CollectionConnection", strawberry.lazy("schema.collection")]


@strawberry.type(description="The viewer's permissions on a topic.")
class TopicViewerCan:
    """The viewer's permissions on a topic."""

    update: bool = field("Whether the viewer can update the topic: rename or edit it.")
    delete: bool = field("Whether the viewer can delete the topic.")
    reorder: bool = field("Whether the viewer can reorder the topic among the others.")
    merge: bool = field("Whether the viewer can merge other topics into it, or it into another.")
    create_collection: bool = field("Whether the viewer can create collections in the topic.")


@strawberry.type(description="A heading for collections, defined and ordered by administrators.")
class Topic(Node):
    """A heading for collections."""

    is_type_of = match_rows("top")
    slug: str = field("The topic's slug, for use in URLs. Unique among topics.")
    name: str = field("The topic's name. Unique among topics.")
    description: str = field("The topic's description, in Markdown; empty if it has none.")
    version: int = field(
        "The topic's version, for `expectedVersion`. It increases with each change of the topic itself."
    )
    collections: LazyCollectionConnection = field(
        "The topic's collections, at any depth, that are visible to the viewer; by default in the"
        " administrators' order.",
        resolver=resolve.collections,
        arguments=collection_arguments(CollectionOrderField.POSITION),
    )
    asset_counts: AssetCounts = field(
        "Counts of distinct assets in the topic's collections that are visible to the viewer.",
        permission(Permission.ASSET_DISCOVER, on=PermissionScope.ITEM, denied=DeniedResult.OMIT),
        resolver=resolve.asset_counts,
    )
    viewer_can: TopicViewerCan = field("The viewer's permissions on the topic.", resolver=resolve.viewer_can)
    created_at: DateTime = field("The date and time when the topic was created.")
    updated_at: DateTime = field("The date and time when the topic itself was last updated.")
    created_by: User | None = field(
        "The user who created the topic; null if a catalogue import created it.", resolver=resolve_collection.created_by
    )
    history: ChangeConnection | None = field(
        "The history (change log) of the topic itself, newest first. Administrators only.",
        permission(Permission.ADMIN),
        resolver=resolve_change.topic_history,
        arguments=forward_arguments(),
    )


@strawberry.type(description="An edge in a list of topics.")
class TopicEdge:
    """An edge in a list of topics."""

    cursor: str = field("The topic's cursor in the list.")
    node: Topic = field("The topic.")


@strawberry.type(description="A page of topics.")
class TopicConnection(Connection):
    """A page of topics."""

    edges: list[TopicEdge] = edges_field("topics")
    nodes: list[Topic] = nodes_field("topics")
