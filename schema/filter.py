"""Filters of list fields."""

import strawberry

from schema.enums import AssetAccess, AssetKind, AssetStatus, CollectionVisibility
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

    ids: list[strawberry.ID] | None = optional("Ids of assets.")
    external_ids: list[str] | None = optional("Ids of assets in the platform.")
    kinds: list[AssetKind] | None = optional("Kinds of asset.")
    statuses: list[AssetStatus] | None = optional("Statuses of the asset.")
    tags: list[str] | None = optional(
        "Tags, at least one of which the asset has, in any spelling: case, accents, hyphens,"
        " underscores and spaces do not matter."
    )
    all_tags: list[str] | None = optional("Tags, all of which the asset has, in any spelling.")
    licenses: list[str] | None = optional("Licenses, one of which is the asset's; matched exactly.")
    viewer_access: AssetAccess | None = optional("The least access that the viewer has to the asset.")
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
    in_no_collection: bool | None = optional(
        "Whether the asset is in no collection that is visible to the viewer; false for assets in at least one."
    )


@strawberry.input(
    description="Filters for collections. Fields combine with AND; the values of a list, at most 100, with OR."
)
class CollectionFilter:
    """Filters for collections."""

    ids: list[strawberry.ID] | None = optional("Ids of collections.")
    slugs: list[str] | None = optional("Slugs of collections.")
    visibility: CollectionVisibility | None = optional("The collection's visibility.")
    topic_ids: list[strawberry.ID] | None = optional("Ids of topics, one of which is the collection's.")
    parent_ids: list[strawberry.ID] | None = optional("Ids of collections, one of which is the collection's parent.")
    top_level_only: bool | None = optional(
        "Whether to return only collections without a parent that is visible to the viewer."
    )
    contains_asset_id: strawberry.ID | None = optional("Id of an asset that the collection contains.")
    updated_at: DateTimeRange | None = optional("When the collection itself was last updated.")
