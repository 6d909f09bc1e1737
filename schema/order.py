"""Orders of list fields."""

import strawberry

from schema.enums import AssetOrderField, CollectionOrderField, MembershipOrderField, OrderDirection
from schema.field import field


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
