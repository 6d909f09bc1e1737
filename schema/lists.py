"""This file is what lists share: pages, counts, and how they are ordered and narrowed."""

import strawberry

from schema.enums import (
    AssetKind,
    AssetOrderField,
    AssetStatus,
    CollectionOrderField,
    CollectionVisibility,
    MembershipOrderField,
    OrderDirection,
)
from schema.field import field, optional
from schema.scalars import DateTime


@strawberry.type(description="Where a page lies in its list.")
class PageInfo:
    """Where a page lies in its list."""

    has_next_page: bool = field("Whether more items come after the page.")
    has_previous_page: bool = field("Whether more items come before the page.")
    start_cursor: str | None = field("Cursor of the first item; null for an empty page.")
    end_cursor: str | None = field("Cursor of the last item; null for an empty page.")


@strawberry.type(description="Numbers of distinct assets. Only what the viewer may see is counted.")
class AssetCounts:
    """Numbers of distinct assets."""

    total: int = field("Number of assets of every kind.")
    capsules: int = field("Number of capsules.")
    pipelines: int = field("Number of pipelines.")
    no_code_apps: int = field("Number of no-code apps.")
    data_assets: int = field("Number of data assets.")
    models: int = field("Number of models.")
    gold_standards: int = field("Number of assets of any kind that are a gold standard.")


@strawberry.input(description="How a list of collections is ordered.")
class CollectionOrder:
    """How a list of collections is ordered."""

    field: CollectionOrderField = field("What the collections are ordered by.")
    direction: OrderDirection = strawberry.field(
        default=OrderDirection.ASC, description="Which end of the order comes first."
    )


@strawberry.input(description="How a list of assets is ordered.")
class AssetOrder:
    """How a list of assets is ordered."""

    field: AssetOrderField = field("What the assets are ordered by.")
    direction: OrderDirection = strawberry.field(
        default=OrderDirection.ASC, description="Which end of the order comes first."
    )


@strawberry.input(description="How a collection's assets are ordered.")
class MembershipOrder:
    """How a collection's assets are ordered."""

    field: MembershipOrderField = field("What the assets are ordered by.")
    direction: OrderDirection = strawberry.field(
        default=OrderDirection.ASC, description="Which end of the order comes first."
    )


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
