"""Sizes and weights of fields and inputs, by which operations are limited before they are executed.

Keys are `Type.field`, or `*.field` for the fields of that name of all types. A weight of 1 is about 0.1 ms of CPU time,
measured on SQLite in a world of 10,000 assets and 400 collections with 500 assets each, half of them visible.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from resolvers.limits import LIMITS
from store.tables import MAX_COLLECTION_DEPTH

PARTITIONS: Final = frozenset({"Query.topics", "Query.collections", "Topic.collections", "Collection.children"})
"""Lists whose items are in one list of that field only, so that the lists of distinct parents share no item."""

PARTITION_ITEMS: Final = 500
"""Assumed number of items in all lists of such a field together. There may be more: execution has a budget as well."""

LENGTHS: Final[Mapping[str, int]] = {
    "*.ancestors": MAX_COLLECTION_DEPTH - 1,
    "*.changes": 2,
    "*.effects": 2,
    "*.fields": 5,
    "*.grants": 10,
    "*.kinds": 5,
    "*.movedCollections": 100,
    "*.properties": 10,
    "*.subjects": 2,
    "*.userErrors": 10,
    "AssetProperty.values": 2,
    "CollectionEvent.addedEdges": 100,
    "TopicTreeEvent.collections": 100,
    "TopicTreeEvent.topics": 100,
    "AssetsTransferPayload.changes": 100,
    "Job.changes": 10,
    "Job.collections": 2,
}
"""Typical lengths of lists that have no page size and do not depend on the length of an argument."""


SHARED_PAGES: Final = frozenset({"CollectionGraph"})
"""Types of pages whose lists together have as many items as the page."""

PAGE_SIZES: Final[Mapping[str, int]] = {"Query.collectionGraph": LIMITS.graph_page_size}
"""Maximum sizes of pages of lists that have another one than most."""


@dataclass(frozen=True)
class ListWeights:
    """Weights of reading one list.

    `page` is that of a page in the default order; in another order, filtered, searched or with descendants, it is at
    least `sorted_page`. `size` is the length of the list, compared to a collection's: it multiplies all but `page`.
    """

    page: int = 1
    sorted_page: int = 12
    size: int = 1
    asset_count_order: int = 0  # of a page ordered by ASSET_COUNT, which counts the assets of all collections


LISTS: Final[Mapping[str, ListWeights]] = {
    "*.usedBy": ListWeights(page=10),
    "Collection.addableAssets": ListWeights(page=100, sorted_page=100, size=10),
    "Query.assets": ListWeights(page=20, size=15),
    "Query.auditLog": ListWeights(page=20),
    "Query.collectionGraph": ListWeights(page=50),
    "Query.collections": ListWeights(sorted_page=5, asset_count_order=4_000),
    "Query.topics": ListWeights(sorted_page=5),
    "Topic.collections": ListWeights(sorted_page=1, asset_count_order=700),
    "Viewer.assets": ListWeights(page=100, sorted_page=100, size=10),
    "Viewer.collections": ListWeights(page=150, sorted_page=150),
}
"""Lists with weights other than the defaults."""

RANKED: Final = frozenset({"Collection.assets", "Collection.children", "Query.topics", "Topic.collections"})
"""Lists that are sorted by rank in their default order."""

FIRST_PAGES: Final[Mapping[str, int]] = {"Query.collectionGraph": 4_000}
"""Weights of first pages that read the keys of all rows, and store them for the next pages."""

STALE_CURSOR: Final = 300
"""Weight of a cursor of a ranked list around whose row others came, left or moved: the whole list is read."""

DESCENDANTS: Final = 3
"""Factor of a collection's list with the assets of its descendants."""

SEARCHED: Final = 2
"""Factor of a list that is searched."""

FILTERED_COUNTS: Final = 5
"""Factor of counts by kind with a filter."""

FIELDS: Final[Mapping[str, int]] = {"*.__schema": 30_000, "*.__type": 30_000, "*.cursor": 6}
"""Weights of fields that take longer than others: a cursor is encrypted, and the fields of the schema have no sizes.

The editor selects 9,500 of these, each of which takes graphql-core as long as four take the engine.
"""

PARTS: Final[Mapping[str, int]] = {
    "*.totalCount": 10,
    "AssetFacets.kinds": 10,
    "AssetFacets.owners": 16,
    "AssetFacets.tags": 14,
}
"""Weights of the parts of a list that read all of it."""

READS: Final[Mapping[str, int]] = {
    "*.isIn": 1,
    "Change.canUndo": 60,  # of a change of 1,000 assets, each compared with its later changes; of a transfer, 100
    "Collection.assetCounts": 10,
    "Collection.containsAsset": 1,
    "Topic.assetCounts": 90,
}
"""Weights of fields that read something of their own and are no list."""

ITEMS_OF: Final[Mapping[str, int]] = {
    "AssetCollectionsUpdateInput.addTo": LIMITS.inline_bulk_items,
    "AssetCollectionsUpdateInput.removeFrom": LIMITS.inline_bulk_items,
    "AssetRegistration.tags": LIMITS.inline_bulk_items,
    "AssetRegistration.uses": LIMITS.inline_bulk_items,
    "AssetsRegisterInput.assets": LIMITS.inline_bulk_items,
    "CollectionAssetsAddInput.assetIds": LIMITS.bulk_items,
    "CollectionAssetsMoveInput.assetIds": LIMITS.bulk_items,
    "CollectionAssetsRemoveInput.assetIds": LIMITS.bulk_items,
    "CollectionAssetsReorderInput.assetIds": LIMITS.inline_bulk_items,
}
"""Maximum lengths of lists in inputs, of those that may be longer than others."""
