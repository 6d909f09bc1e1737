"""This file is what one operation carries: viewer, snapshot and loaders, none of which outlives it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from permissions import ErrorCode, OperationError
from permissions.viewer import Viewer
from store.database import Database, Snapshot, end_on_exit

DRY_RUN_READ_SECONDS = 2
"""How long the payload of a dry run may take to be read."""

LoaderT = TypeVar("LoaderT")
Identify = Callable[[Snapshot], Awaitable[Viewer]]
"""From a snapshot to the viewer as of it; it may raise what an operation without a viewer is declined with."""


class Context:
    """One operation of one viewer on one snapshot; after a mutation, on the next."""

    viewer: Viewer
    snapshot: Snapshot

    def __init__(self, database: Database, identify: Identify, request_id: str) -> None:
        """Take what the operation reads; use `opened`."""
        self.database, self.identify, self.request_id = database, identify, request_id
        self._loaders: dict[Hashable, Any] = {}
        self._opened = AsyncExitStack()
        self._expiring: asyncio.Future[None] | None = None

    def loader(self, kind: Callable[..., LoaderT], *arguments: Hashable) -> LoaderT:
        """Return the operation's one loader of that kind and arguments."""
        key = (kind, *arguments)
        if key not in self._loaders:
            self._loaders[key] = kind(self, *arguments)
        return self._loaders[key]  # type: ignore[no-any-return]  # the key tells the kind

    async def refresh(self, viewer: Viewer | None = None) -> None:
        """Read what is committed now, as the viewer given or as whoever asks is now."""
        await self.close()
        self.snapshot = await self._opened.enter_async_context(self.database.snapshot())
        self.viewer = viewer or await self.identify(self.snapshot)

    async def read_uncommitted(self, write: AsyncExitStack, connection: AsyncConnection, viewer: Viewer) -> None:
        """Read a transaction that is rolled back with the next reading or the end of the operation."""
        await self.close()
        self._opened.push_async_callback(write.aclose)
        self._opened.push_async_callback(connection.rollback)
        self.snapshot = await self._opened.enter_async_context(end_on_exit(Snapshot(connection)))
        self.viewer = viewer
        # All other writers wait meanwhile: whoever asks for a large payload must not keep them.
        expiring = asyncio.get_running_loop().call_later(DRY_RUN_READ_SECONDS, self._expire)
        self._opened.callback(expiring.cancel)

    def _expire(self) -> None:
        self._expiring = asyncio.ensure_future(self._expired())

    async def _expired(self) -> None:
        await self.snapshot.end(
            OperationError(ErrorCode.UNAVAILABLE, "The dry run took too long: ask for less of what would be.")
        )
        await self._opened.aclose()

    async def close(self) -> None:
        """End what is read, and forget what was."""
        self._loaders.clear()
        if self._expiring is not None:
            await self._expiring
        await self._opened.aclose()


@asynccontextmanager
async def open_context(database: Database, identify: Identify, request_id: str) -> AsyncIterator[Context]:
    """Open the context of an operation; its snapshot ends on leaving."""
    context = Context(database, identify, request_id)
    try:
        await context.refresh()
        yield context
    finally:
        await context.close()
