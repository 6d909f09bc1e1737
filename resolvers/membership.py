"""Resolvers of the assets of collections: lists, counts, and the panel of assets to add."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Unpack

from sqlalchemy import CTE, ColumnElement, FromClause, SelectBase, and_, exists, or_, tuple_

from permissions import Viewer, visible
from permissions.may import is_eligible, may_remove
from permissions.permission import Permission, has_asset_permission
from permissions.visible import owned_assets
from resolvers.collection_tree import descendants_cte, start
from resolvers.context import Context
from resolvers.counts import AssetCounts, count_assets
from resolvers.filter import AssetFilter
from resolvers.former_key import descendant_steps, group_steps, select_former_collections, select_former_members
from resolvers.listing.connection import Connection, Edge, PageArguments, connect, edges_of_list
from resolvers.listing.listing import SINCE, Listing, OrderInput
from resolvers.listing.timeline import Key, Step
from resolvers.loaders import (
    AssetById,
    AssetByPk,
    CollectionById,
    ContainsAssetByCollection,
    PrincipalByPk,
    Reference,
)
from resolvers.order import asset_sort_keys
from store import sql
from store.rows import CollectionRow
from store.sql import Expressions, Selection
from store.tables import AssetAccess


@dataclass(frozen=True)
class CollectionAssets(Listing):
    """List of the assets of a collection, without those of its descendants."""

    name = "collection.assets"
    has_facets = True
    table = sql.asset
    node_loader = AssetByPk
    edge_columns = ("added_at", "added_by_pk", "note")
    filter: AssetFilter = AssetFilter()

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Selection:
        """Return the visible memberships whose assets match the filter."""
        members = visible(sql.membership, viewer).where(sql.membership.c.collection_pk == parents.c.value)
        if self.filter.ids is not None:
            members = members.where(self.has_ids(sql.text_list(self.filter.ids)))
        return members.where(*self.filter.conditions(viewer))

    def has_ids(self, ids: SelectBase) -> ColumnElement[bool]:
        """Return the condition on the membership, so that the collection's other assets are not looked up."""
        asset = sql.asset.alias()
        rows = asset.select().with_only_columns(asset.c.pk).where(asset.c.id.in_(ids))
        return sql.membership.c.asset_pk.in_(rows)

    def sort_keys(self, viewer: Viewer) -> Expressions:
        """Return the sort keys, with the asset to break ties."""
        del viewer
        if self.order == "POSITION":
            return (sql.membership.c.rank, sql.membership.c.asset_pk)
        if self.order == "ADDED_AT":
            return (sql.membership.c.added_at, sql.asset.c.id)
        return asset_sort_keys(self.order)

    def select_former_keys(self, viewer: Viewer, parents: FromClause) -> Mapping[str, Selection]:
        """Return the SELECT of former ranks."""
        return {"members": select_former_members(viewer, lambda collection: collection.c.pk == parents.c.value)}

    def former_keys(self, parent: int, keys: Mapping[str, Key], rows: Mapping[str, Sequence[Any]]) -> list[Step]:
        """Return the ranks before each of the last changes."""
        del parent, keys
        return group_steps(row[:-1] for row in rows["members"])

    def select_edge_columns(self, viewer: Viewer, parents: FromClause) -> Expressions:
        """Return the columns of the membership."""
        del viewer, parents
        return (sql.membership.c.added_at, sql.membership.c.added_by_pk, sql.membership.c.note)


@dataclass(frozen=True)
class DescendantAssets(CollectionAssets):
    """List of the distinct assets of a collection and its descendants.

    An asset in several of these collections is listed in the one with the least depth, of these the first in order.
    """

    name = "collection.descendantAssets"

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Selection:
        """Return the first visible membership of each asset in the tree of the collection."""
        tree = _tree(viewer)
        earlier, other = tree.alias(), sql.membership.alias()
        # A collection contains an asset at most once, so the order of collections decides which membership is first.
        here = (tree.c.depth, tree.c.rank, tree.c.pk)
        there = (earlier.c.depth, earlier.c.rank, earlier.c.pk)
        repeated = exists().where(
            earlier.c.start == tree.c.start,
            other.c.collection_pk == earlier.c.pk,
            other.c.asset_pk == sql.asset.c.pk,
            _before(there, here),
        )
        return (
            visible(sql.membership, viewer)
            .join(tree, tree.c.pk == sql.membership.c.collection_pk)
            .where(tree.c.start == parents.c.value, ~repeated, *self.filter.conditions(viewer))
        )

    def sort_keys(self, viewer: Viewer) -> Expressions:
        """Return the sort keys."""
        if self.order == "POSITION":
            tree = _tree(viewer)
            return (tree.c.depth, tree.c.rank, tree.c.pk, sql.membership.c.rank, sql.membership.c.asset_pk)
        return super().sort_keys(viewer)

    def select_former_keys(self, viewer: Viewer, parents: FromClause) -> Mapping[str, Selection]:
        """Return the SELECTs of the collections, of the members of those in the tree or moved, and of former places."""
        collection, membership, tree, former = sql.collection, sql.membership, _tree(viewer), sql.former_place
        below = tree.select().with_only_columns(tree.c.pk).where(tree.c.start == parents.c.value).correlate(parents)
        moved = former.select().with_only_columns(former.c.id).where(former.c.at > SINCE)

        def is_in_list(each: FromClause) -> ColumnElement[bool]:
            return or_(each.c.pk.in_(below), each.c.id.in_(moved))

        return {
            "collections": visible(collection, viewer).with_only_columns(
                collection.c.pk, collection.c.parent_pk, collection.c.rank
            ),
            "members": visible(membership, viewer)
            .where(is_in_list(collection))
            .with_only_columns(membership.c.collection_pk, sql.asset.c.id, sql.asset.c.pk, membership.c.rank),
            "former_collections": select_former_collections(viewer),
            "former_members": select_former_members(viewer, is_in_list),
        }

    def former_keys(self, parent: int, keys: Mapping[str, Key], rows: Mapping[str, Sequence[Any]]) -> list[Step]:
        """Return the ranks of collections and members before each of the last changes."""
        del keys
        return descendant_steps(parent, rows)


@dataclass(frozen=True)
class AddableAssets(Listing):
    """List of the viewer's own assets that they may add to a collection or that it already contains."""

    order: str = "RELEVANCE"
    descending: bool = True
    name = "collection.addableAssets"
    has_facets = True
    row_access = AssetAccess.OWNER
    defer_edge_columns = True
    table = sql.asset
    node_loader = AssetByPk
    edge_columns = ("added_at",)
    filter: AssetFilter = AssetFilter()
    exclude_members: bool = False

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Selection:
        """Return the viewer's own assets that are eligible or already members."""
        is_member = _membership_in(parents).exists()
        eligible = is_eligible(sql.asset.c.status)
        offered = and_(eligible, ~is_member) if self.exclude_members else or_(eligible, is_member)
        return owned_assets(sql.asset, viewer).where(offered, *self.filter.conditions(viewer))

    def sort_keys(self, viewer: Viewer) -> Expressions:
        """Return the sort keys."""
        del viewer
        return asset_sort_keys(self.order, self.filter.search)

    def select_edge_columns(self, viewer: Viewer, parents: FromClause) -> Expressions:
        """Return the time when the asset was added; NULL for one that is not a member."""
        del viewer
        return (_membership_in(parents).scalar_subquery(),)


def assets(
    collection: CollectionRow,
    context: Context,
    *,
    order_by: OrderInput | None = None,
    filter: object = None,
    query: str | None = None,
    include_descendants: bool | None = False,
    **page: Unpack[PageArguments],
) -> Connection:
    """Return the assets of the collection, optionally with those of all collections below it."""
    kind = DescendantAssets if include_descendants else CollectionAssets
    listing = kind.ordered_by(order_by, filter=AssetFilter.from_input(filter))
    return connect(context, listing, collection, query=query, **page)


async def member_edges(context: Context, collection_id: str | None, ids: Sequence[str]) -> list[Edge]:
    """Return the edges of those of the assets that are in the collection and visible, in its order."""
    collection = await context.loader(CollectionById).load(collection_id) if collection_id is not None and ids else None
    if collection is None:
        return []
    listing = CollectionAssets(filter=AssetFilter(ids=tuple(ids)))
    return await edges_of_list(context, listing, collection, len(ids))


async def asset_counts(
    collection: CollectionRow,
    context: Context,
    *,
    filter: object = None,
    include_descendants: bool | None = False,
) -> AssetCounts:
    """Count the assets of the collection, optionally with those of all collections below it."""
    kind = DescendantAssets if include_descendants else CollectionAssets
    return await count_assets(context, kind(filter=AssetFilter.from_input(filter)), collection.pk)


async def contains_asset(collection: CollectionRow, context: Context, asset_id: str) -> bool | None:
    """Return whether the collection contains the asset; None for an unknown or hidden asset."""
    if await context.loader(AssetById).load(asset_id) is None:
        return None
    return await context.loader(ContainsAssetByCollection, asset_id).load(collection.pk)


def addable_assets(
    collection: CollectionRow,
    context: Context,
    *,
    order_by: OrderInput | None = None,
    filter: object = None,
    query: str | None = None,
    exclude_members: bool | None = False,
    **page: Unpack[PageArguments],
) -> Connection:
    """Return the assets that the viewer may add, and, unless `exclude_members`, the members that the viewer owns."""
    narrowed = AssetFilter.from_input(filter)
    listing = AddableAssets.ordered_by(order_by, filter=narrowed, exclude_members=bool(exclude_members))
    return connect(context, listing, collection, query=query, **page)


added_by = Reference(PrincipalByPk, "added_by_pk")
"""The user who added the asset."""


def viewer_can_remove(edge: Edge, context: Context) -> bool:
    """Return whether the viewer may remove the asset: its owners and administrators may."""
    return may_remove(context.viewer, is_owner=has_asset_permission(edge.node, Permission.ASSET_OWN))


def is_member(edge: Edge, _context: Context) -> bool:
    """Return whether the collection contains the asset."""
    return edge.added_at is not None


def _membership_in(parents: FromClause) -> Selection:
    membership = sql.membership.alias()
    return (
        membership.select()
        .with_only_columns(membership.c.added_at)
        .where(membership.c.asset_pk == sql.asset.c.pk, membership.c.collection_pk == parents.c.value)
        .correlate(sql.asset, parents)
    )


@lru_cache(maxsize=64)  # cached, as all parts of a statement must refer to the same CTE object
def _tree(viewer: Viewer) -> CTE:
    """Return the CTE of each parent and its visible descendants: `(start, pk, depth, rank)`."""
    parents = sql.int_table("parents")
    return descendants_cte(viewer, visible(start, viewer).join(parents, parents.c.value == start.c.pk))


def _before(there: Expressions, here: Expressions) -> ColumnElement[bool]:
    return tuple_(*there) < tuple_(*here)
