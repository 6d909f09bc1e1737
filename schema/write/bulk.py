"""This file is many items changed at once: the mode, what became of each item, and the summary."""

from typing import Any

import strawberry

from permissions.directive import DeniedResult, PermissionScope, permission
from permissions.permission import Permission
from resolvers.write import payload as resolve
from schema.asset import Asset
from schema.collection import Collection
from schema.enums import BulkMode, ItemStatus
from schema.field import field
from schema.write.user_error import UserError

SEEN = permission(Permission.ASSET_DISCOVER, on=PermissionScope.ITEM, denied=DeniedResult.NULL)


@strawberry.type(
    description="What became of an asset. One that the viewer may not see fails as NOT_FOUND, word for word as one that"
    " does not exist."
)
class AssetResult:
    """What became of an asset."""

    asset_id: strawberry.ID = field("Id of the asset, as it was given.", resolver=resolve.item_id)
    asset: Asset | None = field("The asset; null when the viewer may not see it.", SEEN, resolver=resolve.item_asset)
    status: ItemStatus = field("What became of it.")
    error: UserError | None = field("Why it failed; null when it did not.")


@strawberry.type(description="What became of a collection that an asset was to be put in or taken out of.")
class CollectionResult:
    """What became of a collection."""

    collection_id: strawberry.ID = field("Id of the collection, as it was given.", resolver=resolve.item_id)
    collection: Collection | None = field(
        "The collection; null when the viewer may not see it.", resolver=resolve.item_collection
    )
    status: ItemStatus = field("What became of it.")
    error: UserError | None = field("Why it failed; null when it did not.")


@strawberry.type(description="How many distinct items were asked for, and what became of them.")
class BulkSummary:
    """How many items, and what became of them."""

    requested: int = field("Number of distinct items asked for.")
    changed: int = field("Number of items that were changed.")
    unchanged: int = field("Number of items that were already as asked for.")
    failed: int = field("Number of items that failed.")
    dry_run: bool = field("Whether this is what would be, and nothing was changed.")


def mode() -> Any:
    """Declare what a failed item means for the others."""
    return strawberry.field(default=BulkMode.ATOMIC, description="What a failed item means for the others.")


__all__ = ["AssetResult", "BulkMode", "BulkSummary", "CollectionResult", "ItemStatus", "mode"]
