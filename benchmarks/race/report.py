"""The report: docs/performance.md's table and docs/performance.svg, from one run."""

import os
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from xml.sax.saxutils import escape

from benchmarks.race.contest import Row

TITLES = {
    "D": "Dashboard: one topic, 20 collections, 20 assets of each with their owners",
    "N": "One asset by id",
    "T": "The tree of all collections",
    "C": "Asset counts of all collections",
}
ATOLL = "Atoll"
BAR_WIDTH, BAR_HEIGHT, LABEL_WIDTH, LINE = 420, 16, 150, 22
COLORS = {True: "#0b7285", False: "#adb5bd"}


def table(rows: Sequence[Row]) -> str:
    """Return the measurements as a Markdown table, operation by operation; ratios are Atoll's to the server's."""
    lines = [
        "| operation | server | requests/s | Atoll is | CPU ms | p50 ms | p99 ms | RSS MB | bytes |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    rates = {row.operation: row.measurement.rate for row in rows if row.server == ATOLL}
    for row in rows:
        rate, cpu, p50, p99 = row.measurement
        ratio = "" if row.server == ATOLL else f"{rates[row.operation] / rate:.2f} ×"
        cells = (row.operation, row.server, number(rate), ratio, number(cpu), number(p50), number(p99))
        lines.append(f"| {' | '.join(cells)} | {row.memory:.0f} | {row.bytes:,} |")
    return "\n".join(lines)


def number(value: float) -> str:
    """Return a number with three significant digits at least."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def picture(rows: Sequence[Row]) -> str:
    """Return the requests per second as horizontal bars, each operation on a scale of its own, as SVG."""
    operations = list(dict.fromkeys(row.operation for row in rows))
    parts, y = [], 8
    for operation in operations:
        of_operation = [row for row in rows if row.operation == operation]
        most = max(row.measurement.rate for row in of_operation)
        parts.append(_text(0, y + 14, f"{operation} · {TITLES[operation]}", weight="bold"))
        y += LINE + 4
        for row in sorted(of_operation, key=lambda each: -each.measurement.rate):
            width = max(1, round(BAR_WIDTH * row.measurement.rate / most))
            color = COLORS[row.server.startswith(ATOLL)]
            parts.append(_text(0, y + 13, row.server))
            parts.append(
                f'<rect x="{LABEL_WIDTH}" y="{y}" width="{width}" height="{BAR_HEIGHT}" rx="2" fill="{color}"/>'
            )
            parts.append(_text(LABEL_WIDTH + width + 6, y + 13, f"{number(row.measurement.rate)}/s"))
            y += LINE
        y += 12
    width = LABEL_WIDTH + BAR_WIDTH + 90
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y}" font-family="sans-serif" font-size="12">'
    return "\n".join((head, '<rect width="100%" height="100%" fill="white"/>', *parts, "</svg>")) + "\n"


def _text(x: int, y: int, text: str, weight: str = "normal") -> str:
    return f'<text x="{x}" y="{y}" font-weight="{weight}">{escape(text)}</text>'


def machine(versions: Mapping[str, str]) -> str:
    """Return the commit, the day, the machine and the versions that were measured."""
    commit = subprocess.run(("git", "rev-parse", "--short=10", "HEAD"), check=True, capture_output=True, text=True)  # noqa: S607 - git is wherever the machine has it
    day = datetime.now(UTC).date().isoformat()
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (
        f"Measured at commit {commit.stdout.strip()} on {day}, Python {platform.python_version()} on {os.cpu_count()} "
        f"cores, {named}."
    )


def write(path: Path, sections: Iterable[str]) -> None:
    """Write the sections between the markers of a document; the rest of it stays."""
    begin, end = "<!-- measured: begin -->", "<!-- measured: end -->"
    text = path.read_text(encoding="utf-8")
    head, tail = text.partition(begin)[0], text.partition(end)[2]
    path.write_text("".join((head, begin, "\n", "\n\n".join(sections), "\n", end, tail)), encoding="utf-8")
