"""Filters of list fields."""

import strawberry

from schema.enums import AssetKind, AssetStatus, CollectionVisibility
from schema.field import optional
from schema.scalars import DateTime


@strawberry.input(description="Span of time. Half-open: from <= t < until.")
class DateTimeRange:
    """Span of time."""

    from_: DateTime | None = optional("Timestamp of the start, which is within the span.", "from")
    until: DateTime | None = optional("Timestamp of the end, which is not.")


@strawberry.input(description="What assets a list keeps. All that is given must hold; within a list any may.")
class AssetFilter:
    """What assets a list keeps."""

    kinds: list[AssetKind] | None = optional("Kinds of the asset.")
    statuses: list[AssetStatus] | None = optional("Statuses of the asset.")
    tags: list[str] | None = optional("Tags of the asset, as they are written.")
    owner_ids: list[strawberry.ID] | None = optional("Ids of the owner.")
    gold_standard: bool | None = optional("Whether the asset is a gold standard.")
    created_at: DateTimeRange | None = optional("Span in which the asset was made.")
    updated_at: DateTimeRange | None = optional("Span in which the asset last changed.")
    in_collection_ids: list[strawberry.ID] | None = optional("Ids of collections that hold the asset.")
    not_in_collection_ids: list[strawberry.ID] | None = optional("Ids of collections that do not hold the asset.")


@strawberry.input(description="What collections a list keeps. All that is given must hold; within a list any may.")
class CollectionFilter:
    """What collections a list keeps."""

    visibility: CollectionVisibility | None = optional("Visibility of the collection.")
    topic_ids: list[strawberry.ID] | None = optional("Ids of the collection's topic.")
    top_level_only: bool | None = optional("Whether to leave out collections below another that the viewer sees.")
    contains_asset_id: strawberry.ID | None = optional("Id of an asset that the collection holds.")
    updated_at: DateTimeRange | None = optional("Span in which the collection itself last changed.")
