"""Topic mutations: create, update, reorder, merge and delete. The subject of each logged change is the topic."""

from collections.abc import Iterable, Sequence
from typing import Any

from permissions import visible
from resolvers.write.collection_move import check_names_free, move_collections
from resolvers.write.duplicate_name import rename_duplicates
from resolvers.write.input import InputReader, Position
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
from resolvers.write.user_error import UserErrorCode
from store import sql
from store.ids import new_id
from store.rows import CollectionRow, TopicRow
from store.slug import make_slug, unique_slug
from store.tables import ChangeAction
from store.text import fold_name


async def create(tx: MutationTransaction, reader: InputReader) -> Result:
    """Create a topic."""
    name, description, slug, position = reader.name(), reader.description(), reader.slug(), reader.position()
    topics = await all_topics(tx)
    _check_unique(reader, topics.values(), name, slug)
    neighbour_pk = _find_neighbour(reader, topics, position)
    reader.raise_errors()
    slug = slug or unique_slug(make_slug(name, "topic"), {topic.slug for topic in topics.values()})
    (rank,) = await topic_ranking(tx).allocate_ranks(1, next_to=neighbour_pk, is_after=position.is_after)
    id_ = new_id("top")
    columns = {"name": name, "slug": slug, "description": description}
    stamps = {"version": 1, "created_at": tx.log.at, "created_by_pk": tx.viewer.user_pk}
    derived = {"id": id_, "name_key": fold_name(name), **stamps}
    change = await insert_topic(tx, rank, columns, derived, effect={"collections": []})
    return {"topic": id_, "changes": [change]}


async def update_topic(tx: MutationTransaction, reader: InputReader) -> Result:
    """Update a topic's name, slug or description."""
    topics = await all_topics(tx)
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
    change = await write_update(tx, topic, columns)
    return {"topic": topic.id, "changes": [] if change is None else [change]}


async def reorder(tx: MutationTransaction, reader: InputReader) -> Result:
    """Move a topic in the order of topics."""
    topics, position = await all_topics(tx), reader.position()
    topic = _get_topic(reader, topics, "id")
    neighbour_pk = _find_neighbour(reader, topics, position)
    if neighbour_pk == topic.pk:
        reader.add_error(
            UserErrorCode.INVALID, "A topic cannot be placed next to itself. Choose another neighbour.", *position.path
        )
    reader.raise_errors()
    order, changes = list(topics.values()), list[str]()
    if _moved(order, topic, neighbour_pk, is_after=position.is_after) != order:
        changes = [await write_rank(tx, topics, topic, neighbour_pk, is_after=position.is_after)]
    return {"topic": topic.id, "changes": changes}


def _moved(order: Sequence[TopicRow], topic: TopicRow, neighbour_pk: int | None, *, is_after: bool) -> list[TopicRow]:
    """Return the order with the topic right after or before its neighbour; without one, at the end or start."""
    others = [other for other in order if other.pk != topic.pk]
    place = len(others) if is_after else 0
    if neighbour_pk is not None:
        place = [other.pk for other in others].index(neighbour_pk) + is_after
    return [*others[:place], topic, *others[place:]]


async def merge(tx: MutationTransaction, reader: InputReader) -> Result:
    """Move the collections of topics to another topic, and delete the emptied topics."""
    topics = await all_topics(tx)
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
    renames = await rename_duplicates(tx, sources, target) if reader.input.get("rename_duplicates") else []
    await check_names_free(tx, reader, paths, target)
    reader.raise_errors()
    moved = await move_collections(tx, sources, target)
    await write_delete(tx, topics, sources, moved=moved, to=target.id)
    merged = [{"field": "mergedTopic", "before": topic.name, "after": None} for topic in sources]
    changes = await tx.log.append(ChangeAction.MERGED, [target.id], merged, effect={"of": ChangeAction.DELETED})
    return {
        "topic": target.id,
        "movedCollections": [row.id for row in moved],
        "deletedTopicIds": list(indexes),
        "changes": [*changes, *renames],
    }


async def delete_topic(tx: MutationTransaction, reader: InputReader) -> Result:
    """Delete a topic; its collections, if any, move to `moveCollectionsTo`."""
    topics = await all_topics(tx)
    topic = _get_topic(reader, topics, "id")
    reader.check_version(topic)
    has_target = reader.input.get("move_collections_to") is not None
    target = _get_topic(reader, topics, "move_collections_to") if has_target else None
    if target is not None and target.pk == topic.pk:
        message = "The collections cannot stay in the deleted topic. Choose another topic."
        reader.add_error(UserErrorCode.INVALID, message, "moveCollectionsTo")
    reader.raise_errors()
    moved: Sequence[CollectionRow] = ()
    renames: Sequence[str] = ()
    if target is not None:
        if reader.input.get("rename_duplicates"):
            renames = await rename_duplicates(tx, [topic], target)
        await check_names_free(tx, reader, {topic.pk: ("moveCollectionsTo",)}, target)
        reader.raise_errors()
        moved = await move_collections(tx, [topic], target)
    elif await tx.rows(visible(sql.collection, tx.viewer).where(sql.collection.c.topic_pk == topic.pk).limit(1)):
        message = "The topic has collections. Set moveCollectionsTo to the topic to move them to."
        reader.add_error(UserErrorCode.NOT_EMPTY, message, "moveCollectionsTo")
        reader.raise_errors()
    changes = await write_delete(tx, topics, [topic], moved=moved, to=None if target is None else target.id)
    return {"deletedTopicId": topic.id, "movedCollections": [row.id for row in moved], "changes": [*changes, *renames]}


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
