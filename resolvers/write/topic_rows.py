"""Writes of topics, shared by the mutations and their undo: insert, update, rank and delete, with the log."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, insert, update

from permissions import visible
from resolvers.write.collection_rows import KEPT_COLUMNS
from resolvers.write.neighbours import neighbours_of
from resolvers.write.transaction import MutationTransaction
from store import sql
from store.changes import changed_columns, field_changes
from store.former_slugs import keep_slug
from store.ranks import RankedList
from store.rows import CollectionRow, TopicRow
from store.tables import ChangeAction
from store.text import fold_name

TopicsById = Mapping[str, TopicRow]


async def all_topics(tx: MutationTransaction) -> TopicsById:
    """Return every topic by id, in their order: there are few, and names are compared with all. One statement."""
    rows: Sequence[TopicRow] = await tx.rows(visible(sql.topic, tx.viewer).order_by(sql.topic.c.rank))
    return {topic.id: topic for topic in rows}


async def insert_topic(
    tx: MutationTransaction, rank: int, columns: Mapping[str, Any], derived: Mapping[str, Any], **record: Any
) -> str:
    """Insert a topic and log it; return the id of the change. `derived` has the columns that its log entry does not."""
    row = {"rank": rank, "updated_at": tx.log.at, **derived, **columns}
    await tx.execute(insert(sql.topic).values(row))
    await tx.log_places(sql.topic, [row["id"]], are_new=True)
    (change,) = await tx.log.append(ChangeAction.CREATED, [row["id"]], field_changes(None, columns), **record)
    return change


async def write_update(
    tx: MutationTransaction, topic: TopicRow, columns: Mapping[str, Any], **record: Any
) -> str | None:
    """Update a topic's columns and log those that differ; return the id of the change, None if nothing changed."""
    changed = changed_columns(topic, columns)
    if not changed:
        return None
    if "slug" in changed:
        await keep_slug(tx.connection, sql.topic, topic.id, topic.slug)
    derived: dict[str, Any] = {"name_key": fold_name(changed["name"])} if "name" in changed else {}
    derived |= {"version": topic.version + 1, "updated_at": tx.log.at}
    await tx.execute(update(sql.topic).where(sql.topic.c.pk == topic.pk).values(changed | derived))
    fields = field_changes(topic, changed)
    (change,) = await tx.log.append(ChangeAction.UPDATED, [topic.id], fields, effect={}, **record)
    return change


async def write_rank(
    tx: MutationTransaction,
    topics: TopicsById,
    topic: TopicRow,
    neighbour_pk: int | None,
    *,
    is_after: bool,
    **record: Any,
) -> str:
    """Rank a topic next to a neighbour or at an end, log it, and return the id of the change."""
    ranked = topic_ranking(tx)
    (rank,) = await ranked.allocate_ranks(1, next_to=neighbour_pk, is_after=is_after, moving=[topic.pk])
    await tx.log_places(sql.topic, [topic.id])
    await ranked.set_ranks({topic.pk: rank})
    effect = {"place": neighbours_of(list(topics), topic.id)}
    (change,) = await tx.log.append(ChangeAction.REORDERED, [topic.id], effect=effect, **record)
    return change


async def write_delete(
    tx: MutationTransaction,
    all_topics: TopicsById,
    topics: Sequence[TopicRow],
    *,
    moved: Sequence[CollectionRow] = (),
    to: str | None = None,
    records: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[str]:
    """Delete topics and log it; return the ids of the changes.

    `moved` are their former collections, as they were before they moved to the topic with the id `to`. `records` has
    further columns of the log by topic.
    """
    await tx.log_places(sql.topic, [topic.id for topic in topics])
    effects = {
        topic.id: {
            "row": {name: getattr(topic, name) for name in KEPT_COLUMNS},
            "place": neighbours_of(list(all_topics), topic.id),
            "collections": [row.id for row in moved if row.topic_pk == topic.pk and row.parent_pk is None],
            "to": to,
        }
        for topic in topics
    }
    changes = await tx.log.append_by_subject(
        ChangeAction.DELETED,
        {topic.id: [{"field": "name", "before": topic.name, "after": None}] for topic in topics},
        records={id_: {"effect": effect, **(records or {}).get(id_, {})} for id_, effect in effects.items()},
    )
    await tx.execute(delete(sql.topic).where(sql.topic.c.pk.in_(sql.int_list([topic.pk for topic in topics]))))
    return changes


def topic_ranking(tx: MutationTransaction) -> RankedList:
    """Return the order of topics."""
    return RankedList(tx.connection, sql.topic, "pk", {})
