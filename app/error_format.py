"""Format of exceptions in the log: classes, codes and frames, without messages, which may hold SQL and data."""

from collections.abc import Iterator
from traceback import walk_tb
from types import TracebackType
from typing import Final

from store.error import name_error

MAX_FRAMES: Final = 60
"""Number of innermost frames that are kept: a RecursionError has a thousand."""

MESSAGES_WITHOUT_DATA: Final = frozenset(
    {AttributeError, ImportError, MemoryError, ModuleNotFoundError, NameError, RecursionError, UnboundLocalError}
)
"""Classes whose messages name parts of the code only. Subclasses may do otherwise."""


def format_error(error: BaseException) -> str:
    """Format an exception, the exceptions that caused it, and those in a group, each with its frames."""
    return "\n".join(_lines(error, set()))


def _lines(error: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    message = f": {error}" if type(error) in MESSAGES_WITHOUT_DATA else ""
    yield f"{name_error(error)}{message}"
    yield from _frames(error.__traceback__)
    for heading, other in _related(error):
        if id(other) not in seen:
            yield heading
            yield from _lines(other, seen)


def _frames(traceback: TracebackType | None) -> list[str]:
    return [f"  {frame.f_code.co_filename}:{line} in {frame.f_code.co_qualname}" for frame, line in walk_tb(traceback)][
        -MAX_FRAMES:
    ]


def _related(error: BaseException) -> Iterator[tuple[str, BaseException]]:
    if error.__cause__ is not None:
        yield "caused by", error.__cause__
    elif error.__context__ is not None and not error.__suppress_context__:
        yield "while handling", error.__context__
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield "in a group with", each
