"""Ranks of memberships, including the ranks of former members, reserved for an undo."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.ranks import GAP, RankedList


@dataclass(frozen=True)
class RankedMembers(RankedList):
    """Ranked members of a collection, visible or hidden.

    An undo returns a former member to its rank, so the change log reserves that rank. If a new member took it, the two
    would be ordered by key, which would reveal whether a hidden member lay between them.
    """

    collection_id: str

    async def last_reserved(self, *, up: bool) -> int | None:
        """Return the greatest reserved rank if `up`, else the least; None if there is none. One statement."""
        rank = sql.change_asset.c.rank
        last: int | None = await self.connection.scalar(
            select(func.max(rank) if up else func.min(rank)).where(self._is_reserved())
        )
        return last

    async def next_reserved(self, rank: int, *, up: bool) -> int | None:
        """Return the reserved rank nearest above `rank` if `up`, else below; None if there is none. One statement."""
        reserved = sql.change_asset.c.rank
        beyond = (
            select(func.min(reserved)).where(reserved > rank)
            if up
            else (select(func.max(reserved)).where(reserved < rank))
        )
        nearest: int | None = await self.connection.scalar(beyond.where(self._is_reserved()))
        return nearest

    async def reserved_ranks(self) -> Mapping[tuple[int, ...], int]:
        """Return all reserved ranks by `(change_pk, asset_pk)`. One statement."""
        former = sql.change_asset
        rows = select(former.c.change_pk, former.c.asset_pk, former.c.rank).where(self._is_reserved())
        return {(row.change_pk, row.asset_pk): row.rank for row in await self.connection.execute(rows)}

    async def set_reserved_ranks(self, ranks: Mapping[tuple[int, ...], int]) -> None:
        """Update reserved ranks, given by `(change_pk, asset_pk)`. One statement."""
        former = sql.change_asset
        key = and_(former.c.change_pk == bindparam("of_change"), former.c.asset_pk == bindparam("of_asset"))
        rows = [{"of_change": of[0], "of_asset": of[1], "to_rank": rank} for of, rank in ranks.items()]
        if rows:
            await self.connection.execute(update(former).where(key).values(rank=bindparam("to_rank")), rows)

    def _is_reserved(self) -> ColumnElement[bool]:
        changes = select(sql.change.c.pk).where(sql.change.c.subject_id == self.collection_id)
        return and_(sql.change_asset.c.change_pk.in_(changes), sql.change_asset.c.rank.is_not(None))


async def next_ranks(connection: AsyncConnection, collection_pks: Sequence[int]) -> dict[int, int]:
    """Return, by collection pk, a rank after all members and all reserved ranks. Two statements."""
    membership, former = sql.membership, sql.change_asset
    last_members = (
        select(membership.c.collection_pk.label("pk"), func.max(membership.c.rank).label("rank"))
        .where(membership.c.collection_pk.in_(sql.int_list(collection_pks)))
        .group_by(membership.c.collection_pk)
    )
    last_reserved = (
        select(sql.collection.c.pk, func.max(former.c.rank).label("rank"))
        .join(sql.change, sql.change.c.subject_id == sql.collection.c.id)
        .join(former, former.c.change_pk == sql.change.c.pk)
        .where(sql.collection.c.pk.in_(sql.int_list(collection_pks)), former.c.rank.is_not(None))
        .group_by(sql.collection.c.pk)
    )
    last = dict.fromkeys(collection_pks, 0)
    for rows in (last_members, last_reserved):
        last |= {row.pk: max(last[row.pk], row.rank) for row in await connection.execute(rows)}
    return {pk: rank + GAP for pk, rank in last.items()}
