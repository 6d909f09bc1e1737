"""Timelines of ranked lists: the order now and before each of the last changes, in which a cursor finds its place.

A cursor holds ids only (`chain.py`), so the state of the list that its viewer saw is found by comparison: the newest
one in which most neighbours of the chain are neighbours or, where others came between them in all states, are in order.
The place in that state is then carried to the current list
along the rows that have not moved since.

A timeline contains visible rows only, and a change that leaves the order of these as it was, such as a move past hidden
rows, does not count: so the place depends on nothing hidden.
"""

from bisect import bisect_left, insort
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from resolvers.listing.chain import Chain

Key = tuple[int, ...]
"""Sort keys of a row: its rank, or the ranks of those above it too."""
Step = Mapping[str, Key | None]
"""Sort keys that rows had before a change, by id; None for a row that was not in the list."""

START, END = "START", "END"


class Timeline(NamedTuple):
    """Current sort keys of the visible rows by id, and the last changes, the newest first."""

    keys: Mapping[str, Key]
    steps: Sequence[Step] = ()

    def descending(self) -> "Timeline":
        """Return the timeline of the list in descending order."""
        steps = [{id_: _negate(key) for id_, key in step.items()} for step in self.steps]
        return Timeline({id_: tuple(-part for part in key) for id_, key in self.keys.items()}, steps)

    def restrict(self, ids: Collection[str]) -> "Timeline":
        """Return the timeline of these rows only."""
        steps = [{id_: step[id_] for id_ in step.keys() & ids} for step in self.steps]
        return Timeline({id_: self.keys[id_] for id_ in self.keys.keys() & ids}, steps)


class Place(NamedTuple):
    """Place in the current list: right after a row; None for the start of the list."""

    id: str | None


def find_place(timeline: Timeline, chain: Chain) -> Place | None:
    """Return the place right after the chain's row; None if the timeline has none of the chain's rows."""
    known = set(timeline.keys).union(*timeline.steps)
    if not (known & {chain.id, *chain.before, *chain.after} or chain.is_at_start or chain.is_at_end):
        return None
    elements = [each for each in _elements(chain) if each in known or each in {START, END}]
    neighbours = list(pairwise(elements))
    best, order, moved = (-1, -1), [], set[str]()
    for state, moved_since in _states(timeline):
        distances = [state.distance(*pair) for pair in neighbours]
        score = (distances.count(1), sum(each > 0 for each in distances))
        if score > best:
            best, order, moved = score, state.ids, set(moved_since)
        if best[0] == len(neighbours):
            break
    place = _index_after(order, chain)
    staying = (id_ for id_ in reversed(order[:place]) if id_ not in moved)
    return Place(next(staying, None))


def _elements(chain: Chain) -> list[str]:
    """Return the rows of the chain in the order of the list, with the ends that it reaches."""
    first, last = [START] if chain.is_at_start else [], [END] if chain.is_at_end else []
    return [*first, *reversed(chain.before), chain.id, *chain.after, *last]


def _index_after(order: Sequence[str], chain: Chain) -> int:
    """Return the number of rows before the place of the chain in a state of the list."""
    indexes = {id_: index for index, id_ in enumerate(order)}
    for id_ in (*(() if _has_moved(indexes, chain) else (chain.id,)), *chain.before):
        if id_ in indexes:
            return indexes[id_] + 1
    if chain.is_at_start:
        return 0
    return next((indexes[id_] for id_ in chain.after if id_ in indexes), len(order))


def _has_moved(indexes: Mapping[str, int], chain: Chain) -> bool:
    """Return whether the chain's row is out of order, and beside neither of its neighbours.

    That is so if the change that moved it is no longer known.
    """
    at = indexes.get(chain.id)
    if at is None:
        return False
    distances = [at - indexes[id_] for id_ in chain.before[:1] if id_ in indexes]
    distances += [indexes[id_] - at for id_ in chain.after[:1] if id_ in indexes]
    return 1 not in distances and any(each < 0 for each in distances)


class ListState:
    """State of the list, changed step by step into earlier ones."""

    def __init__(self, keys: Mapping[str, Key]) -> None:
        self._keys = dict(keys)
        self._order = sorted((key, id_) for id_, key in keys.items())

    @property
    def ids(self) -> list[str]:
        """The ids in their order."""
        return [id_ for _, id_ in self._order]

    def distance(self, left: str, right: str) -> int:
        """Return how many places after one row, or end of the list, another is; 0 if either is not in the list."""
        first, second = self._index(left), self._index(right)
        return 0 if first is None or second is None else second - first

    def undo(self, step: Step) -> bool:
        """Undo a step. Return whether it had changed the rows or their order."""
        before = [self._index(id_) for id_ in step]
        for id_, key in step.items():
            self._set(id_, key)
        # If none of its rows has another index, then no other row has.
        return before != [self._index(id_) for id_ in step]

    def _index(self, id_: str) -> int | None:
        """Return the index of a row or of an end; None for a row that is not in the list."""
        if id_ in {START, END}:
            return -1 if id_ == START else len(self._order)
        key = self._keys.get(id_)
        return None if key is None else bisect_left(self._order, (key, id_))

    def _set(self, id_: str, key: Key | None) -> None:
        former = self._keys.pop(id_, None)
        if former is not None:
            del self._order[bisect_left(self._order, (former, id_))]
        if key is not None:
            self._keys[id_] = key
            insort(self._order, (key, id_))


def _states(timeline: Timeline) -> Iterator[tuple[ListState, set[str]]]:
    """Yield the states of the list, the newest first, each with the rows that moved, left or came since."""
    state, moved = ListState(timeline.keys), set[str]()
    yield state, moved
    for step in timeline.steps:
        if state.undo(step):
            moved |= step.keys()
            yield state, moved


def _negate(key: Key | None) -> Key | None:
    return None if key is None else tuple(-part for part in key)
