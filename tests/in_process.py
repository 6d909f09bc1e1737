"""Transport to an application in this process."""

import httpx
from starlette.applications import Starlette

from fragments import Memory


class InProcessTransport(httpx.ASGITransport):
    """Transport that builds the application's index before a request, so that the index is used from the first on."""

    def __init__(self, app: Starlette) -> None:
        """Take an application of which nobody else runs the lifespan."""
        super().__init__(app)
        self._memory: Memory | None = app.state.memory

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request to the application."""
        if self._memory is not None:
            await self._memory.build()
        return await super().handle_async_request(request)

    async def aclose(self) -> None:
        """End the background work of the index."""
        if self._memory is not None:
            await self._memory.stop()
