"""Time limit of single SQLite statements that read: SQLite interrupts one that takes longer, or is not wanted any more.

A statement of SQLite runs in the process, and knows no time-out of its own.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final

STATEMENT_SECONDS: Final = 5
STEPS: Final = 100_000
"""How many steps of SQLite's virtual machine, 1 to 10 ms of work, lie between two looks at the clock."""


@contextmanager
def limit_statement(connection: sqlite3.Connection, is_unwanted: Callable[[], bool]) -> Iterator[None]:
    """Interrupt the statement in the block when its time is over, or when it is not wanted any more.

    Raises sqlite3.OperationalError with the code SQLITE_INTERRUPT then.
    """
    end = monotonic() + STATEMENT_SECONDS
    connection.set_progress_handler(lambda: monotonic() > end or is_unwanted(), STEPS)
    try:
        yield
    finally:
        connection.set_progress_handler(None, 0)


def never() -> bool:
    """Return False: the statement is wanted to its end."""
    return False
