"""This file is the record of a campaign: what was tried, from which seeds, at which commit, and how long it took."""

import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby

from proofs.campaign import Tally
from proofs.leaks import LEAKS
from proofs.mutants import Score

HEAD = """# What was proven
The record of `make prove`. Each line is a promise, and how often it was tried without being broken once. A trial of a
seed is the same whenever it is run, so `make prove ARGS="{example}"` tries one promise again as it was tried here.
"""
MUTANTS = """## Mutants
Every small fault that a tool can put into `permissions/`, the room that knows grants, was put there, one at a time.
Tests told {killed:,} of {all:,}; the other {equivalent} change nothing that anybody could see, each for the reason in
[equivalent.toml](../proofs/equivalent.toml). None survived: a score of {score} of those that are not equivalent.
"""
PLANTED = """## Planted leaks
While one of these faults is in the product, two worlds that differ only in what is hidden have to be told apart.
"""


def record(tallies: Sequence[Tally], score: Score) -> str:
    """Return the record as Markdown."""
    example = f"{tallies[0].proof.name} --seed {tallies[0].first_seed}"
    rows = [
        "| | promise | SQLite | PostgreSQL | | seeds from | trials | minutes |",
        "|---|---|---:|---:|---|---:|---:|---:|",
        *map(_row, tallies),
    ]
    parts = [HEAD.format(example=example), _where(), "\n".join(rows), _mutants(score), PLANTED, _leaks()]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _row(tally: Tally) -> str:
    proof = tally.proof
    checks = [f"{checks:,}" for checks in tally.checks.values()]
    tried = [proof.unit, str(tally.first_seed), f"{tally.trials:,}", f"{tally.seconds / 60:.1f}"]
    return f"| {' | '.join([proof.name, proof.promise, *checks, *tried])} |"


def _mutants(score: Score) -> str:
    killed, equivalent, survived = len(score.killed), len(score.equivalent), len(score.survived)
    share = f"{killed / (killed + survived):.0%}"
    return MUTANTS.format(killed=killed, all=killed + equivalent + survived, equivalent=equivalent, score=share)


def _leaks() -> str:
    rows = [
        f"| {channel} | {'; '.join(leak.fault for leak in leaks)} |"
        for channel, leaks in groupby(LEAKS, key=lambda leak: leak.channel)
    ]
    return "\n".join(["| what tells | planted faults |", "|---|---|", *rows])


def _where() -> str:
    commit = _git("rev-parse", "--short=12", "HEAD") + (" with changes" if _git("status", "--porcelain") else "")
    day = datetime.now(UTC).date().isoformat()
    return f"{day}, commit {commit}, Python {platform.python_version()}, {os.cpu_count()} cores."


def _git(*asked: str) -> str:
    return subprocess.run(("git", *asked), check=True, capture_output=True, text=True).stdout.strip()  # noqa: S607 - whichever git it is
