"""This file is statements that are kept: to make one takes longer than many a one runs."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

from sqlalchemy import Select

MAX_STATEMENTS = 256  # a large one takes some 300 kB
_STATEMENTS: OrderedDict[tuple[Hashable, ...], Select[Any]] = OrderedDict()


def cached(of: tuple[Hashable, ...], make: Callable[[], Select[Any]]) -> Select[Any]:
    """Return the statement that is made of these, among which is the viewer, since each has their own."""
    statement = _STATEMENTS.pop(of, None)
    if statement is None:
        statement = make()
        if len(_STATEMENTS) == MAX_STATEMENTS:
            _STATEMENTS.popitem(last=False)  # the one that was not asked for the longest
    _STATEMENTS[of] = statement
    return statement


def clear() -> None:
    """Forget every statement: whoever changes how one is made has to."""
    _STATEMENTS.clear()
