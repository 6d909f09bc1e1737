"""Terminal of a command: exit codes, messages and progress on stderr."""

import signal
import sys
from typing import Final, NoReturn

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn

FAILURE: Final = 1
"""Exit code of a command that failed, and of a check that found something out of date."""
USAGE: Final = 2
"""Exit code of an invalid command line or setting, recognised without reading a file or the database."""

console = Console(stderr=True, highlight=False)


def exit_with(message: str, code: int) -> NoReturn:
    """Print the message to stderr and exit."""
    console.print(message, soft_wrap=True, markup=False)
    raise SystemExit(code)


def exit_on_sigterm(code: int) -> None:
    """Exit with this code at SIGTERM, through the `finally` blocks that the signal would skip."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(code))


def progress_bar(amount: ProgressColumn) -> Progress:
    """Return a bar with this column of the amount done. It is shown on terminals only, and vanishes at its end."""
    columns = (TextColumn("{task.description}"), BarColumn(), amount, TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not sys.stderr.isatty(), transient=True)
