"""The visibility index and the kept fragments of one process, and the answers that they give."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, NamedTuple

from graphql.execution.values import VariableValues

from engine import Check, LoadQueue, complete
from fragments.cache import Fragment, FragmentCache, ReferredRow
from fragments.program import Program
from fragments.run import Run
from fragments.selection import LOADERS, Selection
from permissions import Viewer
from permissions.index_rows import IndexRows, read_all, read_changed
from permissions.visibility_index import VisibilityIndex
from resolvers.context import Context, DeferredWrite, run_deferred_writes
from store.database import Database, Snapshot
from store.failure import StorageError

Identify = Callable[[Snapshot], Coroutine[Any, Any, Viewer]]
"""Function that returns the viewer as of a snapshot, or raises the error of a request without a valid viewer."""

Read = Callable[[Callable[[], Coroutine[Any, Any, Any]]], Coroutine[Any, Any, Any]]
"""Function that runs a slow read, and returns its result."""

MAX_ATTEMPTS = 4
"""How often an answer is tried while others write, before the engine gives it."""

MAX_CHANGES = 2_000
"""Most objects whose changes an operation waits for. After more of them, the index is built again in the background."""

RETRY_SECONDS = 10
"""How long to wait after the index could not be built."""

FRAGMENT_BYTES = 64 * 1024 * 1024

_log = logging.getLogger(__name__)


class Memory:
    """Answers of one process from memory. Everything but reading runs in the thread of the event loop."""

    def __init__(self, database: Database, max_bytes: int = FRAGMENT_BYTES) -> None:
        """Take the database, and the most memory for fragments. The index is built by `start`."""
        self._database, self._cache = database, FragmentCache(max_bytes)
        self._index: VisibilityIndex | None = None
        self._building: asyncio.Task[None] | None = None
        self._catching_up: asyncio.Task[None] | None = None
        self._next_build = 0.0

    def start(self) -> None:
        """Build the index in the background, unless that is going on or failed just now.

        Until it is built, nothing is answered from memory.
        """
        is_building = self._building is not None and not self._building.done()
        if not is_building and time.monotonic() >= self._next_build:
            self._building = asyncio.create_task(self._build())

    async def refresh(self) -> None:
        """Build the index unless there is one, and bring it to the latest version."""
        if self._index is None:
            self.start()
        if self._building is not None:
            await self._building
        await self._catch_up()

    def forget_fragments(self) -> None:
        """Drop all fragments."""
        self._cache.clear()

    async def stop(self) -> None:
        """End the background work."""
        for task in (self._building, self._catching_up):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        self._index = None

    async def answer(
        self, program: Program, variables: VariableValues, identify: Identify, check: Check, read: Read
    ) -> bytes | None:
        """Return the body of the response; None if the engine has to execute the operation.

        Everything that has to be read is read by `read`. Raises what `identify` does, and what `read`, the engine and
        its `check` raise.
        """
        for _ in range(MAX_ATTEMPTS):
            index = self._index
            if index is None:
                self.start()
                return None
            viewer = await self._database.read_one(identify)
            if self._index is not index or viewer.row_version != index.version:
                await self._catch_up()
                continue
            run = Run(viewer, index.sight(viewer), self._cache, variables, check)
            body = program.render(run)
            if run.is_complete:
                return body
            found = await read(partial(self._database.read, partial(read_missing, run=run, identify=identify)))
            completed = self._complete(program, run, index, found)
            if completed is not None:
                await run_deferred_writes(self._database, found.deferred_writes)
                return completed
        return None

    async def members_of(self, viewer: Viewer, collection_pk: int, version: int) -> "MembersAt | None":
        """Return the assets of a collection that a member sees, not before a version; None without an index."""
        if self._index is not None and self._index.version < version:
            await self._catch_up()
        index = self._index
        if index is None:
            self.start()
            return None
        return MembersAt(viewer, index.version, index.members_of(viewer, collection_pk))

    def _complete(self, program: Program, run: Run, index: VisibilityIndex, found: "_Found") -> bytes | None:
        """Keep what was missing for a run, and run the program again; None if others wrote meanwhile."""
        versions = {index.version, run.viewer.row_version, found.viewer.row_version}
        if len(versions) > 1 or found.viewer != run.viewer or self._index is not index:
            return None
        for selection, read in found.fragments:
            for pk, fragment, referred_rows in read:
                self._cache.keep(run.key(selection, pk), pk, fragment, referred_rows)
        second = Run(run.viewer, run.sight, self._cache, run.variables, run.check)
        second.remaining_data = found.remaining_data
        body = program.render(second)
        return body if second.is_complete else None

    async def _catch_up(self) -> None:
        """Bring the index to the latest version; operations that wait for it share one reading."""
        if self._catching_up is None or self._catching_up.done():
            self._catching_up = asyncio.create_task(self._follow())
        await asyncio.shield(self._catching_up)

    async def _follow(self) -> None:
        index = self._index
        if index is None:
            return
        rows = await self._database.read(lambda snapshot: read_changed(snapshot, index.version, MAX_CHANGES))
        if self._index is not index:
            return  # it was built again meanwhile
        if rows is None or rows.version < index.version:  # lower after a backup was restored
            self._index = None
            self.start()
        else:
            self._apply(index, rows)

    def _apply(self, index: VisibilityIndex, rows: IndexRows) -> None:
        try:
            self._cache.forget(rows.changed, index.update(rows))
        except BaseException:
            self._index = None  # it may be half changed
            raise

    async def _build(self) -> None:
        try:
            rows = await self._database.read(read_all)
            index = await asyncio.to_thread(VisibilityIndex, rows)
            self._cache.clear()
            self._index = index
        except StorageError as error:
            self._next_build = time.monotonic() + RETRY_SECONDS
            _log.warning("The index waits for the database: %s", error)
        except Exception:  # noqa: BLE001 - the engine answers without the index
            self._next_build = time.monotonic() + RETRY_SECONDS
            _log.exception("The index cannot be built. Queries are executed without it.")


class MembersAt(NamedTuple):
    """Assets of a collection that a viewer sees at a version of the database."""

    viewer: Viewer
    version: int
    members: Sequence[tuple[str, int]]
    """Ids and times of addition, in the order of the collection."""

    def are_right_for(self, viewer: Viewer) -> bool:
        """Return whether the viewer of a snapshot is the same, and nothing was written between the two."""
        return (self.viewer, self.version) == (viewer, viewer.row_version)


class _Found(NamedTuple):
    """What was missing for a run, as of a snapshot."""

    viewer: Viewer
    fragments: Sequence[tuple[Selection, Sequence[tuple[int, Fragment, Sequence[ReferredRow]]]]]
    remaining_data: dict[str, Any] | None
    deferred_writes: Sequence[DeferredWrite]


async def read_missing(snapshot: Snapshot, run: Run, identify: Identify) -> _Found:
    """Read what is missing for a run, as of the snapshot."""
    viewer = await identify(snapshot)
    fragments = []
    for selection, pks in run.missing.items():
        queue = LoadQueue()
        context = Context(viewer, snapshot, queue.batch)
        rows = await context.loader(LOADERS[selection.of], *selection.columns).fetch(list(pks))
        data = await complete(selection.fields, list(rows.values()), context, run.variables, queue, check=run.check)
        read = [
            (pk, selection.fragment(each), list(selection.referred_rows(row, context)))
            for (pk, row), each in zip(rows.items(), data, strict=True)
        ]
        fragments.append((selection, read))
    remaining_data, writes = None, list[DeferredWrite]()
    if run.remainder is not None:
        queue = LoadQueue()
        context = Context(viewer, snapshot, queue.batch)
        (remaining_data,) = await complete(run.remainder, [None], context, run.variables, queue, check=run.check)
        writes = context.deferred_writes
    return _Found(viewer, fragments, remaining_data, writes)
