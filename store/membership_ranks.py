"""This file is what writes need to know of memberships whoever may see them: where lists end, and who came after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.ranks import GAP, RankedList
from store.tables import ChangeAction


class UndoRecord(NamedTuple):
    """What a change did to one member: where, to which asset, and what its membership was before (None: not in)."""

    collection_id: str
    asset_pk: int
    rank: int | None
    added_at: int | None
    added_by_pk: int | None
    note: str | None
    is_latest: bool  # whether no later change touched the same asset in the same collection


@dataclass(frozen=True)
class RankedMembers(RankedList):
    """The members of a collection in their order.

    Whom the log can put back keeps their place: no other gets their rank. Two of one rank would stand in the order of
    their keys, and tell whether anything hidden lay between them.
    """

    collection_id: str

    async def last_reserved(self, *, up: bool) -> int | None:
        """Return the greatest (or least) rank that the log keeps, None for none. One statement."""
        rank = sql.change_asset.c.rank
        last: int | None = await self.connection.scalar(
            select(func.max(rank) if up else func.min(rank)).where(self._logged())
        )
        return last

    async def next_reserved(self, rank: int, *, up: bool) -> int | None:
        """Return the next rank that the log keeps above (or below) a rank, None for none. One statement."""
        kept = sql.change_asset.c.rank
        beyond = select(func.min(kept)).where(kept > rank) if up else select(func.max(kept)).where(kept < rank)
        found: int | None = await self.connection.scalar(beyond.where(self._logged()))
        return found

    async def reserved_ranks(self) -> Mapping[tuple[int, int], int]:
        """Return every rank that the log keeps, by change and asset. One statement."""
        touched = sql.change_asset
        rows = select(touched.c.change_pk, touched.c.asset_pk, touched.c.rank).where(self._logged())
        return {(row.change_pk, row.asset_pk): row.rank for row in await self.connection.execute(rows)}

    async def set_reserved_ranks(self, ranks: Mapping[tuple[int, int], int]) -> None:
        """Give what the log keeps other ranks. One statement."""
        touched = sql.change_asset
        row = and_(touched.c.change_pk == bindparam("of_change"), touched.c.asset_pk == bindparam("of_asset"))
        to = [{"of_change": of[0], "of_asset": of[1], "to_rank": rank} for of, rank in ranks.items()]
        if to:
            await self.connection.execute(update(touched).where(row).values(rank=bindparam("to_rank")), to)

    def _logged(self) -> ColumnElement[bool]:
        changes = select(sql.change.c.pk).where(sql.change.c.subject_id == self.collection_id)
        return and_(sql.change_asset.c.change_pk.in_(changes), sql.change_asset.c.rank.is_not(None))


async def next_ranks(connection: AsyncConnection, collections: Sequence[int]) -> dict[int, int]:
    """Return a rank behind all members of each collection, and behind whom the log can put back. Two statements."""
    membership, touched = sql.membership, sql.change_asset
    members = (
        select(membership.c.collection_pk.label("pk"), func.max(membership.c.rank).label("rank"))
        .where(membership.c.collection_pk.in_(sql.int_list(collections)))
        .group_by(membership.c.collection_pk)
    )
    gone = (
        select(sql.collection.c.pk, func.max(touched.c.rank).label("rank"))
        .join(sql.change, sql.change.c.subject_id == sql.collection.c.id)
        .join(touched, touched.c.change_pk == sql.change.c.pk)
        .where(sql.collection.c.pk.in_(sql.int_list(collections)), touched.c.rank.is_not(None))
        .group_by(sql.collection.c.pk)
    )
    last = dict.fromkeys(collections, 0)
    for rows in (members, gone):
        last |= {row.pk: max(last[row.pk], row.rank) for row in await connection.execute(rows)}
    return {pk: rank + GAP for pk, rank in last.items()}


async def undo_records(connection: AsyncConnection, change_pk: int) -> list[UndoRecord]:
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
    return [UndoRecord._make(row) for row in await connection.execute(rows)]
