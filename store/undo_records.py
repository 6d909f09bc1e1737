"""Undo records: the member changes that make up a logged change, as an undo needs them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, FromClause, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.tables import ChangeAction

ORDER_ACTIONS = (ChangeAction.REORDERED,)
"""Actions that leave memberships as they were. A move past hidden members, too, must not prevent an undo."""

HALVED_ACTIONS = (ChangeAction.ASSETS_MOVED, ChangeAction.UNDONE)
"""Actions of which the changes of one write, of two collections, are undone together."""


class UndoRecord(NamedTuple):
    """A member change: collection, asset, and the former membership; `rank` is None if the asset was not a member."""

    change_pk: int
    original_pk: int  # of an undo, the change at the start of the chain; otherwise the change itself
    collection_id: str
    asset_pk: int
    rank: int | None
    added_at: int | None
    added_by_pk: int | None
    note: str | None
    is_latest: bool  # no later change of the same asset is in effect
    is_member: bool  # now


async def undo_records(connection: AsyncConnection, change_pk: int) -> list[UndoRecord]:
    """Return the member changes of a change. One statement.

    A move is logged as two changes of one revision, and so is the undo of a move: the result includes both halves.
    """
    requested, change, member = sql.change.alias("requested"), sql.change, sql.change_asset
    is_order = requested.c.action.in_(ORDER_ACTIONS)
    touched_since = touches_member(member, is_order)
    rows = (
        select(
            change.c.pk,
            func.coalesce(change.c.original_pk, change.c.pk),
            change.c.subject_id,
            *member.c["asset_pk", "rank", "added_at", "added_by_pk", "note"],
            ~is_overridden(change, touched_since, member, requested),
            is_member(change, member),
        )
        .select_from(requested)
        .join(change, is_half(change, requested))
        .join(member, member.c.change_pk == change.c.pk)
        .where(requested.c.pk == change_pk)
    )
    return [UndoRecord._make(row) for row in await connection.execute(rows)]


def is_half(half: FromClause, change: FromClause) -> ColumnElement[bool]:
    """Return the condition that the undo of a change undoes the half: the change itself, or the other of a move."""
    is_same = (half.c.revision == change.c.revision) & (half.c.action == change.c.action)
    return is_same & ((half.c.pk == change.c.pk) | change.c.action.in_(HALVED_ACTIONS))


def is_member(change: FromClause, member: FromClause) -> ColumnElement[bool]:
    """Return the condition that the asset of a member change is in the collection now."""
    return (
        select(sql.membership.c.asset_pk)
        .join(sql.collection, sql.collection.c.pk == sql.membership.c.collection_pk)
        .where(sql.collection.c.id == change.c.subject_id, sql.membership.c.asset_pk == member.c.asset_pk)
        .correlate(change, member)
        .exists()
    )


def has_record(
    change: FromClause, half: FromClause, record: FromClause, condition: ColumnElement[bool], *correlated: FromClause
) -> ColumnElement[bool]:
    """Return the condition that a half of the change has a member change that meets the condition."""
    records = select(record.c.asset_pk).select_from(half.join(record, record.c.change_pk == half.c.pk))
    return records.where(is_half(half, change), condition).correlate(change, *correlated).exists()


async def count_members(connection: AsyncConnection, change_ids: Sequence[str]) -> list[tuple[str, int]]:
    """Return id and number of assets of changes, the last first, of the halves of a move the last. One statement."""
    change, member = sql.change, sql.change_asset
    rows = (
        select(func.max(change.c.pk), change.c.revision, func.count(member.c.asset_pk.distinct()).label("members"))
        .join(member, member.c.change_pk == change.c.pk)
        .where(change.c.id.in_(sql.text_list(change_ids)))
        .group_by(change.c.revision)
        .subquery()
    )
    counts = select(change.c.id, rows.c.members).join(rows, rows.c[0] == change.c.pk).order_by(change.c.pk.desc())
    return [(row.id, row.members) for row in await connection.execute(counts)]


LATER = sql.change.alias("later")
"""Changes after the one that is to be undone."""


def touches_member(member: FromClause, with_order: ColumnElement[bool] | None = None) -> ColumnElement[bool]:
    """Return the condition that a later change affected the asset of a member change, with `with_order` also a move."""
    later_member = sql.change_asset.alias("later_member")
    touched = (
        select(later_member.c.change_pk)
        .where(later_member.c.change_pk == LATER.c.pk, later_member.c.asset_pk == member.c.asset_pk)
        .correlate(LATER, member)
    )
    is_membership = LATER.c.action.not_in(ORDER_ACTIONS)
    return touched.exists() & (is_membership if with_order is None else with_order | is_membership)


def is_undo_of(change: FromClause) -> ColumnElement[bool]:
    """Return the condition that a later change undid the change, or another undo in its chain."""
    return LATER.c.original_pk == func.coalesce(change.c.original_pk, change.c.pk)


def is_overridden(change: FromClause, is_of_item: ColumnElement[bool], *correlated: FromClause) -> ColumnElement[bool]:
    """Return the condition that the later changes of an item of the subject have an effect together.

    A change and its undo have none, nor have the undo of an earlier change and the undo of that undo. So each original
    counts with its undos: an even number of them leaves the item as it was. An undo that restores some grants and
    revokes others is logged as two changes of one revision.
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
        .having(func.count(LATER.c.revision.distinct()) % 2 == 1)
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
