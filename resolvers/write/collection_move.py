"""Moves of collections: to another topic or parent with their descendants, and among their siblings."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import update

from permissions import visible
from resolvers.loaders import where_in
from resolvers.write.collection_tree import DescendantRow, TreePosition, descendants_of
from resolvers.write.input import InputReader, Position, Side
from resolvers.write.neighbours import neighbours_of
from resolvers.write.transaction import MutationTransaction
from resolvers.write.user_error import Path, UserErrorCode
from store import sql
from store.changes import LoggedFieldChange
from store.ranks import RankedList
from store.rows import CollectionRow, TopicRow
from store.tables import ChangeAction

Records = Mapping[str, Mapping[str, Any]]
"""Further columns of the change log, by the id of the subject."""


async def check_names_free(
    tx: MutationTransaction, reader: InputReader, sources: Mapping[int, Path], target: TopicRow
) -> None:
    """Add an error for each top-level collection of the source topics whose name would occur twice in the target.

    `sources` maps the pk of each source topic to its path within the input. One statement.
    """
    collection = sql.collection
    select = where_in(visible(collection, tx.viewer), collection.c.topic_pk, [*sources, target.pk])
    select = select.where(collection.c.parent_pk.is_(None)).order_by(collection.c.rank, collection.c.pk)
    rows: Sequence[CollectionRow] = await tx.rows(select)
    taken = {row.name_key for row in rows if row.topic_pk == target.pk}
    for row in rows:
        if row.topic_pk != target.pk:
            if row.name_key in taken:
                message = f'Two collections at the top would be named "{row.name}". Rename one, or set'
                message += " renameDuplicates."
                reader.add_error(UserErrorCode.TAKEN, message, *sources[row.topic_pk])
            taken.add(row.name_key)


async def move_collections(
    tx: MutationTransaction, topics: Sequence[TopicRow], target: TopicRow, undone: Records | None = None
) -> Sequence[CollectionRow]:
    """Move all collections of the topics to the end of the target, in their order.

    Return the rows as they were before. `undone` has the columns of the log by which the moves are undos.
    """
    collection = sql.collection
    select = where_in(visible(collection, tx.viewer), collection.c.topic_pk, [topic.pk for topic in topics])
    topic_order = {topic.pk: index for index, topic in enumerate(topics)}
    rows: Sequence[CollectionRow] = await tx.rows(select)
    rows = sorted(rows, key=lambda row: (topic_order[row.topic_pk], row.rank, row.pk))
    await move_to_topic(tx, rows, {topic.pk: topic.id for topic in topics}, target, undone)
    return rows


async def move_to_topic(
    tx: MutationTransaction,
    rows: Sequence[CollectionRow],
    topic_ids: Mapping[int, str],
    target: TopicRow,
    undone: Records | None = None,
) -> None:
    """Move collections, each after its parent, to the end of a topic, and log it. `topic_ids` are their topics'."""
    if not rows:
        return
    ranked = _ranking(tx, target.pk)
    ranks = await ranked.allocate_ranks(len(rows), next_to=None, is_after=True)
    pks = [row.pk for row in rows]
    await tx.log_places(sql.collection, [row.id for row in rows])
    await _set_topic(tx, pks, target.pk)
    await ranked.set_ranks(dict(zip(pks, ranks, strict=True)))
    changes = {row.id: position_changes({"topic": topic_ids[row.topic_pk]}, {"topic": target.id}) for row in rows}
    places = _top_places(rows, topic_ids)
    records = {row.id: {**places.get(row.id, {}), **(undone or {}).get(row.id, {})} for row in rows}
    await tx.log.append_by_subject(ChangeAction.UPDATED, changes, records=records)


def _top_places(rows: Sequence[CollectionRow], topic_ids: Mapping[int, str]) -> Records:
    """Return the effects, for an undo, of moving each top-level collection. Those below move with their parents."""
    tops: defaultdict[int, list[str]] = defaultdict(list)
    for row in rows:
        if row.parent_pk is None:
            tops[row.topic_pk].append(row.id)
    return {
        id_: {"effect": {"place": {"topic": topic_ids[pk], "parent": None, **neighbours_of(ids, id_)}}}
        for pk, ids in tops.items()
        for id_ in ids
    }


async def move_subtree(
    tx: MutationTransaction,
    before: TreePosition,
    after: TreePosition,
    collection: CollectionRow,
    descendants: Sequence[DescendantRow],
) -> None:
    """Move a collection and its descendants to the end of its new siblings.

    The collection's own row must already have the new topic and parent, and the places of all be logged.
    """
    if after.topic_pk != before.topic_pk:
        await _set_topic(tx, [row.pk for row in descendants], after.topic_pk)
        changes = position_changes({"topic": before.topic_id}, {"topic": after.topic_id})
        await tx.log.append(ChangeAction.UPDATED, [row.id for row in descendants], changes)
    await rank_collections(tx, after, None, [collection.pk, *(row.pk for row in descendants)])


def position_changes(before: Mapping[str, str | None], after: Mapping[str, str | None]) -> list[LoggedFieldChange]:
    """Return the changes, for the change log, of the fields that differ."""
    return [
        {"field": field, "before": before[field], "after": value}
        for field, value in after.items()
        if value != before[field]
    ]


async def next_sibling(
    tx: MutationTransaction,
    tree_position: TreePosition,
    position: Position,
    neighbour: CollectionRow | None,
    moving: Sequence[int] = (),
) -> int | None:
    """Return the pk of the sibling right after the position, None for the end. At most one statement.

    Siblings that are `moving` do not count.
    """
    collection = sql.collection
    if position.side is Side.END:
        return None
    if position.side is Side.BEFORE and neighbour is not None:
        return neighbour.pk
    siblings = tree_position.siblings(tx.viewer).where(collection.c.pk.not_in(sql.int_list(moving)))
    if neighbour is not None:
        siblings = siblings.where(collection.c.rank > neighbour.rank)
    rows: Sequence[CollectionRow] = await tx.rows(siblings.order_by(collection.c.rank, collection.c.pk).limit(1))
    return rows[0].pk if rows else None


async def rank_collections(
    tx: MutationTransaction, tree_position: TreePosition, before: int | None, block: Sequence[int]
) -> None:
    """Rank the block of collections, in order, before the sibling with the pk `before`; if None, after all siblings."""
    ranks = await ranks_before(tx, tree_position, before, len(block), block)
    await set_ranks(tx, tree_position, dict(zip(block, ranks, strict=True)))


async def set_ranks(tx: MutationTransaction, tree_position: TreePosition, ranks: Mapping[int, int]) -> None:
    """Set the ranks of collections in the topic, given by pk. One statement, none without ranks."""
    await _ranking(tx, tree_position.topic_pk).set_ranks(ranks)


async def ranks_before(
    tx: MutationTransaction, tree_position: TreePosition, before: int | None, count: int, moving: Sequence[int] = ()
) -> list[int]:
    """Return `count` ranks before the sibling with the pk `before`; if None, after all siblings.

    All levels of a topic share one order, in which each collection precedes its descendants. To keep it so, the end of
    siblings is after all descendants of their parent.
    """
    ranked = _ranking(tx, tree_position.topic_pk)
    if before is not None:
        return await ranked.allocate_ranks(count, next_to=before, is_after=False, moving=moving)
    last = await _last_descendant(tx, tree_position, moving)
    return await ranked.allocate_ranks(count, next_to=last, is_after=True, moving=moving)


async def _last_descendant(tx: MutationTransaction, tree_position: TreePosition, moving: Sequence[int]) -> int | None:
    """Return the pk of the parent's last descendant that is not `moving`, or of the parent if there is none.

    None at the top of the topic.
    """
    parent = tree_position.parent
    if parent is None:
        return None
    staying = [row.pk for row in await descendants_of(tx, parent.pk) if row.pk not in moving]
    return staying[-1] if staying else parent.pk


async def _set_topic(tx: MutationTransaction, pks: Sequence[int], topic_pk: int) -> None:
    collection = sql.collection
    values = {"topic_pk": topic_pk, "version": collection.c.version + 1, "updated_at": tx.log.at}
    await tx.execute(update(collection).where(collection.c.pk.in_(sql.int_list(pks))).values(values))


def _ranking(tx: MutationTransaction, topic_pk: int) -> RankedList:
    return RankedList(tx.connection, sql.collection, "pk", {"topic_pk": topic_pk})
