"""Cache of fragments: two generations of bounded memory, and the changes that drop fragments."""

import tracemalloc

import pytest

from fragments.cache import OVERHEAD_BYTES, FragmentCache, ReferredRow, SelectionKey, compact_json, fragment_bytes
from store.tables import RowKind

ASSETS, COLLECTIONS = (SelectionKey("name", kind, None) for kind in (RowKind.ASSET, RowKind.COLLECTION))
OWNER, OTHER_OWNER = (ReferredRow(RowKind.PRINCIPAL, pk, is_hidden=False) for pk in (1, 2))
PARENT, HIDDEN_PARENT = (ReferredRow(RowKind.COLLECTION, 9, is_hidden=is_hidden) for is_hidden in (False, True))
TEXT = (b"x" * 100,)
SIZE = fragment_bytes(TEXT)


def kept(cache: FragmentCache, key: SelectionKey = ASSETS, pks: range = range(20)) -> list[int]:
    """Return which fragments there are, without using them."""
    fragments = cache.of(key)
    return [pk for pk in pks if pk in fragments or pk in fragments.older]


def cache_of(generation: int) -> FragmentCache:
    """Return a cache of which each generation has room for this many fragments."""
    return FragmentCache(2 * (generation * SIZE + OVERHEAD_BYTES))


def test_a_fragment_is_kept_by_selection_kind_and_viewer() -> None:
    cache = FragmentCache(1_000_000)
    cache.keep(ASSETS, 1, (b"a",))
    cache.keep(COLLECTIONS, 1, (b"c",))
    cache.keep(ASSETS._replace(viewer="other"), 1, (b"o",))
    assert [cache.of(key)[1] for key in (ASSETS, COLLECTIONS, ASSETS._replace(viewer="other"))] == [
        (b"a",),
        (b"c",),
        (b"o",),
    ]
    for key in (ASSETS, ASSETS._replace(fields="others")):
        with pytest.raises(KeyError):
            cache.of(key)[2]


def test_fragments_that_were_not_used_for_longest_are_dropped() -> None:
    cache = cache_of(generation=3)
    for pk in range(4):  # the last is one too many: all are older ones now
        cache.keep(ASSETS, pk, TEXT)
    assert (kept(cache), cache.used_bytes) == ([0, 1, 2, 3], 0)
    assert cache.of(ASSETS)[1] == TEXT  # used again
    assert cache.used_bytes == SIZE
    for pk in range(4, 7):
        cache.keep(ASSETS, pk, TEXT)
    assert kept(cache) == [1, 4, 5, 6]


@pytest.mark.parametrize("length", [1, 100, 1_000, 5_000])
def test_the_memory_of_a_fragment_is_what_the_cache_counts(length: int) -> None:
    values = [{"name": f"{pk:0{length}}"} for pk in range(1_000)]
    tracemalloc.start()
    cache = FragmentCache(1_000_000_000)
    for pk, value in enumerate(values):
        cache.keep(ASSETS, pk, (compact_json(value),))
    used_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used_bytes <= 1.1 * cache.used_bytes


def test_memory_is_bounded() -> None:
    cache = cache_of(generation=5)
    for number in range(200):
        key = (ASSETS, COLLECTIONS)[number % 2]
        cache.keep(key, number, TEXT, [OWNER])
        assert len(kept(cache, pks=range(200)) + kept(cache, COLLECTIONS, range(200))) <= 12
        if number % 3 == 0:
            assert cache.of(key)[number] == TEXT


def test_an_older_fragment_counts_once_when_it_is_used_again() -> None:
    cache = cache_of(generation=1)
    cache.keep(ASSETS, 1, TEXT)
    cache.keep(ASSETS, 2, TEXT)
    for _ in range(3):
        assert cache.of(ASSETS)[1] == TEXT
    assert cache.used_bytes == SIZE


def test_selections_without_recent_fragments_are_dropped() -> None:
    cache = cache_of(generation=2)
    for pk in range(3):
        cache.keep(COLLECTIONS, pk, TEXT)
    for pk in range(6):
        cache.keep(ASSETS, pk, TEXT)
    assert kept(cache, COLLECTIONS) == []


def test_a_changed_row_drops_its_fragments_only() -> None:
    cache = FragmentCache(1_000_000)
    for key in (ASSETS, COLLECTIONS):
        for pk in (1, 2):
            cache.keep(key, pk, TEXT)
    cache.forget({RowKind.ASSET: [1, 7]})
    assert (kept(cache), kept(cache, COLLECTIONS)) == ([2], [1, 2])
    cache.forget({RowKind.MEMBERS: [1, 2], RowKind.TOPIC: [1]})
    assert (kept(cache), kept(cache, COLLECTIONS)) == ([2], [1, 2])


def test_a_changed_row_drops_the_fragments_that_refer_to_it() -> None:
    cache = FragmentCache(1_000_000)
    for pk, rows in enumerate([[OWNER], [OTHER_OWNER], [OWNER, PARENT], []]):
        cache.keep(ASSETS, pk, TEXT, rows)
    cache.forget({RowKind.PRINCIPAL: [1]})
    assert kept(cache) == [1, 3]
    cache.keep(ASSETS, 2, TEXT, [OTHER_OWNER])  # it has another owner and no parent now
    cache.forget({RowKind.PRINCIPAL: [2]})
    assert kept(cache) == [3]


def test_a_fragment_with_null_for_a_hidden_row_is_dropped_when_the_visibility_changes() -> None:
    cache = FragmentCache(1_000_000)
    cache.keep(COLLECTIONS, 1, TEXT, [HIDDEN_PARENT])
    cache.keep(COLLECTIONS, 2, TEXT, [PARENT])
    cache.forget({RowKind.COLLECTION: [8]}, revealed=[8])
    assert kept(cache, COLLECTIONS) == [1, 2]
    cache.forget({RowKind.COLLECTION: [9]})  # renamed
    assert kept(cache, COLLECTIONS) == [1]
    cache.forget({RowKind.COLLECTION: [9]}, revealed=[9])
    assert kept(cache, COLLECTIONS) == []


def test_older_fragments_are_dropped_like_others() -> None:
    cache = cache_of(generation=2)
    for pk, row in enumerate([OWNER, OTHER_OWNER, OWNER]):
        cache.keep(ASSETS, pk, TEXT, [row])
    assert (kept(cache), cache.used_bytes) == ([0, 1, 2], 0)  # all are older ones
    cache.forget({RowKind.ASSET: [0]})
    assert kept(cache) == [1, 2]
    cache.forget({RowKind.PRINCIPAL: [1]})
    assert kept(cache) == [1]


def test_the_rows_that_a_fragment_refers_to_are_known_after_it_is_used_again() -> None:
    cache = cache_of(generation=2)
    cache.keep(ASSETS, 0, TEXT, [OWNER])
    for pk in range(1, 9):
        assert cache.of(ASSETS)[0] == TEXT  # survives each rotation
        cache.keep(ASSETS, pk, TEXT, [OTHER_OWNER])
    cache.forget({RowKind.PRINCIPAL: [1]})
    assert 0 not in kept(cache)


def test_referred_rows_of_dropped_fragments_are_forgotten() -> None:
    cache = cache_of(generation=2)
    for pk in range(30):
        cache.keep(ASSETS, pk, TEXT, [ReferredRow(RowKind.PRINCIPAL, pk, is_hidden=False)])
    assert len(cache.of(ASSETS)._referring) <= 6  # noqa: SLF001 - it would grow without bound


def test_clear_drops_all() -> None:
    cache = FragmentCache(1_000_000)
    cache.keep(ASSETS, 1, TEXT, [OWNER])
    cache.clear()
    assert (kept(cache), cache.used_bytes) == ([], OVERHEAD_BYTES)  # of the selection that was asked for
