"""Row sets: everything that a viewer sees at one time, as rows of a pull, and the difference of two of them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import chain, groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple

from permissions import Viewer
from resolvers.listing.statement_cache import cached
from resolvers.loaders import NO_PK
from resolvers.pull.part import GraphPart, select_part
from store.database import Snapshot
from store.pulls import Row

PARTS: Final = tuple(GraphPart)
TOPIC, COLLECTION, ASSET, MEMBERSHIP, USE, USER = range(len(PARTS))
MEMBERS, REMOVED_OBJECT, REMOVED_MEMBERSHIP, REMOVED_USE = range(len(PARTS), len(PARTS) + 4)
"""Kinds of row, the first value of each: a part, or another kind.

| row | further values |
|---|---|
| TOPIC, COLLECTION | primary key, id, digest of all columns that the viewer sees |
| ASSET, USER | primary key, the same digest |
| MEMBERSHIP | primary keys of collection and asset, time, primary key of the user, digest of the note |
| USE | primary keys of both assets |
| MEMBERS, for each collection; in no page | primary key and id |
| removed rows | ids |

SQLite may give the primary key of a deleted topic or collection to another one, therefore the ids.
"""

PAIRS: Final = frozenset({MEMBERSHIP, USE})
WITH_ID: Final = frozenset({TOPIC, COLLECTION})
OBJECTS: Final = (TOPIC, COLLECTION, ASSET, USER)


class Difference(NamedTuple):
    """Changes from one row set to another: the rows that changed or appeared, and the keys of those that are missing.

    Members of a collection, and uses by an asset, are all among the rows if one of them changed, or their order did.
    Memberships have the id of the collection, all else primary keys, except topics and collections, which have ids.
    """

    rows: Sequence[Row]
    topics_and_collections: Sequence[str]
    assets: Sequence[int]
    users: Sequence[int]
    memberships: Sequence[tuple[str, int]]
    uses: Sequence[tuple[int, int]]


async def read_rows(snapshot: Snapshot, viewer: Viewer, part: GraphPart) -> Sequence[Row]:
    """Return all rows of the part, in the order of the pages; those of no page are last. One statement."""
    kind = PARTS.index(part)
    statement = cached(("pull", viewer.kind, part), lambda: select_part(part, viewer))
    found = await snapshot.rows(statement, viewer.parameters)
    if kind == MEMBERSHIP:
        collections = sorted(map(tuple, found), key=itemgetter(0))
        members = [[MEMBERS, pk, id_] for pk, _, id_ in collections]
        return membership_rows(viewer, ((pk, *row) for pk, rows, _ in collections for row in rows)) + members
    if kind == USE:
        return [[kind, *pks] for each in found for pks in each.rows]
    return sorted([kind, *row[:-1], digest(row.facts)] for row in found)


def membership_rows(viewer: Viewer, memberships: Iterable[Sequence[Any]]) -> list[Row]:
    """Return the rows of memberships: primary keys of collection and asset, time, primary key of the user, and note.

    Visitors do not see the users who added assets.
    """
    sees_users = viewer.is_signed_in
    return [
        [MEMBERSHIP, pk, asset_pk, added_at, user_pk if sees_users else None, None if note is None else digest(note)]
        for pk, asset_pk, added_at, user_pk, note in memberships
    ]


def digest(facts: str) -> int:
    """Return a number that is another one for other facts."""
    return int.from_bytes(blake2b(facts.encode(), digest_size=8).digest())


def compare(before: Iterable[Row], after: Iterable[Row]) -> Difference:
    """Return the difference of two row sets."""
    old, new = _Index(before), _Index(after)
    missing = {kind: [key for key in old.objects[kind] if key not in new.objects[kind]] for kind in OBJECTS}
    changed = {kind: _changed_objects(old.objects[kind], new.objects[kind]) for kind in OBJECTS}
    members = [new.members(id_) for id_ in new.pk_of if _differ(old.members(id_), new.members(id_))]
    uses = [rows for pk, rows in new.pairs[USE].items() if _differ(old.pairs[USE].get(pk, ()), rows)]
    changed |= {MEMBERSHIP: list(chain.from_iterable(members)), USE: list(chain.from_iterable(uses))}
    return Difference(
        [row for kind in range(len(PARTS)) for row in changed[kind]],
        [*missing[TOPIC], *missing[COLLECTION]],
        missing[ASSET],
        missing[USER],
        [(id_, pk) for id_ in old.pk_of for pk in _missing_pks(old.members(id_), new.members(id_))],
        [(pk, used) for pk, rows in old.pairs[USE].items() for used in _missing_pks(rows, new.pairs[USE].get(pk, ()))],
    )


def _changed_objects(old: Mapping[Any, Row], new: Mapping[Any, Row]) -> list[Row]:
    return [row for key, row in new.items() if _differ([old[key]] if key in old else (), [row])]


def _differ(old: Sequence[Row], new: Sequence[Row]) -> bool:
    """Return whether rows differ, by more than their first primary key: an undo may have created the object again."""
    return old != new and [row[2:] for row in old] != [row[2:] for row in new]


class _Index:
    """Rows of a row set by their keys."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.objects: dict[int, dict[Any, Row]] = {kind: {} for kind in OBJECTS}
        self.pk_of: dict[str, int] = {}  # of collections with visible or hidden members
        self.pairs: dict[int, dict[int, list[Row]]] = {kind: {} for kind in PAIRS}  # by the first primary key
        for kind, of_kind in groupby(rows, itemgetter(0)):
            if kind in PAIRS:
                self.pairs[kind] = {pk: list(pairs) for pk, pairs in groupby(of_kind, itemgetter(1))}
            elif kind == MEMBERS:
                self.pk_of = {id_: pk for _, pk, id_ in of_kind}
            else:
                self.objects[kind] = {_key(row): row for row in of_kind}

    def members(self, collection_id: str) -> Sequence[Row]:
        """Return the memberships of a collection, in its order."""
        return self.pairs[MEMBERSHIP].get(self.pk_of.get(collection_id, NO_PK), ())


def _key(row: Row) -> Any:
    """Return the key of an object's row: its id, or its primary key."""
    return row[2] if row[0] in WITH_ID else row[1]


def _missing_pks(before: Sequence[Row], after: Sequence[Row]) -> list[int]:
    """Return the second primary keys of the pairs that are missing."""
    return [] if before == after else sorted({row[2] for row in before} - {row[2] for row in after})


def mark_torn(rows: Iterable[Row], keys: Iterable[Row]) -> list[Row]:
    """Return the rows; those with the keys differ from any other, as the viewer may have another version of them."""
    torn = {tuple(key) for key in keys}
    return [[*row, None] if torn and tuple(key_of(row)) in torn else row for row in rows]


def key_of(row: Row) -> Row:
    """Return the kind and the primary keys of a row that is not a removed one."""
    return row[:3] if row[0] in PAIRS else row[:2]


def removed_rows(difference: Difference, ids: dict[int, str], user_ids: dict[int, str]) -> Iterator[Row]:
    """Yield the rows of removed objects, memberships and uses, given the ids of assets and users."""
    for id_ in difference.topics_and_collections:
        yield [REMOVED_OBJECT, id_]
    for pk in difference.assets:
        yield [REMOVED_OBJECT, ids[pk]]
    for pk in difference.users:
        yield [REMOVED_OBJECT, user_ids[pk]]
    for collection_id, pk in difference.memberships:
        yield [REMOVED_MEMBERSHIP, collection_id, ids[pk]]
    for pk, used in difference.uses:
        yield [REMOVED_USE, ids[pk], ids[used]]
