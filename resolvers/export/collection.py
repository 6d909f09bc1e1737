"""Export of topics and collections, with the members of each collection in order.

Members beyond the first page of a collection are in lines of their own, so that no line and no list is long.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from permissions import Viewer, visible
from resolvers.export.line import ExportedLine, ExportedLines, build_line
from resolvers.export.page import read_pages
from resolvers.export.principal import IdByPk, load_ids
from resolvers.export.scope import WHOLE, Scope
from resolvers.pull.part import GraphPart
from store import sql
from store.catalogue.importer import DEFAULT_SOURCE
from store.catalogue.lines import CollectionLine, MembersLine, TopicLine
from store.database import Snapshot
from store.date_time import format_rfc_3339
from store.sql import Expressions, Selection

COLLECTIONS_PER_PAGE = 100
"""Collections whose first members are read by one statement."""
MEMBERS_PER_LINE = 500
"""Members with the longest ids and notes take less than the longest line that an import accepts."""
LINES_PER_PAGE = 10

Members = list[ExportedLine]


MembershipRow = Sequence[Any]
"""Id of the asset, note, time of addition and pk of the adder: the first values of a row of `_select_members`."""


async def topic_lines(snapshot: Snapshot, viewer: Viewer, scope: Scope) -> ExportedLines:
    """Yield the topics in the administrators' order. Two statements for each page."""
    async for page in read_pages(snapshot, select_topics(viewer, scope), [sql.topic.c.rank]):
        own_ids = await _load_own_ids(snapshot, viewer, "topic", [row.id for row in page])
        for row in page:
            values = {"id": own_ids.get(row.id), "slug": row.slug, "name": row.name, "description": row.description}
            yield build_line(TopicLine, "topic", values)


async def collection_lines(snapshot: Snapshot, viewer: Viewer, scope: Scope) -> ExportedLines:
    """Yield the collections in the administrators' order, parents before children, each followed by its members.

    Five statements for each page, and two for each further page of members.
    """
    topic, collection = sql.topic, sql.collection
    rows = select_collections(viewer, scope).join(topic, topic.c.pk == collection.c.topic_pk)
    rows = rows.add_columns(topic.c.slug.label("topic"))
    keys = [topic.c.rank, collection.c.rank, collection.c.pk]
    async for page in read_pages(snapshot, rows, keys, COLLECTIONS_PER_PAGE):
        parents = await _load_slugs(
            snapshot, viewer, scope, [row.parent_pk for row in page if row.parent_pk is not None]
        )
        own_ids = await _load_own_ids(snapshot, viewer, "collection", [row.id for row in page])
        has_members = GraphPart.MEMBERSHIPS in scope.parts
        members = await _load_first_members(snapshot, viewer, [row.pk for row in page]) if has_members else {}
        adders = await load_ids(snapshot, viewer, {member[3] for rows in members.values() for member in rows})
        for row in page:
            first = members.get(row.pk, [])
            yield build_line(
                CollectionLine,
                "collection",
                {
                    "id": own_ids.get(row.id),
                    "slug": row.slug,
                    "name": row.name,
                    "topic": row.topic,
                    "parent": parents.get(row.parent_pk),
                    "visibility": row.visibility,
                    "description": row.description,
                    "assets": [_build_member(member, adders) for member in first[:MEMBERS_PER_LINE]],
                },
            )
            if len(first) > MEMBERS_PER_LINE:
                async for more in _further_members(snapshot, viewer, row.pk):
                    yield build_line(MembersLine, "members", {"collection": row.slug, "assets": more})


def select_topics(viewer: Viewer, scope: Scope = WHOLE) -> Selection:
    """Return the SELECT of the topics that the viewer sees."""
    return scope.topics(visible(sql.topic, viewer))


def select_collections(viewer: Viewer, scope: Scope = WHOLE) -> Selection:
    """Return the SELECT of the collections that the viewer sees."""
    return scope.collections(visible(sql.collection, viewer))


async def _load_slugs(snapshot: Snapshot, viewer: Viewer, scope: Scope, pks: Sequence[int]) -> Mapping[int, str]:
    """Return the slugs of those of the collections that the viewer sees, by pk. One statement."""
    collection = sql.collection
    rows = select_collections(viewer, scope).where(collection.c.pk.in_(sql.int_list(pks)))
    return {row.pk: row.slug for row in await snapshot.rows(rows)}


async def _load_own_ids(snapshot: Snapshot, viewer: Viewer, kind: str, ids: Sequence[str]) -> Mapping[str, str]:
    """Return the ids that lines of the catalogue give its objects, by their ids in Atoll. One statement.

    Other sources may give the same ids to other objects, and an import of the export would refuse these.
    """
    line = sql.imported_line
    rows = visible(line, viewer).where(
        line.c.source == DEFAULT_SOURCE,
        line.c.kind == kind,
        line.c.object_id.in_(sql.text_list(ids)),
        line.c.external_id.is_not(None),
    )
    return {row.object_id: row.external_id for row in await snapshot.rows(rows)}


async def _load_first_members(
    snapshot: Snapshot, viewer: Viewer, pks: Sequence[int]
) -> Mapping[int, Sequence[MembershipRow]]:
    """Return the first members of each collection, one more than a line has if there are. One statement."""
    parents = sql.int_table("parents")
    rows = _select_members(viewer).where(sql.membership.c.collection_pk == parents.c.value)
    statement = sql.per_parent(parents, rows.order_by(*_member_keys()).limit(MEMBERS_PER_LINE + 1))
    return {row.value: row.rows for row in await snapshot.rows(statement, {"parents": sql.json_text(pks)})}


async def _further_members(snapshot: Snapshot, viewer: Viewer, pk: int) -> AsyncIterator[Members]:
    """Yield the members of a collection after those of its line, those of a line at once.

    Two statements for each page, which is LINES_PER_PAGE lines.
    """
    rows = _select_members(viewer).where(sql.membership.c.collection_pk == pk)
    size = MEMBERS_PER_LINE * LINES_PER_PAGE
    async for page in read_pages(snapshot, rows, _member_keys(), size, skip=MEMBERS_PER_LINE):
        adders = await load_ids(snapshot, viewer, {row.added_by_pk for row in page})
        for start in range(0, len(page), MEMBERS_PER_LINE):
            yield [_build_member(member, adders) for member in page[start : start + MEMBERS_PER_LINE]]


def _select_members(viewer: Viewer) -> Selection:
    """Return the SELECT of the values of a MembershipRow."""
    membership = sql.membership
    columns = (sql.asset.c.external_id, membership.c.note, membership.c.added_at, membership.c.added_by_pk)
    return visible(membership, viewer).with_only_columns(*columns)


def _member_keys() -> Expressions:
    return [sql.membership.c.rank, sql.membership.c.asset_pk]


def _build_member(row: MembershipRow, adders: IdByPk) -> ExportedLine:
    """Return the fields of `MemberLine` without those that have their default, of which there may be millions."""
    asset_id, note, added_at, added_by_pk, *_ = row
    line = {"id": asset_id}
    if note is not None:
        line["note"] = note
    line["addedAt"] = format_rfc_3339(added_at)
    if added_by_pk in adders:
        line["addedBy"] = adders[added_by_pk]
    return line
