"""`@permission`: one class that prints a rule into the schema and enforces it."""

from collections.abc import Mapping
from enum import StrEnum
from inspect import isawaitable
from typing import Any

import strawberry
from strawberry.extensions import FieldExtension
from strawberry.schema_directive import Location
from strawberry.types.field import StrawberryField

from permissions.permission import (
    ACCESS_BY_PERMISSION,
    HELD_BY_ADMINISTRATORS,
    CheckedPayload,
    Permission,
    RestrictableList,
    has_asset_permission,
    has_permission,
    is_group_member,
    require,
)
from permissions.viewer import Viewer


class PermissionScope(StrEnum):
    """Object that a permission is checked on; schema/enums.py describes each."""

    VIEWER = "VIEWER"
    PARENT = "PARENT"
    ITEM = "ITEM"


_ON_ASSETS = frozenset({PermissionScope.PARENT, PermissionScope.ITEM})
SCOPES: Mapping[Permission, frozenset[PermissionScope]] = {
    Permission.SIGNED_IN: frozenset({PermissionScope.VIEWER}),
    Permission.ADMIN: frozenset({PermissionScope.VIEWER}),
    Permission.ASSET_DISCOVER: _ON_ASSETS,
    Permission.ASSET_VIEW: _ON_ASSETS,
    Permission.ASSET_OWN: _ON_ASSETS,
    Permission.ASSET_GRANTS_VIEW: frozenset({PermissionScope.PARENT}),
    Permission.GROUP_MEMBER: frozenset({PermissionScope.PARENT}),
}
"""Objects that each permission can be checked on."""


class DeniedResult(StrEnum):
    """Result for a viewer without the permission; schema/enums.py describes each."""

    ERROR = "ERROR"
    NULL = "NULL"
    OMIT = "OMIT"


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="permission",
    repeatable=True,
    description="Authorization rule of this field, which the server enforces. Printed so that clients can plan for it.",
)
class PermissionDirective:
    """Printed form of an authorization rule."""

    requires: Permission = strawberry.directive_field(name="requires")
    on: PermissionScope = strawberry.directive_field(name="on", default=PermissionScope.VIEWER)
    denied: DeniedResult = strawberry.directive_field(name="denied", default=DeniedResult.ERROR)


class permission(FieldExtension):  # noqa: N801 - named like the directive that it prints
    """Prints `@permission(requires:, on:, denied:)` on a field and enforces it.

    VIEWER checks the viewer before anything is fetched. PARENT checks the viewer's access to the asset that has the
    field, or their membership of the group that has it. ITEM checks each asset that the field returns: a list is
    restricted before it is fetched, so that counts and pages depend only on permitted assets. Visibility is not checked
    here: every read enforces it through `visible`.
    """

    def __init__(
        self,
        requires: Permission,
        *,
        on: PermissionScope = PermissionScope.VIEWER,
        denied: DeniedResult = DeniedResult.ERROR,
    ) -> None:
        """Declare the rule; see the class. Raises ValueError for a permission that cannot be checked there."""
        if on not in SCOPES[requires]:
            raise ValueError(f"{requires} cannot be checked on {on}, only on {', '.join(sorted(SCOPES[requires]))}.")
        self.requires, self.on, self.denied = requires, on, denied

    def apply(self, field: StrawberryField) -> None:
        """Print the rule on the field and in its description, once: asset types share the fields of their interface."""
        rule = PermissionDirective(requires=self.requires, on=self.on, denied=self.denied)
        if rule in field.directives:
            return
        field.directives.append(rule)
        # Introspection has descriptions, but no applied directives.
        field.description = f"{field.description}\n`{self}`"

    def __str__(self) -> str:
        """Return the rule as the schema prints it."""
        return f"@permission(requires: {self.requires}, on: {self.on}, denied: {self.denied})"

    def resolve(self, next_: Any, source: Any, info: Any, **arguments: Any) -> Any:
        """Return the field's value for a viewer who holds the permission, and the `denied` result for any other."""
        if self.on is PermissionScope.VIEWER:
            if self.denied is DeniedResult.ERROR:
                require(info.context.viewer, self.requires)
            elif not has_permission(info.context.viewer, self.requires):
                return [] if self.denied is DeniedResult.OMIT else None
            return next_(source, info, **arguments)
        if self.on is PermissionScope.PARENT:
            if self._is_held_on(source, info.context.viewer):
                return next_(source, info, **arguments)
            return None if self.denied is DeniedResult.NULL else next_(source, info, **arguments).as_empty()
        value = next_(source, info, **arguments)
        return self._check_awaited(value) if isawaitable(value) else self._check_item(value)

    def _is_held_on(self, parent: Any, viewer: Viewer) -> bool:
        if self.requires is Permission.GROUP_MEMBER:
            return is_group_member(viewer, parent)
        is_held = self.requires in HELD_BY_ADMINISTRATORS and has_permission(viewer, Permission.ADMIN)
        return is_held or has_asset_permission(parent, self.requires)

    async def _check_awaited(self, value: Any) -> Any:
        return self._check_item(await value)

    def _check_item(self, value: Any) -> Any:
        if isinstance(value, RestrictableList):
            return value.with_required_access(ACCESS_BY_PERMISSION[self.requires])
        if isinstance(value, CheckedPayload):
            assert self.requires in value.checked_permissions or not value.did_change  # noqa: S101 - a schema bug
            return value
        if isinstance(value, list) and self.requires is not Permission.ASSET_DISCOVER:
            return [each for each in value if has_asset_permission(each, self.requires)]
        if hasattr(value, "viewer_access"):
            return value if has_asset_permission(value, self.requires) else None
        # Any other value, such as a count, is computed through `visible`, which guarantees only ASSET_DISCOVER.
        assert self.requires is Permission.ASSET_DISCOVER or value is None  # noqa: S101 - a schema bug
        return value
