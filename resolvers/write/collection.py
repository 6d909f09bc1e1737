"""This file is collections being changed: by administrators, each change logged on the collection that it is about."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Row, and_, delete, insert, or_, update

from permissions import visible
from permissions.require import Permission
from resolvers.context import Context
from resolvers.write.moving import follower, move_along, moved_fields, put, ranks_at
from resolvers.write.nesting import Place, downwards, place_asked, refuse_bad_nesting, upwards
from resolvers.write.reading import Input, Position, Reading, Side, free_slug, slug_of
from resolvers.write.transaction import Answer, Payload, Write, mutate
from resolvers.write.user_error import UserErrorCode
from store import sql
from store.changes import FieldChange, changed, changed_fields
from store.ids import new_id
from store.tables import ChangeAction
from store.text import NAME_KEY_PLACEHOLDER, fold_name


async def create(context: Context, given: Input) -> Payload:
    """Make a collection."""
    return await mutate(context, Permission.ADMIN, "collectionCreate", given, _create)


async def update_(context: Context, given: Input) -> Payload:
    """Change a collection's name, slug, description or visibility, or move it with all that is below it."""
    return await mutate(context, Permission.ADMIN, "collectionUpdate", given, _update)


async def reorder(context: Context, given: Input) -> Payload:
    """Put a collection beside one of its siblings."""
    return await mutate(context, Permission.ADMIN, "collectionReorder", given, _reorder)


async def delete_(context: Context, given: Input) -> Payload:
    """Delete a collection; its children move up to its parent."""
    return await mutate(context, Permission.ADMIN, "collectionDelete", given, _delete)


async def _create(write: Write, reading: Reading) -> Answer:
    name, description, slug, position = reading.name(), reading.description(), reading.slug(), reading.position()
    if slug:
        await _refuse_slug(write, reading, slug)
    place = await place_asked(write, reading)
    refuse_bad_nesting(reading, place)
    await _refuse_name(write, reading, place, name, "name")
    neighbour = await _neighbour(write, reading, place, position)
    reading.stop()
    told = {
        "name": name,
        "slug": slug or await _free_slug(write, name),
        "description": description,
        "visibility": reading.given["visibility"],
    }
    following = await follower(write, place, position, neighbour)
    (rank,) = await ranks_at(write, place, following, 1)
    return {"collection": await _insert(write, place, rank, told)}


async def _insert(write: Write, place: Place, rank: int, told: dict[str, Any]) -> str:
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
    standing = {field: of for field, of in place.told.items() if of is not None}
    await write.log.append(ChangeAction.CREATED, [id_], changed_fields(None, told | standing))
    return id_


async def _update(write: Write, reading: Reading) -> Answer:
    line = await _line(write, reading)
    collection, own = line[0], Place.of(line)
    wanted = _wanted(reading)
    if wanted.get("slug"):
        await _refuse_slug(write, reading, wanted["slug"], [collection.pk])
    place = await place_asked(write, reading, own)
    is_placed = reading.has("topic_id") or reading.has("parent_id")
    below = await downwards(write, collection.pk) if is_placed else ()
    refuse_bad_nesting(reading, place, collection.pk, below)
    name = wanted.get("name", collection.name)
    field = _cause(reading, own, place) if fold_name(name) == collection.name_key else "name"
    await _refuse_name(write, reading, place, name, field, besides=[collection.pk])
    reading.version(collection)
    reading.stop()
    await _apply(write, collection, changed(collection, wanted), moved_fields(own.told, place.told), place)
    if place.columns != own.columns:
        await move_along(write, own, place, collection, below)
    return {"collection": collection.id}


async def _apply(
    write: Write, collection: Row[Any], differing: dict[str, Any], moved: Sequence[FieldChange], place: Place
) -> None:
    if differing or moved:
        names = {"name_key": fold_name(differing["name"])} if "name" in differing else {}
        stamps = {"version": collection.version + 1, "updated_at": write.log.at}
        row = update(sql.collection).where(sql.collection.c.pk == collection.pk)
        await write.execute(row.values(differing | names | place.columns | stamps))
        fields = [*changed_fields(collection, differing), *moved]
        await write.log.append(ChangeAction.UPDATED, [collection.id], fields)


def _wanted(reading: Reading) -> dict[str, Any]:
    """Return the columns that the input gives, but for the place."""
    read: dict[str, Callable[[], Any]] = {
        "name": reading.name,
        "slug": reading.slug,
        "description": reading.description,
        "visibility": lambda: reading.value("visibility", "visibility"),
    }
    return {column: value() for column, value in read.items() if reading.has(column)}


def _cause(reading: Reading, own: Place, place: Place) -> str:
    """Return the field that took the collection to where it is to stand."""
    is_topic = reading.given.get("parent_id") is None and own.topic_pk != place.topic_pk
    return "topicId" if is_topic else "parentId"


async def _reorder(write: Write, reading: Reading) -> Answer:
    position, line = reading.position(), await _line(write, reading)
    collection, place = line[0], Place.of(line)
    neighbour = await _neighbour(write, reading, place, position)
    if neighbour is not None and neighbour.pk == collection.pk:
        reading.refuse(UserErrorCode.INVALID, "A collection cannot stand beside itself.", *position.path[1:])
    reading.stop()
    following = await follower(write, place, position, neighbour, [collection.pk])
    if following != await follower(write, place, Position(Side.AFTER), collection, [collection.pk]):
        below = await downwards(write, collection.pk)
        await put(write, place, following, [collection.pk, *(row.pk for row in below)])
        await write.log.append(ChangeAction.REORDERED, [collection.id])
    return {"collection": collection.id}


async def _delete(write: Write, reading: Reading) -> Answer:
    line = await _line(write, reading)
    collection, place = line[0], Place.of(line)
    reading.version(collection)
    rows = Place.below(line).siblings(write.viewer)
    children = await write.rows(rows.order_by(sql.collection.c.rank, sql.collection.c.pk))
    names = [child.name_key for child in children]
    if clash := await _named(write, place, names, [collection.pk]):
        message = f"Beside it and below it are collections of the name «{clash.name}»: rename one first."
        reading.refuse(UserErrorCode.TAKEN, message, "id")
    reading.stop()
    await _move_up(write, collection, place, children)
    await write.execute(delete(sql.membership).where(sql.membership.c.collection_pk == collection.pk))
    await write.execute(delete(sql.collection).where(sql.collection.c.pk == collection.pk))
    named = [{"field": "name", "before": collection.name, "after": None}]
    await write.log.append(ChangeAction.DELETED, [collection.id], named)
    return {"deletedCollectionId": collection.id, "topic": place.topic_id}


async def _move_up(write: Write, collection: Row[Any], place: Place, children: Sequence[Row[Any]]) -> None:
    """Move the children to where the collection stands; they keep their ranks, and so their order.

    Whoever sees a child may not have seen the collection: what the child tells of itself (its version, its history)
    stays as it is, and that it stands elsewhere now is told as the administrators' order is.
    """
    table = sql.collection
    # A child may have the name of the collection, which goes only once nothing refers to it.
    await write.execute(update(table).where(table.c.pk == collection.pk).values(name_key=NAME_KEY_PLACEHOLDER))
    await write.execute(update(table).where(table.c.parent_pk == collection.pk).values(place.columns))
    fields = moved_fields({"parent": collection.id}, {"parent": place.told["parent"]})
    await write.log.append(ChangeAction.REORDERED, [child.id for child in children], fields)


async def _line(write: Write, reading: Reading) -> Sequence[Row[Any]]:
    """Return the collection that the input names and those above it; raise Rejected for no such collection."""
    line = await upwards(write, reading.given["id"])
    if not line:
        reading.missing("collection", "id")
        reading.stop()
    return line


async def _neighbour(write: Write, reading: Reading, place: Place, position: Position) -> Row[Any] | None:
    """Return the sibling that the position names, None for an end."""
    if position.id is None:
        return None
    found = await write.rows(place.siblings(write.viewer).where(sql.collection.c.id == position.id))
    if not found:
        reading.missing("collection", *position.path[1:])
        return None
    return found[0]


async def _refuse_name(
    write: Write, reading: Reading, place: Place, name: str, field: str, *, besides: Sequence[int] = ()
) -> None:
    """Refuse, at the field, a name that a sibling has. `besides` are pks that do not count."""
    if other := await _named(write, place, [fold_name(name)], besides):
        message = f"There is a collection of the name «{other.name}» in the same place."
        reading.refuse(UserErrorCode.TAKEN, message, field)


async def _named(write: Write, place: Place, names: Sequence[str], besides: Sequence[int]) -> Row[Any] | None:
    """Return the first sibling that has one of the names."""
    collection = sql.collection
    rows = place.siblings(write.viewer).where(
        collection.c.name_key.in_(sql.texts(names)), collection.c.pk.not_in(sql.listed(besides))
    )
    found = await write.rows(rows.order_by(collection.c.rank, collection.c.pk).limit(1))
    return found[0] if found else None


async def _refuse_slug(write: Write, reading: Reading, slug: str, besides: Sequence[int] = ()) -> None:
    collection = sql.collection
    rows = visible(collection, write.viewer).where(
        collection.c.slug == slug, collection.c.pk.not_in(sql.listed(besides))
    )
    if await write.rows(rows):
        reading.refuse(UserErrorCode.TAKEN, f"There is a collection of the slug {slug}.", "slug")


async def _free_slug(write: Write, name: str) -> str:
    """Return a slug made from the name that no collection has."""
    slug, stem = sql.collection.c.slug, slug_of(name, "collection")
    longer = and_(slug >= f"{stem}-", slug < f"{stem}.")  # a full stop comes right behind a hyphen
    rows = visible(sql.collection, write.viewer).where(or_(slug == stem, longer))
    return free_slug(stem, {row.slug for row in await write.rows(rows.with_only_columns(slug))})
