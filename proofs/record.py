"""Record of the campaigns, docs/proofs.md: seeds, commits and durations."""

import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from proofs.databases import BACKENDS
from proofs.leaks import LEAKS

RECORD = Path("docs/proofs.md")
RUNS = Path("build/proofs")
"""Folder of the last run of each proof, from which the record is written."""

Run = dict[str, Any]
"""Result of a campaign or of the mutation tests, with the day, the commit and the machine."""

HEADER = """# Proofs
Written by `make prove`. Each row is a promise and the number of checks that passed without a counterexample. A trial is
determined by its seed: `make prove ARGS="{name} --seed {seed}"` repeats a campaign.
"""
COLUMNS = ("proof", "promise", "SQLite", "PostgreSQL", "checks", "first seed", "trials", "minutes", "day", "commit")
MUTANTS_SECTION = """## Mutants
Mutation testing of `permissions/`, the layer that decides who sees what: one small fault at a time, then its tests.
Tests killed {killed:,} of {all:,} mutants; the other {equivalent:,} are equivalent, for the reasons given in
[equivalent.toml](../proofs/mutants/equivalent.toml). None survived: mutation score {score}, in {minutes} minutes, at
commit {commit}.
"""
LEAKS_SECTION = """## Planted leaks
Each of these faults was put into the product on purpose, and the interference proof found it: two worlds that differ
only in hidden data answered differently.
"""


def save_run(name: str, run: Run) -> None:
    """Save a campaign's result with the day, the commit and the machine."""
    origin = {"commit": describe_commit(), "day": datetime.now(UTC).date().isoformat()}
    origin |= {"machine": f"Python {platform.python_version()} on {os.cpu_count()} cores"}
    RUNS.mkdir(parents=True, exist_ok=True)
    (RUNS / f"{name}.json").write_text(json.dumps(run | origin, indent=1), encoding="utf-8")


def load_runs() -> dict[str, Run]:
    """Load the last saved run of each proof."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(RUNS.glob("*.json"))}


def format_record(runs: Mapping[str, Run], mutants: Run) -> str:
    """Format the runs, in their order, as Markdown."""
    name, first = next(iter(runs.items()))
    alignments = ("---:" if column in {*COLUMNS[2:4], *COLUMNS[5:8]} else "---" for column in COLUMNS)
    rows = [_format_row(COLUMNS), _format_row(alignments)]
    rows += [_format_row(_run_cells(name, run)) for name, run in runs.items()]
    parts = [HEADER.format(name=name, seed=first["seed"]), "\n".join(rows), f"Run with {first['machine']}."]
    return (
        "\n\n".join(part.strip() for part in (*parts, _format_mutants(mutants), LEAKS_SECTION, _format_leaks())) + "\n"
    )


def _run_cells(name: str, run: Run) -> list[str]:
    checks = [f"{run['checks'][backend]:,}" if backend in run["checks"] else "" for backend in BACKENDS]
    details = [
        run["unit"],
        str(run["seed"]),
        f"{run['trials']:,}",
        f"{run['seconds'] / 60:.1f}",
        run["day"],
        run["commit"],
    ]
    return [name, run["promise"], *checks, *details]


def _format_mutants(run: Run) -> str:
    killed, equivalent, survived = run["killed"], run["equivalent"], run["survived"]
    share, minutes = f"{killed / (killed + survived):.0%}", f"{run['seconds'] / 60:.1f}"
    total = killed + equivalent + survived
    counts = {"killed": killed, "all": total, "equivalent": equivalent, "score": share, "minutes": minutes}
    return MUTANTS_SECTION.format(**counts, commit=run["commit"])


def _format_leaks() -> str:
    rows = [
        (channel, "; ".join(leak.fault for leak in leaks))
        for channel, leaks in groupby(LEAKS, key=lambda leak: leak.channel)
    ]
    return "\n".join(map(_format_row, [("channel", "planted faults"), ("---", "---"), *rows]))


def _format_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def describe_commit() -> str:
    """Return the short hash of the checked-out commit, and whether files differ from it."""
    return _git("rev-parse", "--short=10", "HEAD") + (" with changes" if _git("status", "--porcelain") else "")


def _git(*arguments: str) -> str:
    return subprocess.run(("git", *arguments), check=True, capture_output=True, text=True).stdout.strip()  # noqa: S607 - found on the PATH
