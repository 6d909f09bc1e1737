"""This file is the record of a campaign: what was tried, from which seeds, at which commit, and how long it took."""

import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime

from proofs.campaign import Tally

HEAD = """# What was proven
The record of `make prove`: each line is a promise, and how often it was tried without being broken. The trials of a
seed are the same whenever they are run; `make prove ARGS="{example}"` runs those of one promise again.

"""


def record(tallies: Sequence[Tally], parts: Sequence[str]) -> str:
    """Return the record as Markdown: where and when, a table of the promises, and further parts."""
    rows = [
        "| | promise | SQLite | PostgreSQL | | seeds from | trials | minutes |",
        "|---|---|---:|---:|---|---:|---:|---:|",
        *(_row(tally) for tally in tallies),
    ]
    example = f"{tallies[0].proof.name} --seed {tallies[0].first_seed}"
    return "\n\n".join([HEAD.format(example=example).strip(), _where(), "\n".join(rows), *parts]) + "\n"


def _row(tally: Tally) -> str:
    proof = tally.proof
    checks = [f"{checks:,}" for checks in tally.checks.values()]
    tried = [proof.unit, str(tally.first_seed), f"{tally.trials:,}", f"{tally.seconds / 60:.1f}"]
    return f"| {' | '.join([proof.name, proof.promise, *checks, *tried])} |"


def _where() -> str:
    commit = _git("rev-parse", "--short=12", "HEAD") + (" with changes" if _git("status", "--porcelain") else "")
    day = datetime.now(UTC).date().isoformat()
    return f"{day}, commit {commit}, Python {platform.python_version()}, {os.cpu_count()} cores."


def _git(*asked: str) -> str:
    return subprocess.run(("git", *asked), check=True, capture_output=True, text=True).stdout.strip()  # noqa: S607 - whichever git it is
