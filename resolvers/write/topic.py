"""This file is topics being changed: by administrators, each change logged on the topic that it is about."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, delete, insert, update

from permissions import visible
from permissions.permission import Permission
from resolvers.context import Context
from resolvers.write.input import Input, InputReader, Position, make_slug, unique_slug
from resolvers.write.moving import check_names_free, move_collections
from resolvers.write.transaction import MutationTransaction, Payload, Result, run_mutation
from resolvers.write.user_error import UserErrorCode
from store import sql
from store.changes import changed_columns, field_changes
from store.ids import new_id
from store.ranks import RankedList
from store.tables import ChangeAction
from store.text import fold_name

MOST_SOURCES = 100
Topics = Mapping[str, Row[Any]]


async def create(context: Context, given: Input) -> Payload:
    """Make a topic."""
    return await run_mutation(context, Permission.ADMIN, "topicCreate", given, _create)


async def update_(context: Context, given: Input) -> Payload:
    """Change a topic's name, slug or description."""
    return await run_mutation(context, Permission.ADMIN, "topicUpdate", given, _update)


async def reorder(context: Context, given: Input) -> Payload:
    """Put a topic beside another."""
    return await run_mutation(context, Permission.ADMIN, "topicReorder", given, _reorder)


async def merge(context: Context, given: Input) -> Payload:
    """Move the collections of topics into another, and delete those topics."""
    return await run_mutation(context, Permission.ADMIN, "topicMerge", given, _merge)


async def delete_(context: Context, given: Input) -> Payload:
    """Delete a topic; its collections, if it has any, go where the input says."""
    return await run_mutation(context, Permission.ADMIN, "topicDelete", given, _delete)


async def _create(write: MutationTransaction, reading: InputReader) -> Result:
    name, description, slug, position = reading.name(), reading.description(), reading.slug(), reading.position()
    topics = await _topics(write)
    _refuse_taken(reading, topics.values(), name, slug)
    neighbour = _neighbour(reading, topics, position)
    reading.raise_errors()
    slugs = {topic.slug for topic in topics.values()}
    (rank,) = await _order(write).allocate_ranks(1, next_to=neighbour, is_after=position.is_after)
    id_ = new_id("top")
    told = {"name": name, "slug": slug or unique_slug(make_slug(name, "topic"), slugs), "description": description}
    row = told | {
        "id": id_,
        "name_key": fold_name(name),
        "rank": rank,
        "version": 1,
        "created_at": write.log.at,
        "updated_at": write.log.at,
        "created_by_pk": write.viewer.user_pk,
    }
    await write.execute(insert(sql.topic).values(row))
    await write.log.append(ChangeAction.CREATED, [id_], field_changes(None, told))
    return {"topic": id_}


async def _update(write: MutationTransaction, reading: InputReader) -> Result:
    topics = await _topics(write)
    topic = _topic(reading, topics, "id")
    wanted: dict[str, Any] = {}
    if reading.has("name"):
        wanted["name"] = reading.name()
    if reading.has("slug"):
        wanted["slug"] = reading.slug()
    if reading.has("description"):
        wanted["description"] = reading.description()
    others = [other for other in topics.values() if other.pk != topic.pk]
    _refuse_taken(reading, others, wanted.get("name"), wanted.get("slug"))
    reading.check_version(topic)
    reading.raise_errors()
    differing = changed_columns(topic, wanted)
    if differing:
        stamps = {"version": topic.version + 1, "updated_at": write.log.at}
        keys = {"name_key": fold_name(differing["name"])} if "name" in differing else {}
        await write.execute(update(sql.topic).where(sql.topic.c.pk == topic.pk).values(differing | keys | stamps))
        await write.log.append(ChangeAction.UPDATED, [topic.id], field_changes(topic, differing))
    return {"topic": topic.id}


async def _reorder(write: MutationTransaction, reading: InputReader) -> Result:
    topics, position = await _topics(write), reading.position()
    topic = _topic(reading, topics, "id")
    neighbour = _neighbour(reading, topics, position)
    if neighbour == topic.pk:
        reading.add_error(UserErrorCode.INVALID, "A topic cannot stand beside itself.", *position.path[1:])
    reading.raise_errors()
    order, ranked = _order(write), sorted(topics.values(), key=lambda each: int(each.rank))
    places = await order.allocate_ranks(1, next_to=neighbour, is_after=position.is_after, moving=[topic.pk])
    await order.set_ranks({topic.pk: places[0]})
    if [each.pk for each in ranked] != await order.ordered_keys():
        await write.log.append(ChangeAction.REORDERED, [topic.id])
    return {"topic": topic.id}


async def _merge(write: MutationTransaction, reading: InputReader) -> Result:
    topics = await _topics(write)
    indexes = reading.ids("source_ids", "sourceIds", MOST_SOURCES)
    target = _topic(reading, topics, "target_id")
    for id_, index in indexes.items():
        if id_ not in topics:
            reading.add_not_found("topic", "sourceIds", str(index))
        elif id_ == target.id:
            message = "A topic cannot be merged into itself."
            reading.add_error(UserErrorCode.INVALID, message, "sourceIds", str(index))
    reading.raise_errors()
    sources = {topics[id_].pk: ("sourceIds", str(index)) for id_, index in indexes.items()}
    await check_names_free(write, reading, sources, target)
    reading.raise_errors()
    moved = await move_collections(write, [topics[id_] for id_ in indexes], target)
    await _remove(write, [topics[id_] for id_ in indexes])
    merged = [{"field": "mergedTopic", "before": topics[id_].name, "after": None} for id_ in indexes]
    await write.log.append(ChangeAction.MERGED, [target.id], merged)
    return {"topic": target.id, "movedCollections": moved, "deletedTopicIds": list(indexes)}


async def _delete(write: MutationTransaction, reading: InputReader) -> Result:
    topics = await _topics(write)
    topic = _topic(reading, topics, "id")
    reading.check_version(topic)
    has_target = reading.input.get("move_collections_to") is not None
    target = _topic(reading, topics, "move_collections_to") if has_target else None
    if target is not None and target.pk == topic.pk:
        reading.add_error(UserErrorCode.INVALID, "Its collections cannot stay in it.", "moveCollectionsTo")
    reading.raise_errors()
    moved: list[str] = []
    if target is not None:
        await check_names_free(write, reading, {topic.pk: ("moveCollectionsTo",)}, target)
        reading.raise_errors()
        moved = await move_collections(write, [topic], target)
    elif await write.rows(visible(sql.collection, write.viewer).where(sql.collection.c.topic_pk == topic.pk).limit(1)):
        message = "The topic holds collections: say where they go in moveCollectionsTo."
        reading.add_error(UserErrorCode.NOT_EMPTY, message, "moveCollectionsTo")
        reading.raise_errors()
    await _remove(write, [topic])
    return {"deletedTopicId": topic.id, "movedCollections": moved}


async def _topics(write: MutationTransaction) -> Topics:
    """Return every topic, by id: there are few, and names and slugs are held against all of them."""
    return {topic.id: topic for topic in await write.rows(visible(sql.topic, write.viewer))}


def _topic(reading: InputReader, topics: Topics, field: str) -> Row[Any]:
    """Return the topic that the field names; raise Rejected for no such topic."""
    topic = topics.get(reading.input.get(field) or "")
    if topic is None:
        reading.add_not_found(
            "topic", {"target_id": "targetId", "move_collections_to": "moveCollectionsTo"}.get(field, "id")
        )
        reading.raise_errors()
    assert topic is not None  # noqa: S101 - stopped above
    return topic


def _refuse_taken(reading: InputReader, others: Any, name: str | None, slug: str | None) -> None:
    for other in others:
        if name and other.name_key == fold_name(name):
            reading.add_error(UserErrorCode.TAKEN, f"There is a topic of the name «{other.name}».", "name")
        if slug and other.slug == slug:
            reading.add_error(UserErrorCode.TAKEN, f"There is a topic of the slug {slug}.", "slug")


def _neighbour(reading: InputReader, topics: Topics, position: Position) -> int | None:
    """Return the pk of the topic that the place is beside, None for an end."""
    if position.id is None:
        return None
    if position.id not in topics:
        reading.add_not_found("topic", *position.path[1:])
        return None
    return int(topics[position.id].pk)


def _order(write: MutationTransaction) -> RankedList:
    return RankedList(write.connection, sql.topic, "pk", {})


async def _remove(write: MutationTransaction, topics: Sequence[Row[Any]]) -> None:
    await write.execute(delete(sql.topic).where(sql.topic.c.pk.in_(sql.int_list([topic.pk for topic in topics]))))
    named = {topic.id: [{"field": "name", "before": topic.name, "after": None}] for topic in topics}
    await write.log.append_by_subject(ChangeAction.DELETED, named)
