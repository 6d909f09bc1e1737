"""Former sort keys in ranked lists: those that topics, collections and members had before the last changes."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import FromClause, case

from permissions import Viewer, visible
from resolvers.listing.listing import SINCE
from resolvers.listing.timeline import Key, Step
from store import sql
from store.sql import Expression, Selection


def select_former_topics(viewer: Viewer) -> Selection:
    """Return the SELECT of `[revision, id, rank]` of topics before the last changes; the rank of a new one is NULL."""
    return _select_former(viewer, sql.topic).with_only_columns(*sql.former_place.c["revision", "id", "rank"])


def select_former_collections(viewer: Viewer) -> Selection:
    """Return the SELECT of `[revision, id, pk, topic_pk, parent_pk, rank]` of collections before the last changes."""
    names = ("revision", "id", "row_pk", "topic_pk", "parent_pk", "rank")
    return _select_former(viewer, sql.collection).with_only_columns(*sql.former_place.c[names])


def select_former_topic_ranks(viewer: Viewer) -> Selection:
    """Return the SELECT of `[revision, pk, rank]` of topics before the last changes."""
    return _select_former(viewer, sql.topic).with_only_columns(*sql.former_place.c["revision", "row_pk", "rank"])


def select_former_siblings(viewer: Viewer, parents: FromClause, column: str) -> Selection:
    """Return the SELECT of `[revision, id, rank, pk]` of collections before the last changes.

    The rank of a collection whose column was not the parent is NULL.
    """
    former = sql.former_place.c
    rank = case((former[column] == parents.c.value, former.rank))
    return _select_former(viewer, sql.collection).with_only_columns(
        former.revision, former.id, rank.label("rank"), former.row_pk
    )


def select_former_members(viewer: Viewer, is_in_list: Callable[[FromClause], Expression]) -> Selection:
    """Return the SELECT of `[revision, id, rank, pk, collection's pk]` of members before the last changes.

    `is_in_list` is the condition on collections. The rank of an asset that was not a member is NULL.
    """
    change, member, collection = sql.change, sql.change_asset, sql.collection.alias("changed")
    return (
        visible(sql.asset, viewer)
        .join(member, member.c.asset_pk == sql.asset.c.pk)
        .join(change, change.c.pk == member.c.change_pk)
        .join(collection, collection.c.id == change.c.subject_id)
        .where(is_in_list(collection), change.c.at > SINCE)
        .order_by(change.c.pk.desc())
        .with_only_columns(change.c.revision, sql.asset.c.id, member.c.rank, sql.asset.c.pk, collection.c.pk)
    )


def _select_former(viewer: Viewer, table: Any) -> Selection:
    former = sql.former_place
    places = visible(former, viewer).where(former.c.kind == table.name, former.c.at > SINCE)
    return places.order_by(former.c.pk.desc())


def group_steps(rows: Iterable[Sequence[Any]]) -> list[Step]:
    """Return the steps of rows `[revision, id, *sort keys]`, of which the first is NULL if the row was not there."""
    steps: defaultdict[int, dict[str, Key | None]] = defaultdict(dict)
    for revision, id_, *key in rows:
        steps[revision][id_] = None if key[0] is None else tuple(key)  # the first row of a revision comes last
    return list(steps.values())


def collection_steps(keys: Mapping[str, Key], rows: Mapping[str, Sequence[Any]]) -> list[Step]:
    """Return the steps of all collections, sorted by the rank of their topic first.

    A collection moves with its topic. Takes the current keys, and rows of `collections` (id, topic's pk), `topics` (pk,
    rank), `former_collections` and `former_topics`.
    """
    topic_of: dict[str, int] = dict(rows["collections"])
    places = {id_: (topic_of[id_], key[1:]) for id_, key in keys.items()}
    ranks: dict[int, int | None] = dict(rows["topics"])
    steps: list[Step] = []
    for collections, topics in _by_revision(rows["former_collections"], rows["former_topics"]):
        moving_topics: dict[int, int | None] = dict(map(tuple, topics))
        moved = {id_ for id_, (topic_pk, _) in places.items() if topic_pk in moving_topics}
        ranks |= moving_topics
        for id_, pk, topic_pk, _, rank in collections:
            moved.add(id_)
            places.pop(id_, None)
            if rank is not None:
                places[id_] = (topic_pk, (rank, pk))
        former: dict[str, Key | None] = dict.fromkeys(moved)
        for id_ in moved & places.keys():
            topic_pk, key = places[id_]
            topic_rank = ranks.get(topic_pk)
            former[id_] = None if topic_rank is None else (topic_rank, *key)
        steps.append(former)
    return steps


def descendant_steps(parent: int, rows: Mapping[str, Sequence[Any]]) -> list[Step]:
    """Return the steps of the assets of a collection and its descendants.

    Takes rows of `collections` (pk, parent's pk, rank), `members` (collection's pk, asset's id and pk, rank),
    `former_collections` and `former_members`.
    """
    tree = _Tree(parent, rows["collections"], rows["members"])
    steps: list[Step] = []
    for collections, members in _by_revision(rows["former_collections"], rows["former_members"]):
        moved = {id_ for id_, *_ in members}
        for id_, rank, asset_pk, collection_pk in members:
            tree.set_member(collection_pk, id_, asset_pk, rank)
        if collections:
            moved |= tree.move_collections({pk: (parent_pk, rank) for _, pk, _, parent_pk, rank in collections})
        steps.append({id_: tree.key(id_) for id_ in moved})
    return steps


class _Tree:
    """Collections below a collection, and their members, changed step by step into earlier states."""

    def __init__(self, top: int, collections: Sequence[Any], members: Sequence[Any]) -> None:
        self._top = top
        self._collections: dict[int, tuple[int | None, int]] = {pk: (above, rank) for pk, above, rank in collections}
        self._members: defaultdict[str, dict[int, Key]] = defaultdict(dict)
        for collection_pk, id_, asset_pk, rank in members:
            self.set_member(collection_pk, id_, asset_pk, rank)
        self._keys = self._collection_keys()

    def set_member(self, collection_pk: int, id_: str, asset_pk: int, rank: int | None) -> None:
        """Set the rank of an asset in a collection; None if it is not a member."""
        self._members[id_].pop(collection_pk, None)
        if rank is not None:
            self._members[id_][collection_pk] = (rank, asset_pk)

    def move_collections(self, places: Mapping[int, tuple[int | None, int | None]]) -> set[str]:
        """Set the parents and ranks of collections; return the members of all whose keys change."""
        for pk, (above, rank) in places.items():
            self._collections.pop(pk, None)
            if rank is not None:
                self._collections[pk] = (above, rank)
        before, self._keys = self._keys, self._collection_keys()
        changed = {pk for pk in before.keys() | self._keys.keys() if before.get(pk) != self._keys.get(pk)}
        return {id_ for id_, members in self._members.items() if members.keys() & changed}

    def key(self, id_: str) -> Key | None:
        """Return the sort keys of an asset: those of its first membership in the tree; None without any."""
        members = self._members[id_]
        return min(((*self._keys[pk], *key) for pk, key in members.items() if pk in self._keys), default=None)

    def _collection_keys(self) -> dict[int, Key]:
        """Return depth, rank and pk of each collection in the tree, by pk."""
        below: defaultdict[int | None, list[int]] = defaultdict(list)
        for pk, (above, _) in self._collections.items():
            below[above].append(pk)
        level, depth = [self._top] if self._top in self._collections else [], 0
        keys: dict[int, Key] = {}
        while level:
            keys |= {pk: (depth, self._collections[pk][1], pk) for pk in level}
            level, depth = [pk for above in level for pk in below[above] if pk not in keys], depth + 1
        return keys


def _by_revision(
    first: Sequence[Sequence[Any]], second: Sequence[Sequence[Any]]
) -> Iterator[tuple[list[Sequence[Any]], list[Sequence[Any]]]]:
    """Yield the rows of both kinds by revision, which they begin with, the newest first.

    Of several rows of an object in one revision, the place before all of them comes last.
    """
    rows: defaultdict[int, tuple[list[Sequence[Any]], list[Sequence[Any]]]] = defaultdict(lambda: ([], []))
    for kind, each in enumerate((first, second)):
        for revision, *row in each:
            rows[revision][kind].append(row)
    for revision in sorted(rows, reverse=True):
        yield rows[revision]
