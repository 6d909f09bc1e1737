"""Context of an operation: viewer, snapshot and loaders, none of which outlives it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Hashable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Protocol, TypeVar

from aiodataloader import DataLoader
from sqlalchemy.ext.asyncio import AsyncConnection

from permissions.viewer import Viewer
from store.database import ConnectionSnapshot, Database, Snapshot
from store.url import URL_SCHEMES

LoaderT = TypeVar("LoaderT")
K = TypeVar("K")
K_contra = TypeVar("K_contra", contravariant=True)
V = TypeVar("V")
Identify = Callable[[Snapshot], Awaitable[Viewer]]
"""Function that returns the viewer as of a snapshot, or raises the error of a request without a valid viewer."""
DeferredWrite = Callable[[AsyncConnection], Awaitable[None]]
"""Write of a query, such as that of a stored pull, in a transaction after its reads."""


class LoadBatch(Protocol[K_contra, V]):
    """Values of one loader, read together for all keys that are asked for at about the same time."""

    def load(self, key: K_contra) -> Awaitable[V]:
        """Return an awaitable of the key's value."""

    def load_many(self, keys: Iterable[K_contra]) -> Awaitable[list[V]]:
        """Return an awaitable of the keys' values."""

    def loaded(self, key: K_contra) -> V | None:
        """Return the value of a key that was read; None for any other key."""


MakeBatch = Callable[[Callable[[list[Any]], Coroutine[Any, Any, list[Any]]]], LoadBatch[Any, Any]]
"""Function that returns a batch, given the function that fetches the values of its keys."""


class TickBatch(DataLoader[K, V]):
    """Batch of all keys that are asked for in one tick of the event loop."""

    def load(self, key: K) -> asyncio.Future[V]:
        """Return a future of the key's value, shielded so that cancelling one field does not cancel it for others."""
        value = super().load(key)
        future = asyncio.shield(value)
        for each in (value, future):  # a cancelled shield no longer retrieves the exception of what it shields
            each.add_done_callback(_retrieve_exception)
        return future

    def loaded(self, key: K) -> V | None:
        """Return the value of a key that was read; None for any other key."""
        future = self._cache.get(key)
        return None if future is None or not future.done() else future.result()


def _retrieve_exception(future: asyncio.Future[Any]) -> None:
    """Prevent asyncio from logging the exception if nobody awaits the future, since the operation ended before."""
    if not future.cancelled():
        future.exception()


async def await_all(loads: Iterable[Awaitable[V]]) -> list[V]:
    """Return the values of loads that were all asked for before, so that they are read together.

    Unlike `asyncio.gather`, it also awaits loads of the engine.
    """
    remaining = deque(loads)
    values = []
    try:
        while remaining:
            values.append(await remaining.popleft())
    finally:
        for load in remaining:  # after an error, nobody awaits them
            if isinstance(load, asyncio.Future):
                load.cancel()
    return values


class Context:
    """Viewer, snapshot and loaders: the state of an operation that resolvers read."""

    def __init__(self, viewer: Viewer, snapshot: Snapshot, make_batch: MakeBatch) -> None:
        """Take the viewer as of the snapshot; `make_batch` decides when loaders fetch."""
        self.viewer, self.snapshot, self.make_batch = viewer, snapshot, make_batch
        self.deferred_writes: list[DeferredWrite] = []
        self._loaders: dict[Hashable, Any] = {}

    def loader(self, kind: Callable[..., LoaderT], *arguments: Hashable) -> LoaderT:
        """Return the operation's loader of that class and arguments, created on first use."""
        key = (kind, *arguments)
        if key not in self._loaders:
            self._loaders[key] = kind(self, *arguments)
        return self._loaders[key]  # type: ignore[no-any-return]  # the key contains the class

    def loaded(self, kind: Callable[..., Any], key: Hashable) -> Any:
        """Return the value that a loader without arguments has read for a key; None if there is none."""
        loader = self._loaders.get((kind,))
        return None if loader is None else loader.loaded(key)


class OperationContext(Context):
    """State of one operation: its viewer and snapshot, both of which are replaced after a mutation."""

    snapshot: ConnectionSnapshot

    def __init__(
        self, database: Database, identify: Identify, request_id: str, url_schemes: Sequence[str] = URL_SCHEMES
    ) -> None:
        """Create a context without viewer and snapshot; use `open_context`."""
        self.database, self.identify, self.request_id = database, identify, request_id
        self.url_schemes = url_schemes
        self.make_batch = TickBatch
        self.deferred_writes = []
        self._loaders = {}
        self._exit_stack = AsyncExitStack()

    async def refresh(self, viewer: Viewer | None = None) -> None:
        """Read the latest committed state, as the given viewer or, without one, as the viewer identified again."""
        await self.close()
        self.snapshot = await self._exit_stack.enter_async_context(self.database.snapshot())
        self.viewer = viewer or await self.identify(self.snapshot)

    async def close(self) -> None:
        """End the snapshot and drop the loaders."""
        self._loaders.clear()
        await self._exit_stack.aclose()


@asynccontextmanager
async def open_context(
    database: Database, identify: Identify, request_id: str, url_schemes: Sequence[str] = URL_SCHEMES
) -> AsyncIterator[OperationContext]:
    """Open the context of an operation; its snapshot ends on exit. `url_schemes` are those that URLs may have.

    Then its deferred writes are made, unless an exception ended it.
    """
    context = OperationContext(database, identify, request_id, url_schemes)
    try:
        await context.refresh()
        yield context
    finally:
        await context.close()
    await run_deferred_writes(database, context.deferred_writes)


async def run_deferred_writes(database: Database, writes: Sequence[DeferredWrite]) -> None:
    """Make the deferred writes of a query in one transaction. Raises StorageError: its response must not be sent."""
    if not writes:
        return
    async with database.write(database.operation_seconds) as connection:
        for write in writes:
            await write(connection)
