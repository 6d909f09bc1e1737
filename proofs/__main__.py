"""Command `python -m proofs [NAME …]`: runs campaigns, and writes their record."""

import asyncio
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from proofs.campaign import Workload, open_pool, run_campaign
from proofs.costs.trial import COSTS
from proofs.crashes.trial import CRASHES
from proofs.differential.trial import DIFFERENTIAL
from proofs.failing_calls.trial import FAILING_CALLS
from proofs.interference.trial import INTERFERENCE
from proofs.leaks import PLANTED
from proofs.malformed.trial import MALFORMED
from proofs.mirror.trial import MIRROR
from proofs.mutants import score as mutants
from proofs.oracle.trial import ORACLE
from proofs.permission_matrix.trial import PERMISSION_MATRIX
from proofs.proof import BrokenPromiseError, Proof
from proofs.record import RECORD, Run, Runs, add_checks, format_record, load_runs, save_run
from proofs.reimports.trial import REIMPORTS
from proofs.revocation.trial import REVOCATION
from proofs.subscribers.trial import SUBSCRIBERS
from proofs.token_forgery.trial import TOKEN_FORGERY
from proofs.undo.trial import UNDO
from proofs.walks.trial import WALKS

PROOFS: dict[str, Proof] = {
    proof.name: proof
    for proof in (
        PERMISSION_MATRIX,
        INTERFERENCE,
        PLANTED,
        ORACLE,
        DIFFERENTIAL,
        REVOCATION,
        TOKEN_FORGERY,
        CRASHES,
        FAILING_CALLS,
        COSTS,
        MALFORMED,
        WALKS,
        REIMPORTS,
        UNDO,
        MIRROR,
        SUBSCRIBERS,
    )
}
MUTANTS = "mutants"
COUNTEREXAMPLE = Path("build/counterexample.txt")
NAMES = (*PROOFS, MUTANTS)


def prove(
    names: Annotated[list[str] | None, typer.Argument(help=f"Proofs to run: {', '.join(NAMES)}. Default: all.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the first trial. Default: the current time.")] = None,
    processes: Annotated[int, typer.Option("--workers", min=1, help="Number of parallel processes.")] = 2,
    minutes: Annotated[
        float, typer.Option(help="Longest time for each proof. The next run continues where the time was up.")
    ] = math.inf,
) -> None:
    """Try to break each promise until its goal of checks is reached; stop at the first counterexample.

    The record, docs/proofs.md, is written after each run. It has all proofs with a result.
    """
    unknown = set(names or ()) - set(NAMES)
    if unknown:
        raise typer.BadParameter(f"Unknown proof {', '.join(sorted(unknown))}. Choose from {', '.join(NAMES)}.")
    console = Console(stderr=True)
    first_seed = int(time.time()) if seed is None else seed
    try:
        _run([name for name in NAMES if name in (names or NAMES)], first_seed, processes, minutes, console)
    except BrokenPromiseError as error:
        COUNTEREXAMPLE.parent.mkdir(exist_ok=True)
        COUNTEREXAMPLE.write_text(f"{error}\n", encoding="utf-8")
        # Bypasses the console, which would wrap lines that users paste into a shell.
        sys.stderr.write(f"Counterexample found and saved to {COUNTEREXAMPLE}:\n{error}\n")
        raise typer.Exit(1) from None
    runs = load_runs()
    if MUTANTS not in runs:
        console.print(f"{RECORD} is not written: no result yet for {MUTANTS}.")
    else:
        recorded = {name: runs[name] for name in PROOFS if name in runs}
        RECORD.write_text(format_record(recorded, runs[MUTANTS][-1]), encoding="utf-8")
        console.print(f"Wrote {RECORD}.")


def _run(names: Sequence[str], seed: int, processes: int, minutes: float, console: Console) -> None:
    columns = (
        TextColumn("{task.description:<14}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
    )
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console) as progress:
        bars = {name: _Bar(progress, name) for name in names}
        if set(names) - {MUTANTS}:
            with open_pool(processes) as pool:
                for name in names:
                    if name in PROOFS:
                        earlier = _unfinished(name)
                        done = add_checks(earlier)
                        report = bars[name].start(done.total())
                        workload = Workload(PROOFS[name].goal, processes, done, time.monotonic() + minutes * 60)
                        result = run_campaign(pool, PROOFS[name], seed, report, workload)
                        save_run(name, asdict(result), earlier)
        if MUTANTS in bars:
            save_run(MUTANTS, asyncio.run(_score(bars[MUTANTS])))


def _unfinished(name: str) -> Runs:
    """Return the last runs of the proof if their checks do not reach its goal yet."""
    proof, runs = PROOFS[name], load_runs().get(name, ())
    checks = dict.fromkeys(proof.backends, 0) | add_checks(runs)
    return runs if Workload(proof.goal).missing(checks) else ()


async def _score(bar: "_Bar") -> Run:
    started = time.monotonic()
    score = await mutants.score_mutants(bar.update)
    if score.survived:
        raise BrokenPromiseError("\n  ".join(("These mutants survived:", *map(str, score.survived))))
    counts = {name: len(getattr(score, name)) for name in ("killed", "equivalent", "survived")}
    return counts | {"seconds": time.monotonic() - started}


@dataclass
class _Bar:
    """Progress bar of one proof. Its clock starts with the proof."""

    progress: Progress
    name: str

    def __post_init__(self) -> None:
        proof = PROOFS.get(self.name)
        total, unit = (proof.goal, proof.unit) if proof else (len(mutants.list_mutants()), MUTANTS)
        self.task = self.progress.add_task(self.name, total=total, unit=unit, start=False)

    def start(self, completed: int) -> Callable[[int], None]:
        """Start the clock with the checks of earlier runs, and return a callback that advances the bar."""
        self.update(completed, 0)
        return partial(self.progress.advance, self.task)

    def update(self, completed: int, _total: int) -> None:
        """Set the bar to a number of completed checks."""
        self.progress.start_task(self.task)
        self.progress.update(self.task, completed=completed)


if __name__ == "__main__":
    command = typer.Typer(add_completion=False)
    command.command()(prove)
    command(prog_name="python -m proofs")
