"""Bulk mutations: the result of each item, the mode, and the summary."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, Self

import orjson

from resolvers.write.user_error import MutationRejectedError, Path, UserError, UserErrorCode, not_found


class BulkMode(StrEnum):
    """Effect of a failed item on the others."""

    ATOMIC = "ATOMIC"
    BEST_EFFORT = "BEST_EFFORT"


class ItemStatus(StrEnum):
    """Status of an item after the mutation."""

    CHANGED = "CHANGED"
    UNCHANGED = "UNCHANGED"
    FAILED = "FAILED"
    ROLLED_BACK = "ROLLED_BACK"


class ItemResult(NamedTuple):
    """Result of one item: its id as in the input, its status, and the error if it failed."""

    id: str
    status: ItemStatus
    error: UserError | None = None

    @property
    def is_changed(self) -> bool:
        """Whether the item has changed or, while only planned, will change."""
        return self.status is ItemStatus.CHANGED

    def rolled_back(self) -> Self:
        """Return the result after a rollback: ROLLED_BACK instead of CHANGED."""
        return self._replace(status=ItemStatus.ROLLED_BACK) if self.is_changed else self

    def to_json(self) -> dict[str, Any]:
        """Return the item as a JSON object."""
        return {"id": self.id, "status": self.status, "error": self.error.to_json() if self.error else None}

    @classmethod
    def from_json(cls, item: Mapping[str, Any]) -> Self:
        """Return the item that `to_json` serialized."""
        error = UserError.from_json(item["error"]) if item["error"] else None
        return cls(item["id"], ItemStatus(item["status"]), error)

    def to_row(self, index: int) -> dict[str, Any]:
        """Return the item, which has this index in the input, as a row of `job_item`.

        A row of an unknown asset has no error, for that follows from the index: such items would be the largest rows.
        """
        error = None if self.error == _unknown_asset(index) else self.error
        stored = orjson.dumps(error.to_json()).decode() if error else None
        return {"place": index, "asset_id": self.id, "status": self.status, "error": stored}

    @classmethod
    def from_row(cls, index: int, id_: str, status: str, error: str | None) -> Self:
        """Return the item that `to_row` serialized."""
        if error is not None:
            return cls(id_, ItemStatus(status), UserError.from_json(orjson.loads(error)))
        return cls(id_, ItemStatus(status), _unknown_asset(index) if status == ItemStatus.FAILED else None)


@dataclass(frozen=True)
class BulkSummary:
    """Number of distinct items in the input, in total and by status."""

    requested: int
    changed: int
    unchanged: int
    failed: int
    dry_run: bool


def _unknown_asset(index: int) -> UserError:
    return not_found("asset", "input", "assetIds", str(index))


def failed_item(id_: str, code: UserErrorCode, message: str, path: Path) -> ItemResult:
    """Return the result of an item that cannot be changed."""
    return ItemResult(id_, ItemStatus.FAILED, UserError(code, message, path))


def enforce_mode(mode: str, items: Sequence[ItemResult], **result: Any) -> None:
    """Raise MutationRejectedError if all items failed, or if one failed and the mode is ATOMIC.

    The errors of the failed items become the mutation's user errors, equal ones once, and items that would have changed
    are reported as ROLLED_BACK. `result` has the other fields of the mutation's result.
    """
    errors = [item.error for item in items if item.error]
    if errors and (mode == BulkMode.ATOMIC or len(errors) == len(items)):
        results = to_json(item.rolled_back() for item in items)
        raise MutationRejectedError(list(dict.fromkeys(errors)), {**result, "results": results})


def to_json(items: Iterable[ItemResult]) -> list[dict[str, Any]]:
    """Return the items as JSON objects, in their order."""
    return [item.to_json() for item in items]


def changed_ids(items: Iterable[ItemResult]) -> list[str]:
    """Return the ids of the items that change, in their order."""
    return [item.id for item in items if item.is_changed]


def summarize(results: Sequence[Mapping[str, Any]], requested: int | None, *, dry_run: bool) -> BulkSummary:
    """Count the items, as serialized by `to_json`, by status. Pass the number of `requested` ones if a job has them."""
    counts = Counter(item["status"] for item in results)
    return BulkSummary(
        requested=len(results) if requested is None else requested,
        changed=counts[ItemStatus.CHANGED],
        unchanged=counts[ItemStatus.UNCHANGED],
        failed=counts[ItemStatus.FAILED],
        dry_run=dry_run,
    )
