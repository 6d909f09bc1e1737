"""This file is collections being changed: by administrators, each change logged on the collection that it is about."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Row, and_, delete, insert, or_, update

from permissions import visible
from permissions.permission import Permission
from resolvers.context import Context
from resolvers.write.collection_tree import (
    TreePosition,
    check_nesting,
    descendants_of,
    path_to_root,
    requested_position,
)
from resolvers.write.input import Input, InputReader, Position, Side, make_slug, unique_slug
from resolvers.write.moving import changed_fields_of_move, move_subtree, next_sibling, place_collections, ranks_before
from resolvers.write.transaction import MutationTransaction, Payload, Result, run_mutation
from resolvers.write.user_error import UserErrorCode
from store import sql
from store.changes import FieldChange, changed_columns, field_changes
from store.ids import new_id
from store.tables import ChangeAction
from store.text import NAME_KEY_PLACEHOLDER, fold_name


async def create(context: Context, given: Input) -> Payload:
    """Make a collection."""
    return await run_mutation(context, Permission.ADMIN, "collectionCreate", given, _create)


async def update_(context: Context, given: Input) -> Payload:
    """Change a collection's name, slug, description or visibility, or move it with all that is below it."""
    return await run_mutation(context, Permission.ADMIN, "collectionUpdate", given, _update)


async def reorder(context: Context, given: Input) -> Payload:
    """Put a collection beside one of its siblings."""
    return await run_mutation(context, Permission.ADMIN, "collectionReorder", given, _reorder)


async def delete_(context: Context, given: Input) -> Payload:
    """Delete a collection; its children move up to its parent."""
    return await run_mutation(context, Permission.ADMIN, "collectionDelete", given, _delete)


async def _create(write: MutationTransaction, reading: InputReader) -> Result:
    name, description, slug, position = reading.name(), reading.description(), reading.slug(), reading.position()
    if slug:
        await _refuse_slug(write, reading, slug)
    place = await requested_position(write, reading)
    check_nesting(reading, place)
    await _refuse_name(write, reading, place, name, "name")
    neighbour = await _neighbour(write, reading, place, position)
    reading.raise_errors()
    told = {
        "name": name,
        "slug": slug or await _free_slug(write, name),
        "description": description,
        "visibility": reading.input["visibility"],
    }
    following = await next_sibling(write, place, position, neighbour)
    (rank,) = await ranks_before(write, place, following, 1)
    return {"collection": await _insert(write, place, rank, told)}


async def _insert(write: MutationTransaction, place: TreePosition, rank: int, told: dict[str, Any]) -> str:
    id_ = new_id("col")
    row = {
        "id": id_,
        "name_key": fold_name(told["name"]),
        "rank": rank,
        "version": 1,
        "created_at": write.log.at,
        "updated_at": write.log.at,
        "created_by_pk": write.viewer.user_pk,
    }
    await write.execute(insert(sql.collection).values(row | told | place.columns))
    standing = {field: of for field, of in place.log_fields.items() if of is not None}
    await write.log.append(ChangeAction.CREATED, [id_], field_changes(None, told | standing))
    return id_


async def _update(write: MutationTransaction, reading: InputReader) -> Result:
    line = await _line(write, reading)
    collection, own = line[0], TreePosition.from_path(line)
    wanted = _wanted(reading)
    if wanted.get("slug"):
        await _refuse_slug(write, reading, wanted["slug"], [collection.pk])
    place = await requested_position(write, reading, own)
    is_placed = reading.has("topic_id") or reading.has("parent_id")
    below = await descendants_of(write, collection.pk) if is_placed else ()
    check_nesting(reading, place, collection.pk, below)
    name = wanted.get("name", collection.name)
    field = _cause(reading, own, place) if fold_name(name) == collection.name_key else "name"
    await _refuse_name(write, reading, place, name, field, besides=[collection.pk])
    reading.check_version(collection)
    reading.raise_errors()
    await _apply(
        write,
        collection,
        changed_columns(collection, wanted),
        changed_fields_of_move(own.log_fields, place.log_fields),
        place,
    )
    if place.columns != own.columns:
        await move_subtree(write, own, place, collection, below)
    return {"collection": collection.id}


async def _apply(
    write: MutationTransaction,
    collection: Row[Any],
    differing: dict[str, Any],
    moved: Sequence[FieldChange],
    place: TreePosition,
) -> None:
    if differing or moved:
        names = {"name_key": fold_name(differing["name"])} if "name" in differing else {}
        stamps = {"version": collection.version + 1, "updated_at": write.log.at}
        row = update(sql.collection).where(sql.collection.c.pk == collection.pk)
        await write.execute(row.values(differing | names | place.columns | stamps))
        fields = [*field_changes(collection, differing), *moved]
        await write.log.append(ChangeAction.UPDATED, [collection.id], fields)


def _wanted(reading: InputReader) -> dict[str, Any]:
    """Return the columns that the input gives, but for the place."""
    read: dict[str, Callable[[], Any]] = {
        "name": reading.name,
        "slug": reading.slug,
        "description": reading.description,
        "visibility": lambda: reading.value("visibility", "visibility"),
    }
    return {column: value() for column, value in read.items() if reading.has(column)}


def _cause(reading: InputReader, own: TreePosition, place: TreePosition) -> str:
    """Return the field that took the collection to where it is to stand."""
    is_topic = reading.input.get("parent_id") is None and own.topic_pk != place.topic_pk
    return "topicId" if is_topic else "parentId"


async def _reorder(write: MutationTransaction, reading: InputReader) -> Result:
    position, line = reading.position(), await _line(write, reading)
    collection, place = line[0], TreePosition.from_path(line)
    neighbour = await _neighbour(write, reading, place, position)
    if neighbour is not None and neighbour.pk == collection.pk:
        reading.add_error(UserErrorCode.INVALID, "A collection cannot stand beside itself.", *position.path[1:])
    reading.raise_errors()
    following = await next_sibling(write, place, position, neighbour, [collection.pk])
    if following != await next_sibling(write, place, Position(Side.AFTER), collection, [collection.pk]):
        below = await descendants_of(write, collection.pk)
        await place_collections(write, place, following, [collection.pk, *(row.pk for row in below)])
        await write.log.append(ChangeAction.REORDERED, [collection.id])
    return {"collection": collection.id}


async def _delete(write: MutationTransaction, reading: InputReader) -> Result:
    line = await _line(write, reading)
    collection, place = line[0], TreePosition.from_path(line)
    reading.check_version(collection)
    rows = TreePosition.under(line).siblings(write.viewer)
    children = await write.rows(rows.order_by(sql.collection.c.rank, sql.collection.c.pk))
    names = [child.name_key for child in children]
    if clash := await _named(write, place, names, [collection.pk]):
        message = f"Beside it and below it are collections of the name «{clash.name}»: rename one first."
        reading.add_error(UserErrorCode.TAKEN, message, "id")
    reading.raise_errors()
    await _move_up(write, collection, place, children)
    await write.execute(delete(sql.membership).where(sql.membership.c.collection_pk == collection.pk))
    await write.execute(delete(sql.collection).where(sql.collection.c.pk == collection.pk))
    named = [{"field": "name", "before": collection.name, "after": None}]
    await write.log.append(ChangeAction.DELETED, [collection.id], named)
    return {"deletedCollectionId": collection.id, "topic": place.topic_id}


async def _move_up(
    write: MutationTransaction, collection: Row[Any], place: TreePosition, children: Sequence[Row[Any]]
) -> None:
    """Move the children to where the collection stands; they keep their ranks, and so their order.

    Whoever sees a child may not have seen the collection: what the child tells of itself (its version, its history)
    stays as it is, and that it stands elsewhere now is told as the administrators' order is.
    """
    table = sql.collection
    # A child may have the name of the collection, which goes only once nothing refers to it.
    await write.execute(update(table).where(table.c.pk == collection.pk).values(name_key=NAME_KEY_PLACEHOLDER))
    await write.execute(update(table).where(table.c.parent_pk == collection.pk).values(place.columns))
    fields = changed_fields_of_move({"parent": collection.id}, {"parent": place.log_fields["parent"]})
    await write.log.append(ChangeAction.REORDERED, [child.id for child in children], fields)


async def _line(write: MutationTransaction, reading: InputReader) -> Sequence[Row[Any]]:
    """Return the collection that the input names and those above it; raise Rejected for no such collection."""
    line = await path_to_root(write, reading.input["id"])
    if not line:
        reading.add_not_found("collection", "id")
        reading.raise_errors()
    return line


async def _neighbour(
    write: MutationTransaction, reading: InputReader, place: TreePosition, position: Position
) -> Row[Any] | None:
    """Return the sibling that the position names, None for an end."""
    if position.id is None:
        return None
    found = await write.rows(place.siblings(write.viewer).where(sql.collection.c.id == position.id))
    if not found:
        reading.add_not_found("collection", *position.path[1:])
        return None
    return found[0]


async def _refuse_name(
    write: MutationTransaction,
    reading: InputReader,
    place: TreePosition,
    name: str,
    field: str,
    *,
    besides: Sequence[int] = (),
) -> None:
    """Refuse, at the field, a name that a sibling has. `besides` are pks that do not count."""
    if other := await _named(write, place, [fold_name(name)], besides):
        message = f"There is a collection of the name «{other.name}» in the same place."
        reading.add_error(UserErrorCode.TAKEN, message, field)


async def _named(
    write: MutationTransaction, place: TreePosition, names: Sequence[str], besides: Sequence[int]
) -> Row[Any] | None:
    """Return the first sibling that has one of the names."""
    collection = sql.collection
    rows = place.siblings(write.viewer).where(
        collection.c.name_key.in_(sql.text_list(names)), collection.c.pk.not_in(sql.int_list(besides))
    )
    found = await write.rows(rows.order_by(collection.c.rank, collection.c.pk).limit(1))
    return found[0] if found else None


async def _refuse_slug(
    write: MutationTransaction, reading: InputReader, slug: str, besides: Sequence[int] = ()
) -> None:
    collection = sql.collection
    rows = visible(collection, write.viewer).where(
        collection.c.slug == slug, collection.c.pk.not_in(sql.int_list(besides))
    )
    if await write.rows(rows):
        reading.add_error(UserErrorCode.TAKEN, f"There is a collection of the slug {slug}.", "slug")


async def _free_slug(write: MutationTransaction, name: str) -> str:
    """Return a slug made from the name that no collection has."""
    slug, stem = sql.collection.c.slug, make_slug(name, "collection")
    longer = and_(slug >= f"{stem}-", slug < f"{stem}.")  # a full stop comes right behind a hyphen
    rows = visible(sql.collection, write.viewer).where(or_(slug == stem, longer))
    return unique_slug(stem, {row.slug for row in await write.rows(rows.with_only_columns(slug))})
