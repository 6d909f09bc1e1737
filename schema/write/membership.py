"""This file is memberships being changed: inputs and payloads."""

from typing import Any

import strawberry

from permissions.directive import DeniedResult, PermissionScope, permission
from permissions.permission import Permission
from resolvers.write import payload as resolve
from schema.asset import Asset
from schema.change import Change
from schema.collection import Collection
from schema.field import field, omittable
from schema.job import Job
from schema.write.bulk import AssetResult, BulkMode, BulkSummary, CollectionResult, mode
from schema.write.shared import PositionInput, dry_run, idempotency_key
from schema.write.user_error import UserError, user_errors

SEEN = permission(Permission.ASSET_DISCOVER, on=PermissionScope.ITEM, denied=DeniedResult.NULL)
ASSET_IDS = (
    "Ids of the assets, at most deployment.limits.bulkItems; one given twice counts once. Above"
    " deployment.limits.inlineBulkItems it becomes a Job."
)


def _position() -> Any:
    return omittable("Place of the assets, as one block in their order; the end when left out.")


def _results(what: str) -> Any:
    return field(
        f"What became of each {what}, in the order of the input; of what is taken back, by name.",
        resolver=resolve.results,
    )


def _summary() -> Any:
    return field("How many items were asked for, and what became of them.", resolver=resolve.summary)


def _change() -> Any:
    return field(
        "What the log tells of it, which `changeUndo` takes; null when nothing was changed, and for a dry run.",
        resolver=resolve.change,
    )


def _job() -> Any:
    return field(
        "What does it, when there was too much to be done at once: `results` are told there.", resolver=resolve.job
    )


@strawberry.input(description="Assets to be put into a collection.")
class CollectionAssetsAddInput:
    """Assets to be put into a collection."""

    collection_id: strawberry.ID = field("Id of the collection.")
    asset_ids: list[strawberry.ID] = field(ASSET_IDS)
    position: PositionInput | None = _position()
    note: str | None = omittable("Note on why the assets are there, at most 1,000 characters.")
    mode: BulkMode = mode()
    dry_run: bool = dry_run()
    idempotency_key: str | None = idempotency_key()


@strawberry.input(description="Assets to be taken out of a collection.")
class CollectionAssetsRemoveInput:
    """Assets to be taken out of a collection."""

    collection_id: strawberry.ID = field("Id of the collection.")
    asset_ids: list[strawberry.ID] = field(ASSET_IDS)
    mode: BulkMode = mode()
    dry_run: bool = dry_run()
    idempotency_key: str | None = idempotency_key()


@strawberry.input(description="Assets to go from one collection to another. One that is not in the first is unchanged.")
class CollectionAssetsMoveInput:
    """Assets to go from one collection to another."""

    from_collection_id: strawberry.ID = field("Id of the collection that they leave.")
    to_collection_id: strawberry.ID = field("Id of the collection that they go to.")
    asset_ids: list[strawberry.ID] = field(ASSET_IDS)
    position: PositionInput | None = _position()
    mode: BulkMode = mode()
    dry_run: bool = dry_run()
    idempotency_key: str | None = idempotency_key()


@strawberry.input(description="Assets of a collection to be put together at one place.")
class CollectionAssetsReorderInput:
    """Assets of a collection to be put together."""

    collection_id: strawberry.ID = field("Id of the collection.")
    asset_ids: list[strawberry.ID] = field(
        "Ids of the assets, at most deployment.limits.inlineBulkItems. They stand in this order, as one block."
    )
    position: PositionInput = field("Place of the block among the other assets.")


@strawberry.input(description="Collections to put one asset in, and to take it out of: all of it or nothing.")
class AssetCollectionsUpdateInput:
    """Collections to put one asset in, and to take it out of."""

    asset_id: strawberry.ID = field("Id of the asset.")
    add_to: list[strawberry.ID] = strawberry.field(
        default_factory=list,
        description="Ids of the collections to put it in, at most deployment.limits.inlineBulkItems.",
    )
    remove_from: list[strawberry.ID] = strawberry.field(
        default_factory=list,
        description="Ids of the collections to take it out of, at most deployment.limits.inlineBulkItems.",
    )
    dry_run: bool = dry_run()
    idempotency_key: str | None = idempotency_key()


@strawberry.input(description="A membership change to be taken back.")
class ChangeUndoInput:
    """A membership change to be taken back."""

    change_id: strawberry.ID = field("Id of the change.")
    idempotency_key: str | None = idempotency_key()


@strawberry.type(description="What became of assets in a collection.")
class CollectionAssetsPayload:
    """What became of assets in a collection."""

    collection: Collection | None = field("The collection as it is now.", resolver=resolve.collection)
    results: list[AssetResult] = _results("asset")
    summary: BulkSummary = _summary()
    change: Change | None = _change()
    job: Job | None = _job()
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="What became of assets that were to go from one collection to another.")
class CollectionAssetsMovePayload:
    """What became of assets that were to be moved."""

    from_: Collection | None = field("The collection that they left.", resolver=resolve.collection, name="from")
    to: Collection | None = field("The collection that they went to.", resolver=resolve.target)
    results: list[AssetResult] = _results("asset")
    summary: BulkSummary = _summary()
    change: Change | None = _change()
    job: Job | None = _job()
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="What became of an asset in several collections.")
class AssetCollectionsPayload:
    """What became of an asset in several collections."""

    asset: Asset | None = field("The asset as it is now.", SEEN, resolver=resolve.asset)
    results: list[CollectionResult] = _results("collection: first those of addTo, then those of removeFrom")
    summary: BulkSummary = _summary()
    user_errors: list[UserError] = user_errors()
