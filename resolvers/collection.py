"""This file is what is asked of collections."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, FromClause, Select, func

from permissions import Viewer, visible
from resolvers.context import Context
from resolvers.filter import CollectionFilter
from resolvers.listing.connection import Connection, connect
from resolvers.listing.listing import Listing
from resolvers.listing.search import Searched, with_search
from resolvers.loaders import (
    AncestorsByCollection,
    CollectionById,
    CollectionByPk,
    CollectionBySlug,
    PrincipalByPk,
    TopicByPk,
    load_reference,
)
from store import sql
from store.rows import CollectionRow, PrincipalRow, TopicRow
from store.search.query import Search


@dataclass(frozen=True)
class CollectionListing(Listing):
    """Collections, wherever they stand."""

    table = sql.collection
    node_loader = CollectionByPk
    inlines_rows = True
    filter: CollectionFilter = CollectionFilter()

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Select[Any]:
        """Return the collections that the viewer may see and the filter keeps."""
        del parents
        return visible(sql.collection, viewer).where(*self.filter.conditions(viewer))

    def sort_keys(self, viewer: Viewer) -> Sequence[ColumnElement[Any]]:
        """Return the keys of the order, ended by the id where they may be equal."""
        collection = sql.collection
        if self.order == "POSITION":
            return (collection.c.rank, collection.c.pk)
        if self.order == "NAME":
            return (collection.c.name_key, collection.c.id)
        if self.order == "UPDATED_AT":
            return (collection.c.updated_at, collection.c.id)
        return (_asset_count(viewer), collection.c.id)


@dataclass(frozen=True)
class Collections(CollectionListing):
    """Every collection; by position, topic after topic."""

    order: str = "NAME"
    name = "collections"

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Select[Any]:
        """Return the collections, joined to their topics."""
        return super().select_rows(viewer, parents).join(sql.topic, sql.topic.c.pk == sql.collection.c.topic_pk)

    def sort_keys(self, viewer: Viewer) -> Sequence[ColumnElement[Any]]:
        """Return the keys of the order."""
        keys = super().sort_keys(viewer)
        return (sql.topic.c.rank, *keys) if self.order == "POSITION" else keys


@dataclass(frozen=True)
class Children(CollectionListing):
    """The collections right below another, in the administrators' order."""

    name = "collection.children"

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Select[Any]:
        """Return the children that the viewer may see."""
        return super().select_rows(viewer, parents).where(sql.collection.c.parent_pk == parents.c.value)


class CollectionViewerCan(NamedTuple):
    """What the viewer can do with a collection."""

    update: bool
    delete: bool
    add_assets: bool
    reorder_assets: bool
    move_to_topic: bool


async def collection(_root: None, context: Context, by: Any) -> CollectionRow | None:
    """Return the collection that the reference names, None when the viewer may not see it."""
    if isinstance(by.id, str):
        return await context.loader(CollectionById).load(by.id)
    return await context.loader(CollectionBySlug).load(by.slug)


def collections(
    _root: None, context: Context, *, order_by: Any = None, filter: Any = None, query: str | None = None, **page: Any
) -> Searched:
    """Return every collection."""

    def listed(search: Search | None) -> Connection:
        return connect(
            context, Collections.ordered_by(order_by, filter=CollectionFilter.from_input(filter, search=search)), **page
        )

    return with_search(context, query, listed)


async def topic(collection: CollectionRow, context: Context) -> TopicRow | None:
    """Return the collection's topic."""
    return await context.loader(TopicByPk).load(collection.topic_pk)


async def parent(collection: CollectionRow, context: Context) -> CollectionRow | None:
    """Return the collection above, None at the top and where the viewer may not see it."""
    return await load_reference(context, CollectionByPk, collection.parent_pk)


async def ancestors(collection: CollectionRow, context: Context) -> list[CollectionRow]:
    """Return the collections above, from the top down."""
    return await context.loader(AncestorsByCollection).load(collection.pk)


def children(collection: CollectionRow, context: Context, **page: Any) -> Connection:
    """Return the collections right below."""
    return connect(context, Children(), collection, **page)


def viewer_can(_collection: CollectionRow, context: Context) -> CollectionViewerCan:
    """Return what the viewer can do: members may add what they own, the rest is the administrators'."""
    viewer = context.viewer
    return CollectionViewerCan(viewer.is_admin, viewer.is_admin, viewer.is_signed_in, viewer.is_admin, viewer.is_admin)


async def created_by(row: CollectionRow | TopicRow, context: Context) -> PrincipalRow | None:
    """Return who created the topic or collection."""
    return await load_reference(context, PrincipalByPk, row.created_by_pk)


def _asset_count(viewer: Viewer) -> ColumnElement[int]:
    asset, membership = sql.asset.alias(), sql.membership.alias()
    counted = (
        visible(asset, viewer)
        .join(membership, membership.c.asset_pk == asset.c.pk)
        .where(membership.c.collection_pk == sql.collection.c.pk)
        .with_only_columns(func.count(), maintain_column_froms=True)
        .correlate(sql.collection)
    )
    return counted.scalar_subquery()
