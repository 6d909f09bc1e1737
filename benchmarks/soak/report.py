"""Record of a soak test: docs/soak.md with its tables, and docs/soak.svg with a line for each figure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from xml.sax.saxutils import escape

from benchmarks.soak.figures import FIGURES, RULE, Figure, Sample, growth, is_flat, second_half
from proofs.record import describe_commit

SHOWN_SAMPLES = 12
WIDTH, HEIGHT, LABEL_WIDTH, GAP = 560, 44, 130, 12
COLOR = "#0b7285"
HEADER = """# Soak test
Written by `python -m benchmarks.soak --minutes {minutes:g}`, at commit {commit} on {day}: one server process on SQLite,
with {assets:,} assets, under mixed load by one client process: dashboards, searches, bulk mutations (half of them with
an `idempotencyKey`, sent twice), jobs, clients that leave, malformed requests and half-open connections. Figures are
sampled every {interval:g} seconds; the latencies are those of a small query, sent ten times a second. The caches of a
process fill at first, so that a run of a few minutes shows growth of the memory.

{rule}

![The figures over time](soak.svg)
"""


def format_report(samples: Sequence[Sample], done: Mapping[str, int], header: Mapping[str, object]) -> str:
    """Format the record as Markdown."""
    origin = {"commit": describe_commit(), "day": datetime.now(UTC).date().isoformat(), "rule": RULE}
    parts = [HEADER.format(**header, **origin).strip(), "## Verdict\n" + format_verdict(samples)]
    parts += ["## Samples\n" + format_samples(samples), "## Requests\n" + _format_done(done)]
    return "\n\n".join(parts) + "\n"


def format_verdict(samples: Sequence[Sample]) -> str:
    """Format a table of the figures' growth in the second half."""
    half = second_half(samples)
    rows = [("figure", "at the middle", "at the end", "growth", "verdict"), ("---", "---:", "---:", "---:", "---")]
    for figure in FIGURES:
        first, last = (getattr(sample, figure.name) for sample in (half[0], half[-1]))
        verdict = ("flat" if is_flat(half, figure) else "GROWS") if figure.is_judged else "not judged"
        rows.append((figure.title, f"{first:,.1f}", f"{last:,.1f}", f"{growth(half, figure):+,.1f}", verdict))
    return _table(rows)


def format_samples(samples: Sequence[Sample]) -> str:
    """Format a table of some samples, evenly spread."""
    step = max(1, (len(samples) - 1) / (SHOWN_SAMPLES - 1))
    places = sorted({min(len(samples) - 1, round(number * step)) for number in range(SHOWN_SAMPLES)})
    rows = [("minute", *(figure.title for figure in FIGURES)), ("---:",) * (len(FIGURES) + 1)]
    for place in places:
        sample = samples[place]
        values = (f"{getattr(sample, figure.name):,.1f}" for figure in FIGURES)
        rows.append((f"{sample.seconds / 60:.1f}", *values))
    return _table(rows)


def draw_lines(samples: Sequence[Sample]) -> str:
    """Draw each figure over time, on a scale of its own that begins at 0, as SVG."""
    parts = []
    for place, figure in enumerate(FIGURES):
        parts.append(_draw_line(samples, figure, GAP + place * (HEIGHT + GAP)))
    width, height = LABEL_WIDTH + WIDTH + GAP, GAP + len(FIGURES) * (HEIGHT + GAP)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif"'
    return "\n".join((f'{head} font-size="12">', '<rect width="100%" height="100%" fill="white"/>', *parts, "</svg>\n"))


def write_files(folder: Path, text: str, picture: str) -> None:
    """Write the record to the folder of the docs."""
    (folder / "soak.md").write_text(text, encoding="utf-8")
    (folder / "soak.svg").write_text(picture, encoding="utf-8")


def _draw_line(samples: Sequence[Sample], figure: Figure, top: int) -> str:
    values = [float(getattr(sample, figure.name)) for sample in samples]
    most, end = max(*values, 1e-9), max(samples[-1].seconds, 1e-9)
    points = " ".join(
        f"{LABEL_WIDTH + WIDTH * sample.seconds / end:.0f},{top + HEIGHT * (1 - value / most):.1f}"
        for sample, value in zip(samples, values, strict=True)
    )
    label = f'<text x="8" y="{top + 14}">{escape(figure.title)}</text><text x="8" y="{top + 30}">to {most:,.1f}</text>'
    frame = f'<rect x="{LABEL_WIDTH}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="#f1f3f5"/>'
    return f'{label}\n{frame}<polyline points="{points}" fill="none" stroke="{COLOR}" stroke-width="1.5"/>'


def _format_done(done: Mapping[str, int]) -> str:
    rows = [("requests", "number"), ("---", "---:")]
    rows += [(name.replace("_", " "), f"{number:,}") for name, number in sorted(done.items())]
    return _table(rows)


def _table(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
