"""Filters of list fields."""

import strawberry

from schema.enums import AssetKind, AssetStatus, CollectionVisibility
from schema.field import optional
from schema.scalars import DateTime


@strawberry.input(description="Range of dates and times, half-open: from <= t < until.")
class DateTimeRange:
    """Range of dates and times, half-open."""

    from_: DateTime | None = optional("The start of the range, inclusive.", "from")
    until: DateTime | None = optional("The end of the range, exclusive.")


@strawberry.input(
    description="Filters for assets. Fields combine with AND; the values of a list, at most 100, with OR."
)
class AssetFilter:
    """Filters for assets."""

    kinds: list[AssetKind] | None = optional("Kinds of asset.")
    statuses: list[AssetStatus] | None = optional("Statuses of the asset.")
    tags: list[str] | None = optional("Tags of the asset, matched exactly.")
    owner_ids: list[strawberry.ID] | None = optional("Ids of the asset's owners in the platform.")
    gold_standard: bool | None = optional("Whether the asset is a gold standard.")
    created_at: DateTimeRange | None = optional("When the asset was created.")
    updated_at: DateTimeRange | None = optional("When the asset was last updated.")
    in_collection_ids: list[strawberry.ID] | None = optional(
        "Ids of collections, at least one of which contains the asset."
    )
    not_in_collection_ids: list[strawberry.ID] | None = optional(
        "Ids of collections, none of which contains the asset."
    )


@strawberry.input(
    description="Filters for collections. Fields combine with AND; the values of a list, at most 100, with OR."
)
class CollectionFilter:
    """Filters for collections."""

    visibility: CollectionVisibility | None = optional("The collection's visibility.")
    topic_ids: list[strawberry.ID] | None = optional("Ids of topics, one of which is the collection's.")
    top_level_only: bool | None = optional(
        "Whether to return only collections without a parent that is visible to the viewer."
    )
    contains_asset_id: strawberry.ID | None = optional("Id of an asset that the collection contains.")
    updated_at: DateTimeRange | None = optional("When the collection itself was last updated.")
