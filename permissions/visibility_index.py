"""Visibility index: the rows that each viewer sees, in memory, as of one version of the database.

It holds the grants and kinds of all assets as bitmaps of their pks, the members of each collection in their order, and
the topics and collections. It gives what `visible` selects: tests and proofs compare the two. `permissions.index_rows`
reads what it needs from the database. Everything runs in the thread of the event loop.

Roaring bitmaps: Lemire et al., "Roaring Bitmaps: Implementation of an Optimized Software Library", 2018.
"""

from array import array
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from pyroaring import BitMap

from permissions.index_rows import AssetGroup, CollectionRow, GrantGroup, IndexRows, TopicRow
from permissions.viewer import Viewer
from permissions.visible import OWNERS_ONLY_STATUSES
from store.tables import AssetAccess, AssetKind, CollectionVisibility, RowKind

MAX_SIGHTS = 64
MAX_SIGHT_BYTES = 32 * 1024 * 1024
"""Most memory of all sights, about; that of 100,000 assets and 200,000 memberships takes up to 1.7 MB."""

MAX_ANSWERS = 8
"""Most answers that a sight keeps for each collection: a query with other aliases has another one."""
ANSWER_BYTES = 500

LEVELS = tuple(AssetAccess)
NOBODY: "array[int]" = array("I")
R = TypeVar("R", TopicRow, CollectionRow)
Pks = Sequence[int]


class Outline:
    """Topics and collections that the viewers of one kind see."""

    def __init__(
        self, topics: Iterable[TopicRow], collections: Iterable[CollectionRow], *, has_all_topics: bool
    ) -> None:
        """Take all topics, and the visible collections."""
        shown = sorted(collections, key=lambda each: (each.rank, each.pk))
        self.collection_ids = {each.pk: each.id for each in shown}
        self.collections_of_topic = _grouped((each.topic_pk, each.pk) for each in shown)
        self.top_level_of_topic = _grouped(
            (each.topic_pk, each.pk) for each in shown if each.parent_pk not in self.collection_ids
        )
        self.children = _grouped((each.parent_pk, each.pk) for each in shown if each.parent_pk is not None)
        self.collections_by_name = _pks(each.pk for each in sorted(shown, key=lambda each: (each.sort_key, each.id)))
        self.collection_by_id = {each.id: each.pk for each in shown}
        self.collection_by_slug = {each.slug: each.pk for each in shown}
        headings = [each for each in topics if has_all_topics or each.pk in self.collections_of_topic]
        headings.sort(key=lambda each: each.rank)
        self.topics = _pks(each.pk for each in headings)
        self.topic_ids = {each.pk: each.id for each in headings}
        self.topic_by_id = {each.id: each.pk for each in headings}
        self.topic_by_slug = {each.slug: each.pk for each in headings}


class Counts(NamedTuple):
    """Numbers of assets by kind, and of gold standards."""

    by_kind: Mapping[str, int]
    gold_standards: int


class Sight:
    """Rows that one viewer sees."""

    def __init__(self, index: "VisibilityIndex", viewer: Viewer) -> None:
        """Compute the assets that the viewer sees."""
        self._index, self.viewer = index, viewer
        self._at_least = [BitMap() for _ in LEVELS]
        self.assets = BitMap()
        self.asset_by_id, self.asset_ids = index.asset_by_id, index.asset_ids
        self._orders: dict[int, array[int]] = {}
        self._answers: dict[int, dict[Hashable, bytes]] = {}
        self.update(index.assets)

    @property
    def outline(self) -> Outline:
        """The topics and collections that the viewer sees."""
        return self._index.outline(self.viewer)

    @property
    def memory_bytes(self) -> int:
        """Memory of the sight, about."""
        answers = sum(map(len, self._answers.values())) * ANSWER_BYTES
        return sum(map(len, self._orders.values())) * NOBODY.itemsize + answers + len(self.assets) // 2 + 10_000

    def access(self, asset_pk: int) -> int:
        """Return the viewer's access to a visible asset."""
        for level in reversed(LEVELS):
            if asset_pk in self._at_least[level - 1]:
                return level.value
        return AssetAccess.DISCOVERABLE.value

    def members(self, collection_pk: int) -> Pks:
        """Return the visible assets of a visible collection, in its order."""
        order = self._orders.get(collection_pk)
        if order is None:
            assets = self.assets
            order = array("I", [pk for pk in self._index.members.get(collection_pk, NOBODY) if pk in assets])
            self._orders[collection_pk] = order
        return order

    def count_members(self, collection_pk: int) -> Counts:
        """Count the visible assets of a visible collection by kind."""
        return self._index.count(self.assets & self._index.member_set(collection_pk))

    def answers(self, collection_pk: int) -> dict[Hashable, bytes]:
        """Return a dictionary for values that depend on nothing but the collection's visible assets and their kinds.

        It is empty again after any of them changed, and when it has become large.
        """
        answers = self._answers.setdefault(collection_pk, {})
        if len(answers) >= MAX_ANSWERS:
            answers.clear()
        return answers

    def update(self, changed: BitMap) -> None:
        """Compute again which of the changed assets the viewer sees."""
        index, before = self._index, self.assets & changed
        for level, held in enumerate(self._at_least):
            held.difference_update(changed)
            for principal in self.viewer.principals:
                held.update(index.granted[level].get(principal, _EMPTY) & changed)
        visible = index.visible(self.viewer, index.assets, self._at_least[0], self._at_least[-1])
        if not self.viewer.is_signed_in:
            visible &= BitMap.union(_EMPTY, *map(index.member_set, self.outline.collection_ids))
        after = visible & changed
        self.assets = (self.assets - changed) | after
        self._forget(lambda members: members.intersect(before ^ after), self._orders)
        self._forget(lambda members: members.intersect(changed), self._answers)

    def forget_members(self, collection_pk: int) -> None:
        """Forget the order and the counts of a collection."""
        self._orders.pop(collection_pk, None)
        self._answers.pop(collection_pk, None)

    def _forget(self, is_affected: Callable[[BitMap], bool], kept: dict[int, Any]) -> None:
        for collection_pk in [pk for pk in kept if is_affected(self._index.member_set(pk))]:
            del kept[collection_pk]


class VisibilityIndex:
    """Index of all assets, collections and topics, and the sights of the viewers who came last."""

    def __init__(self, rows: IndexRows) -> None:
        """Build the index of all rows."""
        self.version = -1
        self.assets, self.owners_only, self._gold = BitMap(), BitMap(), BitMap()
        self._by_kind = {kind: BitMap() for kind in AssetKind}
        self.granted: tuple[dict[int, BitMap], ...] = tuple({} for _ in LEVELS)
        self.asset_by_id: dict[str, int] = {}
        self.asset_ids: dict[int, str] = {}
        self.members: dict[int, array[int]] = {}
        self._added_at: dict[int, array[int]] = {}
        self._member_sets: dict[int, BitMap] = {}
        self._topics: dict[int, TopicRow] = {}
        self._collections: dict[int, CollectionRow] = {}
        self._outlines: dict[tuple[bool, ...], Outline] = {}
        self._sights: OrderedDict[tuple[object, ...], Sight] = OrderedDict()
        self.update(rows)

    def sight(self, viewer: Viewer) -> Sight:
        """Return the rows that the viewer sees. The viewer must be of the index's version."""
        key = (viewer.kind, viewer.principals)
        sight = self._sights.get(key)
        if sight is None:
            sight = self._sights[key] = Sight(self, viewer)
            while len(self._sights) > 1 and self._has_too_many_sights():
                self._sights.popitem(last=False)
        self._sights.move_to_end(key)
        return sight

    def _has_too_many_sights(self) -> bool:
        used_bytes = sum(each.memory_bytes for each in self._sights.values())
        return len(self._sights) > MAX_SIGHTS or used_bytes > MAX_SIGHT_BYTES

    def outline(self, viewer: Viewer) -> Outline:
        """Return the topics and collections that the viewer sees."""
        outline = self._outlines.get(viewer.kind)
        if outline is None:
            shown = _visibilities(viewer)
            collections = [each for each in self._collections.values() if each.visibility in shown]
            outline = Outline(self._topics.values(), collections, has_all_topics=viewer.is_signed_in)
            self._outlines[viewer.kind] = outline
        return outline

    def members_of(self, viewer: Viewer, collection_pk: int) -> list[tuple[str, int]]:
        """Return id and time of addition of the assets of a collection that a member sees, in its order.

        It makes no sight: many subscribers each look at one collection. The viewer must be of the index's version.
        """
        among, ids = self.member_set(collection_pk), self.asset_ids
        granted, owned = (
            BitMap.union(_EMPTY, *(held.get(principal, _EMPTY) & among for principal in viewer.principals))
            for held in (self.granted[0], self.granted[-1])
        )
        visible = self.visible(viewer, among, granted, owned)
        rows = zip(self.members.get(collection_pk, NOBODY), self._added_at.get(collection_pk, NOBODY), strict=True)
        return [(ids[pk], added_at) for pk, added_at in rows if pk in visible]

    def visible(self, viewer: Viewer, assets: BitMap, granted: BitMap, owned: BitMap) -> BitMap:
        """Return those of the assets that a member sees, who has grants on some and owns some of them."""
        return assets if viewer.is_admin else granted - (self.owners_only - owned)

    def member_set(self, collection_pk: int) -> BitMap:
        """Return all members of a collection, hidden ones included."""
        return self._member_sets.get(collection_pk, _EMPTY)

    def count(self, assets: BitMap) -> Counts:
        """Count the assets by kind."""
        by_kind = {kind.value: assets.intersection_cardinality(of_kind) for kind, of_kind in self._by_kind.items()}
        return Counts(by_kind, assets.intersection_cardinality(self._gold))

    def update(self, rows: IndexRows) -> set[int]:
        """Replace the changed rows, and all that depends on them; the index then is of their version.

        Returns the pks of the collections whose visibility changed.
        """
        visibility_of = {pk: self._visibility(pk) for pk in rows.changed[RowKind.COLLECTION]}
        changed = BitMap(rows.changed[RowKind.ASSET]) | BitMap(rows.changed[RowKind.GRANTS])
        if changed:
            self._update_assets(changed, rows.assets, rows.grants)
        self._update_members(rows.changed[RowKind.MEMBERS], rows)
        _replace(self._topics, rows.changed[RowKind.TOPIC], rows.topics)
        _replace(self._collections, rows.changed[RowKind.COLLECTION], rows.collections)
        if rows.changed[RowKind.TOPIC] or rows.changed[RowKind.COLLECTION]:
            self._outlines.clear()
        self._update_sights(changed, rows)
        self.version = rows.version
        return {pk for pk, visibility in visibility_of.items() if visibility != self._visibility(pk)}

    def _visibility(self, collection_pk: int) -> str | None:
        collection = self._collections.get(collection_pk)
        return None if collection is None else collection.visibility

    def _update_assets(self, changed: BitMap, assets: Sequence[AssetGroup], grants: Sequence[GrantGroup]) -> None:
        for bitmap in (self.assets, self.owners_only, self._gold, *self._by_kind.values()):
            bitmap.difference_update(changed)
        self._forget_ids(changed)
        for group in assets:
            pks = BitMap(group.pks)
            self.assets |= pks
            self._by_kind[AssetKind(group.kind)] |= pks
            if group.status in OWNERS_ONLY_STATUSES:
                self.owners_only |= pks
            if group.is_gold:
                self._gold |= pks
            self.asset_by_id.update(zip(group.ids, group.pks, strict=True))
            self.asset_ids.update(zip(group.pks, group.ids, strict=True))
        holders = [principal for principal, held in self.granted[0].items() if held.intersect(changed)]
        for by_principal in self.granted:
            for principal in holders:
                by_principal.get(principal, BitMap()).difference_update(changed)
        for grant in grants:
            pks = BitMap(grant.asset_pks)
            for by_principal in self.granted[: grant.access]:
                by_principal.setdefault(grant.principal_pk, BitMap()).update(pks)

    def _forget_ids(self, changed: BitMap) -> None:
        # SQLite gives the pk of a deleted asset to another one, which the old id must not find.
        for pk in changed if self.asset_ids else ():
            if pk in self.asset_ids:
                del self.asset_by_id[self.asset_ids.pop(pk)]

    def _update_members(self, changed: Iterable[int], rows: IndexRows) -> None:
        for collection_pk in changed:
            order = rows.members.get(collection_pk, ())
            self.members[collection_pk], self._member_sets[collection_pk] = _pks(order), BitMap(order)
            self._added_at[collection_pk] = array("q", rows.added_at.get(collection_pk, ()))
            for sight in self._sights.values():
                sight.forget_members(collection_pk)

    def _update_sights(self, changed: BitMap, rows: IndexRows) -> None:
        # What anonymous visitors see depends on the members of the public collections, too.
        changes_public = rows.changed[RowKind.MEMBERS] or rows.changed[RowKind.COLLECTION]
        for key, sight in list(self._sights.items()):
            if changes_public and not sight.viewer.is_signed_in:
                del self._sights[key]
            elif changed:
                sight.update(changed)


def _visibilities(viewer: Viewer) -> set[str]:
    """Return the visibilities of the collections that the viewer sees; see `visible.collection_exists`."""
    public = {CollectionVisibility.PUBLIC.value} if viewer.is_admin or viewer.public_sharing else set()
    return public | ({CollectionVisibility.INTERNAL.value} if viewer.is_signed_in else set())


def _replace(kept: dict[int, R], changed: Iterable[int], rows: Iterable[R]) -> None:
    for pk in changed:
        kept.pop(pk, None)
    kept.update((row.pk, row) for row in rows)


def _grouped(pairs: Iterable[tuple[int, int]]) -> dict[int, "array[int]"]:
    grouped: defaultdict[int, array[int]] = defaultdict(lambda: array("I"))
    for key, pk in pairs:
        grouped[key].append(pk)
    return dict(grouped)


def _pks(pks: Iterable[int]) -> "array[int]":
    return array("I", pks)


_EMPTY = BitMap()
