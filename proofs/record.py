"""Record of the campaigns, docs/proofs.md: seeds, commits and durations."""

import json
import os
import platform
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from proofs.databases import BACKENDS
from proofs.leaks import LEAKS

RECORD = Path("docs/proofs.md")
RUNS = Path("docs/proofs.json")
"""The runs of each proof, from which the record is written."""

Run = dict[str, Any]
"""Result of a campaign or of the mutation tests, with the day, the commit and the machine."""
Runs = Sequence[Run]
"""Runs of one proof that add up: the first ones ended before the goal was reached."""

HEADER = """# Proofs
Written by `make prove`. Each row is a promise and the number of checks that passed without a counterexample; the checks
of several runs add up until the goal is reached. A trial is determined by its seed:
`make prove ARGS="{name} --seed {seed}"` repeats a campaign.
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


def save_run(name: str, run: Run, earlier: Runs = ()) -> None:
    """Save a run after the earlier ones that it continues, with the day, the commit and the machine."""
    origin = {"commit": describe_commit(), "day": datetime.now(UTC).date().isoformat()}
    origin |= {"machine": f"Python {platform.python_version()} on {os.cpu_count()} cores"}
    runs = load_runs() | {name: [*earlier, run | origin]}
    RUNS.write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")


def load_runs() -> dict[str, Runs]:
    """Load the last runs of each proof."""
    return dict(json.loads(RUNS.read_text(encoding="utf-8"))) if RUNS.exists() else {}


def add_checks(runs: Runs) -> Counter[str]:
    """Return the checks of all runs by backend."""
    total = Counter[str]()
    for run in runs:
        total.update(run["checks"])
    return total


def format_record(runs: Mapping[str, Runs], mutants: Run) -> str:
    """Format the runs, in their order, as Markdown."""
    name, (first, *_) = next(iter(runs.items()))
    alignments = ("---:" if column in {*COLUMNS[2:4], *COLUMNS[5:8]} else "---" for column in COLUMNS)
    rows = [_format_row(COLUMNS), _format_row(alignments)]
    rows += [_format_row(_cells(name, of_proof)) for name, of_proof in runs.items()]
    parts = [HEADER.format(name=name, seed=first["seed"]), "\n".join(rows), f"Run with {first['machine']}."]
    return (
        "\n\n".join(part.strip() for part in (*parts, _format_mutants(mutants), LEAKS_SECTION, _format_leaks())) + "\n"
    )


def _cells(name: str, runs: Runs) -> list[str]:
    checks = add_checks(runs)
    details = [
        runs[0]["unit"],
        ", ".join(str(run["seed"]) for run in runs),
        f"{sum(run['trials'] for run in runs):,}",
        f"{sum(run['seconds'] for run in runs) / 60:.1f}",
        runs[-1]["day"],
        ", ".join(dict.fromkeys(run["commit"] for run in runs)),
    ]
    counts = [f"{checks[backend]:,}" if backend in checks else "" for backend in BACKENDS]
    return [name, runs[0]["promise"], *counts, *details]


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
    """Return the short hash of the checked-out commit, and whether files other than the record differ from it."""
    changes = _git("status", "--porcelain", "--", ".", f":!{RUNS}", f":!{RECORD}")
    return _git("rev-parse", "--short=10", "HEAD") + (" with changes" if changes else "")


def _git(*arguments: str) -> str:
    return subprocess.run(("git", *arguments), check=True, capture_output=True, text=True).stdout.strip()  # noqa: S607 - found on the PATH
