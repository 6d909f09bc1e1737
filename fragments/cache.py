"""Cache of fragments: the JSON of rows, by selection and row, until the row changes."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from typing import NamedTuple

import orjson
from pyroaring import BitMap

from store.tables import RowKind

Fragment = tuple[bytes, ...]
"""Parts of a row's JSON object, without its braces: what stands before, between and after fields of other kinds."""

OVERHEAD_BYTES = 200
"""Memory of a fragment besides its bytes, about."""


class SelectionKey(NamedTuple):
    """A selection on the rows of a table, and what its values depend on besides rows."""

    fields: Hashable
    of: RowKind
    viewer: Hashable
    """Kind of the viewers, and their access to the row if values depend on it."""


class ReferredRow(NamedTuple):
    """Row that a fragment refers to. If it is hidden, the fragment has null for it."""

    kind: RowKind
    pk: int
    is_hidden: bool


class KeptFragments(dict[int, Fragment]):
    """Fragments of one selection that were used lately, by pk. Older ones move here when they are used."""

    __slots__ = ("_referring", "cache", "older")

    def __init__(self, cache: "FragmentCache") -> None:
        """Create an empty collection of fragments of the cache."""
        super().__init__()
        self.cache, self.older = cache, dict[int, Fragment]()
        self._referring: defaultdict[ReferredRow, BitMap] = defaultdict(BitMap)

    def __missing__(self, pk: int) -> Fragment:
        """Return an older fragment. Raises KeyError if there is none."""
        fragment = self[pk] = self.older[pk]
        self.cache.used_bytes += fragment_bytes(fragment)
        return fragment

    def use(self, pk: int) -> bool:
        """Return whether there is a fragment of the row. It then counts as used."""
        return pk in self or (pk in self.older and bool(self[pk]))

    def keep(self, pk: int, fragment: Fragment, referred_rows: Iterable[ReferredRow]) -> None:
        """Add the fragment of a row."""
        self[pk] = fragment
        for row in referred_rows:
            self._referring[row].add(pk)

    def forget(self, pks: Iterable[int]) -> None:
        """Drop the fragments of the rows."""
        for pk in pks:
            self.pop(pk, None)
            self.older.pop(pk, None)

    def forget_referring(self, row: ReferredRow) -> None:
        """Drop the fragments that refer to the row."""
        if self._referring:
            self.forget(self._referring.pop(row, ()))

    def rotate(self) -> None:
        """Drop older fragments; all others are older ones from now on."""
        self.older = dict(self)
        self.clear()
        remaining = BitMap(self.older)
        kept = ((row, pks & remaining) for row, pks in self._referring.items())
        self._referring = defaultdict(BitMap, {row: pks for row, pks in kept if pks})


class FragmentCache:
    """Fragments of all selections. Its memory is bounded: what was not used for longest is dropped first."""

    # Two generations approximate the order of use: a rotation drops the fragments not used since the last one. Exact
    # order would cost more for each fragment than reading it does.

    def __init__(self, max_bytes: int) -> None:
        """Take the most memory, about, that both generations may have."""
        self._max_bytes = max_bytes
        self._kept: dict[SelectionKey, KeptFragments] = {}
        self.used_bytes = 0  # of the fragments used since the last rotation

    def of(self, key: SelectionKey) -> KeptFragments:
        """Return the fragments of a selection."""
        kept = self._kept.get(key)
        if kept is None:
            kept = self._kept[key] = KeptFragments(self)
            self.used_bytes += OVERHEAD_BYTES
        return kept

    def keep(self, key: SelectionKey, pk: int, fragment: Fragment, referred_rows: Iterable[ReferredRow] = ()) -> None:
        """Add the fragment of a row, with the rows that it refers to."""
        self.of(key).keep(pk, fragment, referred_rows)
        self.used_bytes += fragment_bytes(fragment)
        if self.used_bytes > self._max_bytes // 2:
            self._rotate()

    def forget(self, changed: Mapping[RowKind, Iterable[int]], revealed: Iterable[int] = ()) -> None:
        """Drop the fragments of the changed rows, and those that contain values of them.

        `revealed` are the collections whose visibility changed: fragments with null for them may have a value now.
        """
        for key, kept in self._kept.items():
            kept.forget(changed.get(key.of, ()))
            for kind, pks in changed.items():
                for pk in pks:
                    kept.forget_referring(ReferredRow(kind, pk, is_hidden=False))
            for pk in revealed:
                kept.forget_referring(ReferredRow(RowKind.COLLECTION, pk, is_hidden=True))

    def clear(self) -> None:
        """Drop all fragments."""
        self._kept.clear()
        self.used_bytes = 0

    def _rotate(self) -> None:
        self._kept = {key: kept for key, kept in self._kept.items() if kept}
        for kept in self._kept.values():
            kept.rotate()
        self.used_bytes = 0


def compact_json(value: object) -> bytes:
    """Return the JSON of a value in no more memory than it needs: orjson leaves up to 4 kB unused behind a text."""
    return bytes(memoryview(orjson.dumps(value)))


def fragment_bytes(fragment: Fragment) -> int:
    """Return the memory of a fragment, about."""
    return OVERHEAD_BYTES + sum(map(len, fragment))
