"""Conflicts of an undo with later changes: which change is in the way, as far as the viewer may see it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from permissions import visible
from resolvers import undoable
from resolvers.write.input import InputReader
from resolvers.write.transaction import MutationTransaction
from resolvers.write.user_error import UserErrorCode
from store import sql
from store.changes import Undone
from store.date_time import format_rfc_3339
from store.rows import ChangeRow
from store.sql import Selection

MAX_LATER_CHANGES = 1_000
CHANGE_ID = ("input", "changeId")
"""Path of the errors of items."""

IsOfItem = Callable[[ChangeRow], bool]
"""Whether a later change of the subject concerns the part of it that is to be undone."""


def undone(change: ChangeRow) -> dict[str, int]:
    """Return the columns of the log by which a change is the undo of another."""
    return Undone(change.pk, change.original_pk or change.pk)._asdict()


def effect_of(change: ChangeRow) -> Mapping[str, Any]:
    """Return the effect of a change, which those of objects have if they can be undone."""
    assert change.effect is not None  # noqa: S101 - see resolvers/undoable.py
    return change.effect


def values_of(change: ChangeRow) -> list[tuple[str, Any, Any]]:
    """Return field, former and new value of each changed field."""
    return [(str(each["field"]), each["before"], each["after"]) for each in change.fields]


def has_field(field: str) -> IsOfItem:
    """Return the function that tells whether a change changed the field."""
    return lambda row: any(each["field"] == field for each in row.fields)


async def add_conflict(
    tx: MutationTransaction, reader: InputReader, change: ChangeRow, noun: str, is_of_item: IsOfItem
) -> None:
    """Add CONFLICT: `noun` was changed since the change. Says who did it and when. One statement."""
    later = [row for row in await later_changes(tx, change) if is_of_item(row)]
    description = _describe(later[-1]) if later else None
    message = f"{noun} was {changed_again(description)}. Undo that first, or change it by hand."
    reader.add_error(UserErrorCode.CONFLICT, message, "changeId")


def changed_again(later: str | None, verb: str = "changed") -> str:
    """Return the part of a message that names a later change, as described; None if the viewer sees none."""
    return f"{verb} again {later or 'after this change'}"


def _describe(later: Any) -> str:
    """Return actor, time and id of a later change."""
    return f"by {later.actor_name or 'an import'} at {format_rfc_3339(later.at)} ({later.id})"


async def describe_changes(tx: MutationTransaction, last: Selection) -> Mapping[tuple[Any, ...], str]:
    """Describe visible changes, by item: the SELECT has key columns, then the pk of a change. One statement.

    The key of an item is a tuple of all its columns.
    """
    change, actor, of_item = sql.change, sql.principal, last.subquery()
    *key, last_pk = of_item.c
    rows = (
        visible(change, tx.viewer)
        .join(of_item, last_pk == change.c.pk)
        .outerjoin(actor, actor.c.pk == change.c.actor_pk)
        .with_only_columns(*key, change.c.id, change.c.at, actor.c.name.label("actor_name"))
    )
    return {tuple(row)[: len(key)]: _describe(row) for row in await tx.rows(rows)}


def check_size(reader: InputReader, items: int, max_items: int | None) -> None:
    """Raise MutationRejectedError if a change has more items than `max_items`, MAX_ITEMS if None."""
    limit = undoable.MAX_ITEMS if max_items is None else max_items
    if items > limit:
        message = f"The change has {items:,} assets; at most {limit:,} can be undone at once. Undo its job."
        reader.add_error(UserErrorCode.LIMIT_EXCEEDED, message, "changeId", limit=limit)
        reader.raise_errors()


async def later_changes(tx: MutationTransaction, change: ChangeRow) -> Sequence[Any]:
    """Return the visible changes of the same subject by later writes, the newest last, each with its `actor_name`.

    One statement.
    """
    later, actor = sql.change, sql.principal
    rows = (
        visible(later, tx.viewer)
        .outerjoin(actor, actor.c.pk == later.c.actor_pk)
        .add_columns(actor.c.name.label("actor_name"))
        .where(later.c.subject_id == change.subject_id, later.c.pk > change.pk, later.c.revision > change.revision)
        .order_by(later.c.pk.desc())
        .limit(MAX_LATER_CHANGES)
    )
    return (await tx.rows(rows))[::-1]


def is_overridden(later: Sequence[ChangeRow]) -> bool:
    """Return whether later changes have an effect together: those whose undo, or its undo, is not among them."""
    originals = [row.original_pk or row.pk for row in later]
    return any(originals.count(pk) % 2 for pk in set(originals))
