"""Command `python -m proofs.subscribers`: one trial on each database, with numbers of its own."""

import asyncio
import time
from typing import Annotated

import typer

from proofs.databases import BACKENDS, open_databases
from proofs.subscribers.trial import Sizes, run_trial

_FULL = Sizes()


def run(
    subscribers: Annotated[int, typer.Option(help="Subscribers that read.")] = _FULL.subscribers,
    silent: Annotated[int, typer.Option(help="Subscribers that read nothing.")] = _FULL.silent,
    events: Annotated[int, typer.Option(help="Writes.")] = _FULL.events,
    seed: Annotated[int | None, typer.Option(help="Default: the current time.")] = None,
    backend: Annotated[list[str] | None, typer.Option(help=f"Default: {' and '.join(BACKENDS)}.")] = None,
) -> None:
    """Run a trial, and print the number of events that were checked."""
    seed = int(time.time()) if seed is None else seed
    for name in backend or BACKENDS:
        started = time.monotonic()
        with open_databases(name) as databases:
            count = asyncio.run(run_trial(databases, seed, Sizes(subscribers, silent, events)))
        typer.echo(f"{name}, seed {seed}: {count:,} events in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    typer.run(run)
