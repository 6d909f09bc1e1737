"""Transport to an application in this process."""

from typing import TYPE_CHECKING

import httpx
from starlette.applications import Starlette

if TYPE_CHECKING:
    from fragments import Memory


class InProcessTransport(httpx.ASGITransport):
    """Transport to an application of which nobody else runs the lifespan."""

    def __init__(self, app: Starlette) -> None:
        """Take the application."""
        super().__init__(app)
        self._memory: Memory | None = app.state.memory

    async def refresh(self) -> None:
        """Bring the application's index to the latest version, so that the next request finds it so."""
        if self._memory is not None:
            await self._memory.refresh()

    def forget_fragments(self) -> None:
        """Drop the JSON of rows that the application keeps."""
        if self._memory is not None:
            self._memory.forget_fragments()

    async def aclose(self) -> None:
        """End the background work of the index."""
        if self._memory is not None:
            await self._memory.stop()
