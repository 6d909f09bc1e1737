"""Fixed random ids and clock, so that equal runs produce equal bytes."""

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from unittest.mock import patch

START = 1_800_000_000
"""Time at which trials start, in seconds since 1970 UTC."""


@contextmanager
def fix_ids_and_time(number: int) -> Iterator[None]:
    """Derive ids and the current time from the number."""
    random, nanoseconds = Random(number), (START + number) * 1_000_000_000
    with (
        patch("store.ids.random_bytes", random.randbytes),
        patch("store.ids.clock_ns", lambda: nanoseconds),
        patch("resolvers.context.DRY_RUN_READ_SECONDS", 60),  # its expiry on a busy machine would be a false alarm
    ):
        yield
