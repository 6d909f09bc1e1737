"""Comparison of the visibility index with SELECTs of `visible` and with an index that is built new."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import FromClause, select

from permissions.index_rows import read_all, read_changed
from permissions.viewer import Viewer, anonymous_viewer, viewer_by_external_id
from permissions.visibility_index import VisibilityIndex
from permissions.visible import visible
from resolvers.collection import Children, Collections
from resolvers.filter import CollectionFilter
from resolvers.membership import CollectionAssets
from resolvers.topic import TopicCollections, Topics
from store import sql
from store.database import Database, Snapshot
from store.tables import AssetKind, PrincipalKind

Contents = dict[str, Any]
"""Everything that a viewer sees, by the index or by SELECTs."""

NO_LIMIT = 1_000_000
NO_PARENTS: Any = None


class Follower:
    """Visibility index that follows a database step by step."""

    def __init__(self, database: Database) -> None:
        """Take the database. The index is built by `follow`."""
        self._database = database
        self.index: VisibilityIndex | None = None
        self.steps = 0

    async def follow(self) -> VisibilityIndex:
        """Bring the index to the latest version."""
        index = self.index
        if index is None:
            index = self.index = VisibilityIndex(await self._database.read(read_all))
        else:
            since = index.version
            rows = await self._database.read(lambda snapshot: read_changed(snapshot, since, NO_LIMIT))
            assert rows is not None
            index.update(rows)
            self.steps += rows.version > since
        return index

    async def compare(self, where: str, *, both_settings: bool = True) -> None:
        """Fail if the index differs from `visible`, or from an index built new; `where` is a part of the message.

        `both_settings`: compare with public sharing switched to the other value, too.
        """
        followed = await self.follow()
        async with self._database.snapshot() as snapshot:
            built = VisibilityIndex(await read_all(snapshot))
            assert _tables(followed) == _tables(built), where
            for viewer in await viewers(snapshot, both_settings=both_settings):
                shown = indexed_contents(followed, viewer)
                assert shown == await selected_contents(snapshot, viewer), f"{where}: {viewer}"
                assert shown == indexed_contents(built, viewer), f"{where}: {viewer}"


async def viewers(snapshot: Snapshot, *, both_settings: bool = False) -> list[Viewer]:
    """Return each user and an anonymous visitor; `both_settings` for each value of public sharing."""
    users = select(sql.principal.c.external_id).where(sql.principal.c.kind == PrincipalKind.USER)
    ids = [row.external_id for row in await snapshot.rows(users) if row.external_id]
    found = [await viewer_by_external_id(snapshot, id_) for id_ in ids]
    all_viewers = [*filter(None, found), await anonymous_viewer(snapshot)]
    others = [replace(viewer, public_sharing=not viewer.public_sharing) for viewer in all_viewers]
    return [*all_viewers, *others] if both_settings else all_viewers


def indexed_contents(index: VisibilityIndex, viewer: Viewer) -> Contents:
    """Return the contents by the index."""
    sight = index.sight(viewer)
    outline = sight.outline
    return {
        "assets": {sight.asset_ids[pk]: (pk, sight.access(pk)) for pk in sight.assets},
        "members": {pk: list(sight.members(pk)) for pk in outline.collection_ids if sight.members(pk)},
        "counts": {pk: _counts(*sight.count_members(pk)) for pk in outline.collection_ids if sight.members(pk)},
        "added": {pk: members for pk in outline.collection_ids if (members := _members(index, viewer, pk))},
        "topics": list(outline.topics),
        "topic_ids": (outline.topic_by_id, set(outline.topic_by_slug)),
        "collections": list(outline.collections_by_name),
        "collection_ids": (outline.collection_by_id, set(outline.collection_by_slug)),
        "of_topic": _lists(outline.collections_of_topic),
        "top_level": _lists(outline.top_level_of_topic),
        "children": {pk: list(pks) for pk, pks in outline.children.items() if pk in outline.collection_ids},
    }


async def selected_contents(snapshot: Snapshot, viewer: Viewer) -> Contents:
    """Return the contents by `visible`, in the orders of the resolvers' lists."""
    assets = await snapshot.rows(visible(sql.asset, viewer))
    kinds, ids = {row.pk: (row.kind, row.is_gold) for row in assets}, {row.pk: row.id for row in assets}
    members = await _rows(snapshot, sql.membership, viewer, CollectionAssets().sort_keys(viewer))
    grouped = _grouped((row.collection_pk, row.asset_pk) for row in members)
    topics = await _rows(snapshot, sql.topic, viewer, Topics().sort_keys(viewer))
    named = await _rows(snapshot, sql.collection, viewer, Collections().sort_keys(viewer))
    placed = await _rows(snapshot, sql.collection, viewer, TopicCollections(order="POSITION").sort_keys(viewer))
    nested = await _rows(snapshot, sql.collection, viewer, Children(order="POSITION").sort_keys(viewer))
    is_top = CollectionFilter(top_level_only=True).conditions(viewer)
    top = {row.pk for row in await snapshot.rows(visible(sql.collection, viewer).where(*is_top))}
    shown = {row.pk for row in named}
    return {
        "assets": {row.id: (row.pk, row.viewer_access) for row in assets},
        "members": grouped,
        "counts": {pk: _count(kinds[asset] for asset in held) for pk, held in grouped.items()},
        "added": _added(ids, members) if viewer.is_signed_in else {},
        "topics": [row.pk for row in topics],
        "topic_ids": ({row.id: row.pk for row in topics}, {row.slug for row in topics}),
        "collections": [row.pk for row in named],
        "collection_ids": ({row.id: row.pk for row in named}, {row.slug for row in named}),
        "of_topic": _grouped((row.topic_pk, row.pk) for row in placed),
        "top_level": _grouped((row.topic_pk, row.pk) for row in placed if row.pk in top),
        "children": _grouped((row.parent_pk, row.pk) for row in nested if row.parent_pk in shown),
    }


def _members(index: VisibilityIndex, viewer: Viewer, collection_pk: int) -> list[tuple[str, int]]:
    return index.members_of(viewer, collection_pk) if viewer.is_signed_in else []


def _added(ids: Mapping[int, str], rows: Sequence[Any]) -> dict[int, list[tuple[str, int]]]:
    """Return id and time of addition of the members of each collection. Visitors do not need them."""
    added = defaultdict[int, list[tuple[str, int]]](list)
    for row in rows:
        added[row.collection_pk].append((ids[row.asset_pk], row.added_at))
    return added


async def _rows(snapshot: Snapshot, table: FromClause, viewer: Viewer, keys: Iterable[Any]) -> Sequence[Any]:
    return await snapshot.rows(visible(table, viewer).order_by(*keys))


def _tables(index: VisibilityIndex) -> Contents:
    """Return the tables of the index, without the empty entries that deleted rows leave."""
    return {
        "version": index.version,
        "assets": index.assets,
        "owners_only": index.owners_only,
        "granted": [{pk: held for pk, held in by_principal.items() if held} for by_principal in index.granted],
        "ids": ({pk: index.asset_ids[pk] for pk in index.assets}, set(index.asset_ids), index.asset_by_id),
        "members": _lists(index.members),
        "sets": {pk: index.member_set(pk) for pk, order in index.members.items() if order},
        "counts": index.count(index.assets),
    }


def _lists(lists: Any) -> dict[int, list[int]]:
    return {pk: list(pks) for pk, pks in lists.items() if len(pks)}


def _counts(by_kind: Any, gold_standards: int) -> tuple[dict[str, int], int]:
    return dict(by_kind), gold_standards


def _count(assets: Iterable[tuple[str, int]]) -> tuple[dict[str, int], int]:
    by_kind, gold_standards = {kind.value: 0 for kind in AssetKind}, 0
    for kind, is_gold in assets:
        by_kind[kind] += 1
        gold_standards += is_gold
    return by_kind, gold_standards


def _grouped(pairs: Iterable[tuple[int, int]]) -> dict[int, list[int]]:
    grouped: defaultdict[int, list[int]] = defaultdict(list)
    for key, pk in pairs:
        grouped[key].append(pk)
    return dict(grouped)
