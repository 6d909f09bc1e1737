"""Inputs and payloads of collection mutations."""

import strawberry

from resolvers.write import payload as resolve
from schema.change import Change
from schema.collection import Collection
from schema.enums import CollectionVisibility
from schema.field import field, omittable
from schema.topic import Topic
from schema.write.shared import (
    PositionInput,
    dry_run,
    expected_version,
    idempotency_key,
    logged_changes,
    moved_collection_count,
    moved_collections,
)
from schema.write.user_error import UserError, user_errors


@strawberry.input(description="Input for `collectionCreate`.")
class CollectionCreateInput:
    """Input for `collectionCreate`."""

    topic_id: strawberry.ID = field("Id of the collection's topic.")
    parent_id: strawberry.ID | None = omittable(
        "Id of the parent collection, in the same topic; omit it for the top of the topic. Collections nest at most"
        " deployment.limits.collectionDepth levels deep."
    )
    name: str = field("Name of the collection, unique among its siblings; at most 200 characters.")
    slug: str | None = omittable(
        "Slug of the collection, unique among collections; generated from the name if omitted."
    )
    description: str | None = omittable("Description of the collection, in Markdown; at most 20,000 characters.")
    visibility: CollectionVisibility = strawberry.field(
        default=CollectionVisibility.INTERNAL, description="Who may see the collection."
    )
    position: PositionInput | None = omittable("Position of the collection among its siblings; the end by default.")
    idempotency_key: str | None = idempotency_key()


@strawberry.input(
    description="Input for `collectionUpdate`. Omitted fields keep their value; null is an error for those that need"
    " one."
)
class CollectionUpdateInput:
    """Input for `collectionUpdate`."""

    id: strawberry.ID = field("Id of the collection.")
    topic_id: strawberry.ID | None = omittable(
        "Id of the topic to move the collection to, with its descendants: to the end of its top level, unless parentId"
        " is set."
    )
    parent_id: strawberry.ID | None = omittable(
        "Id of the new parent collection, of any topic: moves the collection, with its descendants, to the end of the"
        " parent's children. null moves it to the top of its topic."
    )
    name: str | None = omittable("New name of the collection, unique among its siblings.")
    slug: str | None = omittable("New slug of the collection, unique among collections.")
    description: str | None = omittable("New description of the collection, in Markdown.")
    visibility: CollectionVisibility | None = omittable(
        "Who may see the collection: PUBLIC publishes it, INTERNAL unpublishes it."
    )
    expected_version: int | None = expected_version()


@strawberry.input(description="Input for `collectionReorder`.")
class CollectionReorderInput:
    """Input for `collectionReorder`."""

    id: strawberry.ID = field("Id of the collection.")
    position: PositionInput = field("New position of the collection among its siblings; its descendants move with it.")


@strawberry.input(description="Input for `collectionDelete`.")
class CollectionDeleteInput:
    """Input for `collectionDelete`."""

    id: strawberry.ID = field("Id of the collection.")
    expected_version: int | None = expected_version()
    dry_run: bool = dry_run()


@strawberry.type(description="Payload of `collectionCreate`, `collectionUpdate` and `collectionReorder`.")
class CollectionPayload:
    """Payload of mutations of one collection."""

    collection: Collection | None = field("The created or updated collection.", resolver=resolve.collection)
    former_topic: Topic | None = field(
        "The topic that the collection was in before; null if it did not move to another topic or parent.",
        resolver=resolve.former_topic,
    )
    former_parent: Collection | None = field(
        "The parent that the collection had before; null if it did not move, or was at the top of its topic.",
        resolver=resolve.former_parent,
    )
    changes: list[Change] = logged_changes()
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="Payload of `collectionDelete`.")
class CollectionDeletePayload:
    """Payload of `collectionDelete`."""

    deleted_collection_id: strawberry.ID | None = field(
        "Id of the deleted collection; null for a dry run.", resolver=resolve.deleted_collection_id
    )
    topic: Topic | None = field("The topic of the deleted collection.", resolver=resolve.topic)
    moved_collections: list[Collection] = moved_collections()
    moved_collection_count: int = moved_collection_count()
    change: Change | None = field("The logged change; null for a dry run.", resolver=resolve.change)
    user_errors: list[UserError] = user_errors()
