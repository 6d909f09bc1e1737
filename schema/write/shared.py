"""Input fields shared by mutations of several nouns, and a permission shared by their payloads."""

from typing import Any

import strawberry

from permissions.directive import DeniedResult, PermissionScope, permission
from permissions.permission import Permission
from resolvers.write import payload as resolve
from schema.field import field, omittable

NULL_IF_HIDDEN = permission(Permission.ASSET_DISCOVER, on=PermissionScope.ITEM, denied=DeniedResult.NULL)

IDEMPOTENCY_KEY = (
    "Key of the client's choice, for safe retries: within 24 hours, the same key with the same input changes nothing"
    " again and returns the first result."
)
EXPECTED_VERSION = "Version that the object must be at; otherwise a ConflictError has the current version."
DRY_RUN = "Whether to return a forecast, without changing anything."


@strawberry.input(
    one_of=True, description="Position in an order, relative to a neighbour or an end. Exactly one field must be set."
)
class PositionInput:
    """Position in an order."""

    after_id: strawberry.ID | None = omittable("Id of the neighbour to place it right after.")
    before_id: strawberry.ID | None = omittable("Id of the neighbour to place it right before.")
    at_start: bool | None = omittable("Must be true: before all others.")
    at_end: bool | None = omittable("Must be true: after all others.")


def logged_changes() -> Any:
    """Declare the changes that a mutation logged, without those that are undone with them."""
    return field(
        "The logged changes, which `changeUndo` can undo; empty if nothing changed, and for a dry run.",
        resolver=resolve.changes,
    )


def idempotency_key() -> Any:
    """Declare the idempotency key of a mutation."""
    return omittable(IDEMPOTENCY_KEY)


def expected_version() -> Any:
    """Declare the expected version of an object."""
    return omittable(EXPECTED_VERSION)


def dry_run() -> Any:
    """Declare the input field that makes a mutation a dry run."""
    return strawberry.field(default=False, description=DRY_RUN)


def moved_collections() -> Any:
    """Declare the collections that a mutation moved because it deleted their topic or parent."""
    return field("The moved collections, in their order; empty for a dry run.", resolver=resolve.moved_collections)


def moved_collection_count() -> Any:
    """Declare the number of these collections."""
    return field(
        "The number of collections that were moved or, in a dry run, would be.",
        resolver=resolve.moved_collection_count,
    )
