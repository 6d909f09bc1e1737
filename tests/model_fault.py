"""Errors of the model: code, and path in the input."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Given = Mapping[str, Any]
"""The input of a mutation, with labels for ids."""

Answer = dict[str, Any]
"""Result of a mutation, in labels; a viewer sees the visible part of it."""

Fault = tuple[str, str]
"""An error code and a path in the input."""


class MutationRejectedError(Exception):
    """Rejection of a mutation, with the rest of its payload."""

    def __init__(self, faults: Iterable[Fault], answer: Answer | None = None) -> None:
        """Take the errors, at least one."""
        self.faults, self.answer = list(faults), answer or {}
        super().__init__(str(self.faults))


def raise_faults(faults: Sequence[Fault]) -> None:
    """Raise MutationRejectedError if there are errors."""
    if faults:
        raise MutationRejectedError(faults)


def index_by_label(labels: Iterable[str]) -> dict[str, int]:
    """Return the distinct labels in order, each with its first index."""
    first: dict[str, int] = {}
    for index, label in enumerate(labels):
        first.setdefault(label, index)
    return first


def neighbour_of(given: Given) -> tuple[str | None, str]:
    """Return the label of the neighbour (None: an end of the list) and the path of the position in the input."""
    ((side, beside),) = (given.get("position") or {"atEnd": True}).items()
    return (None if beside is True else beside), f"position.{side}"
