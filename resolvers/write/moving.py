"""This file is collections moving: to another topic or parent with all that is below them, or among their siblings."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, update

from permissions import visible
from resolvers.loaders import where_in
from resolvers.write.collection_tree import TreePosition, descendants_of
from resolvers.write.input import InputReader, Position, Side
from resolvers.write.transaction import MutationTransaction
from resolvers.write.user_error import Path, UserErrorCode
from store import sql
from store.changes import FieldChange
from store.ranks import RankedList
from store.tables import ChangeAction


async def check_names_free(
    write: MutationTransaction, reading: InputReader, sources: Mapping[int, Path], target: Row[Any]
) -> None:
    """Refuse collections at the top of the source topics whose names would be taken at the top of the target.

    `sources` maps topics' pks to their paths within the input. One statement.
    """
    collection = sql.collection
    rows = where_in(visible(collection, write.viewer), collection.c.topic_pk, [*sources, target.pk])
    found = await _tops(write, rows)
    names = {row.name_key for row in found if row.topic_pk == target.pk}
    for row in found:
        if row.topic_pk != target.pk:
            if row.name_key in names:
                message = f"Two collections at the top would be named «{row.name}»: rename one first."
                reading.add_error(UserErrorCode.TAKEN, message, *sources[row.topic_pk])
            names.add(row.name_key)


async def _tops(write: MutationTransaction, rows: Any) -> Sequence[Row[Any]]:
    collection = sql.collection
    return await write.rows(rows.where(collection.c.parent_pk.is_(None)).order_by(collection.c.rank, collection.c.pk))


async def move_collections(write: MutationTransaction, topics: Sequence[Row[Any]], target: Row[Any]) -> list[str]:
    """Move all collections of the topics behind those of the target, in their order, and return their ids."""
    collection = sql.collection
    rows = where_in(visible(collection, write.viewer), collection.c.topic_pk, [topic.pk for topic in topics])
    place = {topic.pk: index for index, topic in enumerate(topics)}
    found = sorted(await write.rows(rows), key=lambda row: (place[row.topic_pk], row.rank, row.pk))
    if not found:
        return []
    order = _order(write, target.pk)
    ranks = await order.allocate_ranks(len(found), next_to=None, is_after=True)
    pks = [row.pk for row in found]
    await _to_topic(write, pks, target.pk)
    await order.set_ranks(dict(zip(pks, ranks, strict=True)))
    topic_ids = {topic.pk: topic.id for topic in topics}
    moved = {row.id: changed_fields_of_move({"topic": topic_ids[row.topic_pk]}, {"topic": target.id}) for row in found}
    await write.log.append_by_subject(ChangeAction.UPDATED, moved)
    return [row.id for row in found]


async def move_subtree(
    write: MutationTransaction, own: TreePosition, place: TreePosition, collection: Row[Any], below: Sequence[Row[Any]]
) -> None:
    """Put a collection that moved to the end of its new siblings, and all that is below it behind it, in its order."""
    if place.topic_pk != own.topic_pk:
        await _to_topic(write, [row.pk for row in below], place.topic_pk)
        fields = changed_fields_of_move({"topic": own.topic_id}, {"topic": place.topic_id})
        await write.log.append(ChangeAction.UPDATED, [row.id for row in below], fields)
    await place_collections(write, place, None, [collection.pk, *(row.pk for row in below)])


def changed_fields_of_move(before: Mapping[str, str | None], after: Mapping[str, str | None]) -> list[FieldChange]:
    """Return what the log tells of the fields that differ."""
    return [
        {"field": field, "before": before[field], "after": value}
        for field, value in after.items()
        if value != before[field]
    ]


async def next_sibling(
    write: MutationTransaction,
    place: TreePosition,
    position: Position,
    neighbour: Row[Any] | None,
    leaving: Sequence[int] = (),
) -> int | None:
    """Return the pk of the sibling that the position is right before, None for the end. At most one statement.

    Siblings that are `leaving` their place do not count.
    """
    collection = sql.collection
    if position.side is Side.END:
        return None
    if position.side is Side.BEFORE and neighbour is not None:
        return int(neighbour.pk)
    rows = place.siblings(write.viewer).where(collection.c.pk.not_in(sql.int_list(leaving)))
    if neighbour is not None:
        rows = rows.where(collection.c.rank > neighbour.rank)
    found = await write.rows(rows.order_by(collection.c.rank, collection.c.pk).limit(1))
    return found[0].pk if found else None


async def place_collections(
    write: MutationTransaction, place: TreePosition, before: int | None, block: Sequence[int]
) -> None:
    """Put collections of the place's topic, in this order, before one of the siblings there, or at their end."""
    ranks = await ranks_before(write, place, before, len(block), block)
    await _order(write, place.topic_pk).set_ranks(dict(zip(block, ranks, strict=True)))


async def ranks_before(
    write: MutationTransaction, place: TreePosition, before: int | None, count: int, leaving: Sequence[int] = ()
) -> list[int]:
    """Return ranks for so many collections before one of the siblings, or at their end.

    A topic has one order for all levels. The end of siblings is behind all that is below their parent, so that an
    order that reads as the tree, each collection before what is below it, keeps reading so.
    """
    order = _order(write, place.topic_pk)
    if before is not None:
        return await order.allocate_ranks(count, next_to=before, is_after=False, moving=leaving)
    return await order.allocate_ranks(count, next_to=await _last(write, place, leaving), is_after=True, moving=leaving)


async def _last(write: MutationTransaction, place: TreePosition, leaving: Sequence[int]) -> int | None:
    """Return the pk that the end of the siblings is behind, None for the end of the topic."""
    if place.parent is None:
        return None
    staying = [row.pk for row in await descendants_of(write, place.parent.pk) if row.pk not in leaving]
    return int(staying[-1] if staying else place.parent.pk)


async def _to_topic(write: MutationTransaction, pks: Sequence[int], topic_pk: int) -> None:
    collection = sql.collection
    moved = {"topic_pk": topic_pk, "version": collection.c.version + 1, "updated_at": write.log.at}
    await write.execute(update(collection).where(collection.c.pk.in_(sql.int_list(pks))).values(moved))


def _order(write: MutationTransaction, topic_pk: int) -> RankedList:
    return RankedList(write.connection, sql.collection, "pk", {"topic_pk": topic_pk})
