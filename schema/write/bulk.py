"""Types shared by bulk mutations: mode, item results and summary."""

from typing import Any

import strawberry

from resolvers.write import payload as resolve
from schema.asset import Asset
from schema.collection import Collection
from schema.enums import BulkMode, ItemStatus
from schema.field import field
from schema.write.shared import NULL_IF_HIDDEN
from schema.write.user_error import UserError


@strawberry.type(
    description="Result of one asset. A hidden asset fails with NOT_FOUND, exactly like one that does not exist."
)
class AssetResult:
    """Result of one asset."""

    asset_id: strawberry.ID = field("Id of the asset, as in the input.", resolver=resolve.item_id)
    asset: Asset | None = field(
        "The asset; null if the viewer may not see it.", NULL_IF_HIDDEN, resolver=resolve.item_asset
    )
    status: ItemStatus = field("Status of the item.")
    error: UserError | None = field("Error that prevented the change; null if there is none.")


@strawberry.type(description="Result of one collection that an asset was to be added to or removed from.")
class CollectionResult:
    """Result of one collection."""

    collection_id: strawberry.ID = field("Id of the collection, as in the input.", resolver=resolve.item_id)
    collection: Collection | None = field(
        "The collection; null if the viewer may not see it.", resolver=resolve.item_collection
    )
    status: ItemStatus = field("Status of the item.")
    error: UserError | None = field("Error that prevented the change; null if there is none.")


@strawberry.type(description="Number of distinct items, in total and of each status.")
class BulkSummary:
    """Number of items of each status."""

    requested: int = field("Number of distinct items in the input.")
    changed: int = field("Number of items that were changed.")
    unchanged: int = field("Number of items that already were as requested.")
    failed: int = field("Number of items that failed.")
    dry_run: bool = field("Whether this was a dry run, which changes nothing.")


def mode() -> Any:
    """Declare the mode of a bulk mutation."""
    return strawberry.field(default=BulkMode.ATOMIC, description="Effect of a failed item on the others.")


__all__ = ["AssetResult", "BulkMode", "BulkSummary", "CollectionResult", "ItemStatus", "mode"]
