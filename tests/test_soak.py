"""The soak test's rule: growth is found, noise and falling figures are not; and the form of its record."""

from random import Random

import pytest

from benchmarks.soak.figures import FIGURES, Figure, Sample, growth, is_flat, second_half
from benchmarks.soak.report import draw_lines, format_report, format_samples, format_verdict

FLAT = Sample(0, memory_mb=200, threads=12, descriptors=60, wal_mb=4, database_mb=30, p50_ms=3, p99_ms=40)
JUDGED = [figure for figure in FIGURES if figure.is_judged]


def samples_of(count: int = 60, **growth_per_sample: float) -> list[Sample]:
    """Return samples with some noise, of which these figures grow."""
    random = Random(5)
    return [
        FLAT._replace(
            seconds=10.0 * number,
            p99_ms=random.uniform(20, 300),
            **{
                figure.name: getattr(FLAT, figure.name) * random.uniform(0.99, 1.01)
                + number * growth_per_sample.get(figure.name, 0)
                for figure in FIGURES
                if figure.is_judged
            },
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("figure", JUDGED, ids=lambda figure: figure.name)
def test_growth_is_found(figure: Figure) -> None:
    half = second_half(samples_of())
    assert is_flat(half, figure)
    allowed = max(figure.share * getattr(FLAT, figure.name), figure.spare)
    for factor, flat in ((-5, True), (0.5, True), (2, False)):
        growing = second_half(samples_of(**{figure.name: factor * allowed / len(half)}))
        assert is_flat(growing, figure) is flat, factor


def test_growth_is_that_of_the_second_half() -> None:
    warming = [FLAT._replace(seconds=number, memory_mb=min(100 + 10 * number, 200)) for number in range(41)]
    memory = FIGURES[0]
    assert growth(warming, memory) > 50
    assert growth(second_half(warming), memory) == 0
    rising = [FLAT._replace(seconds=number, memory_mb=100 + number) for number in range(11)]
    assert growth(rising, memory) == pytest.approx(10)


def test_the_record_has_the_verdict_the_samples_and_the_requests() -> None:
    samples = samples_of(memory_mb=1)
    header = {"minutes": 5, "assets": 100, "interval": 10}
    text = format_report(samples, {"search": 1_200, "leave: ReadError": 1}, header)
    assert "Written by `python -m benchmarks.soak --minutes 5`" in text
    assert "| search | 1,200 |" in text
    assert [line.rsplit("| ", 1)[1] for line in format_verdict(samples).splitlines()[2:]] == [
        "GROWS |",
        *["flat |"] * 3,
        "not judged |",
        "flat |",
        "not judged |",
    ]
    assert len(format_samples(samples).splitlines()) == 2 + 12
    assert len(format_samples(samples[:3]).splitlines()) == 2 + 3
    assert draw_lines(samples).count("<polyline ") == len(FIGURES)
