"""Rules for writes: who may add, remove, restore and share assets, and the highest access of a grant.

Site-wide permissions ("administrators reorder") are declared by the mutations in schema/write/mutation.py.
"""

from typing import overload

from sqlalchemy import ColumnElement

from permissions.viewer import Viewer
from store.tables import AssetAccess, AssetStatus, PrincipalKind

MAX_ACCESS = {PrincipalKind.EVERYONE: AssetAccess.VIEWER, PrincipalKind.PUBLIC: AssetAccess.VIEWER}
"""The highest access that everyone and public can hold."""


def may_add(*, is_owner: bool, status: str) -> bool:
    """Return whether the viewer may add an asset to a collection: owners of the asset may, while it is eligible."""
    return is_owner and is_eligible(status)


@overload
def is_eligible(status: str) -> bool: ...
@overload
def is_eligible(status: ColumnElement[str]) -> ColumnElement[bool]: ...
def is_eligible(status: str | ColumnElement[str]) -> bool | ColumnElement[bool]:
    """Return whether an asset of this status may be added to a collection; for a column, return the condition."""
    return status == AssetStatus.RELEASED


def may_remove(viewer: Viewer, *, is_owner: bool) -> bool:
    """Return whether the viewer may remove an asset from a collection: administrators and the asset's owners may."""
    return viewer.is_signed_in and (is_owner or viewer.is_admin)


def may_restore(viewer: Viewer, *, is_owner: bool, is_own_removal: bool) -> bool:
    """Return whether the viewer may undo the removal of an asset: its owners, and an administrator who removed it.

    The status is not checked, because an asset need not be RELEASED to stay in a collection either.
    """
    return is_owner or (viewer.is_admin and is_own_removal)


def may_share(*, is_owner: bool) -> bool:
    """Return whether the viewer may change the grants of an asset: the asset's owners may."""
    return is_owner


def may_hold(kind: PrincipalKind, access: int) -> bool:
    """Return whether a principal of this kind can hold the access."""
    return access <= MAX_ACCESS.get(kind, AssetAccess.OWNER)
