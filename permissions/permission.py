"""Permissions by name, and whether a viewer holds them."""

from enum import StrEnum
from typing import Protocol, Self

from permissions.error import ErrorCode, OperationError
from permissions.viewer import Viewer
from store.tables import AssetAccess


class Permission(StrEnum):
    """Permissions that a field can require; schema/enums.py describes each."""

    SIGNED_IN = "SIGNED_IN"
    ADMIN = "ADMIN"
    ASSET_DISCOVER = "ASSET_DISCOVER"
    ASSET_VIEW = "ASSET_VIEW"
    ASSET_OWN = "ASSET_OWN"
    ASSET_GRANTS_VIEW = "ASSET_GRANTS_VIEW"
    GROUP_MEMBER = "GROUP_MEMBER"


ACCESS_BY_PERMISSION = {
    Permission.ASSET_DISCOVER: AssetAccess.DISCOVERABLE,
    Permission.ASSET_VIEW: AssetAccess.VIEWER,
    Permission.ASSET_OWN: AssetAccess.OWNER,
    Permission.ASSET_GRANTS_VIEW: AssetAccess.OWNER,
}
HELD_BY_ADMINISTRATORS = frozenset({Permission.ASSET_GRANTS_VIEW})
"""Permissions that administrators hold on every asset, independent of their access to it."""


class HasViewerAccess(Protocol):
    """A row of an asset that was read through `visible`."""

    @property
    def viewer_access(self) -> int:
        """The viewer's access to the asset."""


class HasPk(Protocol):
    """A row of a group."""

    @property
    def pk(self) -> int:
        """The group's pk."""


class RestrictableList:
    """Base class of a list that is not fetched yet, so that denied items are left out before paging and counting."""

    # Not an abstract base class of `abc`: `isinstance` is called for every value, and is slow with those.

    def with_required_access(self, required: AssetAccess) -> Self:
        """Return the list of only the assets that the viewer has at least this access to."""
        raise NotImplementedError

    def as_empty(self) -> Self:
        """Return the list without items."""
        raise NotImplementedError


class CheckedPayload:
    """Base class of the payload of a mutation, which checks its permissions itself, before it changes anything."""

    did_change: bool
    checked_permissions: frozenset[Permission]


def require(viewer: Viewer, permission: Permission) -> None:
    """Raise OperationError unless the viewer holds the site-wide permission."""
    if not has_permission(viewer, permission):
        if viewer.is_signed_in:
            raise OperationError(ErrorCode.FORBIDDEN, "Only administrators may do this.")
        raise OperationError(ErrorCode.UNAUTHENTICATED, "Sign in first: send a bearer token.")


def has_permission(viewer: Viewer, permission: Permission) -> bool:
    """Return whether the viewer holds the site-wide permission, SIGNED_IN or ADMIN."""
    return viewer.is_admin if permission is Permission.ADMIN else viewer.is_signed_in


def has_asset_permission(asset: HasViewerAccess, permission: Permission) -> bool:
    """Return whether the viewer's access to the asset grants the permission."""
    return asset.viewer_access >= ACCESS_BY_PERMISSION[permission]


def is_group_member(viewer: Viewer, group: HasPk) -> bool:
    """Return whether the viewer may see the members of the group: its members and administrators may."""
    return viewer.is_admin or group.pk in viewer.principals
