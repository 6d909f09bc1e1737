"""Writes of collections, shared by the mutations and their undo: insert, update, rank and delete, with the log."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import delete, insert, update

from permissions import visible
from resolvers.write.collection_move import move_subtree, position_changes, rank_collections
from resolvers.write.collection_tree import DescendantRow, TreePosition, descendants_of
from resolvers.write.neighbours import neighbours_of
from resolvers.write.transaction import MutationTransaction
from store import sql
from store.changes import MemberChange, changed_columns, field_changes
from store.former_slugs import keep_slug
from store.rows import CollectionRow, MembershipRow
from store.search.sort_key import name_sort_key
from store.tables import ChangeAction
from store.text import NAME_KEY_PLACEHOLDER, fold_name

KEPT_COLUMNS = ("pk", "id", "slug", "name", "name_key", "description", "version", "created_at", "created_by_pk")
"""Columns of a topic or collection that the log keeps of a deleted one, with `visibility` of a collection."""


async def siblings_at(tx: MutationTransaction, tree_position: TreePosition) -> Sequence[CollectionRow]:
    """Return the collections at the position, in their order. One statement."""
    collection = sql.collection
    return await tx.rows(tree_position.siblings(tx.viewer).order_by(collection.c.rank, collection.c.pk))


async def place_of(tx: MutationTransaction, tree_position: TreePosition, id_: str) -> dict[str, Any]:
    """Return the place of a collection as JSON for the change log: topic, parent and neighbours. One statement."""
    order = [row.id for row in await siblings_at(tx, tree_position)]
    return tree_position.log_fields | neighbours_of(order, id_)


async def insert_collection(
    tx: MutationTransaction,
    tree_position: TreePosition,
    rank: int,
    columns: Mapping[str, Any],
    derived: Mapping[str, Any],
) -> None:
    """Insert a collection and log its place. `derived` has the columns that its log entry does not."""
    row = {"rank": rank, "updated_at": tx.log.at, **derived, **columns, **tree_position.columns}
    await tx.execute(insert(sql.collection).values(row))
    await tx.log_places(sql.collection, [str(row["id"])], are_new=True)


async def log_created(
    tx: MutationTransaction, tree_position: TreePosition, id_: str, columns: Mapping[str, Any], **record: Any
) -> str:
    """Log the creation of a collection, and return the id of the change. Two statements."""
    position_fields = {field: value for field, value in tree_position.log_fields.items() if value is not None}
    fields = field_changes(None, {**columns, **position_fields})
    (change,) = await tx.log.append(ChangeAction.CREATED, [id_], fields, **record)
    return change


async def write_update(
    tx: MutationTransaction,
    collection: CollectionRow,
    columns: Mapping[str, Any],
    *,
    current: TreePosition,
    requested: TreePosition,
    descendants: Sequence[DescendantRow] = (),
    **record: Any,
) -> str | None:
    """Update a collection's columns, move it to the end of its new siblings, and log the differences.

    Return the id of the change; None if nothing changed.
    """
    changed = changed_columns(collection, columns)
    moves = position_changes(current.log_fields, requested.log_fields)
    if not (changed or moves):
        return None
    place = await place_of(tx, current, collection.id) if moves else None
    if moves:
        await tx.log_places(sql.collection, [collection.id, *(row.id for row in descendants)])
    if "slug" in changed:
        await keep_slug(tx.connection, sql.collection, collection.id, collection.slug)
    derived: dict[str, Any] = {"version": collection.version + 1, "updated_at": tx.log.at}
    if "name" in changed:
        derived |= {"name_key": fold_name(changed["name"]), "sort_key": name_sort_key(changed["name"])}
    row = update(sql.collection).where(sql.collection.c.pk == collection.pk)
    await tx.execute(row.values(changed | derived | requested.columns))
    fields = [*field_changes(collection, changed), *moves]
    effect = {} if place is None else {"place": place}
    (change,) = await tx.log.append(ChangeAction.UPDATED, [collection.id], fields, effect=effect, **record)
    if moves:
        await move_subtree(tx, current, requested, collection, descendants)
    return change


async def write_rank(
    tx: MutationTransaction, collection: CollectionRow, tree_position: TreePosition, before: int | None, **record: Any
) -> str:
    """Rank a collection with its descendants before a sibling, log it, and return the id of the change."""
    place = await place_of(tx, tree_position, collection.id)
    block = [collection, *await descendants_of(tx, collection.pk)]
    await tx.log_places(sql.collection, [row.id for row in block])
    await rank_collections(tx, tree_position, before, [row.pk for row in block])
    (change,) = await tx.log.append(ChangeAction.REORDERED, [collection.id], effect={"place": place}, **record)
    return change


async def write_delete(
    tx: MutationTransaction,
    collection: CollectionRow,
    tree_position: TreePosition,
    children: Sequence[CollectionRow],
    **record: Any,
) -> str:
    """Delete a collection, move its children up, log both with its members, and return the id of the change."""
    effect = {
        "row": {name: getattr(collection, name) for name in (*KEPT_COLUMNS, "visibility")},
        "place": await place_of(tx, tree_position, collection.id),
        "children": [child.id for child in children],
    }
    await tx.log_places(sql.collection, [collection.id, *(child.id for child in children)])
    await _move_up(tx, collection, tree_position, children)
    is_seen = collection.visibility == "INTERNAL" or tx.viewer.public_sharing
    (change,) = await tx.log.append(
        ChangeAction.DELETED,
        [collection.id],
        [{"field": "name", "before": collection.name, "after": None}],
        effect=effect,
        deleted_visibility=collection.visibility if is_seen else None,
        **record,
    )
    await tx.log.append_members({change: [_as_change(member) for member in await _members(tx, collection.pk)]})
    await tx.execute(delete(sql.membership).where(sql.membership.c.collection_pk == collection.pk))
    await tx.execute(delete(sql.collection).where(sql.collection.c.pk == collection.pk))
    return change


async def _members(tx: MutationTransaction, collection_pk: int) -> Sequence[MembershipRow]:
    members = visible(sql.membership, tx.viewer).where(sql.membership.c.collection_pk == collection_pk)
    return cast("Sequence[MembershipRow]", await tx.rows(members))


def _as_change(member: MembershipRow) -> MemberChange:
    return MemberChange(member.asset_pk, member.rank, member.added_at, member.added_by_pk, member.note)


async def _move_up(
    tx: MutationTransaction,
    collection: CollectionRow,
    tree_position: TreePosition,
    children: Sequence[CollectionRow],
) -> None:
    """Move the children to the collection's position; they keep their ranks, and so their order.

    The collection may be hidden from a viewer who sees a child, so neither the child's version nor its history may
    reveal the move: the version stays, and the move is logged as REORDERED, which only administrators see.
    """
    table = sql.collection
    # Siblings' names are unique, and a child may have the collection's name. The collection cannot be deleted first,
    # because its children refer to it.
    await tx.execute(update(table).where(table.c.pk == collection.pk).values(name_key=NAME_KEY_PLACEHOLDER))
    await tx.execute(update(table).where(table.c.parent_pk == collection.pk).values(tree_position.columns))
    changes = position_changes({"parent": collection.id}, {"parent": tree_position.log_fields["parent"]})
    await tx.log.append(ChangeAction.REORDERED, [child.id for child in children], changes)
