"""LRU cache of built SELECTs. Building one with SQLAlchemy often takes longer than running it."""

from collections import OrderedDict
from collections.abc import Callable, Hashable

from store.sql import Selection

MAX_STATEMENTS = 256  # a large one takes some 300 kB
_STATEMENTS: OrderedDict[tuple[Hashable, ...], Selection] = OrderedDict()


def cached(key: tuple[Hashable, ...], build: Callable[[], Selection]) -> Selection:
    """Return the statement of the key, built on first use. The key must include the viewer's kind."""
    statement = _STATEMENTS.pop(key, None)
    if statement is None:
        statement = build()
        while len(_STATEMENTS) >= MAX_STATEMENTS:  # several threads may have added one
            _STATEMENTS.popitem(last=False)
    _STATEMENTS[key] = statement
    return statement


def clear() -> None:
    """Remove every statement: call it after changing how statements are built."""
    _STATEMENTS.clear()
