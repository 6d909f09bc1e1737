"""This file is what a proof is: a promise, and a trial that tries to break it."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from proofs.databases import BACKENDS, Databases

Trial = Callable[[Databases, int], Coroutine[Any, Any, int]]
"""Runs the checks of the seed and returns how many held; raises BrokenPromiseError at the first that fails."""


class BrokenPromiseError(AssertionError):
    """A promise was broken; the text tells which, and what to paste to see it again."""


@dataclass(frozen=True)
class Proof:
    """A promise, and how it is tried: trials of growing seeds until there are `goal` checks."""

    name: str  # one word of the command line
    promise: str  # a sentence
    unit: str  # what is counted, in the plural
    goal: int
    trial: Trial
    backends: Sequence[str] = BACKENDS  # that share the goal
