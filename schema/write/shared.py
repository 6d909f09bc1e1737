"""This file is what inputs of several nouns share."""

from typing import Any

import strawberry

from schema.field import omittable

IDEMPOTENCY_KEY = (
    "Key of the client's choice: for a day, the same key with the same input does nothing again and answers as the"
    " first time."
)
EXPECTED_VERSION = "Version that the object must be at; another is refused with the current one."
DRY_RUN = "Whether to change nothing and answer what would be."


@strawberry.input(one_of=True, description="A place in an order. Relative, never a number.")
class PositionInput:
    """A place in an order."""

    after_id: strawberry.ID | None = omittable("Id of the neighbour right before.")
    before_id: strawberry.ID | None = omittable("Id of the neighbour right behind.")
    at_start: bool | None = omittable("True: before all others.")
    at_end: bool | None = omittable("True: behind all others.")


def idempotency_key() -> Any:
    """Declare the key of a mutation that can be retried."""
    return omittable(IDEMPOTENCY_KEY)


def expected_version() -> Any:
    """Declare the version that an object must be at."""
    return omittable(EXPECTED_VERSION)


def dry_run() -> Any:
    """Declare that a mutation can be tried."""
    return strawberry.field(default=False, description=DRY_RUN)
