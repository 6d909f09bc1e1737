"""This file is how many: assets by kind, counted over what the viewer may see and nothing else."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import FromClause, Select, func

from permissions import Viewer, visible
from resolvers.listing.listing import Listing
from resolvers.listing.page import ListingLoader
from resolvers.loaders import AssetByPk
from store import sql
from store.tables import AssetKind


class AssetCounts(NamedTuple):
    """Distinct assets, in all and by kind."""

    total: int = 0
    capsules: int = 0
    pipelines: int = 0
    no_code_apps: int = 0
    data_assets: int = 0
    models: int = 0
    gold_standards: int = 0


COUNT_FIELDS = {
    AssetKind.CAPSULE: "capsules",
    AssetKind.PIPELINE: "pipelines",
    AssetKind.NO_CODE_APP: "no_code_apps",
    AssetKind.DATA_ASSET: "data_assets",
    AssetKind.MODEL: "models",
}
"""The field of AssetCounts that counts each kind."""


@dataclass(frozen=True)
class TopicAssets(Listing):
    """The distinct assets in the collections of a topic."""

    name = "topic.assets"
    table = sql.asset
    node_loader = AssetByPk

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Select[Any]:
        """Return each asset once, however many collections of the topic hold it."""
        collection, membership = sql.collection.alias(), sql.membership.alias()
        members = (
            visible(collection, viewer)
            .join(membership, membership.c.collection_pk == collection.c.pk)
            .where(collection.c.topic_pk == parents.c.value)
            .with_only_columns(membership.c.asset_pk)
            .correlate(parents)
        )
        return visible(sql.asset, viewer).where(sql.asset.c.pk.in_(members))


class AssetCountsByParent(ListingLoader[int, AssetCounts]):
    """The counts of a list of assets for each parent: one statement."""

    missing = AssetCounts()

    async def fetch(self, keys: list[int]) -> dict[int, AssetCounts]:
        """Return counts by the parent's pk."""
        return {parent: _counts(rows) for parent, rows in (await self.rows_by_parent(keys, self._statement)).items()}

    def _statement(self) -> Select[Any]:
        parents, asset = sql.int_table("parents"), sql.asset
        columns = (asset.c.kind, func.count().label("assets"), func.sum(asset.c.is_gold).label("gold"))
        by_kind = (
            self.select_rows(parents).with_only_columns(*columns, maintain_column_froms=True).group_by(asset.c.kind)
        )
        return sql.per_parent(parents, by_kind)


def _counts(rows: list[tuple[str, int, int]]) -> AssetCounts:
    by_field = {COUNT_FIELDS[AssetKind(kind)]: assets for kind, assets, _ in rows}
    return AssetCounts(sum(by_field.values()), gold_standards=sum(gold for *_, gold in rows), **by_field)
