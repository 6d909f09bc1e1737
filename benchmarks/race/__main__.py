"""Command `python -m benchmarks.race`, also `make bench`: prints the tables of a race and records them in docs/."""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks.race.competitors import NAMES
from benchmarks.race.load import require_wrk
from benchmarks.race.report import format_sections, write_files
from benchmarks.race.run import OPERATIONS, Request, run
from benchmarks.race.server import LOAD_CORE, SERVER_CORE
from benchmarks.race.world import MAX_FACTOR, MIN_ASSETS, Sizes

DOCS = Path("docs")


def parse_arguments() -> Request:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="make bench",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measure Atoll beside other servers that answer the same requests from the same data.\n"
        "The servers run on the first core, the load on the second.",
        epilog="\n".join(["operations:", *(f"  {name:<4}{text}" for name, text in OPERATIONS.items())]),
    )
    add, every = parser.add_argument, Sizes()
    add("--assets", type=_at_least(MIN_ASSETS), default=every.assets, metavar="N", help="assets (default: %(default)s)")
    factors = range(1, MAX_FACTOR + 1)
    add("--factor", type=int, choices=factors, default=1, help="multiply assets, users and groups")
    add("--operations", nargs="+", choices=OPERATIONS, default=list(OPERATIONS), metavar="NAME", help="default: all")
    servers = ", ".join(f'"{name}"' for name in NAMES)
    add("--servers", nargs="+", choices=NAMES, default=NAMES, metavar="NAME", help=f"default: all, which are {servers}")
    add("--seconds", type=_at_least(1), default=2, metavar="N", help="length of each load (default: %(default)s)")
    add(
        "--rounds",
        type=_at_least(1),
        default=3,
        metavar="N",
        help="loads, of which the median is taken (default: %(default)s)",
    )
    options = parser.parse_args()
    sizes = Sizes(assets=options.assets).scaled(options.factor)
    return Request(options.operations, options.servers, sizes, options.rounds, options.seconds)


def main() -> None:
    """Run the race, print its tables, and record them if it was complete."""
    request = parse_arguments()
    require_wrk()
    if not {SERVER_CORE, LOAD_CORE} <= os.sched_getaffinity(0):
        raise SystemExit("make bench needs two cores, one for the servers and one for the load.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # the servers are stopped then, too
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:<32}"), BarColumn(), MofNCompleteColumn())
    times = (TimeElapsedColumn(), TimeRemainingColumn())
    # The bar is drawn on the core of the load, so only once a second.
    with Progress(*columns, *times, console=console, refresh_per_second=1) as progress:
        results = run(request, progress)
    sections = format_sections(request, results)
    sys.stdout.write("\n\n".join(sections) + "\n")
    if not results.is_complete:
        console.print(f"Not written to {DOCS}: that takes a run of all operations and servers.")
        return
    for path in write_files(DOCS, sections, results.rows):
        console.print(f"Wrote {path}.")


def _at_least(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdigit() or int(text) < least:
            raise argparse.ArgumentTypeError(f"invalid number {text!r}. Use {least:,} or more.")
        return int(text)

    return parse


if __name__ == "__main__":
    main()
