"""Topic mutations: create, update, reorder, merge and delete. The subject of each logged change is the topic."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import delete, insert, update

from permissions import visible
from resolvers.write.collection_move import check_names_free, move_collections
from resolvers.write.duplicate_name import rename_duplicates
from resolvers.write.input import InputReader, Position
from resolvers.write.transaction import MutationTransaction, Result
from resolvers.write.user_error import UserErrorCode
from store import sql
from store.changes import changed_columns, field_changes
from store.ids import new_id
from store.ranks import RankedList
from store.rows import TopicRow
from store.slug import make_slug, unique_slug
from store.tables import ChangeAction
from store.text import fold_name

TopicsById = Mapping[str, TopicRow]


async def create(tx: MutationTransaction, reader: InputReader) -> Result:
    """Create a topic."""
    name, description, slug, position = reader.name(), reader.description(), reader.slug(), reader.position()
    topics = await _all_topics(tx)
    _check_unique(reader, topics.values(), name, slug)
    neighbour_pk = _find_neighbour(reader, topics, position)
    reader.raise_errors()
    slug = slug or unique_slug(make_slug(name, "topic"), {topic.slug for topic in topics.values()})
    (rank,) = await _ranking(tx).allocate_ranks(1, next_to=neighbour_pk, is_after=position.is_after)
    id_ = new_id("top")
    columns = {"name": name, "slug": slug, "description": description}
    row = columns | {
        "id": id_,
        "name_key": fold_name(name),
        "rank": rank,
        "version": 1,
        "created_at": tx.log.at,
        "updated_at": tx.log.at,
        "created_by_pk": tx.viewer.user_pk,
    }
    await tx.execute(insert(sql.topic).values(row))
    await tx.log_places(sql.topic, [id_], are_new=True)
    await tx.log.append(ChangeAction.CREATED, [id_], field_changes(None, columns))
    return {"topic": id_}


async def update_topic(tx: MutationTransaction, reader: InputReader) -> Result:
    """Update a topic's name, slug or description."""
    topics = await _all_topics(tx)
    topic = _get_topic(reader, topics, "id")
    columns: dict[str, Any] = {}
    if reader.has("name"):
        columns["name"] = reader.name()
    if reader.has("slug"):
        columns["slug"] = reader.slug()
    if reader.has("description"):
        columns["description"] = reader.description()
    others = [other for other in topics.values() if other.pk != topic.pk]
    _check_unique(reader, others, columns.get("name"), columns.get("slug"))
    reader.check_version(topic)
    reader.raise_errors()
    changed = changed_columns(topic, columns)
    if changed:
        derived: dict[str, Any] = {"name_key": fold_name(changed["name"])} if "name" in changed else {}
        derived |= {"version": topic.version + 1, "updated_at": tx.log.at}
        await tx.execute(update(sql.topic).where(sql.topic.c.pk == topic.pk).values(changed | derived))
        await tx.log.append(ChangeAction.UPDATED, [topic.id], field_changes(topic, changed))
    return {"topic": topic.id}


async def reorder(tx: MutationTransaction, reader: InputReader) -> Result:
    """Move a topic in the order of topics."""
    topics, position = await _all_topics(tx), reader.position()
    topic = _get_topic(reader, topics, "id")
    neighbour_pk = _find_neighbour(reader, topics, position)
    if neighbour_pk == topic.pk:
        reader.add_error(
            UserErrorCode.INVALID, "A topic cannot be placed next to itself. Choose another neighbour.", *position.path
        )
    reader.raise_errors()
    order = sorted(topics.values(), key=lambda topic: topic.rank)
    if _moved(order, topic, neighbour_pk, is_after=position.is_after) != order:
        ranked = _ranking(tx)
        (rank,) = await ranked.allocate_ranks(1, next_to=neighbour_pk, is_after=position.is_after, moving=[topic.pk])
        await tx.log_places(sql.topic, [topic.id])
        await ranked.set_ranks({topic.pk: rank})
        await tx.log.append(ChangeAction.REORDERED, [topic.id])
    return {"topic": topic.id}


def _moved(order: Sequence[TopicRow], topic: TopicRow, neighbour_pk: int | None, *, is_after: bool) -> list[TopicRow]:
    """Return the order with the topic right after or before its neighbour; without one, at the end or start."""
    others = [other for other in order if other.pk != topic.pk]
    place = len(others) if is_after else 0
    if neighbour_pk is not None:
        place = [other.pk for other in others].index(neighbour_pk) + is_after
    return [*others[:place], topic, *others[place:]]


async def merge(tx: MutationTransaction, reader: InputReader) -> Result:
    """Move the collections of topics to another topic, and delete the emptied topics."""
    topics = await _all_topics(tx)
    indexes = reader.ids("source_ids")
    target = _get_topic(reader, topics, "target_id")
    for id_, index in indexes.items():
        if id_ not in topics:
            reader.add_not_found("topic", "sourceIds", str(index))
        elif id_ == target.id:
            message = "A topic cannot be merged into itself. Omit it from sourceIds."
            reader.add_error(UserErrorCode.INVALID, message, "sourceIds", str(index))
    reader.raise_errors()
    sources = [topics[id_] for id_ in indexes]
    paths = {topics[id_].pk: ("sourceIds", str(index)) for id_, index in indexes.items()}
    if reader.input.get("rename_duplicates"):
        await rename_duplicates(tx, sources, target)
    await check_names_free(tx, reader, paths, target)
    reader.raise_errors()
    moved_ids = await move_collections(tx, sources, target)
    await _delete(tx, sources)
    merged = [{"field": "mergedTopic", "before": topic.name, "after": None} for topic in sources]
    await tx.log.append(ChangeAction.MERGED, [target.id], merged)
    return {"topic": target.id, "movedCollections": moved_ids, "deletedTopicIds": list(indexes)}


async def delete_topic(tx: MutationTransaction, reader: InputReader) -> Result:
    """Delete a topic; its collections, if any, move to `moveCollectionsTo`."""
    topics = await _all_topics(tx)
    topic = _get_topic(reader, topics, "id")
    reader.check_version(topic)
    has_target = reader.input.get("move_collections_to") is not None
    target = _get_topic(reader, topics, "move_collections_to") if has_target else None
    if target is not None and target.pk == topic.pk:
        message = "The collections cannot stay in the deleted topic. Choose another topic."
        reader.add_error(UserErrorCode.INVALID, message, "moveCollectionsTo")
    reader.raise_errors()
    moved_ids: list[str] = []
    if target is not None:
        if reader.input.get("rename_duplicates"):
            await rename_duplicates(tx, [topic], target)
        await check_names_free(tx, reader, {topic.pk: ("moveCollectionsTo",)}, target)
        reader.raise_errors()
        moved_ids = await move_collections(tx, [topic], target)
    elif await tx.rows(visible(sql.collection, tx.viewer).where(sql.collection.c.topic_pk == topic.pk).limit(1)):
        message = "The topic has collections. Set moveCollectionsTo to the topic to move them to."
        reader.add_error(UserErrorCode.NOT_EMPTY, message, "moveCollectionsTo")
        reader.raise_errors()
    await _delete(tx, [topic])
    return {"deletedTopicId": topic.id, "movedCollections": moved_ids}


async def _all_topics(tx: MutationTransaction) -> TopicsById:
    """Return every topic by id: there are few, and names and slugs are compared with all of them. One statement."""
    rows: Sequence[TopicRow] = await tx.rows(visible(sql.topic, tx.viewer))
    return {topic.id: topic for topic in rows}


def _get_topic(reader: InputReader, topics: TopicsById, field: str) -> TopicRow:
    """Return the topic that the input field names; raise MutationRejectedError if it is absent."""
    topic = reader.check_found(topics.get(reader.input[field]), "topic", field)
    if topic is None:
        reader.raise_errors()
    assert topic is not None  # noqa: S101 - raised above
    return topic


def _check_unique(reader: InputReader, others: Iterable[TopicRow], name: str | None, slug: str | None) -> None:
    for other in others:
        if name and other.name_key == fold_name(name):
            reader.add_error(UserErrorCode.TAKEN, f'A topic named "{other.name}" already exists.', "name")
        if slug and other.slug == slug:
            reader.add_error(UserErrorCode.TAKEN, f'A topic with the slug "{slug}" already exists.', "slug")


def _find_neighbour(reader: InputReader, topics: TopicsById, position: Position) -> int | None:
    """Return the pk of the topic that the position names, None for an end; add NOT_FOUND if it is absent."""
    if position.id is None:
        return None
    if position.id not in topics:
        reader.add_not_found("topic", *position.path)
        return None
    return topics[position.id].pk


async def _delete(tx: MutationTransaction, topics: Sequence[TopicRow]) -> None:
    await tx.log_places(sql.topic, [topic.id for topic in topics])
    await tx.execute(delete(sql.topic).where(sql.topic.c.pk.in_(sql.int_list([topic.pk for topic in topics]))))
    changes = {topic.id: [{"field": "name", "before": topic.name, "after": None}] for topic in topics}
    await tx.log.append_by_subject(ChangeAction.DELETED, changes)


def _ranking(tx: MutationTransaction) -> RankedList:
    return RankedList(tx.connection, sql.topic, "pk", {})
