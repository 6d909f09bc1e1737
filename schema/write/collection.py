"""This file is collections being changed: inputs and payloads."""

import strawberry

from resolvers.write import payload as resolve
from schema.collection import Collection
from schema.enums import CollectionVisibility
from schema.field import field, omittable
from schema.topic import Topic
from schema.write.shared import PositionInput, dry_run, expected_version, idempotency_key
from schema.write.user_error import UserError, user_errors


@strawberry.input(description="A collection to be made.")
class CollectionCreateInput:
    """A collection to be made."""

    topic_id: strawberry.ID = field("Id of the collection's topic.")
    parent_id: strawberry.ID | None = omittable(
        "Id of the collection right above, in the same topic; at the top of the topic when left out. Collections nest,"
        " at most deployment.limits.collectionDepth deep."
    )
    name: str = field("Name of the collection, unique among its siblings; at most 200 characters.")
    slug: str | None = omittable("Slug of the collection, unique among collections; made from the name when left out.")
    description: str | None = omittable("Description of the collection, in Markdown; at most 20,000 characters.")
    visibility: CollectionVisibility = strawberry.field(
        default=CollectionVisibility.INTERNAL, description="Who sees the collection."
    )
    position: PositionInput | None = omittable("Place of the collection among its siblings; the end when left out.")
    idempotency_key: str | None = idempotency_key()


@strawberry.input(
    description="What to change of a collection. A field left out is kept; null is refused for what cannot be empty."
)
class CollectionUpdateInput:
    """What to change of a collection."""

    id: strawberry.ID = field("Id of the collection.")
    topic_id: strawberry.ID | None = omittable(
        "Id of the topic to move it to, with all that is below it: to the end of its top unless parentId is given."
    )
    parent_id: strawberry.ID | None = omittable(
        "Id of the collection to move it below, to the end of its children, in whichever topic that is. null moves it"
        " to the top of its topic; its children go with it."
    )
    name: str | None = omittable("New name of the collection, unique among its siblings.")
    slug: str | None = omittable("New slug of the collection, unique among collections.")
    description: str | None = omittable("New description of the collection, in Markdown.")
    visibility: CollectionVisibility | None = omittable("Who is to see the collection.")
    expected_version: int | None = expected_version()


@strawberry.input(description="Where to put a collection.")
class CollectionReorderInput:
    """Where to put a collection."""

    id: strawberry.ID = field("Id of the collection.")
    position: PositionInput = field("Place of the collection among its siblings; what is below it goes with it.")


@strawberry.input(
    description="A collection to be deleted. Its children move up to its parent; its memberships go; no asset is ever"
    " deleted."
)
class CollectionDeleteInput:
    """A collection to be deleted."""

    id: strawberry.ID = field("Id of the collection.")
    expected_version: int | None = expected_version()
    dry_run: bool = dry_run()


@strawberry.type(description="What became of a collection.")
class CollectionPayload:
    """What became of a collection."""

    collection: Collection | None = field("The collection as it is now.", resolver=resolve.collection)
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="What became of a collection that was to be deleted.")
class CollectionDeletePayload:
    """What became of a collection that was to be deleted."""

    deleted_collection_id: strawberry.ID | None = field(
        "Id of the collection that is gone.", resolver=resolve.deleted_collection_id
    )
    topic: Topic | None = field("The topic that the collection was in.", resolver=resolve.topic)
    user_errors: list[UserError] = user_errors()
