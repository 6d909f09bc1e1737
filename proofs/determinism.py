"""This file is chance and time held still, so that what is made twice is the same."""

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from unittest.mock import patch

NOW = 1_800_000_000
"""The instant at which trials begin, in seconds since 1970 UTC."""


@contextmanager
def fixed(number: int) -> Iterator[None]:
    """Let ids and times be those of that number until the end of the block."""
    chance, instant = Random(number), (NOW + number) * 1_000_000_000
    with (
        patch("store.ids.random_bytes", chance.randbytes),
        patch("store.ids.clock_ns", lambda: instant),
        patch("resolvers.context.DRY_RUN_READ_SECONDS", 60),  # a machine that is busy tells nothing
    ):
        yield
