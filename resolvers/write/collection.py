"""Collection mutations: create, update, reorder and delete. The subject of each logged change is the collection."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import and_, or_

from permissions import visible
from resolvers.write.collection_move import next_sibling, ranks_before
from resolvers.write.collection_rows import (
    insert_collection,
    log_created,
    siblings_at,
    write_delete,
    write_rank,
    write_update,
)
from resolvers.write.collection_tree import (
    DescendantRow,
    PathRow,
    TreePosition,
    check_nesting,
    descendants_of,
    path_to_root,
    requested_position,
)
from resolvers.write.input import InputReader, Position, Side
from resolvers.write.transaction import MutationTransaction, Result
from resolvers.write.user_error import UserErrorCode
from store import sql
from store.ids import new_id
from store.rows import CollectionRow
from store.search.sort_key import name_sort_key
from store.slug import make_slug, unique_slug
from store.text import fold_name


async def create(tx: MutationTransaction, reader: InputReader) -> Result:
    """Create a collection."""
    name, description, slug, position = reader.name(), reader.description(), reader.slug(), reader.position()
    if slug:
        await _check_slug(tx, reader, slug)
    tree_position = await requested_position(tx, reader)
    check_nesting(reader, tree_position)
    await check_name(tx, reader, tree_position, name, "name")
    neighbour = await _find_neighbour(tx, reader, tree_position, position)
    reader.raise_errors()
    columns = {
        "name": name,
        "slug": slug or await unused_slug(tx, make_slug(name, "collection")),
        "description": description,
        "visibility": reader.input["visibility"],
    }
    before = await next_sibling(tx, tree_position, position, neighbour)
    (rank,) = await ranks_before(tx, tree_position, before, 1)
    id_ = new_id("col")
    stamps = {"version": 1, "created_at": tx.log.at, "created_by_pk": tx.viewer.user_pk}
    derived = {"id": id_, "name_key": fold_name(columns["name"]), "sort_key": name_sort_key(columns["name"])} | stamps
    await insert_collection(tx, tree_position, rank, columns, derived)
    change = await log_created(tx, tree_position, id_, columns, effect={"children": []})
    return {"collection": id_, "changes": [change]}


async def update_collection(tx: MutationTransaction, reader: InputReader) -> Result:
    """Update a collection's fields, or move it with its descendants."""
    path = await _get_path(tx, reader)
    collection, current = path[0], TreePosition.of(path)
    columns = _input_columns(reader)
    if columns.get("slug"):
        await _check_slug(tx, reader, columns["slug"], [collection.pk])
    requested = await requested_position(tx, reader, current)
    descendants: Sequence[DescendantRow] = ()
    if reader.has("topic_id") or reader.has("parent_id"):
        descendants = await descendants_of(tx, collection.pk)
    check_nesting(reader, requested, collection.pk, descendants)
    name = columns.get("name", collection.name)
    is_renamed = fold_name(name) != collection.name_key
    field = "name" if is_renamed else _position_field(reader, current, requested)
    await check_name(tx, reader, requested, name, field, excluding=[collection.pk])
    reader.check_version(collection)
    reader.raise_errors()
    change = await write_update(tx, collection, columns, current=current, requested=requested, descendants=descendants)
    result = {"collection": collection.id, "changes": [] if change is None else [change]}
    if requested.columns == current.columns:
        return result
    former = current.log_fields
    return {**result, "formerTopic": former["topic"], "formerParent": former["parent"]}


def _input_columns(reader: InputReader) -> dict[str, Any]:
    """Return the columns that the input sets, without those of the position."""
    readers: dict[str, Callable[[], Any]] = {
        "name": reader.name,
        "slug": reader.slug,
        "description": reader.description,
        "visibility": lambda: reader.non_null("visibility"),
    }
    return {column: read() for column, read in readers.items() if reader.has(column)}


def _position_field(reader: InputReader, current: TreePosition, requested: TreePosition) -> str:
    """Return the input field that moves the collection."""
    is_topic = reader.input.get("parent_id") is None and current.topic_pk != requested.topic_pk
    return "topicId" if is_topic else "parentId"


async def reorder(tx: MutationTransaction, reader: InputReader) -> Result:
    """Move a collection among its siblings."""
    position, path = reader.position(), await _get_path(tx, reader)
    collection, tree_position = path[0], TreePosition.of(path)
    neighbour = await _find_neighbour(tx, reader, tree_position, position)
    if neighbour is not None and neighbour.pk == collection.pk:
        message = "A collection cannot be placed next to itself. Choose another neighbour."
        reader.add_error(UserErrorCode.INVALID, message, *position.path)
    reader.raise_errors()
    before = await next_sibling(tx, tree_position, position, neighbour, [collection.pk])
    changes: list[str] = []
    if before != await next_sibling(tx, tree_position, Position(Side.AFTER), collection, [collection.pk]):
        changes = [await write_rank(tx, collection, tree_position, before)]
    return {"collection": collection.id, "changes": changes}


async def delete_collection(tx: MutationTransaction, reader: InputReader) -> Result:
    """Delete a collection; its children move up to its parent."""
    path = await _get_path(tx, reader)
    collection, tree_position = path[0], TreePosition.of(path)
    reader.check_version(collection)
    children = await siblings_at(tx, TreePosition.under(path))
    await check_children_names(tx, reader, collection, tree_position, children)
    reader.raise_errors()
    change = await write_delete(tx, collection, tree_position, children)
    return {
        "deletedCollectionId": collection.id,
        "topic": tree_position.topic_id,
        "movedCollections": [child.id for child in children],
        "change": change,
    }


async def _get_path(tx: MutationTransaction, reader: InputReader) -> Sequence[PathRow]:
    """Return the input's collection and its ancestors, the nearest first. One statement.

    Raises MutationRejectedError if the collection is absent or hidden.
    """
    path = await path_to_root(tx, reader.input["id"])
    reader.check_found(path or None, "collection", "id")
    if not path:
        reader.raise_errors()
    return path


async def _find_neighbour(
    tx: MutationTransaction, reader: InputReader, tree_position: TreePosition, position: Position
) -> CollectionRow | None:
    """Return the sibling that the position names, None for an end; add an error if it is no sibling.

    One statement, and one more if it is none.
    """
    if position.id is None:
        return None
    select = tree_position.siblings(tx.viewer).where(sql.collection.c.id == position.id)
    rows: Sequence[CollectionRow] = await tx.rows(select)
    if not rows:
        message = "The neighbour has another topic or parent. Choose a sibling, or an end."
        await tx.refuse_neighbour(reader, sql.collection, position.id, message, *position.path)
        return None
    return rows[0]


async def check_name(
    tx: MutationTransaction,
    reader: InputReader,
    tree_position: TreePosition,
    name: str,
    field: str,
    *,
    excluding: Sequence[int] = (),
) -> None:
    """Add an error at the field if a sibling, other than those with the pks `excluding`, has the name."""
    if sibling := await find_sibling(tx, tree_position, [fold_name(name)], excluding):
        message = f'A sibling collection named "{sibling.name}" already exists.'
        reader.add_error(UserErrorCode.TAKEN, message, field)


async def check_children_names(
    tx: MutationTransaction,
    reader: InputReader,
    collection: CollectionRow,
    tree_position: TreePosition,
    children: Sequence[CollectionRow],
    *,
    field: str = "id",
) -> None:
    """Add an error at the field if a child, which moves up to its parent's siblings, would have the name of one."""
    names = [child.name_key for child in children]
    if sibling := await find_sibling(tx, tree_position, names, [collection.pk]):
        message = f'A sibling and a child of the collection are both named "{sibling.name}". Rename one first.'
        reader.add_error(UserErrorCode.TAKEN, message, field)


async def find_sibling(
    tx: MutationTransaction, tree_position: TreePosition, names: Sequence[str], excluding: Sequence[int]
) -> CollectionRow | None:
    """Return the first sibling that has one of the names."""
    collection = sql.collection
    has_name = collection.c.name_key.in_(sql.text_list(names))
    is_other = collection.c.pk.not_in(sql.int_list(excluding))
    select = tree_position.siblings(tx.viewer).where(has_name, is_other)
    rows: Sequence[CollectionRow] = await tx.rows(select.order_by(collection.c.rank, collection.c.pk).limit(1))
    return rows[0] if rows else None


async def _check_slug(tx: MutationTransaction, reader: InputReader, slug: str, excluding: Sequence[int] = ()) -> None:
    collection = sql.collection
    is_other = collection.c.pk.not_in(sql.int_list(excluding))
    if await tx.rows(visible(collection, tx.viewer).where(collection.c.slug == slug, is_other)):
        reader.add_error(UserErrorCode.TAKEN, f'A collection with the slug "{slug}" already exists.', "slug")


async def unused_slug(tx: MutationTransaction, stem: str, excluding: Sequence[int] = ()) -> str:
    """Return the stem as a slug, or numbered if a collection, other than those with the pks `excluding`, has it."""
    slug, pk = sql.collection.c.slug, sql.collection.c.pk
    is_numbered = and_(slug >= f"{stem}-", slug < f"{stem}.")  # "." sorts right after "-"
    select = visible(sql.collection, tx.viewer).where(or_(slug == stem, is_numbered))
    rows: Sequence[CollectionRow] = await tx.rows(select.where(pk.not_in(sql.int_list(excluding))))
    return unique_slug(stem, {row.slug for row in rows})
