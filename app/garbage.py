"""Garbage collection of processes that make many objects without cycles."""

import gc
from typing import Final

THRESHOLDS: Final = (50_000, 20, 20)


def collect_garbage_seldom() -> None:
    """Exempt the objects of the start, such as the schema, from garbage collection, and collect others less often.

    An operation makes tens of thousands of objects, and frees all of them by itself, and so does an export. With
    Python's thresholds, looking for cycles among them took as long as executing an operation.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
