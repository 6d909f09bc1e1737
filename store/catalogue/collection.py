"""This file is collections being written. They are the administrators': a line adds assets and never takes one out."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from sqlalchemy import select

from store import sql
from store.catalogue.lines import CollectionLine
from store.catalogue.parsed import ParsedCatalogue
from store.catalogue.upsert import DesiredRow, ImportSession
from store.changes import MemberChange
from store.membership_ranks import next_ranks
from store.ranks import GAP
from store.tables import ChangeAction
from store.text import fold_name


class Held(NamedTuple):
    """What a collection holds before the import."""

    id: str
    assets: set[int]


async def write_collections(write: ImportSession, told: ParsedCatalogue) -> int:
    """Write the collections and return the number of memberships that were added.

    Missing assets go behind those that are in, in the order of the line.
    """
    topics = await write.pks(sql.topic, "slug", {line.topic for line in told.collections.values()})
    ranks = await write.next_ranks(sql.collection.c.rank)
    parents = {line.parent for line in told.collections.values() if line.parent}
    pks = await write.pks(sql.collection, "slug", told.collections.keys() | parents)
    await _free_moved(write, told, topics, pks)
    for level in _levels(told.collections):
        wanted = {
            line.slug: DesiredRow(
                "collection", "col", _columns(line, topics, pks), {"rank": next(ranks), **write.stamps}
            )
            for line in level
        }
        pks |= await write.upsert(sql.collection, "slug", wanted)
    return await _add_assets(write, told, pks)


async def _free_moved(
    write: ImportSession, told: ParsedCatalogue, topics: Mapping[str, int], pks: Mapping[str, int]
) -> None:
    """Free the names of those that leave their place or name, so that others may take them, in any order."""
    held = await write.held(sql.collection, "slug", told.collections)
    leaving = []
    for slug, row in held.items():
        line = told.collections[slug]
        place = (topics[line.topic], pks.get(line.parent, 0) if line.parent else None, fold_name(line.name))
        if (row.topic_pk, row.parent_pk, row.name_key) != place:
            leaving.append(row.pk)
    await write.free_names(sql.collection, leaving)


def _columns(line: CollectionLine, topics: Mapping[str, int], pks: Mapping[str, int]) -> dict[str, Any]:
    return {
        "name": line.name,
        "name_key": fold_name(line.name),
        "description": line.description,
        "visibility": line.visibility,
        "topic_pk": topics[line.topic],
        "parent_pk": pks[line.parent] if line.parent else None,
    }


def _levels(lines: Mapping[str, CollectionLine]) -> Iterator[list[CollectionLine]]:
    """Yield the lines parents first, a level at a time."""
    waiting = dict(lines)
    while waiting:
        level = [line for line in waiting.values() if line.parent not in waiting]
        yield level
        for line in level:
            del waiting[line.slug]


async def _add_assets(write: ImportSession, told: ParsedCatalogue, pks: Mapping[str, int]) -> int:
    lines = told.collections
    held = await _held(write, [pks[slug] for slug in lines])
    assets = await write.pks(sql.asset, "external_id", {id_ for line in lines.values() for id_ in line.assets})
    behind = await next_ranks(write.connection, [pks[slug] for slug in lines])
    added: dict[str, list[MemberChange]] = {}
    rows: list[dict[str, Any]] = []
    for slug, line in lines.items():
        collection = held[pks[slug]]
        missing = [assets[id_] for id_ in dict.fromkeys(line.assets) if assets[id_] not in collection.assets]
        added[collection.id] = [MemberChange(asset) for asset in missing]
        rows += [
            {"collection_pk": pks[slug], "asset_pk": asset, "rank": behind[pks[slug]] + place * GAP}
            for place, asset in enumerate(missing)
        ]
    await write.insert(sql.membership, [row | {"added_at": write.log.at} for row in rows])
    await write.log.append_member_changes(ChangeAction.ASSETS_ADDED, added)
    return len(rows)


async def _held(write: ImportSession, pks: list[int]) -> dict[int, Held]:
    collection, membership = sql.collection, sql.membership
    rows = (
        select(
            collection.c.pk,
            collection.c.id,
            membership.c.asset_pk,
        )
        .outerjoin(membership, membership.c.collection_pk == collection.c.pk)
        .where(collection.c.pk.in_(sql.int_list(pks)))
    )
    held: dict[int, Held] = {}
    for row in await write.connection.execute(rows):
        held.setdefault(row.pk, Held(row.id, set())).assets.add(row.asset_pk)
    return held
