"""Resident memory of a process whose work is done: it may not grow from trial to trial."""

import ctypes
import gc
import os
from collections import Counter
from contextlib import suppress
from pathlib import Path

from proofs.proof import BrokenPromiseError

WARM_UP_TRIALS = 4
"""Trials of each backend that fill the caches, such as those of parsed documents and of built SELECTs."""

MAX_GROWTH = 0.1

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class MemoryWatch:
    """Memory of this process after its trials."""

    def __init__(self) -> None:
        """Watch from now on."""
        self._trials = Counter[str]()
        self._reference_bytes = 0

    def check(self, backend: str) -> None:
        """Compare the memory with that after the last trial that was a warm-up.

        Raises BrokenPromiseError if it is more than a tenth larger.
        """
        self._trials[backend] += 1
        used_bytes = settled_bytes()
        if self._trials[backend] <= WARM_UP_TRIALS:
            self._reference_bytes = used_bytes
        elif used_bytes > self._reference_bytes * (1 + MAX_GROWTH):
            used, reference = used_bytes // 2**20, self._reference_bytes // 2**20
            raise BrokenPromiseError(f"after {self._trials.total()} trials: {used} MiB are in use, {reference} before")


def settled_bytes() -> int:
    """Return the resident memory of this process, without garbage and without memory that malloc keeps for later."""
    gc.collect()
    with suppress(OSError, AttributeError):  # other C libraries than glibc keep less, and have no such function
        ctypes.CDLL(None).malloc_trim(0)
    return resident_bytes(os.getpid())


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process. Linux only."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES
