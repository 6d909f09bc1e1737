"""Import of collections: a line replaces the collection's columns, and adds its assets without removing others."""

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import select

from store import sql
from store.catalogue.lines import CollectionLine
from store.catalogue.parsed import ParsedCatalogue
from store.catalogue.upsert import DesiredRow, ImportSession
from store.changes import MemberChange
from store.membership_ranks import next_ranks
from store.place_log import log_places
from store.ranks import GAP, RankedList, tree_order
from store.search.sort_key import name_sort_key
from store.tables import ChangeAction
from store.text import fold_name


class ExistingMembers(NamedTuple):
    """Id of a collection and the pks of its assets before the import."""

    id: str
    asset_pks: set[int]


async def write_collections(session: ImportSession, catalogue: ParsedCatalogue) -> int:
    """Write the collections and return the number of added memberships.

    Added assets come after existing members, in the order of the line.
    """
    topics = await session.load_pks(sql.topic, "slug", {line.topic for line in catalogue.collections.values()})
    ranks = await session.next_ranks(sql.collection.c.rank)
    parents = {line.parent for line in catalogue.collections.values() if line.parent}
    pks = await session.load_pks(sql.collection, "slug", catalogue.collections.keys() | parents)
    moving = await _release_changed_names(session, catalogue, topics, pks)
    await log_places(session.connection, session.log, sql.collection, moving)
    for level in _levels(catalogue.collections):
        desired = {
            line.slug: DesiredRow(
                "collection", "col", _columns(line, topics, pks), {"rank": next(ranks), **session.initial_stamps}
            )
            for line in level
        }
        pks |= await session.upsert_and_log(sql.collection, "slug", desired)
    for topic_pk in set(topics.values()):
        await _rank_in_tree_order(session, topic_pk)
    return await _add_assets(session, catalogue, pks)


async def _release_changed_names(
    session: ImportSession, catalogue: ParsedCatalogue, topics: Mapping[str, int], pks: Mapping[str, int]
) -> list[str]:
    """Release the names of moved and renamed collections, so that other lines can take them, in any order.

    Return the ids of those that move.
    """
    existing = await session.load_rows(sql.collection, "slug", catalogue.collections)
    changed, moving = [], []
    for slug, row in existing.items():
        line = catalogue.collections[slug]
        placement = (topics[line.topic], pks.get(line.parent, 0) if line.parent else None)
        if (row.topic_pk, row.parent_pk) != placement:
            moving.append(row.id)
        if (row.topic_pk, row.parent_pk, row.name_key) != (*placement, fold_name(line.name)):
            changed.append(row.pk)
    await session.release_names(sql.collection, changed)
    return moving


def _columns(line: CollectionLine, topics: Mapping[str, int], pks: Mapping[str, int]) -> dict[str, Any]:
    return {
        "name": line.name,
        "name_key": fold_name(line.name),
        "sort_key": name_sort_key(line.name),
        "description": line.description,
        "visibility": line.visibility,
        "topic_pk": topics[line.topic],
        "parent_pk": pks[line.parent] if line.parent else None,
    }


def _levels(lines: Mapping[str, CollectionLine]) -> Iterator[list[CollectionLine]]:
    """Yield the lines level by level, so that parents are written before their children."""
    remaining = dict(lines)
    while remaining:
        level = [line for line in remaining.values() if line.parent not in remaining]
        yield level
        for line in level:
            del remaining[line.slug]


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


async def _add_assets(session: ImportSession, catalogue: ParsedCatalogue, pks: Mapping[str, int]) -> int:
    lines = catalogue.collections
    collection_pks = [pks[slug] for slug in lines]
    existing = await _load_members(session, collection_pks)
    assets = await session.load_pks(sql.asset, "external_id", {id_ for line in lines.values() for id_ in line.assets})
    ranks = await next_ranks(session.connection, collection_pks)
    added: dict[str, list[MemberChange]] = {}
    rows: list[dict[str, Any]] = []
    for slug, line in lines.items():
        members = existing[pks[slug]]
        missing = [assets[id_] for id_ in dict.fromkeys(line.assets) if assets[id_] not in members.asset_pks]
        added[members.id] = [MemberChange(asset_pk) for asset_pk in missing]
        rows += [
            {"collection_pk": pks[slug], "asset_pk": asset_pk, "rank": ranks[pks[slug]] + index * GAP}
            for index, asset_pk in enumerate(missing)
        ]
    await session.insert(sql.membership, [row | {"added_at": session.log.at} for row in rows])
    await session.log.append_member_changes(ChangeAction.ASSETS_ADDED, added)
    return len(rows)


async def _load_members(session: ImportSession, pks: list[int]) -> dict[int, ExistingMembers]:
    collection, membership = sql.collection, sql.membership
    rows = (
        select(collection.c.pk, collection.c.id, membership.c.asset_pk)
        .outerjoin(membership, membership.c.collection_pk == collection.c.pk)
        .where(collection.c.pk.in_(sql.int_list(pks)))
    )
    members: dict[int, ExistingMembers] = {}
    for row in await session.connection.execute(rows):
        members.setdefault(row.pk, ExistingMembers(row.id, set())).asset_pks.add(row.asset_pk)
    return members
