"""This file is what a client did wrong and can put right, as payloads tell it."""

from typing import Any

import strawberry

from resolvers.write import payload as resolve
from schema.enums import UserErrorCode
from schema.field import field
from schema.node import Node


@strawberry.interface(description="A mistake that the client can put right; nothing was changed by the part it is of.")
class UserError:
    """A mistake that the client can put right."""

    code: UserErrorCode = field("Kind of the mistake.")
    message: str = field("The mistake in one sentence.")
    path: list[str] | None = field('Path into the arguments, such as ["input", "assetIds", "3"].')


@strawberry.type(description="A mistake in the input.")
class InputError(UserError):
    """A mistake in the input."""

    @classmethod
    def is_type_of(cls, error: object, _info: object) -> bool:
        """Return whether the error is of no other type."""
        return getattr(error, "limit", 0) is None and getattr(error, "current_version", 0) is None


@strawberry.type(description="More than is allowed.")
class LimitError(UserError):
    """More than is allowed."""

    limit: int = field("The most that is allowed: items, characters or levels.")

    @classmethod
    def is_type_of(cls, error: object, _info: object) -> bool:
        """Return whether the error tells a limit."""
        return getattr(error, "limit", None) is not None


@strawberry.type(description="`expectedVersion` was not the current one: nothing was changed.")
class ConflictError(UserError):
    """The object was changed meanwhile."""

    current_version: int = field("The version that the object is at.")
    current: Node | None = field("The object as it is.", resolver=resolve.current)

    @classmethod
    def is_type_of(cls, error: object, _info: object) -> bool:
        """Return whether the error tells a version."""
        return getattr(error, "current_version", None) is not None


def user_errors() -> Any:
    """Declare the mistakes of a payload."""
    return field(
        "What was wrong, at most once for each element; empty when the mutation was accepted.",
        resolver=resolve.user_errors,
    )
