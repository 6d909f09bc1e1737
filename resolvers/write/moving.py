"""This file is collections moving to another topic, with all that is below them."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, update

from permissions import visible
from resolvers.loaders import among
from resolvers.write.reading import Reading
from resolvers.write.transaction import Write
from resolvers.write.user_error import Path, UserErrorCode
from store import sql
from store.ranks import Ranked
from store.tables import ChangeAction


async def refuse_same_names(write: Write, reading: Reading, sources: Mapping[int, Path], target: Row[Any]) -> None:
    """Refuse collections at the top of the source topics whose names would be taken at the top of the target.

    `sources` maps topics' pks to their paths within the input. One statement.
    """
    collection = sql.collection
    rows = among(visible(collection, write.viewer), collection.c.topic_pk, [*sources, target.pk])
    found = await _tops(write, rows)
    names = {row.name_key for row in found if row.topic_pk == target.pk}
    for row in found:
        if row.topic_pk != target.pk:
            if row.name_key in names:
                message = f"Two collections at the top would be named «{row.name}»: rename one first."
                reading.refuse(UserErrorCode.TAKEN, message, *sources[row.topic_pk])
            names.add(row.name_key)


async def _tops(write: Write, rows: Any) -> Sequence[Row[Any]]:
    collection = sql.collection
    return await write.rows(rows.where(collection.c.parent_pk.is_(None)).order_by(collection.c.rank, collection.c.pk))


async def move_collections(write: Write, topics: Sequence[Row[Any]], target: Row[Any]) -> list[str]:
    """Move all collections of the topics behind those of the target, in their order, and return their ids."""
    collection = sql.collection
    rows = among(visible(collection, write.viewer), collection.c.topic_pk, [topic.pk for topic in topics])
    place = {topic.pk: index for index, topic in enumerate(topics)}
    found = sorted(await write.rows(rows), key=lambda row: (place[row.topic_pk], row.rank, row.pk))
    if not found:
        return []
    order = Ranked(write.connection, collection, "pk", {"topic_pk": target.pk})
    ranks = await order.places(len(found), beside=None, is_after=True)
    pks = [row.pk for row in found]
    moved = {"topic_pk": target.pk, "version": collection.c.version + 1, "updated_at": write.log.at}
    await write.execute(update(collection).where(collection.c.pk.in_(sql.listed(pks))).values(moved))
    await order.set(dict(zip(pks, ranks, strict=True)))
    for topic in topics:
        theirs = [row.id for row in found if row.topic_pk == topic.pk]
        fields = [{"field": "topic", "before": topic.id, "after": target.id}]
        await write.log.append(ChangeAction.UPDATED, theirs, fields)
    return [row.id for row in found]
