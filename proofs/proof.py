"""Proofs: a promise and the randomised trial that tries to break it."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from proofs.databases import BACKENDS, Databases

Trial = Callable[[Databases, int], Coroutine[Any, Any, int]]
"""Runs the checks of one seed and returns their number. Raises BrokenPromiseError at the first that fails."""


class BrokenPromiseError(AssertionError):
    """Counterexample to a promise. The message names the difference and the way to reproduce it."""


@dataclass(frozen=True)
class Proof:
    """Promise with its trial. Trials run with increasing seeds until `goal` checks have passed."""

    name: str  # on the command line
    promise: str
    unit: str  # plural name of the checks
    goal: int
    trial: Trial
    backends: Sequence[str] = BACKENDS  # the goal is divided among them
