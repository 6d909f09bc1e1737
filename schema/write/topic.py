"""Inputs and payloads of topic mutations."""

from typing import Any

import strawberry

from resolvers.write import payload as resolve
from schema.change import Change
from schema.collection import Collection
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


def _rename_duplicates() -> Any:
    """Declare the input field by which moved collections get other names than their new siblings."""
    return strawberry.field(
        default=False,
        description="Whether to rename moved collections whose names are taken in the new topic, by adding a number."
        " Otherwise the mutation is refused with TAKEN.",
    )


@strawberry.input(description="Input for `topicCreate`.")
class TopicCreateInput:
    """Input for `topicCreate`."""

    name: str = field("Name of the topic, unique among topics; at most 200 characters.")
    slug: str | None = omittable("Slug of the topic, unique among topics; generated from the name if omitted.")
    description: str | None = omittable("Description of the topic, in Markdown; at most 20,000 characters.")
    position: PositionInput | None = omittable("Position of the topic among the others; the end by default.")
    idempotency_key: str | None = idempotency_key()


@strawberry.input(description="Input for `topicUpdate`. Omitted fields keep their value.")
class TopicUpdateInput:
    """Input for `topicUpdate`."""

    id: strawberry.ID = field("Id of the topic.")
    name: str | None = omittable("New name of the topic.")
    slug: str | None = omittable("New slug of the topic.")
    description: str | None = omittable("New description of the topic, in Markdown.")
    expected_version: int | None = expected_version()


@strawberry.input(description="Input for `topicReorder`.")
class TopicReorderInput:
    """Input for `topicReorder`."""

    id: strawberry.ID = field("Id of the topic.")
    position: PositionInput = field("New position of the topic among the others.")


@strawberry.input(description="Input for `topicMerge`.")
class TopicMergeInput:
    """Input for `topicMerge`."""

    source_ids: list[strawberry.ID] = field("Ids of the topics to merge and delete, at most 100.")
    target_id: strawberry.ID = field("Id of the topic that receives their collections.")
    rename_duplicates: bool = _rename_duplicates()
    dry_run: bool = dry_run()
    idempotency_key: str | None = idempotency_key()


@strawberry.input(description="Input for `topicDelete`.")
class TopicDeleteInput:
    """Input for `topicDelete`."""

    id: strawberry.ID = field("Id of the topic.")
    move_collections_to: strawberry.ID | None = omittable(
        "Id of the topic to move its collections to; required if it has any."
    )
    rename_duplicates: bool = _rename_duplicates()
    expected_version: int | None = expected_version()
    dry_run: bool = dry_run()


@strawberry.type(description="Payload of `topicCreate`, `topicUpdate` and `topicReorder`.")
class TopicPayload:
    """Payload of mutations of one topic."""

    topic: Topic | None = field("The created or updated topic.", resolver=resolve.topic)
    changes: list[Change] = logged_changes()
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="Payload of `topicMerge`.")
class TopicMergePayload:
    """Payload of `topicMerge`."""

    topic: Topic | None = field("The topic that received the collections.", resolver=resolve.topic)
    changes: list[Change] = logged_changes()
    moved_collections: list[Collection] = moved_collections()
    moved_collection_count: int = moved_collection_count()
    deleted_topic_ids: list[strawberry.ID] = field(
        "Ids of the deleted topics; empty for a dry run.", resolver=resolve.deleted_topic_ids
    )
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="Payload of `topicDelete`.")
class TopicDeletePayload:
    """Payload of `topicDelete`."""

    deleted_topic_id: strawberry.ID | None = field(
        "Id of the deleted topic; null for a dry run.", resolver=resolve.deleted_topic_id
    )
    changes: list[Change] = logged_changes()
    moved_collections: list[Collection] = moved_collections()
    moved_collection_count: int = moved_collection_count()
    user_errors: list[UserError] = user_errors()
