"""Undo of changes of collections: created, updated, moved, reordered and deleted. Administrators only.

What others changed since stays: a field that was changed again, another parent, new members or children are a conflict.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import update

from permissions import visible
from resolvers.write.collection import check_children_names, check_name, find_sibling, unused_slug
from resolvers.write.collection_move import rank_collections, ranks_before, set_ranks
from resolvers.write.collection_rows import (
    insert_collection,
    log_created,
    siblings_at,
    write_delete,
    write_rank,
    write_update,
)
from resolvers.write.collection_tree import (
    PathRow,
    TreePosition,
    check_depth,
    check_nesting,
    descendants_of,
    path_to_root,
)
from resolvers.write.former_places import insert_records
from resolvers.write.input import InputReader
from resolvers.write.neighbours import find_index
from resolvers.write.transaction import MutationTransaction, Result
from resolvers.write.undo_conflict import (
    add_conflict,
    effect_of,
    has_field,
    is_overridden,
    later_changes,
    undone,
    values_of,
)
from resolvers.write.user_error import UserErrorCode
from store import sql
from store.changes import MemberChange
from store.former_slugs import keep_slug
from store.rows import ChangeRow, CollectionRow, MembershipRow
from store.search.sort_key import name_sort_key
from store.tables import ChangeAction
from store.text import NAME_KEY_PLACEHOLDER, fold_name
from store.undo_records import UndoRecord, undo_records

FIELD_PATH = "changeId"
NOT_EMPTIED = "The collection's assets or children"


async def undo_created(tx: MutationTransaction, reader: InputReader, change: ChangeRow) -> Result:
    """Delete a collection that a change created, unless it has other fields, members or children now."""
    path = await _get_path(tx, reader, change)
    collection, tree_position = path[0], TreePosition.of(path)
    await _check_fields(tx, reader, change, path)
    children = await siblings_at(tx, TreePosition.under(path))
    members: Sequence[MembershipRow] = await tx.rows(
        visible(sql.membership, tx.viewer).where(sql.membership.c.collection_pk == collection.pk)
    )
    created = {record.asset_pk for record in await undo_records(tx.connection, change.pk)}
    is_same = {child.id for child in children} == set(effect_of(change)["children"])
    if not is_same or {member.asset_pk for member in members} != created:
        await add_conflict(tx, reader, change, NOT_EMPTIED, lambda _: True)
    await check_children_names(tx, reader, collection, tree_position, children, field=FIELD_PATH)
    reader.raise_errors()
    log_id = await write_delete(tx, collection, tree_position, children, **undone(change))
    return {"subjects": [child.id for child in children], "changes": [log_id]}


async def undo_updated(tx: MutationTransaction, reader: InputReader, change: ChangeRow) -> Result:
    """Restore the former values of fields, and the former place if the collection was moved."""
    path = await _get_path(tx, reader, change)
    collection, current = path[0], TreePosition.of(path)
    await _check_fields(tx, reader, change, path)
    columns = {field: before for field, before, _ in _values(change) if field not in current.log_fields}
    place, descendants = effect_of(change).get("place"), await descendants_of(tx, collection.pk)
    requested = current if place is None else await _position_at(tx, reader, place)
    check_nesting(reader, requested, collection.pk, descendants, field=FIELD_PATH)
    name = columns.get("name") or collection.name
    await check_name(tx, reader, requested, name, FIELD_PATH, excluding=[collection.pk])
    if columns.get("slug") is not None and columns["slug"] != await unused_slug(tx, columns["slug"], [collection.pk]):
        message = f'Another collection has the slug "{columns["slug"]}" now. Change that first.'
        reader.add_error(UserErrorCode.TAKEN, message, FIELD_PATH)
    reader.raise_errors()
    before = None if place is None else await _next_sibling(tx, requested, place, [collection.id])
    log_id = await write_update(
        tx,
        collection,
        columns,
        current=current,
        requested=requested,
        descendants=descendants if place else (),
        **undone(change),
    )
    if place is not None:
        await rank_collections(tx, requested, before, [collection.pk, *(row.pk for row in descendants)])
    return {"subjects": [collection.id], "changes": [log_id]}


async def undo_reordered(tx: MutationTransaction, reader: InputReader, change: ChangeRow) -> Result:
    """Move a collection back to its former neighbours."""
    path = await _get_path(tx, reader, change)
    collection, current, place = path[0], TreePosition.of(path), effect_of(change)["place"]
    is_elsewhere = any(current.log_fields[field] != place[field] for field in current.log_fields)
    moves = [row for row in await later_changes(tx, change) if _is_move(row)]
    if is_elsewhere or is_overridden(moves):
        await add_conflict(tx, reader, change, "The collection's place", _is_move)
    reader.raise_errors()
    before = await _next_sibling(tx, current, place, [collection.id])
    log_id = await write_rank(tx, collection, current, before, **undone(change))
    return {"subjects": [collection.id], "changes": [log_id]}


def _is_move(change: ChangeRow) -> bool:
    """Return whether a change moved its collection; a collection that exists was restored after each deletion."""
    return change.action != ChangeAction.DELETED and "place" in (change.effect or {})


async def undo_deleted(tx: MutationTransaction, reader: InputReader, change: ChangeRow) -> Result:
    """Restore a deleted collection with its id, place, slug if it is free, children, and members with their notes.

    Children that moved elsewhere since stay there.
    """
    effect = effect_of(change)
    if await tx.visible_by_id(sql.collection, [change.subject_id]):
        await add_conflict(tx, reader, change, "The collection", lambda _: True)
    reader.raise_errors()
    tree_position = await _position_at(tx, reader, effect["place"])
    children = await _former_children(tx, tree_position, effect["children"])
    below = {child.pk: await descendants_of(tx, child.pk) for child in children}
    depth = max((2 + max((row.depth for row in rows), default=0) for rows in below.values()), default=1)
    check_depth(reader, tree_position, depth, field=FIELD_PATH)
    pks = [child.pk for child in children]
    if sibling := await find_sibling(tx, tree_position, [effect["row"]["name_key"]], pks):
        message = f'A sibling collection named "{sibling.name}" already exists. Rename it first.'
        reader.add_error(UserErrorCode.TAKEN, message, FIELD_PATH)
    reader.raise_errors()
    block = [pk for child in children for pk in (child.pk, *(row.pk for row in below[child.pk]))]
    before = await _next_sibling(tx, tree_position, effect["place"], [child.id for child in children])
    pk = await _insert_again(tx, tree_position, effect["row"], children=children, before=before, block=block)
    members = await undo_records(tx.connection, change.pk)
    await insert_records(tx, pk, members, [record.rank for record in members])
    log_id = await _log_restored(tx, tree_position, change, children, members)
    return {"subjects": [change.subject_id, *(child.id for child in children)], "changes": [log_id]}


async def _insert_again(
    tx: MutationTransaction,
    tree_position: TreePosition,
    former: Mapping[str, Any],
    *,
    children: Sequence[CollectionRow],
    before: int | None,
    block: Sequence[int],
) -> int:
    """Insert a deleted collection before a sibling, and move its children, with all below them, into it.

    Return its pk, which is the former one unless another collection has that.
    """
    collection, id_ = sql.collection, former["id"]
    taken = await tx.rows(visible(collection, tx.viewer).where(collection.c.pk == former["pk"]))
    slug = await unused_slug(tx, former["slug"])
    if slug != former["slug"]:
        await keep_slug(tx.connection, collection, id_, former["slug"])
    ranks = await ranks_before(tx, tree_position, before, 1 + len(block), block)
    names = ("id", "name", "description", "visibility", "created_at", "created_by_pk", *(() if taken else ("pk",)))
    columns = {name: former[name] for name in names}
    # Siblings' names are unique, and a child that moved up may have the name.
    derived = {"version": former["version"] + 1, "name_key": NAME_KEY_PLACEHOLDER + id_}
    derived |= {"slug": slug, "sort_key": name_sort_key(former["name"])}
    await insert_collection(tx, tree_position, ranks[0], columns, derived)
    row: CollectionRow = (await tx.visible_by_id(collection, [id_]))[id_]
    await tx.log_places(collection, [child.id for child in children])
    into = update(collection).where(collection.c.pk.in_(sql.int_list([child.pk for child in children])))
    await tx.execute(into.values(parent_pk=row.pk))
    await tx.execute(update(collection).where(collection.c.pk == row.pk).values(name_key=fold_name(former["name"])))
    await set_ranks(tx, tree_position, dict(zip(block, ranks[1:], strict=True)))
    return row.pk


async def _log_restored(
    tx: MutationTransaction,
    tree_position: TreePosition,
    change: ChangeRow,
    children: Sequence[CollectionRow],
    members: Sequence[UndoRecord],
) -> str:
    id_ = change.subject_id
    row: CollectionRow = (await tx.visible_by_id(sql.collection, [id_]))[id_]
    parent = {"field": "parent", "before": tree_position.log_fields["parent"], "after": id_}
    await tx.log.append(ChangeAction.REORDERED, [child.id for child in children], [parent])
    columns = {name: getattr(row, name) for name in ("name", "slug", "description", "visibility")}
    effect = {"children": [child.id for child in children]}
    log_id = await log_created(tx, tree_position, id_, columns, effect=effect, **undone(change))
    await tx.log.append_members({log_id: [MemberChange(record.asset_pk) for record in members]})
    return log_id


async def _former_children(
    tx: MutationTransaction, tree_position: TreePosition, ids: Sequence[str]
) -> Sequence[CollectionRow]:
    """Return the children that are still where the deletion put them, in their order. One statement."""
    return [row for row in await siblings_at(tx, tree_position) if row.id in ids]


async def _get_path(tx: MutationTransaction, reader: InputReader, change: ChangeRow) -> Sequence[PathRow]:
    """Return the collection of a change and its ancestors. Raises MutationRejectedError if it is deleted."""
    path = await path_to_root(tx, change.subject_id)
    if not path:
        message = "The collection of this change no longer exists. Undo its deletion first."
        reader.add_error(UserErrorCode.NOT_FOUND, message, FIELD_PATH)
        reader.raise_errors()
    return path


async def _check_fields(
    tx: MutationTransaction, reader: InputReader, change: ChangeRow, path: Sequence[PathRow]
) -> None:
    """Add CONFLICT for each field of a change that has another value now."""
    position = TreePosition.of(path).log_fields
    for field, _, after in _values(change):
        current = position[field] if field in position else getattr(path[0], field)
        if current != after:
            await add_conflict(tx, reader, change, f"The collection's {field}", has_field(field))


def _values(change: ChangeRow) -> list[tuple[str, Any, Any]]:
    """Return field, former and new value of each field; a new collection at the top has a null parent."""
    values = values_of(change)
    is_top_level = change.action == ChangeAction.CREATED and "parent" not in {field for field, *_ in values}
    return [*values, ("parent", None, None)] if is_top_level else values


async def _position_at(tx: MutationTransaction, reader: InputReader, place: Mapping[str, Any]) -> TreePosition:
    """Return a former position. Raises MutationRejectedError if its topic or parent is deleted or elsewhere."""
    if place["parent"] is not None:
        path = await path_to_root(tx, place["parent"])
        if path and path[0].topic_id == place["topic"]:
            return TreePosition.under(path)
    elif topic := (await tx.visible_by_id(sql.topic, [place["topic"]])).get(place["topic"]):
        return TreePosition(topic.pk, topic.id)
    noun = "topic" if place["parent"] is None else "parent"
    message = f"The collection's former {noun} was deleted or moved since. Undo that first."
    reader.add_error(UserErrorCode.CONFLICT, message, FIELD_PATH)
    reader.raise_errors()
    raise AssertionError  # unreachable: an error was added


async def _next_sibling(
    tx: MutationTransaction, tree_position: TreePosition, place: Mapping[str, Any], moving: Sequence[str]
) -> int | None:
    """Return the pk of the sibling before which a collection returns to its place; None for the end. One statement."""
    staying = [row for row in await siblings_at(tx, tree_position) if row.id not in moving]
    index = find_index([row.id for row in staying], place)
    return staying[index].pk if index < len(staying) else None
