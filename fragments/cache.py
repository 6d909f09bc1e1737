"""Cache of fragments: the JSON of rows, by selection and row, until the row changes."""

from collections.abc import Hashable, Iterable, Mapping
from typing import NamedTuple

from store.tables import RowKind

Fragment = tuple[bytes, ...]
"""Parts of a row's JSON object, without its braces: what stands before, between and after fields of other kinds."""

OVERHEAD_BYTES = 160
"""Memory of a fragment besides its bytes, about."""


class SelectionKey(NamedTuple):
    """A selection on the rows of a table, and all that its values depend on besides the rows."""

    fields: Hashable
    of: RowKind
    refers_to: frozenset[RowKind]  # kinds of the rows that it refers to
    viewer: Hashable
    """Kind of the viewers, and their access to the row if values depend on it."""


class KeptFragments(dict[int, Fragment]):
    """Fragments of one selection that were used lately, by pk. Older ones move here when they are used."""

    __slots__ = ("cache", "older")

    def __init__(self, cache: "FragmentCache") -> None:
        """Create an empty collection of fragments of the cache."""
        super().__init__()
        self.cache, self.older = cache, dict[int, Fragment]()

    def __missing__(self, pk: int) -> Fragment:
        """Return an older fragment. Raises KeyError if there is none."""
        fragment = self[pk] = self.older[pk]
        self.cache.used_bytes += _size(fragment)
        return fragment


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

    def keep(self, key: SelectionKey, fragments: Mapping[int, Fragment]) -> None:
        """Add fragments of a selection."""
        self.of(key).update(fragments)
        self.used_bytes += sum(map(_size, fragments.values()))
        if self.used_bytes > self._max_bytes // 2:
            self._rotate()

    def forget(self, changed: Mapping[RowKind, Iterable[int]]) -> None:
        """Drop the fragments of the changed rows, and those that may contain values of them."""
        kinds = {kind for kind, pks in changed.items() if pks}
        for key, kept in self._kept.items():
            if key.refers_to & kinds:
                kept.clear()
                kept.older.clear()
            elif key.of in kinds:
                for pk in changed[key.of]:
                    kept.pop(pk, None)
                    kept.older.pop(pk, None)

    def clear(self) -> None:
        """Drop all fragments."""
        self._kept.clear()
        self.used_bytes = 0

    def _rotate(self) -> None:
        self._kept = {key: kept for key, kept in self._kept.items() if kept}
        for kept in self._kept.values():
            kept.older = dict(kept)
            kept.clear()
        self.used_bytes = 0


def _size(fragment: Fragment) -> int:
    return OVERHEAD_BYTES + sum(map(len, fragment))
