"""Errors that a client can fix; reported in the payload's `userErrors`, not as errors of the operation."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

Path = tuple[str, ...]


class UserErrorCode(StrEnum):
    """Kinds of user errors; schema/enums.py describes each."""

    INVALID = "INVALID"
    REQUIRED = "REQUIRED"
    TOO_LONG = "TOO_LONG"
    TAKEN = "TAKEN"
    NOT_FOUND = "NOT_FOUND"
    NOT_OWNER = "NOT_OWNER"
    NOT_ELIGIBLE = "NOT_ELIGIBLE"
    CONFLICT = "CONFLICT"
    NOT_EMPTY = "NOT_EMPTY"
    CYCLE = "CYCLE"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    IDEMPOTENCY_MISMATCH = "IDEMPOTENCY_MISMATCH"
    OTHER_SOURCE = "OTHER_SOURCE"
    LAST_ADMINISTRATOR = "LAST_ADMINISTRATOR"
    UNAVAILABLE = "UNAVAILABLE"


@dataclass(frozen=True)
class UserError:
    """An error in the input: its code, a message, and the path of the faulty value in the arguments.

    `limit` is set if one was exceeded; `current_version` and `current_id` are set if `expectedVersion` did not match.
    """

    code: UserErrorCode
    message: str
    path: Path | None = None
    limit: int | None = None
    current_version: int | None = None
    current_id: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the error as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, error: Mapping[str, Any]) -> Self:
        """Return the error that `to_json` serialized."""
        path = error["path"]
        return cls(**{**error, "code": UserErrorCode(error["code"]), "path": None if path is None else tuple(path)})


class MutationRejectedError(Exception):
    """Rejection of a mutation, which then changes nothing: its user errors, and the other fields of its result."""

    def __init__(self, user_errors: Iterable[UserError], result: Mapping[str, Any] | None = None) -> None:
        """Take the errors, at least one."""
        self.user_errors: Sequence[UserError] = tuple(user_errors)
        self.result: Mapping[str, Any] = result or {}
        super().__init__("; ".join(error.message for error in self.user_errors))


def not_found(noun: str, *path: str) -> UserError:
    """Return the error for an absent object, worded so that it fits a hidden object too."""
    return UserError(UserErrorCode.NOT_FOUND, f"There is no such {noun}.", path)
