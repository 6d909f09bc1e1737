"""This file is the record of what was tried: from which seeds, at which commit, and how long it took."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from proofs.databases import BACKENDS
from proofs.leaks import LEAKS

RECORD = Path("docs/proofs.md")
KEPT = Path("build/proofs")
"""Where the last run of each proof is kept until all of them have run."""

Run = dict[str, Any]
"""What one proof came to: `checks` by backend, and how."""

HEAD = """# What was proven
The record of `make prove`. Each line is a promise, and how often it was tried without being broken once. A trial of a
seed is the same whenever it is run: `make prove ARGS="{name} --seed {seed}"` tries one promise again as it was tried.
"""
COLUMNS = ("", "promise", "SQLite", "PostgreSQL", "", "seeds from", "trials", "minutes", "day", "commit")
MUTANTS = """## Mutants
Every small fault that a tool can put into `permissions/`, the room that knows grants, was put there, one at a time.
Tests told {killed:,} of {all:,}; the other {equivalent:,} change nothing that anybody could see, each for the reason
that [equivalent.toml](../proofs/mutants/equivalent.toml) gives. None survived: {score} of those that are not
equivalent, in {minutes} minutes, at commit {commit}.
"""
PLANTED = """## Planted leaks
While one of these faults is in the product, two worlds that differ only in what is hidden have to be told apart.
"""


def keep(name: str, run: Run) -> None:
    """Keep what a proof came to, with the day, the commit and the machine."""
    commit = _git("rev-parse", "--short=10", "HEAD") + (" with changes" if _git("status", "--porcelain") else "")
    where = {"commit": commit, "day": datetime.now(UTC).date().isoformat()}
    where |= {"machine": f"Python {platform.python_version()} on {os.cpu_count()} cores"}
    KEPT.mkdir(parents=True, exist_ok=True)
    (KEPT / f"{name}.json").write_text(json.dumps(run | where, indent=1), encoding="utf-8")


def kept() -> dict[str, Run]:
    """Return what each proof came to when it was last run here."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(KEPT.glob("*.json"))}


def record(runs: Mapping[str, Run], mutants: Run) -> str:
    """Return the record of the runs, in their order, as Markdown."""
    name, first = next(iter(runs.items()))
    rows = [
        _row(COLUMNS),
        _row("---:" if column in {*COLUMNS[2:4], *COLUMNS[5:8]} - {""} else "---" for column in COLUMNS),
    ]
    rows += [_row(_told(name, run)) for name, run in runs.items()]
    parts = [HEAD.format(name=name, seed=first["seed"]), "\n".join(rows), f"All with {first['machine']}."]
    return "\n\n".join(part.strip() for part in (*parts, _mutants(mutants), PLANTED, _leaks())) + "\n"


def _told(name: str, run: Run) -> list[str]:
    checks = [f"{run['checks'][backend]:,}" if backend in run["checks"] else "" for backend in BACKENDS]
    tried = [
        run["unit"],
        str(run["seed"]),
        f"{run['trials']:,}",
        f"{run['seconds'] / 60:.1f}",
        run["day"],
        run["commit"],
    ]
    return [name, run["promise"], *checks, *tried]


def _mutants(run: Run) -> str:
    killed, equivalent, survived = run["killed"], run["equivalent"], run["survived"]
    share, minutes = f"{killed / (killed + survived):.0%}", f"{run['seconds'] / 60:.1f}"
    every = killed + equivalent + survived
    counts = {"killed": killed, "all": every, "equivalent": equivalent, "score": share, "minutes": minutes}
    return MUTANTS.format(**counts, commit=run["commit"])


def _leaks() -> str:
    rows = [
        (channel, "; ".join(leak.fault for leak in leaks))
        for channel, leaks in groupby(LEAKS, key=lambda leak: leak.channel)
    ]
    return "\n".join(map(_row, [("what tells", "planted faults"), ("---", "---"), *rows]))


def _row(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


def _git(*asked: str) -> str:
    return subprocess.run(("git", *asked), check=True, capture_output=True, text=True).stdout.strip()  # noqa: S607 - git is wherever the machine has it
