"""Positions of collections in the tree: topic, ancestors, descendants and siblings."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from sqlalchemy import Row, Select

from permissions import Viewer, visible
from resolvers.collection_tree import ancestors_cte, descendants_cte, start
from resolvers.write.input import InputReader
from resolvers.write.transaction import MutationTransaction
from resolvers.write.user_error import UserErrorCode
from store import sql
from store.tables import MAX_COLLECTION_DEPTH

if TYPE_CHECKING:
    from store.rows import CollectionRow, TopicRow

    class PathRow(CollectionRow):
        """A collection with the public id of its topic."""

        topic_id: str

    class DescendantRow(CollectionRow):
        """A collection with its depth below the collection that was queried."""

        depth: int
else:
    PathRow = DescendantRow = Row


class TreePosition(NamedTuple):
    """Position of a collection: its topic and its ancestors, the nearest first."""

    topic_pk: int
    topic_id: str
    ancestors: tuple[PathRow, ...] = ()

    @classmethod
    def of(cls, path: Sequence[PathRow]) -> Self:
        """Return the position of the first collection of a path to the root."""
        return cls(path[0].topic_pk, path[0].topic_id, tuple(path[1:]))

    @classmethod
    def under(cls, path: Sequence[PathRow]) -> Self:
        """Return the position of children of the first collection of a path to the root."""
        return cls(path[0].topic_pk, path[0].topic_id, tuple(path))

    @property
    def parent(self) -> PathRow | None:
        """The parent, None at the top of the topic."""
        return self.ancestors[0] if self.ancestors else None

    @property
    def columns(self) -> dict[str, int | None]:
        """The columns of a row at this position."""
        return {"topic_pk": self.topic_pk, "parent_pk": self.parent.pk if self.parent else None}

    @property
    def log_fields(self) -> dict[str, str | None]:
        """The fields of this position in the change log."""
        return {"topic": self.topic_id, "parent": self.parent.id if self.parent else None}

    def siblings(self, viewer: Viewer) -> Select[Any]:
        """Return a SELECT of the collections at this position."""
        is_sibling = [sql.collection.c[column] == value for column, value in self.columns.items()]
        return visible(sql.collection, viewer).where(*is_sibling)


async def requested_position(
    tx: MutationTransaction, reader: InputReader, current: TreePosition | None = None
) -> TreePosition:
    """Return the position that topicId and parentId request; the current one if both are omitted.

    A topicId without a parentId means the top of that topic, unless it is the current topic, which changes nothing.
    Raises MutationRejectedError for absent or hidden objects, and for a parent in another topic than topicId. One
    statement for each of the two fields in the input.
    """
    topic_id, parent_id = reader.non_null("topic_id"), reader.input.get("parent_id")
    error_count = len(reader.user_errors)
    topic: TopicRow | None = None
    path: Sequence[PathRow] = ()
    if topic_id is not None:
        topic = await tx.find(reader, sql.topic, "topic_id")
    if parent_id is not None:
        path = await path_to_root(tx, parent_id)
        if not path:
            reader.add_not_found("collection", "parentId")
        elif topic is not None and path[0].topic_pk != topic.pk:
            message = "The parent is in another topic. Omit topicId, or choose a parent in this topic."
            reader.add_error(UserErrorCode.INVALID, message, "parentId")
    if len(reader.user_errors) > error_count:
        reader.raise_errors()  # without a position the rest cannot be checked
    if path:
        return TreePosition.under(path)
    if current is not None and topic_id in {None, current.topic_id}:
        return TreePosition(current.topic_pk, current.topic_id) if reader.has("parent_id") else current
    assert topic is not None  # noqa: S101 - a new collection has a topicId
    return TreePosition(topic.pk, topic.id)


async def path_to_root(tx: MutationTransaction, id_: str) -> Sequence[PathRow]:
    """Return the collection and its ancestors, the nearest first; nothing if it is absent or hidden. One statement."""
    collection = sql.collection
    path = ancestors_cte(tx.viewer, visible(start, tx.viewer).where(start.c.id == id_))
    return await tx.rows(
        visible(collection, tx.viewer)
        .join(path, path.c.pk == collection.c.pk)
        .join(sql.topic, sql.topic.c.pk == collection.c.topic_pk)
        .add_columns(sql.topic.c.id.label("topic_id"))
        .order_by(path.c.height)
    )


async def descendants_of(tx: MutationTransaction, pk: int) -> Sequence[DescendantRow]:
    """Return the collection's descendants in the topic's order, each with its `depth` below it. One statement."""
    collection = sql.collection
    tree = descendants_cte(tx.viewer, visible(start, tx.viewer).where(start.c.pk == pk))
    return await tx.rows(
        visible(collection, tx.viewer)
        .join(tree, tree.c.pk == collection.c.pk)
        .add_columns(tree.c.depth)
        .where(tree.c.depth > 0)
        .order_by(collection.c.rank, collection.c.pk)
    )


def check_nesting(
    reader: InputReader,
    position: TreePosition,
    pk: int | None = None,
    descendants: Sequence[DescendantRow] = (),
    *,
    field: str = "parentId",
) -> None:
    """Add an error for a position below the collection itself, or too deep for it or its descendants."""
    if pk in [row.pk for row in position.ancestors]:
        message = "A collection cannot be moved below itself or its descendants. Choose another parent."
        reader.add_error(UserErrorCode.CYCLE, message, field)
    else:
        check_depth(reader, position, 1 + max((row.depth for row in descendants), default=0), field=field)


def check_depth(reader: InputReader, position: TreePosition, levels: int, *, field: str) -> None:
    """Add an error for a position that is too deep for a collection with so many levels, its own included."""
    if (depth := len(position.ancestors) + levels) > MAX_COLLECTION_DEPTH:
        message = f"Collections nest at most {MAX_COLLECTION_DEPTH} levels deep, not {depth}. Choose a higher parent."
        reader.add_error(UserErrorCode.LIMIT_EXCEEDED, message, field, limit=MAX_COLLECTION_DEPTH)
