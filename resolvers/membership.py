"""This file is what collections hold: their assets, counted and listed, and the assets that may be added to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, exists, literal, or_, tuple_

from permissions import Viewer, visible
from permissions.may import is_eligible, may_remove
from permissions.permission import Permission, has_asset_permission
from permissions.visible import owned_assets
from resolvers.asset import asset_order
from resolvers.context import Context
from resolvers.counts import AssetCounts, AssetCountsByParent
from resolvers.filter import AssetFilter
from resolvers.listing.connection import Connection, Edge, connect
from resolvers.listing.listing import Listing
from resolvers.listing.search import Searched, with_search
from resolvers.loaders import AssetById, AssetByPk, ContainsAssetByCollection, PrincipalByPk, load_reference
from store import sql
from store.rows import CollectionRow, PrincipalRow
from store.search.query import Search
from store.tables import AssetAccess


@dataclass(frozen=True)
class CollectionAssets(Listing):
    """What a collection holds itself."""

    name = "collection.assets"
    has_facets = True
    table = sql.asset
    node_loader = AssetByPk
    edge_columns = ("added_at", "added_by_pk", "note")
    filter: AssetFilter = AssetFilter()

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Select[Any]:
        """Return the memberships that the viewer may see and the filter keeps."""
        held = visible(sql.membership, viewer).where(sql.membership.c.collection_pk == parents.c.value)
        return held.where(*self.filter.conditions(viewer))

    def sort_keys(self, viewer: Viewer) -> Sequence[ColumnElement[Any]]:
        """Return the keys of the order, ended by the asset."""
        del viewer
        if self.order == "POSITION":
            return (sql.membership.c.rank, sql.membership.c.asset_pk)
        if self.order == "ADDED_AT":
            return (sql.membership.c.added_at, sql.asset.c.id)
        return asset_order(self.order)

    def select_edge_columns(self, viewer: Viewer, parents: FromClause) -> Sequence[ColumnElement[Any]]:
        """Return what the membership tells."""
        del viewer, parents
        return (sql.membership.c.added_at, sql.membership.c.added_by_pk, sql.membership.c.note)


@dataclass(frozen=True)
class DescendantAssets(CollectionAssets):
    """What a collection and all below it hold, each asset once, where it comes first: nearest, then by position."""

    name = "collection.descendantAssets"

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Select[Any]:
        """Return the first visible membership of each asset in the tree below the parent."""
        tree = _tree(viewer)
        earlier, other = tree.alias(), sql.membership.alias()
        # A collection holds an asset once, so the collections' places tell which membership comes first.
        here = (tree.c.depth, tree.c.rank, tree.c.pk)
        there = (earlier.c.depth, earlier.c.rank, earlier.c.pk)
        repeated = exists().where(
            earlier.c.root == tree.c.root,
            other.c.collection_pk == earlier.c.pk,
            other.c.asset_pk == sql.asset.c.pk,
            _before(there, here),
        )
        return (
            visible(sql.membership, viewer)
            .join(tree, tree.c.pk == sql.membership.c.collection_pk)
            .where(tree.c.root == parents.c.value, ~repeated, *self.filter.conditions(viewer))
        )

    def sort_keys(self, viewer: Viewer) -> Sequence[ColumnElement[Any]]:
        """Return the keys of the order."""
        if self.order == "POSITION":
            tree = _tree(viewer)
            return (tree.c.depth, tree.c.rank, tree.c.pk, sql.membership.c.rank, sql.membership.c.asset_pk)
        return super().sort_keys(viewer)


@dataclass(frozen=True)
class AddableAssets(Listing):
    """What the viewer owns and may add to a collection, and what they own and is in it already."""

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

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Select[Any]:
        """Return the eligible assets and the members."""
        is_member = _membership_in(parents).exists()
        eligible = is_eligible(sql.asset.c.status)
        offered = and_(eligible, ~is_member) if self.exclude_members else or_(eligible, is_member)
        return owned_assets(sql.asset, viewer).where(offered, *self.filter.conditions(viewer))

    def sort_keys(self, viewer: Viewer) -> Sequence[ColumnElement[Any]]:
        """Return the keys of the order."""
        del viewer
        return asset_order(self.order, self.filter.search)

    def select_edge_columns(self, viewer: Viewer, parents: FromClause) -> Sequence[ColumnElement[Any]]:
        """Return when the asset was added, NULL for one that is not in."""
        del viewer
        return (_membership_in(parents).scalar_subquery(),)


def assets(
    collection: CollectionRow,
    context: Context,
    *,
    order_by: Any = None,
    filter: Any = None,
    query: str | None = None,
    include_descendants: bool | None = False,
    **page: Any,
) -> Searched:
    """Return what the collection holds."""
    kind = DescendantAssets if include_descendants else CollectionAssets

    def listed(search: Search | None) -> Connection:
        listing = kind.ordered_by(order_by, filter=AssetFilter.from_input(filter, search=search))
        return connect(context, listing, collection, **page)

    return with_search(context, query, listed)


async def asset_counts(
    collection: CollectionRow,
    context: Context,
    *,
    filter: Any = None,
    include_descendants: bool | None = False,
) -> AssetCounts:
    """Return how many assets the collection holds that the viewer may see."""
    kind = DescendantAssets if include_descendants else CollectionAssets
    listing = kind(filter=AssetFilter.from_input(filter))
    return await context.loader(AssetCountsByParent, listing).load(collection.pk)


async def contains_asset(collection: CollectionRow, context: Context, asset_id: str) -> bool | None:
    """Return whether the collection holds the asset; None for an asset that does not exist for the viewer."""
    if await context.loader(AssetById).load(asset_id) is None:
        return None
    return await context.loader(ContainsAssetByCollection, asset_id).load(collection.pk)


def addable_assets(
    collection: CollectionRow,
    context: Context,
    *,
    order_by: Any = None,
    filter: Any = None,
    query: str | None = None,
    exclude_members: bool | None = False,
    **page: Any,
) -> Searched:
    """Return what the viewer may add, and what of theirs is in already."""

    def listed(search: Search | None) -> Connection:
        narrowed = AssetFilter.from_input(filter, search=search)
        listing = AddableAssets.ordered_by(order_by, filter=narrowed, exclude_members=bool(exclude_members))
        return connect(context, listing, collection, **page)

    return with_search(context, query, listed)


async def added_by(edge: Edge, context: Context) -> PrincipalRow | None:
    """Return who added the asset."""
    return await load_reference(context, PrincipalByPk, edge.added_by_pk)


def viewer_can_remove(edge: Edge, context: Context) -> bool:
    """Return whether the viewer may take the asset out: its owners and administrators may."""
    return may_remove(context.viewer, is_owner=has_asset_permission(edge.node, Permission.ASSET_OWN))


def is_member(edge: Edge, _context: Context) -> bool:
    """Return whether the asset is in the collection."""
    return edge.added_at is not None


def _membership_in(parents: FromClause) -> Any:
    membership = sql.membership.alias()
    return (
        membership.select()
        .with_only_columns(membership.c.added_at)
        .where(membership.c.asset_pk == sql.asset.c.pk, membership.c.collection_pk == parents.c.value)
        .correlate(sql.asset, parents)
    )


@lru_cache(maxsize=64)  # a statement that names the tree in several places must name the same object
def _tree(viewer: Viewer) -> Any:
    """Return each parent and the visible collections below it: `(root, pk, depth, rank)`."""
    parents, child = sql.int_table("parents"), sql.collection.alias("child")
    root = sql.collection.alias("root")
    tree = (
        visible(root, viewer)
        .join(parents, parents.c.value == root.c.pk)
        .with_only_columns(root.c.pk.label("root"), root.c.pk, literal(0).label("depth"), root.c.rank)
        .cte("tree", recursive=True)
    )
    return tree.union_all(
        visible(child, viewer)
        .join(tree, child.c.parent_pk == tree.c.pk)
        .with_only_columns(tree.c.root, child.c.pk, tree.c.depth + 1, child.c.rank)
    )


def _before(there: Sequence[Any], here: Sequence[Any]) -> ColumnElement[bool]:
    return tuple_(*there) < tuple_(*here)
