"""This file is how collections nest: the place of one in the tree, what is above and below it, and how deep."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

from sqlalchemy import Row, Select, literal

from permissions import Viewer, visible
from resolvers.write.input import InputReader
from resolvers.write.transaction import MutationTransaction
from resolvers.write.user_error import UserErrorCode
from store import sql
from store.tables import MAX_COLLECTION_DEPTH


class TreePosition(NamedTuple):
    """Where a collection stands: in a topic, below those above it."""

    topic_pk: int
    topic_id: str
    ancestors: tuple[Row[Any], ...] = ()  # the nearest first

    @classmethod
    def from_path(cls, line: Sequence[Row[Any]]) -> Self:
        """Return the place of the first of a line that leads upwards."""
        return cls(line[0].topic_pk, line[0].topic_id, tuple(line[1:]))

    @classmethod
    def under(cls, line: Sequence[Row[Any]]) -> Self:
        """Return the place right below the first of a line that leads upwards."""
        return cls(line[0].topic_pk, line[0].topic_id, tuple(line))

    @property
    def parent(self) -> Row[Any] | None:
        """The collection right above, None at the top."""
        return self.ancestors[0] if self.ancestors else None

    @property
    def columns(self) -> dict[str, int | None]:
        """The columns of a row that stands here."""
        return {"topic_pk": self.topic_pk, "parent_pk": self.parent.pk if self.parent else None}

    @property
    def log_fields(self) -> dict[str, str | None]:
        """The fields, as the log tells them, of a collection that stands here."""
        return {"topic": self.topic_id, "parent": self.parent.id if self.parent else None}

    def siblings(self, viewer: Viewer) -> Select[Any]:
        """Return a SELECT of the collections that stand here."""
        here = [sql.collection.c[column] == value for column, value in self.columns.items()]
        return visible(sql.collection, viewer).where(*here)


async def requested_position(
    write: MutationTransaction, reading: InputReader, own: TreePosition | None = None
) -> TreePosition:
    """Return the place that topicId and parentId name; `own`, where a collection stands already, for neither.

    A topic without a parent means the top of it, unless the collection is in it already. Raises Rejected for no such
    place. Statements: one for each of the two that is given.
    """
    topic_id, parent_id = reading.value("topic_id", "topicId"), reading.input.get("parent_id")
    faults = len(reading.user_errors)
    topics = [] if topic_id is None else list((await write.visible_by_id(sql.topic, [topic_id])).values())
    line = [] if parent_id is None else await path_to_root(write, parent_id)
    if topic_id is not None and not topics:
        reading.add_not_found("topic", "topicId")
    if parent_id is not None and not line:
        reading.add_not_found("collection", "parentId")
    elif line and topics and line[0].topic_pk != topics[0].pk:
        reading.add_error(UserErrorCode.INVALID, "The parent is in another topic than topicId says.", "parentId")
    if len(reading.user_errors) > faults:
        reading.raise_errors()  # without a place there is nothing to hold the rest against
    if line:
        return TreePosition.under(line)
    if own is not None and topic_id in {None, own.topic_id}:
        return TreePosition(own.topic_pk, own.topic_id) if reading.has("parent_id") else own
    return TreePosition(topics[0].pk, topics[0].id)


async def path_to_root(write: MutationTransaction, id_: str) -> Sequence[Row[Any]]:
    """Return the collection and those above it, to the top, each with its `topic_id`; nothing for no such one.

    One statement.
    """
    collection, above = sql.collection, sql.collection.alias("above")
    line = (
        visible(collection, write.viewer)
        .where(collection.c.id == id_)
        .with_only_columns(collection.c.pk, collection.c.parent_pk, literal(0).label("height"))
        .cte("line", recursive=True)
    )
    line = line.union_all(
        visible(above, write.viewer)
        .join(line, line.c.parent_pk == above.c.pk)
        .with_only_columns(above.c.pk, above.c.parent_pk, line.c.height + 1)
    )
    return await write.rows(
        visible(collection, write.viewer)
        .join(line, line.c.pk == collection.c.pk)
        .join(sql.topic, sql.topic.c.pk == collection.c.topic_pk)
        .add_columns(sql.topic.c.id.label("topic_id"))
        .order_by(line.c.height)
    )


async def descendants_of(write: MutationTransaction, pk: int) -> Sequence[Row[Any]]:
    """Return all that is below a collection, in the topic's order, each with how many levels below. One statement."""
    collection, child, deeper = sql.collection, sql.collection.alias("child"), sql.collection.alias("deeper")
    tree = (
        visible(child, write.viewer)
        .where(child.c.parent_pk == pk)
        .with_only_columns(child.c.pk, literal(1).label("levels"))
        .cte("tree", recursive=True)
    )
    tree = tree.union_all(
        visible(deeper, write.viewer)
        .join(tree, tree.c.pk == deeper.c.parent_pk)
        .with_only_columns(deeper.c.pk, tree.c.levels + 1)
    )
    return await write.rows(
        visible(collection, write.viewer)
        .join(tree, tree.c.pk == collection.c.pk)
        .add_columns(tree.c.levels)
        .order_by(collection.c.rank, collection.c.pk)
    )


def check_nesting(
    reading: InputReader, place: TreePosition, pk: int | None = None, below: Sequence[Row[Any]] = ()
) -> None:
    """Refuse a place that is too deep for a collection and what is below it, or that is below the collection itself."""
    levels = 1 + max((row.levels for row in below), default=0)
    if pk in [row.pk for row in place.ancestors]:
        reading.add_error(UserErrorCode.CYCLE, "A collection cannot be below itself.", "parentId")
    elif len(place.ancestors) + levels > MAX_COLLECTION_DEPTH:
        message = f"Collections nest at most {MAX_COLLECTION_DEPTH} deep."
        reading.add_error(UserErrorCode.LIMIT_EXCEEDED, message, "parentId", limit=MAX_COLLECTION_DEPTH)
