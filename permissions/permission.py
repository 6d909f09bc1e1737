"""Permissions by name, and whether a viewer holds them."""

from enum import StrEnum
from typing import Protocol

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


ACCESS_BY_PERMISSION = {
    Permission.ASSET_DISCOVER: AssetAccess.DISCOVERABLE,
    Permission.ASSET_VIEW: AssetAccess.VIEWER,
    Permission.ASSET_OWN: AssetAccess.OWNER,
}


class HasViewerAccess(Protocol):
    """A row of an asset that was read through `visible`."""

    @property
    def viewer_access(self) -> int:
        """The viewer's access to the asset."""


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
