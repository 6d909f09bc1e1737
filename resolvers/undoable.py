"""Rules of undo: the changes that can be undone, the time limit, and the right that each requires."""

from enum import StrEnum

from permissions.visible import MEMBER_ACTIONS
from resolvers.limits import LIMITS
from store.rows import ChangeRow
from store.tables import ChangeAction

UNDO_DAYS = 30
UNDO_MS = UNDO_DAYS * 24 * 3_600 * 1_000

MAX_ITEMS = LIMITS.inline_bulk_items
"""Largest number of assets of a change that is undone at once. Larger ones are undone with their job."""

GRANT_ACTIONS = (ChangeAction.SHARED, ChangeAction.UNSHARED)


class UndoRight(StrEnum):
    """Right that an undo requires: that of the mutation with the inverse effect."""

    ADMIN = "ADMIN"
    OWNER = "OWNER"  # of the subject, an asset
    MEMBERS = "MEMBERS"  # of each asset that was added or removed; see `permissions/may.py`


def undo_right(change: ChangeRow) -> UndoRight | None:
    """Return the right that the undo of a change requires; None for a change that cannot be undone at all.

    Imports, registrations and provisioning are the word of the platform, and have neither actor nor effect.
    """
    if change.actor_pk is None or change.origin is not None:
        return None
    if change.action in MEMBER_ACTIONS:
        return UndoRight.MEMBERS
    if change.effect is None:
        return None
    return UndoRight.OWNER if change.action in GRANT_ACTIONS else UndoRight.ADMIN
