"""This file is what is asked of assets."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, FromClause, Select

from permissions import Viewer, visible
from permissions.visible import used_asset
from resolvers.context import Context
from resolvers.filter import AssetFilter
from resolvers.listing.connection import Connection, connect
from resolvers.listing.listing import Listing
from resolvers.listing.search import Searched, with_search
from resolvers.loaders import (
    AssetByExternalId,
    AssetById,
    AssetByPk,
    CollectionByPk,
    GrantsByAsset,
    PrincipalByPk,
    ReleaseByApp,
    load_reference,
)
from store import sql
from store.rows import AssetRow, GrantRow, PrincipalRow
from store.search.match import match_rank
from store.search.query import Search


def asset_order(order: str, search: Search | None = None) -> Sequence[ColumnElement[Any]]:
    """Return the keys of an order of assets, ended by the id where they may be equal."""
    asset = sql.asset
    if order == "NAME":
        return (asset.c.name_key, asset.c.id)
    if order == "CREATED_AT":
        return (asset.c.created_at, asset.c.id)
    if order == "UPDATED_AT":
        return (asset.c.updated_at, asset.c.id)
    # Relevance speaks of the asset alone: what matches best, then a gold standard, then what changed last.
    matched = () if search is None else (match_rank(asset),)
    return (*matched, asset.c.is_gold, asset.c.updated_at, asset.c.id)


@dataclass(frozen=True)
class Assets(Listing):
    """Every asset."""

    order: str = "RELEVANCE"
    descending: bool = True
    name = "assets"
    has_facets = True
    has_parents = False
    table = sql.asset
    node_loader = AssetByPk
    filter: AssetFilter = AssetFilter()

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Select[Any]:
        """Return the assets that the viewer may see and the filter keeps."""
        del parents
        return visible(sql.asset, viewer).where(*self.filter.conditions(viewer))

    def sort_keys(self, viewer: Viewer) -> Sequence[ColumnElement[Any]]:
        """Return the keys of the order."""
        del viewer
        return asset_order(self.order, self.filter.search)


@dataclass(frozen=True)
class AssetCollections(Listing):
    """The collections that hold an asset, by name."""

    order: str = "NAME"
    name = "asset.collections"
    table = sql.collection
    node_loader = CollectionByPk
    inlines_rows = True
    edge_columns = ("added_at", "added_by_pk", "note")

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Select[Any]:
        """Return the asset's memberships that the viewer may see."""
        return visible(sql.membership, viewer).where(sql.membership.c.asset_pk == parents.c.value)

    def sort_keys(self, viewer: Viewer) -> Sequence[ColumnElement[Any]]:
        """Return the collection's name."""
        del viewer
        return (sql.collection.c.name_key, sql.collection.c.id)

    def select_edge_columns(self, viewer: Viewer, parents: FromClause) -> Sequence[ColumnElement[Any]]:
        """Return what the membership tells."""
        del viewer, parents
        return (sql.membership.c.added_at, sql.membership.c.added_by_pk, sql.membership.c.note)


@dataclass(frozen=True)
class Uses(Listing):
    """What an asset was made from or runs, in the platform's order."""

    name = "asset.uses"
    table = used_asset
    node_loader = AssetByPk

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Select[Any]:
        """Return the uses of which the viewer may see both ends."""
        return visible(sql.asset_use, viewer).where(sql.asset_use.c.asset_pk == parents.c.value)

    def sort_keys(self, viewer: Viewer) -> Sequence[ColumnElement[Any]]:
        """Return the rank."""
        del viewer
        return (sql.asset_use.c.rank, sql.asset_use.c.uses_pk)


@dataclass(frozen=True)
class UsedBy(Listing):
    """What was made from an asset or runs it, by name."""

    order: str = "NAME"
    name = "asset.usedBy"
    table = sql.asset
    node_loader = AssetByPk

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Select[Any]:
        """Return the uses of which the viewer may see both ends."""
        return visible(sql.asset_use, viewer).where(sql.asset_use.c.uses_pk == parents.c.value)

    def sort_keys(self, viewer: Viewer) -> Sequence[ColumnElement[Any]]:
        """Return the name."""
        del viewer
        return asset_order("NAME")


class GoldStandard(NamedTuple):
    """That an administrator marked the asset as one to follow."""

    awarded_at: int | None
    awarded_by_pk: int | None
    note: str | None


async def asset(_root: None, context: Context, by: Any) -> AssetRow | None:
    """Return the asset that the reference names, None when it does not exist for the viewer."""
    if isinstance(by.id, str):
        return await context.loader(AssetById).load(by.id)
    return await context.loader(AssetByExternalId).load(by.external_id)


def assets(
    _root: None, context: Context, *, order_by: Any = None, filter: Any = None, query: str | None = None, **page: Any
) -> Searched:
    """Return every asset that the viewer may see."""

    def listed(search: Search | None) -> Connection:
        return connect(
            context, Assets.ordered_by(order_by, filter=AssetFilter.from_input(filter, search=search)), **page
        )

    return with_search(context, query, listed)


async def owner(asset: AssetRow, context: Context) -> PrincipalRow | None:
    """Return who owns the asset."""
    return await context.loader(PrincipalByPk).load(asset.owner_pk)


def gold_standard(asset: AssetRow, _context: Context) -> GoldStandard | None:
    """Return the award, None without one."""
    return GoldStandard(asset.gold_at, asset.gold_by_pk, asset.gold_note) if asset.is_gold else None


async def awarded_by(award: GoldStandard, context: Context) -> PrincipalRow | None:
    """Return who marked the asset."""
    return await load_reference(context, PrincipalByPk, award.awarded_by_pk)


def collections(asset: AssetRow, context: Context, **page: Any) -> Connection:
    """Return the collections that hold the asset."""
    return connect(context, AssetCollections(), asset, **page)


def uses(asset: AssetRow, context: Context, **page: Any) -> Connection:
    """Return what the asset was made from or runs."""
    return connect(context, Uses(), asset, **page)


def used_by(asset: AssetRow, context: Context, **page: Any) -> Connection:
    """Return what was made from the asset or runs it."""
    return connect(context, UsedBy(), asset, **page)


async def release(app: AssetRow, context: Context) -> AssetRow | None:
    """Return the capsule or pipeline behind an app: the first it uses."""
    pk = await context.loader(ReleaseByApp).load(app.pk)
    return None if pk is None else await context.loader(AssetByPk).load(pk)


async def grants(asset: AssetRow, context: Context) -> list[GrantRow]:
    """Return with whom the asset is shared, the greatest access first."""
    return await context.loader(GrantsByAsset).load(asset.pk)


def principal(grant: GrantRow, _context: Context) -> GrantRow:
    """Return who holds the grant: its row is the principal's, with `access`."""
    return grant


def label(principal: PrincipalRow, _context: Context) -> str:
    """Return what everyone or public is called."""
    return str(principal.name)
