"""This file is the campaign as a command: `python -m proofs [NAME …]`, and with all of them the record is written."""

import sys
import time
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from proofs.campaign import Tally, tally, workers
from proofs.interference import INTERFERENCE
from proofs.leaks import PLANTED
from proofs.proof import Broken, Proof
from proofs.record import record

PROOFS: dict[str, Proof] = {proof.name: proof for proof in (INTERFERENCE, PLANTED)}
RECORD = Path("docs/proofs.md")
WORKERS = 2


def prove(
    names: Annotated[list[str] | None, typer.Argument(help=f"What to prove, of {', '.join(PROOFS)}; all.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the first trial; a new one.")] = None,
    at_once: Annotated[int, typer.Option("--workers", min=1, help="Processes that try at once.")] = WORKERS,
) -> None:
    """Try to break each promise, as often as its goal says; the first that breaks ends it all."""
    console = Console(stderr=True)
    unknown = set(names or ()) - set(PROOFS)
    if unknown:
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: there are {', '.join(PROOFS)}.")
    first = int(time.time()) if seed is None else seed
    try:
        tallies = _prove([PROOFS[name] for name in names or PROOFS], first, at_once, console)
    except Broken as broken:
        console.print(f"BROKEN. {broken}", markup=False, highlight=False)
        raise typer.Exit(1) from None
    if not names:
        RECORD.write_text(record(tallies, []), encoding="utf-8")
        console.print(f"The record is {RECORD}.")


def _prove(proofs: list[Proof], seed: int, at_once: int, console: Console) -> list[Tally]:
    columns = (
        TextColumn("{task.description:<14}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
    )
    with (
        Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console) as bar,
        workers(at_once) as pool,
    ):
        tasks = {
            proof.name: bar.add_task(proof.name, total=proof.goal, unit=proof.unit, start=False) for proof in proofs
        }
        tallies = []
        for proof in proofs:
            task = tasks[proof.name]
            bar.start_task(task)
            tallies.append(tally(pool, proof, seed, partial(bar.advance, task), at_once))
        return tallies


if __name__ == "__main__":
    sys.argv[0] = "make prove"
    typer.run(prove)
