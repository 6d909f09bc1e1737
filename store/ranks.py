"""Ranks: numbers that order a manually arranged list. They never leave the server.

Neighbours are GAP apart, so that many rows can be inserted between them before the list has to be renumbered. A list
may contain rows hidden from the viewer: a row placed next to a visible row goes between it and any hidden neighbour.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, bindparam, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql

GAP = 1 << 20
OFFSET = 1 << 61  # added to new ranks during renumbering; larger than any rank, so that old and new never collide


@dataclass(frozen=True)
class RankedList:
    """A list ordered by rank: the rows of a table whose columns have the values of `scope`."""

    connection: AsyncConnection
    table: Table
    key: str  # column that identifies a row within the list
    scope: dict[str, int]  # value by column

    async def allocate_ranks(
        self, count: int, *, next_to: int | None, is_after: bool, moving: Sequence[int] = ()
    ) -> list[int]:
        """Return `count` ascending ranks directly after (with `is_after`) or before the row with the key `next_to`.

        If `next_to` is None, they are at the end or start of the list. Rows with keys in `moving` do not count as
        neighbours. Up to three statements; more than twice as many if the list has to be renumbered.
        """
        low, high = await self._neighbour_ranks(next_to, moving, is_after=is_after)
        if low is not None and high is not None and high - low <= count:
            await self._renumber()
            low, high = await self._neighbour_ranks(next_to, moving, is_after=is_after)
        if high is None:
            first = 0 if low is None else low
            return [first + GAP * index for index in range(1, count + 1)]
        if low is None:
            return [high - GAP * index for index in range(count, 0, -1)]
        step = (high - low) // (count + 1)
        return [low + step * index for index in range(1, count + 1)]

    async def _neighbour_ranks(
        self, next_to: int | None, moving: Sequence[int], *, is_after: bool
    ) -> tuple[int | None, int | None]:
        """Return the ranks before and after a position, None where the list begins or ends."""
        key, rank = self.table.c[self.key], self.table.c.rank
        others = and_(self._in_scope(), key.not_in(sql.int_list(moving)))
        if next_to is None:
            last = select(func.max(rank) if is_after else func.min(rank)).where(others)
            occupied, reserved = await self.connection.scalar(last), await self.last_reserved(up=is_after)
            outermost = _further(occupied, reserved, up=is_after)
            return (outermost, None) if is_after else (None, outermost)
        anchor_rank = select(rank).where(self._in_scope(), key == next_to)
        anchor = (await self.connection.execute(anchor_rank)).scalar_one()
        behind = and_(rank >= anchor, or_(rank > anchor, key > next_to))
        ahead = and_(rank <= anchor, or_(rank < anchor, key < next_to))
        beyond = select(func.min(rank)).where(behind) if is_after else select(func.max(rank)).where(ahead)
        occupied = await self.connection.scalar(beyond.where(others))
        neighbour = _nearer(occupied, await self.next_reserved(anchor, up=is_after), up=is_after)
        return (anchor, neighbour) if is_after else (neighbour, anchor)

    async def _renumber(self) -> None:
        """Renumber the list with ranks GAP apart.

        Adds OFFSET first and subtracts it at the end: rows are updated one by one, and a rank may be unique.
        """
        key, rank = self.table.c[self.key], self.table.c.rank
        rows = await self.connection.execute(select(rank, key).where(self._in_scope()))
        reserved = await self.reserved_ranks()
        slots = [
            *((row[0], True, row[1]) for row in rows),
            *((reserved_rank, False, reserved_rank) for reserved_rank in set(reserved.values())),
        ]
        new_ranks = {slot[1:]: index * GAP for index, slot in enumerate(sorted(slots))}
        await self.set_ranks({of: OFFSET + new for (is_row, of), new in new_ranks.items() if is_row})
        await self.connection.execute(update(self.table).where(self._in_scope()).values(rank=rank - OFFSET))
        await self.set_reserved_ranks({of: new_ranks[False, old] for of, old in reserved.items()})

    async def last_reserved(self, *, up: bool) -> int | None:
        """Return the greatest rank that new rows must not take if `up`, else the least. Only subclasses have such."""
        del up
        return None

    async def next_reserved(self, rank: int, *, up: bool) -> int | None:
        """Return the nearest rank above `rank` that new rows must not take if `up`, else below; None without one."""
        del rank, up
        return None

    async def reserved_ranks(self) -> Mapping[tuple[int, ...], int]:
        """Return the ranks of former places in the list, by a key that the class defines. One statement."""
        former = sql.former_place
        rows = select(former.c.pk, former.c.rank).where(former.c.rank.is_not(None), *self._are_former())
        return {(row.pk,): row.rank for row in await self.connection.execute(rows)}

    async def set_reserved_ranks(self, ranks: Mapping[tuple[int, ...], int]) -> None:
        """Update ranks of former places, given by the keys of `reserved_ranks`. One statement."""
        former = sql.former_place
        rows = [{"of_key": key, "to_rank": rank} for (key,), rank in ranks.items()]
        if rows:
            place = update(former).where(former.c.pk == bindparam("of_key"))
            await self.connection.execute(place.values(rank=bindparam("to_rank")), rows)

    def _are_former(self) -> list[ColumnElement[bool]]:
        former = sql.former_place
        return [
            former.c.kind == self.table.name,
            *(former.c[column] == value for column, value in self.scope.items()),
        ]

    async def ordered_keys(self) -> list[int]:
        """Return the keys of all rows in order. One statement."""
        key, rank = self.table.c[self.key], self.table.c.rank
        return list((await self.connection.scalars(select(key).where(self._in_scope()).order_by(rank, key))).all())

    async def set_ranks(self, ranks: Mapping[int, int]) -> None:
        """Update the ranks of rows, given by key. One statement."""
        row = and_(self._in_scope(), self.table.c[self.key] == bindparam("of_key"))
        rows = [{"of_key": key, "to_rank": rank} for key, rank in ranks.items()]
        if rows:
            await self.connection.execute(update(self.table).where(row).values(rank=bindparam("to_rank")), rows)

    def _in_scope(self) -> ColumnElement[bool]:
        conditions: list[Any] = [self.table.c[column] == value for column, value in self.scope.items()]
        return and_(True, *conditions)  # noqa: FBT003 - SQL's constant for no condition


def tree_order(parents: Mapping[int, int | None]) -> list[int]:
    """Return the keys so that each node precedes its descendants, and these its next sibling.

    Takes the parent of each key, with the keys in the order of siblings.
    """
    children: dict[int | None, list[int]] = {}
    for key, parent in parents.items():
        children.setdefault(parent, []).append(key)

    def walk(parent: int | None) -> Iterator[int]:
        for key in children.get(parent, ()):
            yield key
            yield from walk(key)

    return list(walk(None))


def _further(rank: int | None, other: int | None, *, up: bool) -> int | None:
    """Return the greater of two ranks if `up`, else the lesser; if one is None, return the other."""
    if rank is None or other is None:
        return other if rank is None else rank
    return max(rank, other) if up else min(rank, other)


def _nearer(rank: int | None, other: int | None, *, up: bool) -> int | None:
    """Return the lesser of two ranks if `up`, else the greater; if one is None, return the other."""
    return _further(rank, other, up=not up)
