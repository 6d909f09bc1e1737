"""Import of collections: writes those that lines create or change, and ranks them in the order of the tree."""

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from sqlalchemy import Row, select

from store import sql
from store.catalogue.existing import ExistingObjects
from store.catalogue.plan import Plan, PlannedCollection
from store.catalogue.upsert import DesiredRow, ImportSession
from store.changes import LoggedFieldChange, field_changes
from store.place_log import log_places
from store.ranks import GAP, RankedList, tree_order
from store.search.sort_key import name_sort_key

PksById = Mapping[str, int]
_UNLOGGED = frozenset({"name_key", "sort_key", "topic_pk", "parent_pk"})


async def write_collections(
    session: ImportSession, plan: Plan, existing: ExistingObjects, topics: PksById
) -> dict[str, int]:
    """Write the collections of lines, and those below them that change their topic. Return the pks of all by id."""
    pks = {id_: row.pk for id_, row in existing.collections.items()}
    places = existing.places()
    moving = [id_ for id_, place in places.items() if place != _place(plan.collections[id_])]
    await log_places(session.connection, session.log, sql.collection, moving)
    renamed = [id_ for id_, row in existing.collections.items() if _has_other_keys(row, plan.collections[id_])]
    released = {existing.collections[id_].pk for id_ in (*moving, *renamed)}
    await session.release_keys(sql.collection, sorted(released))
    ranks = await session.next_ranks(sql.collection.c.rank)
    ids_of_lines = {match.id for match in plan.collection_matches.by_slug.values()}
    written = {id_: each for id_, each in plan.collections.items() if id_ in ids_of_lines or id_ in moving}

    def format_changes(row: Row[Any], changed: Mapping[str, Any]) -> list[LoggedFieldChange]:
        before, after = places[row.id], _place(plan.collections[row.id])
        moves = zip(("topic", "parent"), before, after, strict=True)
        return [
            *field_changes(row, {name: value for name, value in changed.items() if name not in _UNLOGGED}),
            *({"field": name, "before": old, "after": new} for name, old, new in moves if old != new),
        ]

    for level in _levels(written):
        desired = {
            each.id: DesiredRow(
                "collection", "col", _columns(each, topics, pks), {"rank": next(ranks), **session.initial_stamps}
            )
            for each in level
        }
        pks |= await session.upsert_versioned(sql.collection, desired, existing.collections, format_changes)
    for topic_pk in {topics[each.topic] for each in written.values() if each.topic is not None}:
        await _rank_in_tree_order(session, topic_pk)
    return pks


def _has_other_keys(row: Row[Any], collection: PlannedCollection) -> bool:
    return (row.slug, row.name_key) != (collection.slug, collection.name_key)


def _place(collection: PlannedCollection) -> list[str | None]:
    return [collection.topic, collection.parent]


def _columns(collection: PlannedCollection, topics: PksById, pks: PksById) -> dict[str, Any]:
    return {
        "slug": collection.slug,
        "name": collection.name,
        "name_key": collection.name_key,
        "sort_key": name_sort_key(collection.name),
        "description": collection.description,
        "visibility": collection.visibility,
        "topic_pk": topics[str(collection.topic)],
        "parent_pk": pks[collection.parent] if collection.parent else None,
    }


def _levels(collections: Mapping[str, PlannedCollection]) -> Iterator[list[PlannedCollection]]:
    """Yield the collections level by level, so that parents are written before their children."""
    remaining = dict(collections)
    while remaining:
        level = [each for each in remaining.values() if each.parent not in remaining]
        yield level
        for each in level:
            del remaining[each.id]


async def _rank_in_tree_order(session: ImportSession, topic_pk: int) -> None:
    """Rank the collections of the topic as mutations do: each before its descendants, and these before its sibling.

    Only those that this import created or moved, and their descendants, get a new rank.
    """
    collection, former = sql.collection, sql.former_place
    logged = select(former.c.id).where(former.c.revision == session.log.revision)
    columns = (collection.c.pk, collection.c.id, collection.c.parent_pk, collection.c.id.in_(logged).label("moves"))
    in_topic = select(*columns).where(collection.c.topic_pk == topic_pk).order_by(collection.c.rank, collection.c.pk)
    rows = {row.pk: row for row in await session.connection.execute(in_topic)}
    order = tree_order({pk: row.parent_pk for pk, row in rows.items()})
    if order == list(rows):
        return
    moving: set[int] = set()
    for pk in order:  # parents come first
        if rows[pk].moves or rows[pk].parent_pk in moving:
            moving.add(pk)
    await log_places(session.connection, session.log, collection, [rows[pk].id for pk in order if pk in moving])
    ranked = RankedList(session.connection, collection, "pk", {"topic_pk": topic_pk})
    if len(moving) == len(order):
        await ranked.set_ranks({pk: index * GAP for index, pk in enumerate(order)})
        return
    blocks = [(is_moving, list(pks)) for is_moving, pks in groupby(order, key=moving.__contains__)]
    for index, (is_moving, block) in enumerate(blocks):
        if is_moving:
            next_to = blocks[index - 1][1][-1] if index else blocks[1][1][0]
            others = list(moving)  # not in their places yet
            ranks = await ranked.allocate_ranks(len(block), next_to=next_to, is_after=index > 0, moving=others)
            await ranked.set_ranks(dict(zip(block, ranks, strict=True)))
            moving -= set(block)
