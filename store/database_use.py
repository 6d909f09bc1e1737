"""Use of the database by one operation: its statements, the time that they took, and their spans if it is traced."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any, Final

from sqlalchemy import Connection, Engine, event


@dataclass(slots=True)
class Span:
    """Batch of a loader, or a statement of the batch `parent`. Times are those of `perf_counter_ns`."""

    name: str
    parent: "Span | None"
    started: int
    ended: int = 0
    is_batch: bool = False


class DatabaseUse:
    """Statements of an operation, and the nanoseconds from sending each to having its rows or its error.

    BEGIN is no statement of the operation, but waiting for it, and thus for the write lock of SQLite, takes its time.
    """

    __slots__ = ("nanoseconds", "spans", "statements")

    def __init__(self) -> None:
        """Start with nothing."""
        self.statements = self.nanoseconds = 0
        self.spans: list[Span] | None = None
        """Spans in the order of their start, but statements behind those of their batch; None if there is no trace."""


current_use: Final[ContextVar[DatabaseUse | None]] = ContextVar("current_use", default=None)
"""Use by the operation that runs here. Tasks and reader threads inherit it."""

_current_batch: Final[ContextVar[Span | None]] = ContextVar("current_batch", default=None)
_STARTED: Final = "atoll_started"


def add_statement(started: int, text: str) -> None:
    """Count a statement of the current operation, if there is one, which started at this `perf_counter_ns`."""
    use = current_use.get()
    if use is not None:
        ended = perf_counter_ns()
        use.statements += not text.startswith("BEGIN")
        use.nanoseconds += ended - started
        if use.spans is not None:
            use.spans.append(Span(text.split(None, 1)[0], _current_batch.get(), started, ended))


@contextmanager
def trace_batch(name: str) -> Iterator[None]:
    """Record the block as a span of the current operation, if it is traced."""
    use = current_use.get()
    if use is None or use.spans is None:
        yield
        return
    span = Span(name, _current_batch.get(), perf_counter_ns(), is_batch=True)
    use.spans.append(span)
    token = _current_batch.set(span)
    try:
        yield
    finally:
        _current_batch.reset(token)
        span.ended = perf_counter_ns()


@event.listens_for(Engine, "before_cursor_execute")
def _start(connection: Connection, *_: Any) -> None:
    connection.info[_STARTED] = perf_counter_ns()


@event.listens_for(Engine, "after_cursor_execute")
def _finish(connection: Connection, _cursor: Any, text: str, *_: Any) -> None:
    add_statement(connection.info.pop(_STARTED), text)


@event.listens_for(Engine, "handle_error")
def _fail(context: Any) -> None:
    if context.connection is not None and _STARTED in context.connection.info:
        add_statement(context.connection.info.pop(_STARTED), context.statement or "UNKNOWN")
