"""Report of the race: tables in docs/performance.md and bars in docs/performance.svg, from one run."""

import math
import os
import platform
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from xml.sax.saxutils import escape

from benchmarks.comparison import Comparison
from benchmarks.race.competitors import ATOLL, NAMES
from benchmarks.race.contest import Row
from benchmarks.race.operations import TITLES
from benchmarks.race.run import Request, Results
from proofs.record import describe_commit

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
COLUMNS = (
    *("operation", "server", "requests/s", "rate ratio", "CPU ms", "CPU ratio", "p50 ms", "p99 ms"),
    *("RSS MB", "bytes"),
)
BAR_WIDTH, BAR_HEIGHT, LABEL_WIDTH, VALUE_WIDTH, LINE_HEIGHT = 460, 16, 150, 90, 22
ATOLL_COLOR, PEER_COLOR = "#0b7285", "#adb5bd"


def format_sections(request: Request, results: Results) -> list[str]:
    """Format a run: its origin and remarks, then the tables that it filled."""
    sections = [" ".join([format_origin(request, results.versions), *results.remarks])]
    if results.rows:
        sections += [format_summary(results.rows), format_rows(results.rows)]
    return [*sections, format_comparisons(results.comparisons)] if results.comparisons else sections


def format_summary(rows: Sequence[Row]) -> str:
    """Format the requests per second of each server (rows) and operation (columns)."""
    names = list(dict.fromkeys(row.operation for row in rows))
    rates = {(row.server, row.operation): row.measurement.rate for row in rows}
    lines = [_line(("requests/s", *names)), _line(("---", *("---:" for _ in names)))]
    for server in (name for name in NAMES if any(row.server == name for row in rows)):
        cells = (format_number(rates[server, name]) if (server, name) in rates else "" for name in names)
        lines.append(_line((f"**{server}**" if server == ATOLL else server, *cells)))
    return "\n".join(lines)


def format_rows(rows: Sequence[Row]) -> str:
    """Format all measurements, operation by operation. In both ratios, more than 1 means that Atoll is faster."""
    lines = [_line(COLUMNS), _line(("---", "---", *("---:" for _ in COLUMNS[2:])))]
    of_atoll = {row.operation: row.measurement for row in rows if row.server == ATOLL}
    for row in rows:
        rate, cpu, p50, p99 = row.measurement
        atoll = of_atoll.get(row.operation) if row.server != ATOLL else None
        ratios = (atoll.rate / rate, cpu / atoll.cpu) if atoll else (math.nan, math.nan)
        numbers = map(format_number, (rate, ratios[0], cpu, ratios[1], p50, p99))
        lines.append(_line((row.operation, row.server, *numbers, f"{row.memory:.0f}", f"{row.size:,}")))
    return "\n".join(lines)


def format_comparisons(comparisons: Sequence[Comparison]) -> str:
    """Format comparisons with statements by hand, in milliseconds."""
    lines = [_line(("operation", "Atoll ms", "by hand ms", "ratio")), _line(("---", "---:", "---:", "---:"))]
    for comparison in comparisons:
        times = (format_number(seconds * 1_000) for seconds in (comparison.atoll, comparison.alternative))
        lines.append(_line((comparison.title, *times, f"{comparison.ratio:.2f}")))
    return "\n".join(lines)


def format_number(value: float) -> str:
    """Format a number with three significant digits at least; NaN as nothing."""
    if math.isnan(value):
        return ""
    digits = max(0, 2 - math.floor(math.log10(value))) if value else 0
    return f"{value:,.{min(digits, 3)}f}"


def format_origin(request: Request, versions: Mapping[str, str]) -> str:
    """Format the commit, the day, the machine, the rounds, the sizes and the versions that were measured."""
    sizes = request.sizes
    day = datetime.now(UTC).date().isoformat()
    own = {
        "Python": platform.python_version(),
        "Strawberry": version("strawberry-graphql"),
        "SQLite": sqlite3.sqlite_version,
    }
    named = ", ".join(f"{name} {number}" for name, number in (own | dict(versions)).items())
    return (
        f"Measured at commit {describe_commit()} on {day}, on {os.cpu_count()} cores, "
        f"{request.rounds} rounds of {request.seconds} s or more: "
        f"{sizes.assets:,} assets, {sizes.collections:,} collections of {sizes.members:,}, {sizes.users:,} users, "
        f"{sizes.groups:,} groups. {named}."
    )


def draw_rates(rows: Sequence[Row]) -> str:
    """Draw the requests per second as horizontal bars, each operation on a scale of its own, as SVG."""
    parts, y = [], 8
    for operation in dict.fromkeys(row.operation for row in rows):
        of_operation = [row for row in rows if row.operation == operation]
        parts.append(_text(8, y + 14, f"{operation}: {TITLES[operation]}", weight="bold"))
        y += LINE_HEIGHT + 4
        for bar in _draw_bars(of_operation, y):
            parts.append(bar)
            y += LINE_HEIGHT
        y += 12
    width = LABEL_WIDTH + BAR_WIDTH + VALUE_WIDTH
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y}" font-family="sans-serif" font-size="12">'
    return "\n".join((head, '<rect width="100%" height="100%" fill="white"/>', *parts, "</svg>")) + "\n"


def replace_measured(text: str, sections: Iterable[str]) -> str:
    """Replace the sections between the markers of a document; the rest of it stays."""
    head, tail = text.partition(BEGIN)[0], text.partition(END)[2]
    return "".join((head, BEGIN, "\n", "\n\n".join(sections), "\n", END, tail))


def write_files(folder: Path, sections: Iterable[str], rows: Sequence[Row]) -> list[Path]:
    """Write the sections and the bars to the folder of the docs; return the files."""
    document, picture = folder / "performance.md", folder / "performance.svg"
    document.write_text(replace_measured(document.read_text(encoding="utf-8"), sections), encoding="utf-8")
    picture.write_text(draw_rates(rows), encoding="utf-8")
    return [document, picture]


def _draw_bars(rows: Sequence[Row], y: int) -> Iterable[str]:
    most = max(row.measurement.rate for row in rows)
    for place, row in enumerate(sorted(rows, key=lambda row: -row.measurement.rate)):
        top, rate = y + place * LINE_HEIGHT, row.measurement.rate
        width = max(1, round(BAR_WIDTH * rate / most))
        color = ATOLL_COLOR if row.server.startswith(ATOLL) else PEER_COLOR
        bar = f'<rect x="{LABEL_WIDTH}" y="{top}" width="{width}" height="{BAR_HEIGHT}" rx="2" fill="{color}"/>'
        label = _text(8, top + 13, row.server)
        yield "\n".join((label, bar, _text(LABEL_WIDTH + width + 6, top + 13, f"{format_number(rate)}/s")))


def _text(x: int, y: int, text: str, weight: str = "normal") -> str:
    return f'<text x="{x}" y="{y}" font-weight="{weight}">{escape(text)}</text>'


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
