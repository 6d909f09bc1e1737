"""Resolvers of assets and their lists."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, Unpack

from sqlalchemy import FromClause

from permissions import Viewer, visible
from permissions.visible import used_asset
from resolvers.context import Context
from resolvers.filter import AssetFilter, CollectionFilter
from resolvers.listing.connection import Connection, Edge, PageArguments, connect, edges_of_list
from resolvers.listing.listing import Listing, OrderInput
from resolvers.loaders import (
    AssetByExternalId,
    AssetById,
    AssetByPk,
    CollectionById,
    CollectionByPk,
    GrantsByAsset,
    IsInCollectionByAsset,
    PrincipalByPk,
    Reference,
    ReleaseByApp,
)
from resolvers.order import asset_sort_keys
from store import sql
from store.rows import AssetRow, GrantRow, PrincipalRow
from store.sql import Expressions, Selection


@dataclass(frozen=True)
class Assets(Listing):
    """List of all assets."""

    order: str = "RELEVANCE"
    descending: bool = True
    name = "assets"
    has_facets = True
    has_parents = False
    table = sql.asset
    node_loader = AssetByPk
    filter: AssetFilter = AssetFilter()

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Selection:
        """Return the visible assets that match the filter."""
        del parents
        return visible(sql.asset, viewer).where(*self.filter.conditions(viewer))

    def sort_keys(self, viewer: Viewer) -> Expressions:
        """Return the sort keys."""
        del viewer
        return asset_sort_keys(self.order, self.filter.search)


@dataclass(frozen=True)
class AssetCollections(Listing):
    """List of the collections that contain an asset, by name."""

    order: str = "NAME"
    name = "asset.collections"
    table = sql.collection
    node_loader = CollectionByPk
    inlines_rows = True
    edge_columns = ("added_at", "added_by_pk", "note")
    filter: CollectionFilter = CollectionFilter()

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Selection:
        """Return the asset's visible memberships whose collections match the filter."""
        memberships = visible(sql.membership, viewer).where(sql.membership.c.asset_pk == parents.c.value)
        return memberships.where(*self.filter.conditions(viewer))

    def sort_keys(self, viewer: Viewer) -> Expressions:
        """Return the collection's name."""
        del viewer
        return (sql.collection.c.sort_key, sql.collection.c.id)

    def select_edge_columns(self, viewer: Viewer, parents: FromClause) -> Expressions:
        """Return the columns of the membership."""
        del viewer, parents
        return (sql.membership.c.added_at, sql.membership.c.added_by_pk, sql.membership.c.note)


@dataclass(frozen=True)
class Uses(Listing):
    """List of the assets that an asset uses (was made from, or runs), in the platform's order."""

    name = "asset.uses"
    has_facets = True
    table = used_asset
    node_loader = AssetByPk

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Selection:
        """Return the visible uses."""
        return visible(sql.asset_use, viewer).where(sql.asset_use.c.asset_pk == parents.c.value)

    def sort_keys(self, viewer: Viewer) -> Expressions:
        """Return the rank."""
        del viewer
        return (sql.asset_use.c.rank, sql.asset_use.c.uses_pk)


@dataclass(frozen=True)
class UsedBy(Listing):
    """List of the assets that use an asset (were made from it, or run it), by name."""

    order: str = "NAME"
    name = "asset.usedBy"
    has_facets = True
    table = sql.asset
    node_loader = AssetByPk

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Selection:
        """Return the visible uses."""
        return visible(sql.asset_use, viewer).where(sql.asset_use.c.uses_pk == parents.c.value)

    def sort_keys(self, viewer: Viewer) -> Expressions:
        """Return the name."""
        del viewer
        return asset_sort_keys("NAME")


class GoldStandard(NamedTuple):
    """Award of an administrator that marks an asset as exemplary."""

    awarded_at: int | None
    awarded_by_pk: int | None
    note: str | None


class AssetProperty(NamedTuple):
    """A fact about an asset that no other field has."""

    name: str
    values: Sequence[str]


class AssetReference(Protocol):
    """One-of input that names an asset by its id in Atoll or in the platform."""

    id: str | None
    external_id: str  # set if the id is not


def asset(_root: None, context: Context, by: AssetReference) -> Awaitable[AssetRow | None]:
    """Return the asset that the input names; None for an unknown or hidden one."""
    if isinstance(by.id, str):
        return context.loader(AssetById).load(by.id)
    return context.loader(AssetByExternalId).load(by.external_id)


def assets(
    _root: None,
    context: Context,
    *,
    order_by: OrderInput | None = None,
    filter: object = None,
    query: str | None = None,
    **page: Unpack[PageArguments],
) -> Connection:
    """Return all visible assets, filtered and searched."""
    listing = Assets.ordered_by(order_by, filter=AssetFilter.from_input(filter))
    return connect(context, listing, query=query, **page)


owner = Reference(PrincipalByPk, "owner_pk", is_visible_with_source=True)
"""The asset's owner."""


def gold_standard(asset: AssetRow, _context: Context) -> GoldStandard | None:
    """Return the award; None without one."""
    return GoldStandard(asset.gold_at, asset.gold_by_pk, asset.gold_note) if asset.is_gold else None


def properties(asset: AssetRow, _context: Context) -> list[AssetProperty]:
    """Return the properties in the platform's order."""
    return [AssetProperty(name, values) for name, values in asset.properties.items()]


awarded_by = Reference(PrincipalByPk, "awarded_by_pk")
"""The administrator who gave the award."""


def collections(asset: AssetRow, context: Context, **page: Unpack[PageArguments]) -> Connection:
    """Return the collections that contain the asset."""
    return connect(context, AssetCollections(), asset, **page)


async def is_in(asset: AssetRow, context: Context, collection_id: str) -> bool | None:
    """Return whether the collection contains the asset; None for an unknown or hidden collection."""
    if await context.loader(CollectionById).load(collection_id) is None:
        return None
    return await context.loader(IsInCollectionByAsset, collection_id).load(asset.pk)


async def collection_edges(context: Context, asset_id: str | None, ids: Sequence[str]) -> list[Edge]:
    """Return the edges of those of the collections that contain the asset and are visible, by name."""
    asset = await context.loader(AssetById).load(asset_id) if asset_id is not None and ids else None
    if asset is None:
        return []
    listing = AssetCollections(filter=CollectionFilter(ids=tuple(ids)))
    return await edges_of_list(context, listing, asset, len(ids))


def uses(asset: AssetRow, context: Context, **page: Unpack[PageArguments]) -> Connection:
    """Return the assets that the asset uses: was made from, or runs."""
    return connect(context, Uses(), asset, **page)


def used_by(asset: AssetRow, context: Context, **page: Unpack[PageArguments]) -> Connection:
    """Return the assets that use the asset: were made from it, or run it."""
    return connect(context, UsedBy(), asset, **page)


async def release(app: AssetRow, context: Context) -> AssetRow | None:
    """Return the capsule or pipeline that an app runs: the first one among its uses."""
    pk = await context.loader(ReleaseByApp).load(app.pk)
    return None if pk is None else await context.loader(AssetByPk).load(pk)


def grants(asset: AssetRow, context: Context) -> Awaitable[list[GrantRow]]:
    """Return the grants, the greatest access first."""
    return context.loader(GrantsByAsset).load(asset.pk)


def principal(grant: GrantRow, _context: Context) -> GrantRow:
    """Return the grant itself: its row has all columns of the principal that holds it."""
    return grant


def label(principal: PrincipalRow, _context: Context) -> str:
    """Return the name of a built-in principal, which is everyone or public."""
    return str(principal.name)
