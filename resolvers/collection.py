"""Resolvers of collections and their lists."""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Unpack

from sqlalchemy import ColumnElement, FromClause, func

from permissions import Viewer, visible
from resolvers.context import Context
from resolvers.filter import CollectionFilter
from resolvers.former_key import (
    collection_steps,
    group_steps,
    select_former_collections,
    select_former_siblings,
    select_former_topic_ranks,
)
from resolvers.listing.connection import Connection, PageArguments, connect
from resolvers.listing.listing import Listing, OrderInput
from resolvers.listing.timeline import Key, Step
from resolvers.loaders import (
    AncestorsByCollection,
    CollectionById,
    CollectionByPk,
    CollectionBySlug,
    PrincipalByPk,
    Reference,
    SlugReference,
    TopicByPk,
)
from store import sql
from store.rows import CollectionRow
from store.sql import Expressions, Selection


@dataclass(frozen=True)
class CollectionListing(Listing):
    """Base class of the lists of collections."""

    table = sql.collection
    node_loader = CollectionByPk
    inlines_rows = True
    filter: CollectionFilter = CollectionFilter()

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Selection:
        """Return the visible collections that match the filter."""
        del parents
        return visible(sql.collection, viewer).where(*self.filter.conditions(viewer))

    def sort_keys(self, viewer: Viewer) -> Expressions:
        """Return the sort keys of a `CollectionOrderField`, with the id to break ties."""
        collection = sql.collection
        if self.order == "POSITION":
            return (collection.c.rank, collection.c.pk)
        if self.order == "NAME":
            return (collection.c.sort_key, collection.c.id)
        if self.order == "UPDATED_AT":
            return (collection.c.updated_at, collection.c.id)
        return (_asset_count(viewer), collection.c.id)


@dataclass(frozen=True)
class Collections(CollectionListing):
    """List of all collections. In the order POSITION they are sorted by topic first."""

    order: str = "NAME"
    name = "collections"

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Selection:
        """Return the collections, joined to their topics."""
        return super().select_rows(viewer, parents).join(sql.topic, sql.topic.c.pk == sql.collection.c.topic_pk)

    def sort_keys(self, viewer: Viewer) -> Expressions:
        """Return the sort keys."""
        keys = super().sort_keys(viewer)
        return (sql.topic.c.rank, *keys) if self.order == "POSITION" else keys

    def select_former_keys(self, viewer: Viewer, parents: FromClause) -> Mapping[str, Selection]:
        """Return the SELECTs of the topics of collections, and of former places of both."""
        del parents
        collection, topic = sql.collection, sql.topic
        rows = visible(collection, viewer).join(topic, topic.c.pk == collection.c.topic_pk)
        return {
            "collections": rows.with_only_columns(collection.c.id, topic.c.pk),
            "topics": rows.with_only_columns(topic.c.pk, topic.c.rank).distinct(),
            "former_collections": select_former_collections(viewer),
            "former_topics": select_former_topic_ranks(viewer),
        }

    def former_keys(self, parent: int, keys: Mapping[str, Key], rows: Mapping[str, Sequence[Any]]) -> list[Step]:
        """Return the ranks of topics and collections before each of the last changes."""
        del parent
        return collection_steps(keys, rows)


@dataclass(frozen=True)
class SiblingListing(CollectionListing):
    """Base class of the lists of the collections that have the same value in a column."""

    parent_column: ClassVar[str]

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Selection:
        """Return the visible collections of the parent that match the filter."""
        return super().select_rows(viewer, parents).where(sql.collection.c[self.parent_column] == parents.c.value)

    def select_former_keys(self, viewer: Viewer, parents: FromClause) -> Mapping[str, Selection]:
        """Return the SELECT of former ranks below the parent."""
        return {"siblings": select_former_siblings(viewer, parents, self.parent_column)}

    def former_keys(self, parent: int, keys: Mapping[str, Key], rows: Mapping[str, Sequence[Any]]) -> list[Step]:
        """Return the ranks before each of the last changes."""
        del parent, keys
        return group_steps(rows["siblings"])


@dataclass(frozen=True)
class Children(SiblingListing):
    """List of the children of a collection."""

    name = "collection.children"
    parent_column = "parent_pk"


class CollectionViewerCan(NamedTuple):
    """Actions on a collection that the viewer is permitted to take."""

    update: bool
    delete: bool
    add_assets: bool
    reorder_assets: bool
    move_to_topic: bool


def collection(_root: None, context: Context, by: SlugReference) -> Awaitable[CollectionRow | None]:
    """Return the collection that the input names; None for an unknown or hidden one."""
    if isinstance(by.id, str):
        return context.loader(CollectionById).load(by.id)
    return context.loader(CollectionBySlug).load(by.slug)


def collections(
    _root: None,
    context: Context,
    *,
    order_by: OrderInput | None = None,
    filter: object = None,
    query: str | None = None,
    **page: Unpack[PageArguments],
) -> Connection:
    """Return all visible collections, filtered and searched."""
    listing = Collections.ordered_by(order_by, filter=CollectionFilter.from_input(filter))
    return connect(context, listing, query=query, **page)


topic = Reference(TopicByPk, "topic_pk", is_visible_with_source=True)
"""The collection's topic."""


parent = Reference(CollectionByPk, "parent_pk")
"""The parent collection; None at the top of the topic, or if the parent is hidden."""


def ancestors(collection: CollectionRow, context: Context) -> Awaitable[list[CollectionRow]]:
    """Return the ancestors from the top down; a hidden one and all above it are left out."""
    return context.loader(AncestorsByCollection).load(collection.pk)


def children(
    collection: CollectionRow,
    context: Context,
    *,
    order_by: OrderInput | None = None,
    filter: object = None,
    query: str | None = None,
    **page: Unpack[PageArguments],
) -> Connection:
    """Return the children, filtered and searched."""
    listing = Children.ordered_by(order_by, filter=CollectionFilter.from_input(filter))
    return connect(context, listing, collection, query=query, **page)


def viewer_can(_collection: CollectionRow, context: Context) -> CollectionViewerCan:
    """Return the permitted actions: signed-in users may add assets that they own, administrators may do the rest."""
    viewer = context.viewer
    return CollectionViewerCan(viewer.is_admin, viewer.is_admin, viewer.is_signed_in, viewer.is_admin, viewer.is_admin)


created_by = Reference(PrincipalByPk, "created_by_pk")
"""The user who created the topic or collection."""


def _asset_count(viewer: Viewer) -> ColumnElement[int]:
    asset, membership = sql.asset.alias(), sql.membership.alias()
    count = (
        visible(asset, viewer)
        .join(membership, membership.c.asset_pk == asset.c.pk)
        .where(membership.c.collection_pk == sql.collection.c.pk)
        .with_only_columns(func.count(), maintain_column_froms=True)
        .correlate(sql.collection)
    )
    return count.scalar_subquery()
