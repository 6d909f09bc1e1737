"""Warning of a process that runs out of file descriptors, at most once a minute."""

import errno
import logging
import os
from typing import Final

from app.log import Event, RareWarning

RESERVE: Final = 32
"""A new connection whose number is so close to the limit is warned of: the system gives the lowest free number."""


def max_descriptors() -> int | None:
    """Return the most files and connections that the process may have open; None if the system sets no limit."""
    limit = os.sysconf("SC_OPEN_MAX") if hasattr(os, "sysconf") else -1
    return limit if limit > 0 else None


class DescriptorWatch:
    """Watch on the numbers of new connections.

    uvloop reports no connection that it cannot accept: it closes them. So the warning comes shortly before.
    """

    def __init__(self) -> None:
        """Read the limit of the process, if the system has one."""
        limit = max_descriptors()
        self._threshold = None if limit is None else max(limit - RESERVE, limit // 2)
        self._warning = RareWarning(
            "Nearly all file descriptors are in use: connections are refused when none is left. Raise ulimit -n.",
            Event.OUT_OF_DESCRIPTORS,
        )

    def check(self, descriptor: int) -> None:
        """Warn if the descriptor of a new connection is close to the limit."""
        if self._threshold is not None and descriptor >= self._threshold:
            self.warn()

    def warn(self) -> None:
        """Warn, unless that happened in the last minute."""
        self._warning.log()


WATCH: Final = DescriptorWatch()


class AcceptFilter(logging.Filter):
    """Filter of asyncio's log, which reports each failed accept: the watch warns instead."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Drop the record of an accept that failed for want of descriptors."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, OSError) and error.errno in {errno.EMFILE, errno.ENFILE}:
            WATCH.warn()
            return False
        return True
