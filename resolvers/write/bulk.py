"""This file is many items changed at once: what becomes of each, and of all when one of them fails."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, Self

from resolvers.write.user_error import MutationRejectedError, Path, UserError, UserErrorCode


class BulkMode(StrEnum):
    """What a failed item means for the others."""

    ATOMIC = "ATOMIC"
    BEST_EFFORT = "BEST_EFFORT"


class ItemStatus(StrEnum):
    """What became of an item."""

    CHANGED = "CHANGED"
    UNCHANGED = "UNCHANGED"
    FAILED = "FAILED"
    ROLLED_BACK = "ROLLED_BACK"


class ItemResult(NamedTuple):
    """What became of the item of that id."""

    id: str
    status: ItemStatus
    error: UserError | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the item as JSON keeps it."""
        return {"id": self.id, "status": self.status, "error": self.error.to_json() if self.error else None}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Return the item that `kept` gave."""
        return cls(
            kept["id"], ItemStatus(kept["status"]), UserError.from_json(kept["error"]) if kept["error"] else None
        )


@dataclass(frozen=True)
class BulkSummary:
    """How many distinct items were asked for, and what became of them."""

    requested: int
    changed: int
    unchanged: int
    failed: int
    dry_run: bool


def failed_item(id_: str, code: UserErrorCode, message: str, path: Path) -> ItemResult:
    """Return an item that cannot be changed."""
    return ItemResult(id_, ItemStatus.FAILED, UserError(code, message, path))


def enforce_mode(mode: str, items: Iterable[ItemResult], **answer: Any) -> list[dict[str, Any]]:
    """Return the items as an answer keeps them, in their order; raise Rejected for a failed one in ATOMIC mode.

    The errors of failed items are the mutation's then, the others are told to be rolled back, and `answer` is what its
    payload tells beside them.
    """
    found = list(items)
    errors = [item.error for item in found if item.error]
    if mode != BulkMode.ATOMIC or not errors:
        return [item.to_json() for item in found]
    rolled_back = (
        item._replace(status=ItemStatus.ROLLED_BACK) if item.status is ItemStatus.CHANGED else item for item in found
    )
    raise MutationRejectedError(errors, {**answer, "results": [item.to_json() for item in rolled_back]})


def summarize(results: Sequence[Mapping[str, Any]], *, dry_run: bool) -> BulkSummary:
    """Return how many of the results there are of each status."""
    counted = Counter(kept["status"] for kept in results)
    return BulkSummary(
        requested=len(results),
        changed=counted[ItemStatus.CHANGED],
        unchanged=counted[ItemStatus.UNCHANGED],
        failed=counted[ItemStatus.FAILED],
        dry_run=dry_run,
    )
