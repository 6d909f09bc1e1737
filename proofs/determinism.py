"""Fixed random ids and clock, so that equal runs produce equal bytes, and no limits of cost."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from random import Random
from unittest.mock import patch

from app.cost import COST_CAP, Cost

NO_LIMITS = Cost(*[COST_CAP] * len(Cost._fields))
START = 1_800_000_000
"""Time at which trials start, in seconds since 1970 UTC."""
_separate_random: ContextVar[Random | None] = ContextVar("separate_random", default=None)


@contextmanager
def lift_cost_limits() -> Iterator[None]:
    """Refuse no operation for its cost: refused operations would prove nothing."""
    limits = "app.request_limits.COST_LIMITS", "app.request_limits.SMALLER_COST_LIMITS"
    with patch(limits[0], NO_LIMITS), patch(limits[1], NO_LIMITS):
        yield


@contextmanager
def fix_ids_and_time(number: int) -> Iterator[None]:
    """Derive ids and the current time from the number, and lift the limits of cost."""
    random, nanoseconds = Random(number), (START + number) * 1_000_000_000

    def random_bytes(size: int) -> bytes:
        return (_separate_random.get() or random).randbytes(size)

    with (
        lift_cost_limits(),
        patch("store.ids.random_bytes", random_bytes),
        patch("store.ids.clock_ns", lambda: nanoseconds),
        # On a busy machine, their expiry would be a false alarm.
        patch("store.sqlite_limit.STATEMENT_SECONDS", 60),
        patch("app.turns.WAIT_SECONDS", 60),
    ):
        yield


@contextmanager
def separate_ids(number: int) -> Iterator[None]:
    """Derive the ids that this task creates from the number alone; they are not taken from those of the others."""
    token = _separate_random.set(Random(f"separate {number}"))
    try:
        yield
    finally:
        _separate_random.reset(token)
