"""This file is the administrators' order being written: ranks, which never leave the server.

Neighbours lie GAP apart, so that many a row can be put between two others before a list has to be numbered anew.
Hidden rows count here: a place beside a visible row is beside it whatever else stands there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, bindparam, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql

GAP = 1 << 20
ASIDE = 1 << 61  # where rows wait while their list is numbered anew: no rank is that great


@dataclass(frozen=True)
class RankedList:
    """A list in the administrators' order: the rows of a table that share what `scope` says."""

    connection: AsyncConnection
    table: Table
    key: str  # the column that tells its rows apart
    scope: dict[str, int]

    async def allocate_ranks(
        self, count: int, *, next_to: int | None, is_after: bool, moving: Sequence[int] = ()
    ) -> list[int]:
        """Return ranks for so many rows, in order: right after (or before) the row of that key, at an end for none.

        Rows that are `leaving` their place do not count as neighbours. Up to three statements; twice as many and some
        more where there is no room left, for then the list is numbered anew.
        """
        low, high = await self._around(next_to, moving, is_after=is_after)
        if low is not None and high is not None and high - low <= count:
            await self._number_anew()
            low, high = await self._around(next_to, moving, is_after=is_after)
        if high is None:
            first = 0 if low is None else low
            return [first + GAP * place for place in range(1, count + 1)]
        if low is None:
            return [high - GAP * place for place in range(count, 0, -1)]
        step = (high - low) // (count + 1)
        return [low + step * place for place in range(1, count + 1)]

    async def _around(
        self, beside: int | None, leaving: Sequence[int], *, is_after: bool
    ) -> tuple[int | None, int | None]:
        """Return the ranks that the place lies between, None where the list ends."""
        rank = self.table.c.rank
        others = and_(self._here(), self.table.c[self.key].not_in(sql.int_list(leaving)))
        if beside is None:
            end = func.max(rank) if is_after else func.min(rank)
            there = await self.connection.scalar(select(end).where(others))
            found = _further(there, await self.last_reserved(up=is_after), up=is_after)
            return (found, None) if is_after else (None, found)
        mine = select(rank).where(self._here(), self.table.c[self.key] == beside)
        anchor = (await self.connection.execute(mine)).scalar_one()
        key = self.table.c[self.key]
        behind = and_(rank >= anchor, or_(rank > anchor, key > beside))
        ahead = and_(rank <= anchor, or_(rank < anchor, key < beside))
        beyond = select(func.min(rank)).where(behind) if is_after else select(func.max(rank)).where(ahead)
        there = await self.connection.scalar(beyond.where(others))
        other = _nearer(there, await self.next_reserved(anchor, up=is_after), up=is_after)
        return (anchor, other) if is_after else (other, anchor)

    async def _number_anew(self) -> None:
        """Set the ranks GAP apart. In two steps: a rank may be unique, and rows are updated one by one."""
        key, rank = self.table.c[self.key], self.table.c.rank
        rows = await self.connection.execute(select(rank, key).where(self._here()))
        gone = await self.reserved_ranks()
        spots = [*((row[0], True, row[1]) for row in rows), *((each, False, each) for each in set(gone.values()))]
        places = {spot[1:]: place * GAP for place, spot in enumerate(sorted(spots))}
        await self.set_ranks({of: ASIDE + place for (is_there, of), place in places.items() if is_there})
        await self.connection.execute(update(self.table).where(self._here()).values(rank=rank - ASIDE))
        await self.set_reserved_ranks({of: places[False, was] for of, was in gone.items()})

    async def last_reserved(self, *, up: bool) -> int | None:
        """Return the greatest (or least) rank of rows that are gone and may be put back; here there are none."""
        del up
        return None

    async def next_reserved(self, rank: int, *, up: bool) -> int | None:
        """Return the next such rank above (or below) a rank."""
        del rank, up
        return None

    async def reserved_ranks(self) -> Mapping[tuple[int, int], int]:
        """Return every such rank, by what tells its row apart."""
        return {}

    async def set_reserved_ranks(self, ranks: Mapping[tuple[int, int], int]) -> None:
        """Give rows that are gone other ranks."""

    async def ordered_keys(self) -> list[int]:
        """Return the keys of all rows, in their order. One statement."""
        key, rank = self.table.c[self.key], self.table.c.rank
        return list((await self.connection.scalars(select(key).where(self._here()).order_by(rank, key))).all())

    async def set_ranks(self, ranks: Mapping[int, int]) -> None:
        """Give rows their ranks, by their key. One statement."""
        row = and_(self._here(), self.table.c[self.key] == bindparam("of_key"))
        to = [{"of_key": key, "to_rank": rank} for key, rank in ranks.items()]
        if to:
            await self.connection.execute(update(self.table).where(row).values(rank=bindparam("to_rank")), to)

    def _here(self) -> ColumnElement[bool]:
        conditions: list[Any] = [self.table.c[column] == value for column, value in self.scope.items()]
        return and_(True, *conditions)  # noqa: FBT003 - SQL's word for no condition


def _further(rank: int | None, other: int | None, *, up: bool) -> int | None:
    """Return the one of two ranks that lies further up (or down); the other where one is None."""
    if rank is None or other is None:
        return other if rank is None else rank
    return max(rank, other) if up else min(rank, other)


def _nearer(rank: int | None, other: int | None, *, up: bool) -> int | None:
    """Return the one of two ranks that lies less far up (or down); the other where one is None."""
    return _further(rank, other, up=not up)
