"""Use of the database by one operation: the number of its statements and the time that they took."""

from contextvars import ContextVar
from time import perf_counter_ns
from typing import Any, Final

from sqlalchemy import Connection, Engine, event


class DatabaseUse:
    """Statements of an operation, and the nanoseconds from sending each to having its rows or its error.

    BEGIN is no statement of the operation, but waiting for it, and thus for the write lock of SQLite, takes its time.
    """

    __slots__ = ("nanoseconds", "statements")

    def __init__(self) -> None:
        """Start with nothing."""
        self.statements = self.nanoseconds = 0


current_use: Final[ContextVar[DatabaseUse | None]] = ContextVar("current_use", default=None)
"""Use by the operation that runs here. Tasks and reader threads inherit it."""

_STARTED: Final = "atoll_started"


def add_statement(started: int, text: str = "") -> None:
    """Count a statement of the current operation, if there is one, which started at this `perf_counter_ns`."""
    use = current_use.get()
    if use is not None:
        use.statements += not text.startswith("BEGIN")
        use.nanoseconds += perf_counter_ns() - started


@event.listens_for(Engine, "before_cursor_execute")
def _start(connection: Connection, *_: Any) -> None:
    connection.info[_STARTED] = perf_counter_ns()


@event.listens_for(Engine, "after_cursor_execute")
def _finish(connection: Connection, _cursor: Any, text: str, *_: Any) -> None:
    add_statement(connection.info.pop(_STARTED), text)


@event.listens_for(Engine, "handle_error")
def _fail(context: Any) -> None:
    if context.connection is not None and _STARTED in context.connection.info:
        add_statement(context.connection.info.pop(_STARTED), context.statement or "")
