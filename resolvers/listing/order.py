"""Orders of ranked lists: the chains of their rows, and the edges that stale cursors give to pages."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import orjson

from permissions import ErrorCode, OperationError
from resolvers.listing import cursor
from resolvers.listing.chain import IDS_AFTER, IDS_BEFORE, Chain
from resolvers.listing.listing import Listing
from resolvers.listing.page import KeysetBound, KeysetShape, PageEdge
from resolvers.listing.timeline import Timeline, find_place


class RankedRow(NamedTuple):
    """Row of a ranked list: the chain of its cursor, and its sort keys."""

    chain: Chain
    sort_values: Sequence[Any]

    @classmethod
    def build(cls, listing: Listing, row: Sequence[Any]) -> Self:
        """Build a row that `select_neighbours` selected."""
        id_, lower, higher, *sort_values = row
        sides = [orjson.loads(lower), orjson.loads(higher)]
        before, after = reversed(sides) if listing.descending else sides
        return cls(Chain.around(id_, before, after), sort_values)


@dataclass(frozen=True)
class Order:
    """Order of a parent's list, now and before its last changes.

    `timeline` is of all visible rows, in ascending order; `ids` has those that match the filter of the list, None for
    all.
    """

    timeline: Timeline
    ids: Collection[str] | None
    is_descending: bool

    def find_edge(self, chain: Chain, *, is_after: bool) -> PageEdge:
        """Return the edge of a page that begins after a cursor, or ends before it.

        Raises OperationError(BAD_CURSOR) if none of the cursor's rows is known, and it reaches no end of the list.
        """
        timeline = self.timeline.descending() if self.is_descending else self.timeline
        if self.ids is not None:
            timeline = timeline.restrict({*self.ids, chain.id, *chain.before, *chain.after})
        place = find_place(timeline, chain)
        if place is None:
            raise OperationError(ErrorCode.BAD_CURSOR, cursor.GONE)
        if place.id is None:
            return PageEdge(is_after, None)
        # If the row of `before` has left its place, the page ends with the nearest row before it.
        is_inclusive = not is_after and place.id != chain.id
        bound = KeysetBound(self.timeline.keys[place.id], KeysetShape(is_after, is_inclusive))
        order = sorted(timeline.keys, key=timeline.keys.__getitem__)
        at = order.index(place.id)
        sides = (order[at::-1], order[at + is_inclusive :])
        beyond = [id_ for id_ in sides[not is_after] if self.ids is None or id_ in self.ids]
        return PageEdge(is_after, bound, beyond[: IDS_BEFORE if is_after else IDS_AFTER])
