"""Turns of looks: few at the same time, so that queries are answered beside them, and one of each viewer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from weakref import WeakValueDictionary

LOOKS: Final = 3
"""Looks at the same time in one process."""


class LookTurns:
    """Turns of the looks of one process."""

    def __init__(self) -> None:
        """Create the turns; all are free."""
        self._free = asyncio.Semaphore(LOOKS)
        self._of_viewer: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def take(self, viewer: str) -> AsyncIterator[None]:
        """Run the block in a turn of the viewer, after a wait for it."""
        lock = self._of_viewer.setdefault(viewer, asyncio.Lock())
        async with lock, self._free:
            yield
