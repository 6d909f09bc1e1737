"""This file is topics being changed: inputs and payloads."""

import strawberry

from resolvers.write import payload as resolve
from schema.collection import Collection
from schema.field import field, omittable
from schema.topic import Topic
from schema.write.shared import PositionInput, dry_run, expected_version, idempotency_key
from schema.write.user_error import UserError, user_errors


@strawberry.input(description="A topic to be made.")
class TopicCreateInput:
    """A topic to be made."""

    name: str = field("Name of the topic, unique among topics; at most 200 characters.")
    slug: str | None = omittable("Slug of the topic, unique among topics; made from the name when left out.")
    description: str | None = omittable("Description of the topic, in Markdown; at most 20,000 characters.")
    position: PositionInput | None = omittable("Place of the topic among the others; the end when left out.")
    idempotency_key: str | None = idempotency_key()


@strawberry.input(description="What to change of a topic. A field left out is kept.")
class TopicUpdateInput:
    """What to change of a topic."""

    id: strawberry.ID = field("Id of the topic.")
    name: str | None = omittable("New name of the topic.")
    slug: str | None = omittable("New slug of the topic.")
    description: str | None = omittable("New description of the topic, in Markdown.")
    expected_version: int | None = expected_version()


@strawberry.input(description="Where to put a topic.")
class TopicReorderInput:
    """Where to put a topic."""

    id: strawberry.ID = field("Id of the topic.")
    position: PositionInput = field("Place of the topic among the others.")


@strawberry.input(description="Which topics to merge into which.")
class TopicMergeInput:
    """Which topics to merge into which."""

    source_ids: list[strawberry.ID] = field("Ids of the topics that go, at most 100.")
    target_id: strawberry.ID = field("Id of the topic that takes their collections.")
    dry_run: bool = dry_run()
    idempotency_key: str | None = idempotency_key()


@strawberry.input(description="A topic to be deleted.")
class TopicDeleteInput:
    """A topic to be deleted."""

    id: strawberry.ID = field("Id of the topic.")
    move_collections_to: strawberry.ID | None = omittable(
        "Id of the topic where its collections go; needed unless it has none."
    )
    expected_version: int | None = expected_version()
    dry_run: bool = dry_run()


@strawberry.type(description="What became of a topic.")
class TopicPayload:
    """What became of a topic."""

    topic: Topic | None = field("The topic as it is now.", resolver=resolve.topic)
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="What became of merged topics.")
class TopicMergePayload:
    """What became of merged topics."""

    topic: Topic | None = field("The topic that took the collections.", resolver=resolve.topic)
    moved_collections: list[Collection] = field(
        "The collections that moved, in their order.", resolver=resolve.moved_collections
    )
    deleted_topic_ids: list[strawberry.ID] = field(
        "Ids of the topics that are gone.", resolver=resolve.deleted_topic_ids
    )
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="What became of a topic that was to be deleted.")
class TopicDeletePayload:
    """What became of a topic that was to be deleted."""

    deleted_topic_id: strawberry.ID | None = field("Id of the topic that is gone.", resolver=resolve.deleted_topic_id)
    moved_collections: list[Collection] = field(
        "The collections that moved, in their order.", resolver=resolve.moved_collections
    )
    user_errors: list[UserError] = user_errors()
