"""Inputs and payloads of membership mutations."""

from typing import Any

import strawberry

from resolvers.write import payload as resolve
from schema.asset import Asset
from schema.asset_collection import AssetCollectionEdge
from schema.change import Change
from schema.collection import Collection, CollectionAssetEdge
from schema.field import field, omittable
from schema.job import Job
from schema.node import Node
from schema.write.bulk import AssetResult, BulkMode, BulkSummary, CollectionResult, mode
from schema.write.shared import NULL_IF_HIDDEN, PositionInput, dry_run, idempotency_key, logged_changes
from schema.write.user_error import UserError, user_errors

ASSET_IDS = (
    "Ids of the assets, at most deployment.limits.bulkItems; duplicates count once. More than"
    " deployment.limits.inlineBulkItems are queued as a Job."
)
RESULTS = "Result of each asset, in the order of the input."


def _position() -> Any:
    return omittable("Position of the assets, as one block in the order of the input; the end by default.")


def _results(description: str) -> Any:
    return field(description, resolver=resolve.results)


def _summary() -> Any:
    return field("Number of items of each status, for a dry run as it would be.", resolver=resolve.summary)


def _change() -> Any:
    return field(
        "The logged change, which `changeUndo` can undo; null if nothing changed, and for a dry run.",
        resolver=resolve.change,
    )


def _added_edges() -> Any:
    return field(
        "The edges of the assets that were added to the collection, in its order. Empty for a dry run, for a rejected"
        " mutation, and for one that a job runs.",
        resolver=resolve.added_edges,
    )


def _removed_asset_ids() -> Any:
    return field(
        "Ids of the assets that were removed from the collection; empty in the same cases as `addedEdges`.",
        resolver=resolve.removed_asset_ids,
    )


def _job() -> Any:
    return field(
        "The queued job, if there were too many items to run at once; it has the `results` then.", resolver=resolve.job
    )


@strawberry.input(description="Input for `collectionAssetsAdd`.")
class CollectionAssetsAddInput:
    """Input for `collectionAssetsAdd`."""

    collection_id: strawberry.ID = field("Id of the collection.")
    asset_ids: list[strawberry.ID] = field(ASSET_IDS)
    position: PositionInput | None = _position()
    note: str | None = omittable("Note on the membership, such as a reason; at most 1,000 characters.")
    mode: BulkMode = mode()
    dry_run: bool = dry_run()
    idempotency_key: str | None = idempotency_key()


@strawberry.input(description="Input for `collectionAssetsRemove`.")
class CollectionAssetsRemoveInput:
    """Input for `collectionAssetsRemove`."""

    collection_id: strawberry.ID = field("Id of the collection.")
    asset_ids: list[strawberry.ID] = field(ASSET_IDS)
    mode: BulkMode = mode()
    dry_run: bool = dry_run()
    idempotency_key: str | None = idempotency_key()


@strawberry.input(
    description="Input for `collectionAssetsMove`. An asset that is not in the source collection is UNCHANGED."
)
class CollectionAssetsMoveInput:
    """Input for `collectionAssetsMove`."""

    from_collection_id: strawberry.ID = field("Id of the collection to move the assets from.")
    to_collection_id: strawberry.ID = field("Id of the collection to move the assets to.")
    asset_ids: list[strawberry.ID] = field(ASSET_IDS)
    position: PositionInput | None = _position()
    mode: BulkMode = mode()
    dry_run: bool = dry_run()
    idempotency_key: str | None = idempotency_key()


@strawberry.input(description="Input for `collectionAssetsReorder`.")
class CollectionAssetsReorderInput:
    """Input for `collectionAssetsReorder`."""

    collection_id: strawberry.ID = field("Id of the collection.")
    asset_ids: list[strawberry.ID] = field(
        "Ids of the assets, at most deployment.limits.inlineBulkItems, in the order of the new block."
    )
    position: PositionInput = field("Position of the block among the other assets.")


@strawberry.input(description="Input for `assetCollectionsUpdate`.")
class AssetCollectionsUpdateInput:
    """Input for `assetCollectionsUpdate`."""

    asset_id: strawberry.ID = field("Id of the asset.")
    add_to: list[strawberry.ID] = strawberry.field(
        default_factory=list,
        description="Ids of the collections to add the asset to, at most deployment.limits.inlineBulkItems.",
    )
    remove_from: list[strawberry.ID] = strawberry.field(
        default_factory=list,
        description="Ids of the collections to remove the asset from, at most deployment.limits.inlineBulkItems.",
    )
    dry_run: bool = dry_run()
    idempotency_key: str | None = idempotency_key()


@strawberry.input(description="Input for `changeUndo`.")
class ChangeUndoInput:
    """Input for `changeUndo`."""

    change_id: strawberry.ID | None = omittable(
        "Id of the change to undo. Exactly one of `changeId` and `jobId` is set."
    )
    job_id: strawberry.ID | None = omittable(
        "Id of a job of the viewer that has ended. Another job then undoes all its changes, the last first; without"
        " dryRun."
    )
    dry_run: bool = dry_run()
    idempotency_key: str | None = idempotency_key()


@strawberry.type(description="Payload of mutations of a collection's assets.")
class CollectionAssetsPayload:
    """Payload of mutations of a collection's assets."""

    collection: Collection | None = field(
        "The collection as it is stored now, also for a dry run.", resolver=resolve.collection
    )
    added_edges: list[CollectionAssetEdge] = _added_edges()
    removed_asset_ids: list[strawberry.ID] = _removed_asset_ids()
    results: list[AssetResult] = _results(RESULTS)
    summary: BulkSummary = _summary()
    change: Change | None = _change()
    job: Job | None = _job()
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="Payload of `collectionAssetsMove`.")
class CollectionAssetsMovePayload:
    """Payload of `collectionAssetsMove`."""

    from_collection: Collection | None = field(
        "The collection that the assets were moved from.", resolver=resolve.collection
    )
    to_collection: Collection | None = field("The collection that the assets were moved to.", resolver=resolve.target)
    added_edges: list[CollectionAssetEdge] = _added_edges()
    removed_asset_ids: list[strawberry.ID] = _removed_asset_ids()
    results: list[AssetResult] = _results(RESULTS)
    summary: BulkSummary = _summary()
    change: Change | None = _change()
    job: Job | None = _job()
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="Payload of `assetCollectionsUpdate`.")
class AssetCollectionsPayload:
    """Payload of `assetCollectionsUpdate`."""

    asset: Asset | None = field("The updated asset.", NULL_IF_HIDDEN, resolver=resolve.asset)
    results: list[CollectionResult] = _results(
        "Result of each collection: those of addTo, then those of removeFrom, in the order of the input."
    )
    added_edges: list[AssetCollectionEdge] = field(
        "The edges of the collections that the asset was added to, by name; empty for a dry run.",
        resolver=resolve.added_collection_edges,
    )
    removed_collection_ids: list[strawberry.ID] = field(
        "Ids of the collections that the asset was removed from; empty for a dry run.",
        resolver=resolve.removed_collection_ids,
    )
    changes: list[Change] = logged_changes()
    summary: BulkSummary = _summary()
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="Payload of `changeUndo`.")
class ChangeUndoPayload:
    """Payload of `changeUndo`."""

    subjects: list[Node] = field(
        "The topics, collections and assets that were changed or restored, as they are now: of the undo of a move, both"
        " collections. Without objects that the undo deleted.",
        resolver=resolve.subjects,
    )
    added_edges: list[CollectionAssetEdge] = field(
        "The edges of the assets that were put back to the collection, in its order.", resolver=resolve.added_edges
    )
    removed_asset_ids: list[strawberry.ID] = field(
        "Ids of the assets that were removed from the collection.", resolver=resolve.removed_asset_ids
    )
    changes: list[Change] = logged_changes()
    results: list[AssetResult] = _results("Result of each asset of a change of members, by name.")
    summary: BulkSummary = _summary()
    job: Job | None = field("The queued job, for the undo of a job; it has the `results` then.", resolver=resolve.job)
    user_errors: list[UserError] = user_errors()
