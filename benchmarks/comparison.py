"""Comparison of Atoll with a minimal alternative: medians of both, measured in turn, and their ratio."""

import statistics
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Comparison(NamedTuple):
    """Median seconds of Atoll and of the alternative."""

    title: str
    atoll: float
    alternative: float

    @property
    def ratio(self) -> float:
        """Atoll's time as a multiple of the alternative's."""
        return self.atoll / self.alternative


Report = Callable[[Comparison], None]


def compare_medians(title: str, atoll: Sequence[float], alternative: Sequence[float]) -> Comparison:
    """Return the comparison of two lists of seconds."""
    return Comparison(title, statistics.median(atoll), statistics.median(alternative))


def print_header(alternative: str) -> None:
    """Print the header of the rows that `print_comparison` prints."""
    sys.stdout.write(f"{'':<44} {'Atoll':>12} {alternative:>12}  ratio\n")


def print_comparison(comparison: Comparison) -> None:
    """Print a row: both medians in milliseconds, and their ratio."""
    first, second = comparison.atoll * 1_000, comparison.alternative * 1_000
    sys.stdout.write(f"{comparison.title:<44} {first:>9.1f} ms {second:>9.1f} ms  {comparison.ratio:>5.2f}\n")
    sys.stdout.flush()
