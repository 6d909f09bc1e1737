"""Restoration of former members of a collection to their places.

The viewer may not see all members, and others may have moved a visible member past hidden ones since. Neither may
change the order that the viewer sees. So a place is found by the order of the visible members at the time of the undone
change: directly after the nearest one that stood before the asset and is a member now. The former rank is used again
only where it lies in that gap between visible members.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from permissions import visible
from resolvers.write.membership_operations import member_ranking
from resolvers.write.transaction import MutationTransaction
from store import sql
from store.ranks import RankedList
from store.rows import CollectionRow, MembershipRow
from store.undo_records import UndoRecord, ranks_before


class VisibleMember(NamedTuple):
    """A member that the viewer sees, and its rank before the undone change; None if it was no member then."""

    asset_pk: int
    rank: int
    former_rank: int | None


@dataclass
class Gap:
    """Space between two neighbouring visible members, and the former members that return to it, in their order."""

    low: VisibleMember | None
    high: VisibleMember | None
    records: list[UndoRecord] = field(default_factory=list)

    @property
    def has_former_ranks(self) -> bool:
        """Whether the former ranks lie in the gap, in the order of the records."""
        places = (self.low, *self.records, self.high)
        ranks = [each.rank for each in places if each is not None and each.rank is not None]
        return all(rank < next_rank for rank, next_rank in pairwise(ranks))


WriteRanks = Callable[[MutationTransaction, int, Sequence[UndoRecord], Sequence[int | None]], Awaitable[None]]
"""Function that gives former members of the collection with this pk their ranks."""


async def restore_members(tx: MutationTransaction, collection: CollectionRow, records: Sequence[UndoRecord]) -> None:
    """Insert former members at their places. Three statements, and those of `allocate_ranks` where a place moved."""
    await _place(tx, collection, records, insert_records)


async def move_members_back(tx: MutationTransaction, collection: CollectionRow, records: Sequence[UndoRecord]) -> None:
    """Move members back to their former places. As many statements as `restore_members`."""
    ranked = member_ranking(tx, collection)

    async def set_ranks(
        _tx: MutationTransaction, _pk: int, records: Sequence[UndoRecord], ranks: Sequence[int | None]
    ) -> None:
        pks = [record.asset_pk for record in records]
        await ranked.set_ranks({pk: rank for pk, rank in zip(pks, ranks, strict=True) if rank is not None})

    await _place(tx, collection, records, set_ranks, [record.asset_pk for record in records])


async def _place(
    tx: MutationTransaction,
    collection: CollectionRow,
    records: Sequence[UndoRecord],
    write: WriteRanks,
    moving: Sequence[int] = (),
) -> None:
    """Find the places of former members, or of members that are `moving`, and write their ranks."""
    ranked = member_ranking(tx, collection)
    members = await _visible_members(tx, collection, records[0].change_pk)
    gaps = find_gaps([member for member in members if member.asset_pk not in set(moving)], records)
    moved = [gap for gap in gaps if not gap.has_former_ranks]
    for gap in moved:
        await write(tx, collection.pk, gap.records, await _allocate_ranks(ranked, gap, moving))
    kept = [record for gap in gaps if gap.has_former_ranks for record in gap.records]
    # An allocation may have renumbered the list, and with it the reserved ranks.
    reserved = await ranked.reserved_ranks() if moved else {}
    await write(
        tx, collection.pk, kept, [reserved.get((record.change_pk, record.asset_pk), record.rank) for record in kept]
    )


def find_gaps(members: Sequence[VisibleMember], records: Sequence[UndoRecord]) -> list[Gap]:
    """Return the gaps that former members return to, given the visible members in their order.

    That is the gap after the nearest member that stood before them; if there is none, the gap before the nearest that
    stood after them; if there is none either, the start of the list.
    """
    after: defaultdict[int, list[UndoRecord]] = defaultdict(list)
    before: defaultdict[int, list[UndoRecord]] = defaultdict(list)
    former = sorted(
        (member.former_rank, place) for place, member in enumerate(members) if member.former_rank is not None
    )
    for record in sorted(records, key=lambda record: (record.rank, record.asset_pk)):
        preceding = bisect_left(former, (record.rank,))
        if preceding:
            after[former[preceding - 1][1] + 1].append(record)
        else:
            before[former[0][1] if former else 0].append(record)
    ends: list[VisibleMember | None] = [None, *members, None]
    return [
        Gap(ends[place], ends[place + 1], [*after.get(place, ()), *before.get(place, ())])
        for place in sorted(after.keys() | before.keys())
    ]


async def _visible_members(tx: MutationTransaction, collection: CollectionRow, change_pk: int) -> list[VisibleMember]:
    """Return the visible members in their order, with their ranks before a change. Two statements."""
    membership = sql.membership
    rows: Sequence[MembershipRow] = await tx.rows(
        visible(membership, tx.viewer)
        .where(membership.c.collection_pk == collection.pk)
        .order_by(membership.c.rank, membership.c.asset_pk)
    )
    former_ranks = await ranks_before(tx.connection, change_pk, collection.id)
    return [VisibleMember(row.asset_pk, row.rank, former_ranks.get(row.asset_pk, row.rank)) for row in rows]


async def _allocate_ranks(ranked: RankedList, gap: Gap, moving: Sequence[int]) -> list[int]:
    neighbour = gap.low or gap.high
    next_to = None if neighbour is None else neighbour.asset_pk
    return await ranked.allocate_ranks(len(gap.records), next_to=next_to, is_after=gap.low is not None, moving=moving)


async def insert_records(
    tx: MutationTransaction, collection_pk: int, records: Sequence[UndoRecord], ranks: Sequence[int | None]
) -> None:
    """Insert former members with these ranks."""
    rows: list[dict[str, Any]] = [
        {
            "collection_pk": collection_pk,
            "asset_pk": record.asset_pk,
            "rank": rank,
            "added_at": record.added_at,
            "added_by_pk": record.added_by_pk,
            "note": record.note,
        }
        for record, rank in zip(records, ranks, strict=True)
    ]
    await tx.insert(sql.membership, rows)
