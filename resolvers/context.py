"""Context of an operation: viewer, snapshot and loaders, none of which outlives it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from permissions import ErrorCode, OperationError
from permissions.viewer import Viewer
from store.database import Database, Snapshot, end_on_exit

DRY_RUN_READ_SECONDS = 2
"""Time limit for reading the payload of a dry run, since other writers wait meanwhile."""

LoaderT = TypeVar("LoaderT")
Identify = Callable[[Snapshot], Awaitable[Viewer]]
"""Function that returns the viewer as of a snapshot, or raises the error of a request without a valid viewer."""


class Context:
    """State of one operation: its viewer and snapshot, both of which are replaced after a mutation."""

    viewer: Viewer
    snapshot: Snapshot

    def __init__(self, database: Database, identify: Identify, request_id: str) -> None:
        """Create a context without snapshot; use `open_context`."""
        self.database, self.identify, self.request_id = database, identify, request_id
        self._loaders: dict[Hashable, Any] = {}
        self._exit_stack = AsyncExitStack()
        self._expiring: asyncio.Future[None] | None = None

    def loader(self, kind: Callable[..., LoaderT], *arguments: Hashable) -> LoaderT:
        """Return the operation's loader of that class and arguments, created on first use."""
        key = (kind, *arguments)
        if key not in self._loaders:
            self._loaders[key] = kind(self, *arguments)
        return self._loaders[key]  # type: ignore[no-any-return]  # the key contains the class

    async def refresh(self, viewer: Viewer | None = None) -> None:
        """Read the latest committed state, as the given viewer or, without one, as the viewer identified again."""
        await self.close()
        self.snapshot = await self._exit_stack.enter_async_context(self.database.snapshot())
        self.viewer = viewer or await self.identify(self.snapshot)

    async def read_uncommitted(self, write: AsyncExitStack, connection: AsyncConnection, viewer: Viewer) -> None:
        """Serve reads from an uncommitted write transaction (dry run) until it is rolled back.

        The rollback comes with the next `refresh`, at the end of the operation, or after DRY_RUN_READ_SECONDS.
        """
        await self.close()
        self._exit_stack.push_async_callback(write.aclose)
        self._exit_stack.push_async_callback(connection.rollback)
        self.snapshot = await self._exit_stack.enter_async_context(end_on_exit(Snapshot(connection)))
        self.viewer = viewer
        # All other writers wait until the rollback, which a large payload must not delay.
        expiring = asyncio.get_running_loop().call_later(DRY_RUN_READ_SECONDS, self._expire)
        self._exit_stack.callback(expiring.cancel)

    def _expire(self) -> None:
        self._expiring = asyncio.ensure_future(self._expired())

    async def _expired(self) -> None:
        await self.snapshot.end(
            OperationError(
                ErrorCode.UNAVAILABLE, "Reading the result of the dry run took too long. Select fewer fields."
            )
        )
        await self._exit_stack.aclose()

    async def close(self) -> None:
        """End the snapshot and drop the loaders."""
        self._loaders.clear()
        if self._expiring is not None:
            await self._expiring
        await self._exit_stack.aclose()


@asynccontextmanager
async def open_context(database: Database, identify: Identify, request_id: str) -> AsyncIterator[Context]:
    """Open the context of an operation; its snapshot ends on exit."""
    context = Context(database, identify, request_id)
    try:
        await context.refresh()
        yield context
    finally:
        await context.close()
