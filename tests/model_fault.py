"""This file is how the model refuses: what was wrong, and where in the input."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Given = Mapping[str, Any]
"""The input of a mutation, with labels for ids."""

Answer = dict[str, Any]
"""What a mutation came to, in labels; what is shown of it depends on who looks, and when."""

Fault = tuple[str, str]
"""A code, and the path in the input."""


class MutationRejectedError(Exception):
    """A mutation that changes nothing, and what its payload tells all the same."""

    def __init__(self, faults: Iterable[Fault], answer: Answer | None = None) -> None:
        """Take what was wrong, at least one thing."""
        self.faults, self.answer = list(faults), answer or {}
        super().__init__(str(self.faults))


def raise_faults(faults: Sequence[Fault]) -> None:
    """Raise Rejected if anything was wrong."""
    if faults:
        raise MutationRejectedError(faults)


def index_by_label(labels: Iterable[str]) -> dict[str, int]:
    """Return each label once, in order, with where it first stands."""
    first: dict[str, int] = {}
    for index, label in enumerate(labels):
        first.setdefault(label, index)
    return first


def neighbour_of(given: Given) -> tuple[str | None, str]:
    """Return the label that the position is beside, None for an end, and the path of it."""
    ((side, beside),) = (given.get("position") or {"atEnd": True}).items()
    return (None if beside is True else beside), f"position.{side}"
