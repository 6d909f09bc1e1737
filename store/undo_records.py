"""Undo records: the member changes that make up a logged change, as an undo needs them."""

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import ColumnElement, FromClause, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.tables import ChangeAction

ORDER_ACTIONS = (ChangeAction.REORDERED,)
"""Actions that leave memberships as they were. A move past hidden members, too, must not prevent an undo."""


class UndoRecord(NamedTuple):
    """A member change: collection, asset, and the former membership; `rank` is None if the asset was not a member."""

    change_pk: int
    collection_id: str
    asset_pk: int
    rank: int | None
    added_at: int | None
    added_by_pk: int | None
    note: str | None
    is_latest: bool  # no later change of the same asset is in effect


async def undo_records(connection: AsyncConnection, change_pk: int) -> list[UndoRecord]:
    """Return the member changes of a change. One statement.

    A move is logged as two changes of one revision, and so is the undo of a move: the result includes both halves.
    """
    requested, change, member = sql.change.alias("requested"), sql.change, sql.change_asset
    later_member = sql.change_asset.alias("later_member")
    is_order = requested.c.action.in_(ORDER_ACTIONS)
    touched_since = (
        select(later_member.c.change_pk)
        .where(
            later_member.c.change_pk == LATER.c.pk,
            later_member.c.asset_pk == member.c.asset_pk,
            is_order | LATER.c.action.not_in(ORDER_ACTIONS),
        )
        .correlate(LATER, member, requested)
        .exists()
    )
    has_halves = requested.c.action.in_((ChangeAction.ASSETS_MOVED, ChangeAction.UNDONE))
    rows = (
        select(
            change.c.pk,
            change.c.subject_id,
            *member.c["asset_pk", "rank", "added_at", "added_by_pk", "note"],
            ~is_overridden(change, touched_since, member, requested),
        )
        .select_from(requested)
        .join(change, (change.c.revision == requested.c.revision) & (change.c.action == requested.c.action))
        .join(member, member.c.change_pk == change.c.pk)
        .where(requested.c.pk == change_pk, (change.c.pk == requested.c.pk) | has_halves)
    )
    return [UndoRecord._make(row) for row in await connection.execute(rows)]


LATER = sql.change.alias("later")
"""Changes after the one that is to be undone."""


def is_overridden(change: FromClause, is_of_item: ColumnElement[bool], *correlated: FromClause) -> ColumnElement[bool]:
    """Return the condition that the later changes of an item of the subject have an effect together.

    A change and its undo have none, nor have the undo of an earlier change and the undo of that undo. So each original
    counts with its undos: an even number of them leaves the item as it was.
    """
    return (
        select(func.min(LATER.c.pk))
        .where(
            LATER.c.subject_id == change.c.subject_id,
            LATER.c.pk > change.c.pk,
            LATER.c.revision > change.c.revision,
            is_of_item,
        )
        .group_by(func.coalesce(LATER.c.original_pk, LATER.c.pk))
        .having(func.count() % 2 == 1)
        .correlate(change, *correlated)
        .exists()
    )


async def ranks_before(connection: AsyncConnection, change_pk: int, collection_id: str) -> Mapping[int, int | None]:
    """Return the ranks before a change of the assets that later changes touched, by asset. One statement.

    None for an asset that was no member of the collection then.
    """
    change, member = sql.change, sql.change_asset
    later = (
        select(member.c.asset_pk, member.c.rank)
        .join(change, change.c.pk == member.c.change_pk)
        .where(change.c.subject_id == collection_id, change.c.pk > change_pk)
        .order_by(change.c.pk.desc())
    )
    # The earliest change of an asset comes last.
    return {row.asset_pk: row.rank for row in await connection.execute(later)}
