"""This file is topics: the headings that administrators define."""

from typing import TYPE_CHECKING, Annotated

import strawberry

from permissions.directive import DeniedResult, PermissionScope, permission
from permissions.permission import Permission
from resolvers import change as resolve_change
from resolvers import collection as resolve_collection
from resolvers import topic as resolve
from schema.change import ChangeConnection
from schema.connection import Connection, edges_field, nodes_field
from schema.counts import AssetCounts
from schema.enums import CollectionOrderField
from schema.field import argument, field, forward_arguments, paging_arguments
from schema.filter import CollectionFilter
from schema.node import Node, match_rows
from schema.order import CollectionOrder
from schema.scalars import DateTime
from schema.user import User

if TYPE_CHECKING:
    from schema.collection import CollectionConnection

Collections = Annotated["CollectionConnection", strawberry.lazy("schema.collection")]


@strawberry.type(description="What the viewer can do with a topic.")
class TopicViewerCan:
    """What the viewer can do with a topic."""

    update: bool = field("Whether the viewer can change the topic.")
    delete: bool = field("Whether the viewer can delete the topic.")
    reorder: bool = field("Whether the viewer can move the topic among the others.")
    merge: bool = field("Whether the viewer can merge the topic with others.")
    create_collection: bool = field("Whether the viewer can create collections in the topic.")


@strawberry.type(description="A heading, defined and ordered by administrators, under which collections stand.")
class Topic(Node):
    """A heading, under which collections stand."""

    is_type_of = match_rows("top_")
    slug: str = field("Slug of the topic, unique among topics: for addresses.")
    name: str = field("Name of the topic, unique among topics.")
    description: str = field("Description of the topic, in Markdown; empty when there is none.")
    version: int = field("Grows with each change of the topic itself; pass it back as `expectedVersion`.")
    collections: Collections = field(
        "Collections of the topic, at any depth, that the viewer may see; in the administrators' order unless asked"
        " otherwise.",
        resolver=resolve.collections,
        arguments=paging_arguments(
            filter=argument(CollectionFilter | None, "What collections to keep."),
            order_by=argument(
                CollectionOrder | None,
                "How to order the collections.",
                CollectionOrder(field=CollectionOrderField.POSITION),
            ),
        ),
    )
    asset_counts: AssetCounts = field(
        "Numbers of distinct assets in the topic that the viewer may see.",
        permission(Permission.ASSET_DISCOVER, on=PermissionScope.ITEM, denied=DeniedResult.OMIT),
        resolver=resolve.asset_counts,
    )
    viewer_can: TopicViewerCan = field("What the viewer can do with the topic.", resolver=resolve.viewer_can)
    created_at: DateTime = field("Timestamp of the topic's creation.")
    updated_at: DateTime = field("Timestamp of the last change of the topic itself.")
    created_by: User | None = field(
        "User who created the topic; null when it came with a catalogue.", resolver=resolve_collection.created_by
    )
    history: ChangeConnection = field(
        "Changes of the topic itself, the newest first; administrators see it.",
        permission(Permission.ADMIN),
        resolver=resolve_change.topic_history,
        arguments=forward_arguments(),
    )


@strawberry.type(description="A topic in a list.")
class TopicEdge:
    """A topic in a list."""

    cursor: str = field("Cursor of the topic in the list.")
    node: Topic = field("The topic.")


@strawberry.type(description="A page of topics.")
class TopicConnection(Connection):
    """A page of topics."""

    edges: list[TopicEdge] = edges_field("topics")
    nodes: list[Topic] = nodes_field("topics")
