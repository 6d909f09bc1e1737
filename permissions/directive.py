"""This file is `@permission`: one class that prints a rule into the schema and enforces it there."""

from enum import StrEnum
from inspect import isawaitable
from typing import Any, Protocol, runtime_checkable

import strawberry
from strawberry.extensions import FieldExtension
from strawberry.schema_directive import Location
from strawberry.types.field import StrawberryField

from permissions.permission import ACCESS_BY_PERMISSION, Permission, has_asset_permission, has_permission, require
from store.tables import AssetAccess


class PermissionScope(StrEnum):
    """On what a permission is checked; schema/enums.py describes each."""

    VIEWER = "VIEWER"
    PARENT = "PARENT"
    ITEM = "ITEM"


class DeniedResult(StrEnum):
    """What a viewer without the permission gets; schema/enums.py describes each."""

    ERROR = "ERROR"
    NULL = "NULL"
    OMIT = "OMIT"


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="permission",
    repeatable=True,
    description="A rule the server enforces on this field, printed so that clients can plan for it.",
)
class PermissionDirective:
    """A rule as it is printed."""

    requires: Permission = strawberry.directive_field(name="requires")
    on: PermissionScope = strawberry.directive_field(name="on", default=PermissionScope.VIEWER)
    denied: DeniedResult = strawberry.directive_field(name="denied", default=DeniedResult.ERROR)


@runtime_checkable
class Narrowable(Protocol):
    """A list not yet fetched, so that what is denied is left out before paging and counting."""

    def with_required_access(self, least: AssetAccess) -> Any:
        """Return the list of only the assets that the viewer has at least this access to."""

    def as_empty(self) -> Any:
        """Return the list without anything."""


@runtime_checkable
class Checked(Protocol):
    """What a mutation answers: whether it changed anything, and what it asked of each item before it did."""

    did_change: bool
    checked_permissions: frozenset[Permission]


class permission(FieldExtension):  # noqa: N801 - reads as the directive it prints
    """Prints `@permission(requires:, on:, denied:)` on a field and enforces it.

    VIEWER asks the viewer, before anything is fetched. PARENT asks the access that came with the asset that holds the
    field. ITEM asks each asset that the field returns: a list is narrowed before it is fetched, so that counts and
    pages never know of the rest. That an asset exists for the viewer at all is `visible`'s doing, and holds everywhere.
    """

    def __init__(
        self,
        requires: Permission,
        *,
        on: PermissionScope = PermissionScope.VIEWER,
        denied: DeniedResult = DeniedResult.ERROR,
    ) -> None:
        """Declare the rule; see the class."""
        self.requires, self.on, self.denied = requires, on, denied

    def apply(self, field: StrawberryField) -> None:
        """Print the rule on the field, once: the kinds of asset share the fields of their interface."""
        rule = PermissionDirective(requires=self.requires, on=self.on, denied=self.denied)
        if rule not in field.directives:
            field.directives.append(rule)

    def resolve(self, next_: Any, source: Any, info: Any, **arguments: Any) -> Any:
        """Return what the field gives a viewer who holds the permission, and what `denied` says to any other."""
        if self.on is PermissionScope.VIEWER:
            if self.denied is DeniedResult.ERROR:
                require(info.context.viewer, self.requires)
            elif not has_permission(info.context.viewer, self.requires):
                return None
            return next_(source, info, **arguments)
        if self.on is PermissionScope.PARENT:
            if has_asset_permission(source, self.requires):
                return next_(source, info, **arguments)
            return None if self.denied is DeniedResult.NULL else next_(source, info, **arguments).as_empty()
        answer = next_(source, info, **arguments)
        return self._awaited(answer) if isawaitable(answer) else self._item(answer)

    async def _awaited(self, answer: Any) -> Any:
        return self._item(await answer)

    def _item(self, answer: Any) -> Any:
        if isinstance(answer, Narrowable):
            return answer.with_required_access(ACCESS_BY_PERMISSION[self.requires])
        if isinstance(answer, Checked):
            assert self.requires in answer.checked_permissions or not answer.did_change  # noqa: S101 - a fault of the schema
            return answer
        if hasattr(answer, "viewer_access"):
            return answer if has_asset_permission(answer, self.requires) else None
        # A count or the like: made from `visible`, which knows ASSET_DISCOVER and nothing beyond.
        assert self.requires is Permission.ASSET_DISCOVER or answer is None  # noqa: S101 - a fault of the schema
        return answer
