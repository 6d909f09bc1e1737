"""Figures of a soak test, sampled over time, and the rule that judges whether they stay flat."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Sample(NamedTuple):
    """Figures of the server at one time, the latencies since the sample before."""

    seconds: float
    memory_mb: float
    threads: float
    descriptors: float
    wal_mb: float
    database_mb: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Figure:
    """A figure, and the growth that counts as flat: a share of its mean, or `spare` of its unit if that is more."""

    name: str  # of the field
    title: str
    share: float = 0.05
    spare: float = 0
    is_judged: bool = True


FIGURES = (
    Figure("memory_mb", "memory, MB", spare=8),
    Figure("threads", "threads", spare=1),
    Figure("descriptors", "descriptors", spare=16),
    Figure("wal_mb", "WAL, MB", spare=8),
    # The log of changes and the results of jobs are kept: the database grows with each mutation.
    Figure("database_mb", "database, MB", is_judged=False),
    # Other work on the machine changes latencies more than anything else does.
    Figure("p50_ms", "p50, ms", share=0.5, spare=5),
    Figure("p99_ms", "p99, ms", is_judged=False),
)
RULE = (
    "A figure is flat if the line of least squares through its samples of the second half rises by at most a share of"
    " their mean (5 %, of p50 50 %), or by a few units of its own (8 MB, 1 thread, 16 descriptors, 5 ms). The database"
    " and p99 are shown, not judged: the log of changes is kept, and p99 is that of the machine."
)
MIN_SAMPLES = 4


def second_half(samples: Sequence[Sample]) -> Sequence[Sample]:
    """Return the samples of the second half of the time."""
    middle = (samples[0].seconds + samples[-1].seconds) / 2
    return [sample for sample in samples if sample.seconds >= middle]


def growth(samples: Sequence[Sample], figure: Figure) -> float:
    """Return by how much the line of least squares rises from the first to the last sample."""
    times = [sample.seconds for sample in samples]
    values = [float(getattr(sample, figure.name)) for sample in samples]
    mean_time, mean = sum(times) / len(times), sum(values) / len(values)
    spread = sum((time - mean_time) ** 2 for time in times)
    if not spread:
        return 0
    slope = sum((time - mean_time) * (value - mean) for time, value in zip(times, values, strict=True)) / spread
    return slope * (times[-1] - times[0])


def is_flat(samples: Sequence[Sample], figure: Figure) -> bool:
    """Return whether the figure does not grow, by the rule; falling counts as flat."""
    mean = sum(float(getattr(sample, figure.name)) for sample in samples) / len(samples)
    return growth(samples, figure) <= max(figure.share * mean, figure.spare)
