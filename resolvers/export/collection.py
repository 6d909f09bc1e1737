"""Export of topics and collections, with the members of each collection in order.

Members beyond the first page of a collection are in lines of their own, so that no line and no list is long.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import Integer, bindparam

from permissions import Viewer, visible
from resolvers.export.line import ExportedLine, ExportedLines, build_line
from resolvers.export.page import read_pages
from resolvers.export.principal import IdByPk, load_ids
from resolvers.export.scope import WHOLE, Scope
from resolvers.listing.statement_cache import cached
from resolvers.pull.part import GraphPart
from store import sql
from store.catalogue.importer import DEFAULT_SOURCE
from store.catalogue.lines import CollectionLine, MembersLine, TopicLine
from store.database import Snapshot
from store.date_time import format_rfc_3339
from store.sql import Expressions, Selection

COLLECTIONS_PER_PAGE = 1_000
MEMBERS_PER_LINE = 500
"""Members with the longest ids and notes take less than the longest line that an import accepts."""
MEMBERS_PER_PAGE = 10 * MEMBERS_PER_LINE
MEMBERS_PER_BATCH = 40 * MEMBERS_PER_LINE
"""Members of one or several collections that are read by one statement."""

Members = list[ExportedLine]


async def topic_lines(snapshot: Snapshot, viewer: Viewer, scope: Scope) -> ExportedLines:
    """Yield the topics in the administrators' order. Two statements for each page."""
    async for page in read_pages(snapshot, select_topics(viewer, scope), [sql.topic.c.rank]):
        own_ids = await _load_own_ids(snapshot, viewer, "topic", [row.id for row in page])
        for row in page:
            values = {"id": own_ids.get(row.id), "slug": row.slug, "name": row.name, "description": row.description}
            yield build_line(TopicLine, "topic", values)


async def collection_lines(snapshot: Snapshot, viewer: Viewer, scope: Scope) -> ExportedLines:
    """Yield the collections in the administrators' order, parents before children, each followed by its members.

    Three statements for each page, and two for each batch of members.
    """
    topic, collection = sql.topic, sql.collection
    rows = select_collections(viewer, scope).join(topic, topic.c.pk == collection.c.topic_pk)
    rows = rows.add_columns(topic.c.slug.label("topic"), sql.count_members(collection).label("member_count"))
    keys = [topic.c.rank, collection.c.rank, collection.c.pk]
    async for page in read_pages(snapshot, rows, keys, COLLECTIONS_PER_PAGE):
        parents = await _load_slugs(
            snapshot, viewer, scope, [row.parent_pk for row in page if row.parent_pk is not None]
        )
        own_ids = await _load_own_ids(snapshot, viewer, "collection", [row.id for row in page])
        async for row, members in _with_members(snapshot, viewer, scope, page):
            first, *others = members or [[]]
            values = {
                "id": own_ids.get(row.id),
                "slug": row.slug,
                "name": row.name,
                "topic": row.topic,
                "parent": parents.get(row.parent_pk),
                "visibility": row.visibility,
                "description": row.description,
                "assets": first,
            }
            yield build_line(CollectionLine, "collection", values)
            for more in others:
                yield build_line(MembersLine, "members", {"collection": row.slug, "assets": more})
            if row.member_count > MEMBERS_PER_BATCH and GraphPart.MEMBERSHIPS in scope.parts:
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


async def _with_members(
    snapshot: Snapshot, viewer: Viewer, scope: Scope, collections: Sequence[Any]
) -> AsyncIterator[tuple[Any, Sequence[Members]]]:
    """Yield the collections with their first members, those of a line at once. Two statements for each batch."""
    if GraphPart.MEMBERSHIPS not in scope.parts:
        for row in collections:
            yield row, []
        return
    statement = cached((viewer.kind, "first members of collections"), lambda: _select_first_members(viewer))
    for batch in _batches(collections):
        values = {"keys": sql.json_text([row.pk for row in batch]), "max_rows": MEMBERS_PER_BATCH}
        members = await snapshot.rows(statement, {**viewer.parameters, **values})
        adders = await load_ids(snapshot, viewer, {member.added_by_pk for member in members})
        of_collection = {pk: list(rows) for pk, rows in groupby(members, attrgetter("collection_pk"))}
        for row in batch:
            yield row, _build_lines(of_collection.get(row.pk, []), adders)


def _batches(collections: Sequence[Any]) -> Iterator[list[Any]]:
    """Yield the collections: successive ones that have few members together, and each that has many."""
    batch, count = list[Any](), 0
    for row in collections:
        if batch and count + row.member_count > MEMBERS_PER_BATCH:
            yield batch
            batch, count = [], 0
        batch.append(row)
        count += row.member_count
    yield batch


def _select_first_members(viewer: Viewer) -> Selection:
    """Return the SELECT of the first `max_rows` members of the collections in `keys`, by collection."""
    collection_pk = sql.membership.c.collection_pk
    of_batch = _select_members(viewer).where(collection_pk.in_(sql.int_table("keys").select()))
    ordered = of_batch.add_columns(collection_pk).order_by(collection_pk, *_member_keys())
    return ordered.limit(bindparam("max_rows", type_=Integer()))


async def _further_members(snapshot: Snapshot, viewer: Viewer, pk: int) -> AsyncIterator[Members]:
    """Yield the members of a collection after those of its batch, those of a line at once. Two statements a page."""
    rows = _select_members(viewer).where(sql.membership.c.collection_pk == pk)
    async for page in read_pages(snapshot, rows, _member_keys(), MEMBERS_PER_PAGE, skip=MEMBERS_PER_BATCH):
        adders = await load_ids(snapshot, viewer, {row.added_by_pk for row in page})
        for members in _build_lines(page, adders):
            yield members


def _build_lines(rows: Sequence[Any], adders: IdByPk) -> list[Members]:
    """Return the members in the lines, those of a line at once."""
    starts = range(0, len(rows), MEMBERS_PER_LINE)
    return [[_build_member(row, adders) for row in rows[start : start + MEMBERS_PER_LINE]] for start in starts]


def _select_members(viewer: Viewer) -> Selection:
    membership = sql.membership
    columns = (sql.asset.c.external_id, membership.c.note, membership.c.added_at, membership.c.added_by_pk)
    return visible(membership, viewer).with_only_columns(*columns)


def _member_keys() -> Expressions:
    return [sql.membership.c.rank, sql.membership.c.asset_pk]


def _build_member(row: Any, adders: IdByPk) -> ExportedLine:
    """Return the fields of `MemberLine` without those that have their default, of which there may be millions."""
    line = {"id": row.external_id}
    if row.note is not None:
        line["note"] = row.note
    line["addedAt"] = format_rfc_3339(row.added_at)
    if row.added_by_pk in adders:
        line["addedBy"] = adders[row.added_by_pk]
    return line
