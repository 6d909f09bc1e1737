"""Undo of changes of topics: created, updated, reordered, merged and deleted. Administrators only.

What others changed since stays: a field that was changed again, or other collections in the topic, are a conflict.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from permissions import visible
from resolvers.write.collection_move import Records, check_names_free, move_collections, move_to_topic
from resolvers.write.collection_tree import descendants_of
from resolvers.write.input import InputReader
from resolvers.write.neighbours import find_index
from resolvers.write.topic_rows import (
    TopicsById,
    all_topics,
    insert_topic,
    topic_ranking,
    write_delete,
    write_rank,
    write_update,
)
from resolvers.write.transaction import MutationTransaction, Result
from resolvers.write.undo_conflict import (
    add_conflict,
    effect_of,
    has_field,
    is_overridden,
    later_changes,
    undone,
    values_of,
)
from resolvers.write.user_error import UserErrorCode
from store import sql
from store.former_slugs import keep_slug
from store.rows import ChangeRow, CollectionRow, TopicRow
from store.slug import unique_slug
from store.tables import ChangeAction
from store.text import fold_name

FIELD_PATH = "changeId"


async def undo_created(tx: MutationTransaction, reader: InputReader, change: ChangeRow) -> Result:
    """Delete a topic that a change created; collections that the change moved into it move back.

    It is a conflict if the topic has other fields or collections now.
    """
    topics, topic = await _get_topic(tx, reader, change)
    effect = effect_of(change)
    await _check_fields(tx, reader, change, topic)
    collection = sql.collection
    tops = visible(collection, tx.viewer).where(collection.c.topic_pk == topic.pk, collection.c.parent_pk.is_(None))
    target = topics.get(effect.get("to") or "")
    is_same = {row.id for row in await tx.rows(tops)} == set(effect["collections"])
    if not is_same or (effect["collections"] and target is None):
        await add_conflict(tx, reader, change, "The topic or its collections", lambda _: True)
    reader.raise_errors()
    moved: Sequence[CollectionRow] = ()
    if target is not None:
        await check_names_free(tx, reader, {topic.pk: (FIELD_PATH,)}, target)
        reader.raise_errors()
        moved = await move_collections(tx, [topic], target, await _undone_moves(tx, change))
    to = None if target is None else target.id
    changes = await write_delete(tx, topics, [topic], moved=moved, to=to, records={topic.id: undone(change)})
    return {"subjects": [row.id for row in moved], "changes": changes}


async def undo_updated(tx: MutationTransaction, reader: InputReader, change: ChangeRow) -> Result:
    """Restore the former values of fields."""
    topics, topic = await _get_topic(tx, reader, change)
    await _check_fields(tx, reader, change, topic)
    columns = {field: before for field, before, _ in values_of(change)}
    for other in topics.values():
        is_other = other.pk != topic.pk
        if is_other and "name" in columns and other.name_key == fold_name(columns["name"]):
            _add_taken(reader, f'A topic named "{other.name}" already exists.')
        if is_other and other.slug == columns.get("slug"):
            _add_taken(reader, f'A topic with the slug "{other.slug}" already exists.')
    reader.raise_errors()
    log_id = await write_update(tx, topic, columns, **undone(change))
    return {"subjects": [topic.id], "changes": [log_id]}


async def undo_reordered(tx: MutationTransaction, reader: InputReader, change: ChangeRow) -> Result:
    """Move a topic back to its former neighbours."""
    topics, topic = await _get_topic(tx, reader, change)
    moves = [row for row in await later_changes(tx, change) if row.action == ChangeAction.REORDERED]
    if is_overridden(moves):
        await add_conflict(tx, reader, change, "The topic's place", lambda row: row.action == ChangeAction.REORDERED)
    reader.raise_errors()
    neighbour_pk, is_after = _place(topics, topic.id, effect_of(change)["place"])
    log_id = await write_rank(tx, topics, topic, neighbour_pk, is_after=is_after, **undone(change))
    return {"subjects": [topic.id], "changes": [log_id]}


async def undo_deleted(tx: MutationTransaction, reader: InputReader, change: ChangeRow) -> Result:
    """Restore a deleted topic with its id, place and slug, and the collections that are still where it moved them."""
    effect, topics = effect_of(change), await all_topics(tx)
    former, id_ = effect["row"], change.subject_id
    if id_ in topics:
        await add_conflict(tx, reader, change, "The topic", lambda _: True)
    for other in topics.values():
        if other.name_key == former["name_key"]:
            _add_taken(reader, f'A topic named "{other.name}" already exists. Rename it first.')
    reader.raise_errors()
    neighbour_pk, is_after = _place(topics, id_, effect["place"])
    (rank,) = await topic_ranking(tx).allocate_ranks(1, next_to=neighbour_pk, is_after=is_after)
    slug = unique_slug(former["slug"], {other.slug for other in topics.values()})
    if slug != former["slug"]:
        await keep_slug(tx.connection, sql.topic, id_, former["slug"])
    is_pk_free = former["pk"] not in {other.pk for other in topics.values()}
    names = ("id", "name_key", "created_at", "created_by_pk", *(("pk",) if is_pk_free else ()))
    derived = {name: former[name] for name in names} | {"version": former["version"] + 1}
    columns = {"name": former["name"], "slug": slug, "description": former["description"]}
    target = topics.get(effect["to"] or "")
    tops = await _tops_in(tx, target, effect["collections"])
    restored = {"collections": [row.id for row in tops], "to": effect["to"]}
    log_id = await insert_topic(tx, rank, columns, derived, effect=restored, **undone(change))
    topic: TopicRow = (await tx.visible_by_id(sql.topic, [id_]))[id_]
    if target is not None and tops:
        rows = [row for top in tops for row in (top, *await descendants_of(tx, top.pk))]
        await move_to_topic(tx, rows, {target.pk: target.id}, topic, await _undone_moves(tx, change))
    return {"subjects": [id_, *(row.id for row in tops)], "changes": [log_id]}


async def undo_group(tx: MutationTransaction, reader: InputReader, change: ChangeRow) -> Result:
    """Undo a merge, or the undo of one: the deletion, or the creation, of each topic by the same write."""
    action = effect_of(change)["of"]
    parts: Sequence[ChangeRow] = await tx.rows(
        visible(sql.change, tx.viewer)
        .where(sql.change.c.revision == change.revision, sql.change.c.action == action)
        .order_by(sql.change.c.pk.desc())
    )
    undo_part = undo_deleted if action == ChangeAction.DELETED else undo_created
    if change.subject_id not in await all_topics(tx):
        await _get_topic(tx, reader, change)
    results = [await undo_part(tx, reader, part) for part in parts if part.subject_id.startswith("top_")]
    inverse = (
        (ChangeAction.UPDATED, ChangeAction.CREATED)
        if action == ChangeAction.DELETED
        else (ChangeAction.MERGED, ChangeAction.DELETED)
    )
    fields = [{"field": field, "before": after, "after": before} for field, before, after in values_of(change)]
    effect = {"of": inverse[1]}
    (log_id,) = await tx.log.append(inverse[0], [change.subject_id], fields, effect=effect, **undone(change))
    subjects = [id_ for result in results for id_ in result["subjects"]]
    return {
        "subjects": [change.subject_id, *subjects],
        "changes": [log_id, *(id_ for result in results for id_ in result["changes"])],
    }


async def _tops_in(tx: MutationTransaction, topic: TopicRow | None, ids: Sequence[str]) -> list[CollectionRow]:
    """Return the collections that are at the top of the topic, in the order of the ids. One statement."""
    if topic is None:
        return []
    rows = await tx.visible_by_id(sql.collection, ids)
    found = [rows[id_] for id_ in ids if id_ in rows]
    return [row for row in found if row.topic_pk == topic.pk and row.parent_pk is None]


async def _undone_moves(tx: MutationTransaction, change: ChangeRow) -> Records:
    """Return the columns by which moves undo those that the write of a change logged, by collection. One statement."""
    log = sql.change
    moves: Sequence[ChangeRow] = await tx.rows(
        visible(log, tx.viewer)
        .where(log.c.revision == change.revision, log.c.action == ChangeAction.UPDATED)
        .order_by(log.c.pk)  # a move comes after the change of a name that was taken
    )
    return {row.subject_id: undone(row) for row in moves}


def _place(topics: TopicsById, id_: str, place: Mapping[str, Any]) -> tuple[int | None, bool]:
    """Return the pk of the neighbour next to which a topic returns, None for an end, and whether it is after that."""
    order = [other for other in topics.values() if other.id != id_]
    index = find_index([other.id for other in order], place)
    return (order[index - 1].pk, True) if index else (None, not order)


async def _get_topic(tx: MutationTransaction, reader: InputReader, change: ChangeRow) -> tuple[TopicsById, TopicRow]:
    """Return all topics, and that of the change. Raises MutationRejectedError if it is deleted."""
    topics = await all_topics(tx)
    if change.subject_id not in topics:
        message = "The topic of this change no longer exists. Undo its deletion first."
        reader.add_error(UserErrorCode.NOT_FOUND, message, FIELD_PATH)
        reader.raise_errors()
    return topics, topics[change.subject_id]


async def _check_fields(tx: MutationTransaction, reader: InputReader, change: ChangeRow, topic: TopicRow) -> None:
    """Add CONFLICT for each field of a change that has another value now."""
    for field, _, after in values_of(change):
        if getattr(topic, field) != after:
            await add_conflict(tx, reader, change, f"The topic's {field}", has_field(field))


def _add_taken(reader: InputReader, message: str) -> None:
    reader.add_error(UserErrorCode.TAKEN, message, FIELD_PATH)
