"""This file is what a client did wrong and can put right: told in the payload, never as an error of the operation."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

Path = tuple[str, ...]


class UserErrorCode(StrEnum):
    """What kind of mistake it is."""

    INVALID = "INVALID"
    REQUIRED = "REQUIRED"
    TOO_LONG = "TOO_LONG"
    TAKEN = "TAKEN"
    NOT_FOUND = "NOT_FOUND"
    FORBIDDEN = "FORBIDDEN"
    NOT_OWNER = "NOT_OWNER"
    NOT_ELIGIBLE = "NOT_ELIGIBLE"
    CONFLICT = "CONFLICT"
    NOT_EMPTY = "NOT_EMPTY"
    CYCLE = "CYCLE"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    IDEMPOTENCY_MISMATCH = "IDEMPOTENCY_MISMATCH"


@dataclass(frozen=True)
class UserError:
    """A mistake, with a sentence and the path to the very element of the arguments.

    `limit` is told where one was exceeded, `current_version` and `current_id` where `expectedVersion` was not met.
    """

    code: UserErrorCode
    message: str
    path: Path | None = None
    limit: int | None = None
    current_version: int | None = None
    current_id: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the error as JSON keeps it."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Return the error that `kept` gave."""
        path = kept["path"]
        return cls(**{**kept, "code": UserErrorCode(kept["code"]), "path": None if path is None else tuple(path)})


class MutationRejectedError(Exception):
    """A mutation that changes nothing: what is wrong with it, and what its payload tells all the same."""

    def __init__(self, user_errors: Iterable[UserError], answer: Mapping[str, Any] | None = None) -> None:
        """Take the errors, at least one."""
        self.user_errors: Sequence[UserError] = tuple(user_errors)
        self.result: Mapping[str, Any] = answer or {}
        super().__init__("; ".join(error.message for error in self.user_errors))


def not_found(noun: str, *path: str) -> UserError:
    """Return that there is no such object: the same words for one that the viewer may not see."""
    return UserError(UserErrorCode.NOT_FOUND, f"There is no such {noun}.", path)
