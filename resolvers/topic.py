"""Resolvers of topics and their lists."""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Unpack

from sqlalchemy import FromClause

from permissions import Viewer, visible
from resolvers.collection import SiblingListing
from resolvers.context import Context
from resolvers.counts import AssetCounts, count_assets
from resolvers.filter import CollectionFilter, TopicFilter
from resolvers.former_key import group_steps, select_former_topics
from resolvers.listing.connection import Connection, PageArguments, connect
from resolvers.listing.listing import Listing, OrderInput
from resolvers.listing.timeline import Key, Step
from resolvers.loaders import AssetByPk, SlugReference, TopicById, TopicByPk, TopicBySlug
from store import sql
from store.rows import TopicRow
from store.sql import Expressions, Selection


@dataclass(frozen=True)
class Topics(Listing):
    """List of topics in the administrators' order."""

    name = "topics"
    table = sql.topic
    node_loader = TopicByPk
    inlines_rows = True
    filter: TopicFilter = TopicFilter()

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Selection:
        """Return the visible topics that match the filter."""
        del parents
        return visible(sql.topic, viewer).where(*self.filter.conditions(viewer))

    def sort_keys(self, viewer: Viewer) -> Expressions:
        """Return the rank."""
        del viewer
        return (sql.topic.c.rank,)

    def select_former_keys(self, viewer: Viewer, parents: FromClause) -> Mapping[str, Selection]:
        """Return the SELECT of former ranks."""
        del parents
        return {"topics": select_former_topics(viewer)}

    def former_keys(self, parent: int, keys: Mapping[str, Key], rows: Mapping[str, Sequence[Any]]) -> list[Step]:
        """Return the ranks before each of the last changes."""
        del parent, keys
        return group_steps(rows["topics"])


@dataclass(frozen=True)
class TopicCollections(SiblingListing):
    """List of the collections of a topic."""

    name = "topic.collections"
    parent_column = "topic_pk"


@dataclass(frozen=True)
class TopicAssets(Listing):
    """List of the distinct assets of a topic; only counted, so it has no sort keys."""

    name = "topic.assets"
    table = sql.asset
    node_loader = AssetByPk

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Selection:
        """Return each visible asset once."""
        collection, membership = sql.collection.alias(), sql.membership.alias()
        members = (
            visible(collection, viewer)
            .join(membership, membership.c.collection_pk == collection.c.pk)
            .where(collection.c.topic_pk == parents.c.value)
            .with_only_columns(membership.c.asset_pk)
            .correlate(parents)
        )
        return visible(sql.asset, viewer).where(sql.asset.c.pk.in_(members))


class TopicViewerCan(NamedTuple):
    """Actions on a topic that the viewer is permitted to take."""

    update: bool
    delete: bool
    reorder: bool
    merge: bool
    create_collection: bool


def topic(_root: None, context: Context, by: SlugReference) -> Awaitable[TopicRow | None]:
    """Return the topic that the input names; None for an unknown or hidden one."""
    if isinstance(by.id, str):
        return context.loader(TopicById).load(by.id)
    return context.loader(TopicBySlug).load(by.slug)


def topics(_root: None, context: Context, *, query: str | None = None, **page: Unpack[PageArguments]) -> Connection:
    """Return the visible topics that match the search query, in the administrators' order."""
    return connect(context, Topics(), query=query, **page)


def collections(
    topic: TopicRow,
    context: Context,
    *,
    order_by: OrderInput | None = None,
    filter: object = None,
    query: str | None = None,
    **page: Unpack[PageArguments],
) -> Connection:
    """Return the collections of the topic, filtered and searched."""
    listing = TopicCollections.ordered_by(order_by, filter=CollectionFilter.from_input(filter))
    return connect(context, listing, topic, query=query, **page)


async def asset_counts(topic: TopicRow, context: Context) -> AssetCounts:
    """Count the distinct assets of the topic."""
    return await count_assets(context, TopicAssets(), topic.pk)


def viewer_can(_topic: TopicRow, context: Context) -> TopicViewerCan:
    """Return the permitted actions: all for administrators, none for others."""
    return TopicViewerCan(*[context.viewer.is_admin] * 5)
