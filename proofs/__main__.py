"""This file is the campaign as a command: `python -m proofs [NAME …]`; with all of the proofs the record is written."""

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from proofs.campaign import tally, workers
from proofs.interference.trial import INTERFERENCE
from proofs.leaks import PLANTED
from proofs.mutants import score as mutants
from proofs.oracle.trial import AGREEMENT
from proofs.permission_matrix.trial import TRUTH
from proofs.proof import BrokenPromiseError, Proof
from proofs.record import KEPT, RECORD, Run, keep, kept, record
from proofs.revocation.trial import REVOCATION
from proofs.token_forgery.trial import FORGERY

PROOFS: dict[str, Proof] = {
    proof.name: proof for proof in (TRUTH, INTERFERENCE, PLANTED, AGREEMENT, REVOCATION, FORGERY)
}
MUTANTS = "mutants"
BROKEN = KEPT / "broken.txt"
NAMES = (*PROOFS, MUTANTS)


def prove(
    names: Annotated[list[str] | None, typer.Argument(help=f"What to prove, of {', '.join(NAMES)}; else all.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the first trial; else a new one.")] = None,
    at_once: Annotated[int, typer.Option("--workers", min=1, help="Processes that try at once.")] = 2,
) -> None:
    """Try to break each promise as often as its goal says; the first that breaks ends it all.

    The record is written once all of them have been tried, at once or one by one.
    """
    unknown = set(names or ()) - set(NAMES)
    if unknown:
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: there are {', '.join(NAMES)}.")
    console = Console(stderr=True)
    first = int(time.time()) if seed is None else seed
    try:
        _prove([name for name in NAMES if name in (names or NAMES)], first, at_once, console)
    except BrokenPromiseError as broken:
        KEPT.mkdir(parents=True, exist_ok=True)
        BROKEN.write_text(f"{broken}\n", encoding="utf-8")
        sys.stderr.write(f"BROKEN, as {BROKEN} keeps it. {broken}\n")  # unwrapped, to be pasted
        raise typer.Exit(1) from None
    runs = kept()
    if missing := [name for name in NAMES if name not in runs]:
        console.print(f"The record needs {', '.join(missing)} as well.")
    else:
        RECORD.write_text(record({name: runs[name] for name in PROOFS}, runs[MUTANTS]), encoding="utf-8")
        console.print(f"The record is {RECORD}.")


def _prove(names: Sequence[str], seed: int, at_once: int, console: Console) -> None:
    columns = (
        TextColumn("{task.description:<14}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
    )
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console) as progress:
        bars = {name: _Bar(progress, name) for name in names}
        if set(names) - {MUTANTS}:
            with workers(at_once) as pool:
                for name in names:
                    if name in PROOFS:
                        keep(name, asdict(tally(pool, PROOFS[name], seed, bars[name].begun(), at_once)))
        if MUTANTS in bars:
            keep(MUTANTS, asyncio.run(_score(bars[MUTANTS])))


async def _score(bar: "_Bar") -> Run:
    started = time.monotonic()
    score = await mutants.score(bar.set_to)
    if score.survived:
        raise BrokenPromiseError("\n  ".join(("No test tells these mutants:", *map(str, score.survived))))
    counts = {name: len(getattr(score, name)) for name in ("killed", "equivalent", "survived")}
    return counts | {"seconds": time.monotonic() - started}


@dataclass
class _Bar:
    """The bar of one proof, which runs once it has begun."""

    progress: Progress
    name: str

    def __post_init__(self) -> None:
        proof = PROOFS.get(self.name)
        total, unit = (proof.goal, proof.unit) if proof else (len(mutants.every_mutant()), MUTANTS)
        self.task = self.progress.add_task(self.name, total=total, unit=unit, start=False)

    def begun(self) -> Callable[[int], None]:
        """Let time run, and return what moves the bar on."""
        self.progress.start_task(self.task)
        return partial(self.progress.advance, self.task)

    def set_to(self, done: int, _of: int) -> None:
        """Move the bar to where it is."""
        self.progress.start_task(self.task)
        self.progress.update(self.task, completed=done)


if __name__ == "__main__":
    sys.argv[0] = "make prove"
    typer.run(prove)
