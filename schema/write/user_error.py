"""User errors in payloads: errors that the client can fix."""

from typing import Any

import strawberry

from resolvers.write import payload as resolve
from schema.enums import UserErrorCode
from schema.field import field
from schema.node import Node


@strawberry.interface(
    description="An error that the client can fix. The mutation, or the item that the error is about, changed nothing."
)
class UserError:
    """An error that the client can fix."""

    code: UserErrorCode = field("Kind of error.")
    message: str = field("The error in plain English.")
    path: list[str] | None = field('Path of the faulty element in the arguments, such as ["input", "assetIds", "3"].')


@strawberry.type(description="Invalid input.")
class InputError(UserError):
    """Invalid input."""

    @classmethod
    def is_type_of(cls, error: object, _info: object) -> bool:
        """Return whether the error has neither a limit nor a current version."""
        return getattr(error, "limit", 0) is None and getattr(error, "current_version", 0) is None


@strawberry.type(description="A limit was exceeded.")
class LimitError(UserError):
    """A limit was exceeded."""

    limit: int = field("The exceeded limit: a number of items, characters or levels.")

    @classmethod
    def is_type_of(cls, error: object, _info: object) -> bool:
        """Return whether the error has a limit."""
        return getattr(error, "limit", None) is not None


@strawberry.type(description="Version conflict: the object is not at `expectedVersion`, and was not changed.")
class ConflictError(UserError):
    """The object is not at the expected version."""

    current_version: int = field("Current version of the object.")
    current: Node | None = field("The object at its current version.", resolver=resolve.current)

    @classmethod
    def is_type_of(cls, error: object, _info: object) -> bool:
        """Return whether the error has a current version."""
        return getattr(error, "current_version", None) is not None


def user_errors() -> Any:
    """Declare the user errors of a payload."""
    return field(
        "Errors in the input, at most one for each element; empty if the mutation succeeded.",
        resolver=resolve.user_errors,
    )
