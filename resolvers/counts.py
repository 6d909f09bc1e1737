"""Asset counts: the number of visible assets in a list, in total and by kind."""

from collections.abc import Mapping
from typing import NamedTuple, Self

from resolvers.context import Context
from resolvers.listing.listing import Listing
from resolvers.listing.part import PartByKey
from store.tables import AssetKind


class AssetCounts(NamedTuple):
    """Numbers of distinct assets, in total and by kind."""

    total: int = 0
    capsules: int = 0
    pipelines: int = 0
    no_code_apps: int = 0
    data_assets: int = 0
    models: int = 0
    gold_standards: int = 0

    @classmethod
    def from_kinds(cls, by_kind: Mapping[str, int], gold_standards: int) -> Self:
        """Return the counts of the kinds with their total."""
        by_field = {COUNT_FIELDS[kind]: count for kind, count in by_kind.items()}
        return cls(**by_field, total=sum(by_field.values()), gold_standards=gold_standards)


COUNT_FIELDS: Mapping[str, str] = {
    AssetKind.CAPSULE: "capsules",
    AssetKind.PIPELINE: "pipelines",
    AssetKind.NO_CODE_APP: "no_code_apps",
    AssetKind.DATA_ASSET: "data_assets",
    AssetKind.MODEL: "models",
}
"""Field of `AssetCounts` by kind."""


async def count_assets(context: Context, listing: Listing, parent_pk: int) -> AssetCounts:
    """Count the assets of a parent's list by kind. One statement for all parents."""
    counts = await context.loader(PartByKey, listing).counts_by_kind(parent_pk)
    by_kind = {kind: count for kind, count, _ in counts}
    return AssetCounts.from_kinds(by_kind, sum(gold for *_, gold in counts))
