"""Subscription: the root of all subscriptions."""

import strawberry

from permissions.directive import permission
from permissions.permission import Permission
from resolvers.subscription import collection as resolve_collection
from resolvers.subscription import job as resolve_job
from resolvers.subscription import topic_tree as resolve_topic_tree
from schema.change import Change
from schema.collection import Collection, CollectionAssetEdge
from schema.field import argument, field
from schema.job import Job
from schema.topic import Topic

_AFTER = argument(
    str | None,
    "Cursor of the last event that the client got: the first event then has the difference since that one. Without it,"
    " the first event comes at once, with `reload`.",
)


@strawberry.type(
    description="Change of a collection and of its assets, as far as the viewer may see them. It sums up all changes"
    " since the previous event."
)
class CollectionEvent:
    """Change of a collection and of its assets."""

    cursor: str = field("The event's cursor, to resume from with `after`.")
    collection_id: strawberry.ID = field("The collection's id.")
    collection: Collection | None = field(
        "The collection. Null once it is deleted or no longer visible, or if it does not exist: then this is the last"
        " event.",
        resolver=resolve_collection.collection,
    )
    change: Change | None = field(
        "The last change of the collection or its assets since the previous event. Null if none is visible, such as"
        " when only the viewer's access to an asset changed.",
    )
    added_edges: list[CollectionAssetEdge] = field(
        "Edges of the assets that were added, or became visible to the viewer, in the order of the collection. They"
        " replace edges of the same assets.",
        resolver=resolve_collection.added_edges,
    )
    removed_asset_ids: list[strawberry.ID] = field(
        "Ids of the assets that were removed, or are no longer visible to the viewer.",
        resolver=resolve_collection.removed_asset_ids,
    )
    reload: bool = field(
        "Whether to read the collection's assets again: with the first event, if the order changed otherwise than by"
        " additions at the end, or if the difference is too large or, after a reconnection, not known any more."
    )


@strawberry.type(
    description="Change of the tree of topics and collections, as far as the viewer may see it. It sums up all changes"
    " since the previous event."
)
class TopicTreeEvent:
    """Change of the tree of topics and collections."""

    cursor: str = field("The event's cursor, to resume from with `after`.")
    change: Change | None = field(
        "The last change of a topic or collection since the previous event; null if none is visible.",
    )
    topics: list[Topic] = field("The topics that are new or changed.", resolver=resolve_topic_tree.topics)
    collections: list[Collection] = field(
        "The collections that are new, changed or moved, or became visible to the viewer.",
        resolver=resolve_topic_tree.collections,
    )
    removed_ids: list[strawberry.ID] = field(
        "Ids of the topics and collections that were deleted, or are no longer visible to the viewer.",
        resolver=resolve_topic_tree.removed_ids,
    )
    reload: bool = field(
        "Whether to read the tree again: with the first event, if the order changed otherwise than by additions at the"
        " end, or if the difference is too large or, after a reconnection, not known any more."
    )


@strawberry.type(
    description="Root of all subscriptions, by WebSocket or server-sent events. Each event is"
    " authorized again; the connection is closed when the viewer's token is not valid any more."
)
class Subscription:
    """Root of all subscriptions."""

    collection_changed: CollectionEvent | None = field(
        "Changes of a collection and its assets that the viewer may see. It ends with an event without `collection`"
        " when the collection is deleted or no longer visible. Changes of the assets' own fields are no events. Members"
        " only.",
        permission(Permission.SIGNED_IN),
        resolver=resolve_collection.collection_changed,
        arguments={"id": argument(strawberry.ID, "The collection's id."), "after": _AFTER},
    )
    topic_tree_changed: TopicTreeEvent | None = field(
        "Changes of topics and collections that the viewer may see. Members only.",
        permission(Permission.SIGNED_IN),
        resolver=resolve_topic_tree.topic_tree_changed,
        arguments={"after": _AFTER},
    )
    job_updated: Job | None = field(
        "A job of the viewer: first as it is, then whenever its status or progress changes, until it has finished. Null"
        " if it does not exist or was started by another viewer. Members only.",
        permission(Permission.SIGNED_IN),
        resolver=resolve_job.job_updated,
        arguments={"id": argument(strawberry.ID, "The job's id.")},
    )
