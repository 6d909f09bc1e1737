"""Export of topics and collections, with the members of each collection in order.

Members beyond the first page of a collection are in lines of their own, so that no line and no list is long.
"""

from collections.abc import AsyncIterator, Mapping, Sequence

from permissions import Viewer, visible
from resolvers.export.line import ExportedLines, build_line
from resolvers.export.page import read_pages
from store import sql
from store.catalogue.lines import CollectionLine, MembersLine, TopicLine
from store.database import Snapshot
from store.sql import Expressions, Selection

COLLECTIONS_PER_PAGE = 100
"""Collections whose first members are read by one statement."""
MEMBERS_PER_LINE = 500
"""Members with the longest ids and notes take less than the longest line that an import accepts."""

Members = list[str]


async def topic_lines(snapshot: Snapshot, viewer: Viewer) -> ExportedLines:
    """Yield the topics in the administrators' order. One statement for each page."""
    async for page in read_pages(snapshot, select_topics(viewer), [sql.topic.c.rank]):
        for row in page:
            values = {"slug": row.slug, "name": row.name, "description": row.description}
            yield build_line(TopicLine, "topic", values)


async def collection_lines(snapshot: Snapshot, viewer: Viewer) -> ExportedLines:
    """Yield the collections in the administrators' order, parents before children, each followed by its members.

    Three statements for each page, and one for each further page of members.
    """
    topic, collection = sql.topic, sql.collection
    rows = select_collections(viewer).join(topic, topic.c.pk == collection.c.topic_pk)
    rows = rows.add_columns(topic.c.slug.label("topic"))
    keys = [topic.c.rank, collection.c.rank, collection.c.pk]
    async for page in read_pages(snapshot, rows, keys, COLLECTIONS_PER_PAGE):
        parents = await _load_slugs(snapshot, viewer, [row.parent_pk for row in page if row.parent_pk is not None])
        members = await _load_first_members(snapshot, viewer, [row.pk for row in page])
        for row in page:
            first = members[row.pk]
            details = {"topic": row.topic, "parent": parents.get(row.parent_pk), "assets": first}
            values = {column.name: getattr(row, column.name) for column in collection.c}
            yield build_line(CollectionLine, "collection", values | details)
            if len(first) == MEMBERS_PER_LINE:
                async for more in _further_members(snapshot, viewer, row.pk):
                    yield build_line(MembersLine, "members", {"collection": row.slug, "assets": more})


def select_topics(viewer: Viewer) -> Selection:
    """Return the SELECT of the topics that the viewer sees."""
    return visible(sql.topic, viewer)


def select_collections(viewer: Viewer) -> Selection:
    """Return the SELECT of the collections that the viewer sees."""
    return visible(sql.collection, viewer)


async def _load_slugs(snapshot: Snapshot, viewer: Viewer, pks: Sequence[int]) -> Mapping[int, str]:
    """Return the slugs of those of the collections that the viewer sees, by pk. One statement."""
    collection = sql.collection
    rows = select_collections(viewer).where(collection.c.pk.in_(sql.int_list(pks)))
    return {row.pk: row.slug for row in await snapshot.rows(rows)}


async def _load_first_members(snapshot: Snapshot, viewer: Viewer, pks: Sequence[int]) -> Mapping[int, Members]:
    """Return the first members of each collection. One statement."""
    parents = sql.int_table("parents")
    rows = _select_members(viewer).where(sql.membership.c.collection_pk == parents.c.value)
    statement = sql.per_parent(parents, rows.order_by(*_member_keys()).limit(MEMBERS_PER_LINE))
    by_parent = await snapshot.rows(statement, {"parents": sql.json_text(pks)})
    return {row.value: [id_ for (id_,) in row.rows] for row in by_parent}


async def _further_members(snapshot: Snapshot, viewer: Viewer, pk: int) -> AsyncIterator[Members]:
    """Yield the members of a collection after the first ones. One statement for each page, which is a line."""
    rows = _select_members(viewer).where(sql.membership.c.collection_pk == pk)
    is_first = True
    async for page in read_pages(snapshot, rows, _member_keys(), MEMBERS_PER_LINE):
        if not is_first:
            yield [row.external_id for row in page]
        is_first = False


def _select_members(viewer: Viewer) -> Selection:
    return visible(sql.membership, viewer).with_only_columns(sql.asset.c.external_id)


def _member_keys() -> Expressions:
    return [sql.membership.c.rank, sql.membership.c.asset_pk]
