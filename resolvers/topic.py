"""This file is what is asked of topics."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, FromClause, Select

from permissions import Viewer, visible
from resolvers.collection import CollectionListing
from resolvers.context import Context
from resolvers.counts import AssetCounts, AssetCountsByParent, TopicAssets
from resolvers.filter import CollectionFilter, TopicFilter
from resolvers.listing.connection import Connection, connect
from resolvers.listing.listing import Listing
from resolvers.listing.search import Searched, with_search
from resolvers.loaders import TopicById, TopicByPk, TopicBySlug
from store import sql
from store.rows import TopicRow
from store.search.query import Search


@dataclass(frozen=True)
class Topics(Listing):
    """The topics, in the administrators' order."""

    name = "topics"
    table = sql.topic
    node_loader = TopicByPk
    inlines_rows = True
    filter: TopicFilter = TopicFilter()

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Select[Any]:
        """Return every topic that the viewer may see and the filter keeps."""
        del parents
        return visible(sql.topic, viewer).where(*self.filter.conditions())

    def sort_keys(self, viewer: Viewer) -> Sequence[ColumnElement[Any]]:
        """Return the rank."""
        del viewer
        return (sql.topic.c.rank,)


@dataclass(frozen=True)
class TopicCollections(CollectionListing):
    """The collections of a topic."""

    name = "topic.collections"

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Select[Any]:
        """Return the topic's collections that the viewer may see."""
        return super().select_rows(viewer, parents).where(sql.collection.c.topic_pk == parents.c.value)


class TopicViewerCan(NamedTuple):
    """What the viewer can do with a topic."""

    update: bool
    delete: bool
    reorder: bool
    merge: bool
    create_collection: bool


async def topic(_root: None, context: Context, by: Any) -> TopicRow | None:
    """Return the topic that the reference names, None when the viewer may not see it."""
    if isinstance(by.id, str):
        return await context.loader(TopicById).load(by.id)
    return await context.loader(TopicBySlug).load(by.slug)


def topics(_root: None, context: Context, *, query: str | None = None, **page: Any) -> Searched:
    """Return the topics in the administrators' order."""

    def listed(search: Search | None) -> Connection:
        return connect(context, Topics(filter=TopicFilter(search=search)), **page)

    return with_search(context, query, listed)


def collections(
    topic: TopicRow, context: Context, *, order_by: Any = None, filter: Any = None, **page: Any
) -> Connection:
    """Return the topic's collections."""
    listing = TopicCollections.ordered_by(order_by, filter=CollectionFilter.from_input(filter))
    return connect(context, listing, topic, **page)


async def asset_counts(topic: TopicRow, context: Context) -> AssetCounts:
    """Return how many distinct assets of the topic the viewer may see, by kind."""
    return await context.loader(AssetCountsByParent, TopicAssets()).load(topic.pk)


def viewer_can(_topic: TopicRow, context: Context) -> TopicViewerCan:
    """Return what the viewer can do: topics are the administrators'."""
    return TopicViewerCan(*[context.viewer.is_admin] * 5)
