"""This file is what writes need to know of memberships whoever may see them: where lists end, and who came after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.ranks import ASIDE, GAP, Ranked
from store.tables import ChangeAction


class Trace(NamedTuple):
    """What a change did to one member: where, to which asset, and what its membership was before (None: not in)."""

    collection_id: str
    asset_pk: int
    rank: int | None
    added_at: int | None
    added_by_pk: int | None
    note: str | None
    is_last: bool  # whether no later change touched the same asset in the same collection


@dataclass(frozen=True)
class RankedMembers(Ranked):
    """The members of a collection in their order. Whom the log can put back keeps a place between the others."""

    collection_id: str

    async def gone(self) -> Sequence[int]:
        """Return the distinct ranks that the log keeps. One statement."""
        rank = sql.change_asset.c.rank
        return (await self.connection.scalars(select(rank).where(self._logged()).distinct())).all()

    async def set_gone(self, ranks: Mapping[int, int]) -> None:
        """Give what the log keeps other ranks. Two statements, for a new rank may be another's old one."""
        rank = sql.change_asset.c.rank
        to = [{"of_rank": old, "to_rank": ASIDE + new} for old, new in ranks.items()]
        if to:
            moved = update(sql.change_asset).where(self._logged(), rank == bindparam("of_rank"))
            await self.connection.execute(moved.values(rank=bindparam("to_rank")), to)
            back = update(sql.change_asset).where(self._logged(), rank >= ASIDE)
            await self.connection.execute(back.values(rank=rank - ASIDE))

    def _logged(self) -> ColumnElement[bool]:
        changes = select(sql.change.c.pk).where(sql.change.c.subject_id == self.collection_id)
        return and_(sql.change_asset.c.change_pk.in_(changes), sql.change_asset.c.rank.is_not(None))


async def ends(connection: AsyncConnection, collections: Sequence[int]) -> dict[int, int]:
    """Return a rank behind all members of each collection. One statement."""
    membership = sql.membership
    greatest = (
        select(membership.c.collection_pk, func.max(membership.c.rank).label("rank"))
        .where(membership.c.collection_pk.in_(sql.listed(collections)))
        .group_by(membership.c.collection_pk)
    )
    found = {row.collection_pk: row.rank for row in await connection.execute(greatest)}
    return {pk: found.get(pk, 0) + GAP for pk in collections}


async def traces(connection: AsyncConnection, change_pk: int) -> list[Trace]:
    """Return what a change did to members; of a move, or of one undone, both halves, which share a revision.

    One statement.
    """
    asked, change, touched = sql.change.alias("asked"), sql.change, sql.change_asset
    later, again = sql.change.alias("later"), sql.change_asset.alias("again")
    since = (
        select(later.c.pk)
        .join(again, again.c.change_pk == later.c.pk)
        .where(
            later.c.pk > change.c.pk,
            later.c.revision > change.c.revision,
            later.c.subject_id == change.c.subject_id,
            again.c.asset_pk == touched.c.asset_pk,
        )
        .correlate(change, touched)
    )
    rows = (
        select(change.c.subject_id, *touched.c["asset_pk", "rank", "added_at", "added_by_pk", "note"], ~since.exists())
        .select_from(asked)
        .join(change, (change.c.revision == asked.c.revision) & (change.c.action == asked.c.action))
        .join(touched, touched.c.change_pk == change.c.pk)
        .where(
            asked.c.pk == change_pk,
            (change.c.pk == asked.c.pk) | asked.c.action.in_((ChangeAction.ASSETS_MOVED, ChangeAction.UNDONE)),
        )
    )
    return [Trace._make(row) for row in await connection.execute(rows)]
