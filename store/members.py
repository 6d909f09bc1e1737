"""This file is what writes need to know of memberships whoever may see them: where lists end, and who came after."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.ranks import GAP
from store.tables import ChangeAction


class Trace(NamedTuple):
    """What a change did to one member: where, to which asset, and what its membership was before (NULL: not in)."""

    collection_id: str
    asset_pk: int
    rank: int | None
    added_at: int | None
    added_by_pk: int | None
    note: str | None
    is_last: bool  # whether no later change touched the same asset in the same collection


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
