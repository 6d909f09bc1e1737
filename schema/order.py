"""Orders of list fields."""

import strawberry

from schema.enums import AssetOrderField, CollectionOrderField, MembershipOrderField, OrderDirection
from schema.field import field


@strawberry.input(description="Sort order of a list of collections.")
class CollectionOrder:
    """Sort order of a list of collections."""

    field: CollectionOrderField = field("The field to sort by.")
    direction: OrderDirection = strawberry.field(default=OrderDirection.ASC, description="The direction of the order.")


@strawberry.input(description="Sort order of a list of assets.")
class AssetOrder:
    """Sort order of a list of assets."""

    field: AssetOrderField = field("The field to sort by.")
    direction: OrderDirection = strawberry.field(default=OrderDirection.ASC, description="The direction of the order.")


@strawberry.input(description="Sort order of a collection's assets.")
class MembershipOrder:
    """Sort order of a collection's assets."""

    field: MembershipOrderField = field("The field to sort by.")
    direction: OrderDirection = strawberry.field(default=OrderDirection.ASC, description="The direction of the order.")
