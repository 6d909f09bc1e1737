"""Loads: values by key that resolvers await, and that are read together for all resolvers of a level."""

from collections.abc import Awaitable, Callable, Coroutine, Generator, Hashable, Iterable, Sequence
from inspect import iscoroutine
from typing import Any, Generic, TypeVar

from engine.error import UnsupportedError

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
Fetch = Callable[[list[K]], Awaitable[Sequence[V]]]
"""Function that reads a value for each key, in their order; an exception among the values is raised where awaited."""


class Load(Generic[V]):
    """Value of one key, to be awaited; any number of resolvers may await it."""

    __slots__ = ("is_read", "value")

    def __init__(self) -> None:
        """Create a load whose batch sets the value."""
        self.value: Any = None
        self.is_read = False

    def __await__(self) -> Generator["Load[V]", None, V]:
        """Suspend until the value is read."""
        if not self.is_read:
            yield self
        return self.result()

    def result(self) -> V:
        """Return the value that was read; raise it if it is an exception."""
        if isinstance(self.value, BaseException):
            raise self.value
        value: V = self.value
        return value


class LoadMany(Generic[V]):
    """Values of several keys, to be awaited."""

    __slots__ = ("loads",)

    def __init__(self, loads: Sequence[Load[V]]) -> None:
        """Take the loads of the keys, in their order."""
        self.loads = loads

    def __await__(self) -> Generator[Load[V], None, list[V]]:
        """Suspend until all values are read."""
        for load in self.loads:
            if not load.is_read:
                yield load
        return [load.result() for load in self.loads]


class Batch(Generic[K, V]):
    """Values of one kind, each read once: keys that are asked for before the next read are read together."""

    __slots__ = ("_asked", "_fetch", "_loads", "_queue")

    def __init__(self, fetch: Fetch[K, V], queue: "LoadQueue") -> None:
        """Take the function that reads values, and the queue that calls it."""
        self._fetch, self._queue = fetch, queue
        self._loads: dict[K, Load[V]] = {}
        self._asked: list[K] = []

    def load(self, key: K) -> Load[V]:
        """Return the load of the key, the same for equal keys."""
        load = self._loads.get(key)
        if load is None:
            load = self._loads[key] = Load()
            if not self._asked:
                self._queue.add(self)
            self._asked.append(key)
        return load

    def loaded(self, key: K) -> V | None:
        """Return the value of a key that was read; None for any other key."""
        load = self._loads.get(key)
        return None if load is None else load.result()

    def load_many(self, keys: Iterable[K]) -> LoadMany[V]:
        """Return the loads of the keys."""
        return LoadMany([self.load(key) for key in keys])

    async def read(self) -> None:
        """Read the values of all keys that were asked for."""
        asked, self._asked = self._asked, []
        for key, value in zip(asked, await self._fetch(asked), strict=True):
            load = self._loads[key]
            load.value, load.is_read = value, True


class LoadQueue:
    """The batches of one operation that have keys to read."""

    __slots__ = ("_batches",)

    def __init__(self) -> None:
        """Create an empty queue."""
        self._batches: list[Batch[Any, Any]] = []

    def batch(self, fetch: Fetch[K, V]) -> Batch[K, V]:
        """Return a new batch of this queue."""
        return Batch(fetch, self)

    def add(self, batch: Batch[Any, Any]) -> None:
        """Read the batch with the next read."""
        self._batches.append(batch)

    async def read(self) -> None:
        """Read everything that was asked for. Raises UnsupportedError if that is nothing: nobody could go on."""
        batches, self._batches = self._batches, []
        if not batches:
            raise UnsupportedError("Resolvers wait for loads of another queue.")
        for batch in batches:
            await batch.read()


class Column:
    """Values of one field of several objects; each awaitable among them is replaced by its value when it is there."""

    __slots__ = ("_loads", "_waiting", "values")

    def __init__(self, values: list[Any]) -> None:
        """Take values and awaitables."""
        self.values = values
        self._loads = [index for index, value in enumerate(values) if value.__class__ is Load]
        self._waiting = [
            _Waiting(values, index, value)
            for index, value in enumerate(values)
            if value.__class__ is LoadMany or iscoroutine(value)
        ]

    def advance(self) -> bool:
        """Go on as far as the loads that are read allow; return whether all values are there.

        Raises UnsupportedError for an awaitable that waits for anything but loads, and what an awaitable raises.
        """
        if self._loads and all(self.values[index].is_read for index in self._loads):
            for index in self._loads:
                self.values[index] = self.values[index].result()
            self._loads = []
        self._waiting = [each for each in self._waiting if not each.advance()]
        return not (self._loads or self._waiting)

    def close(self) -> None:
        """Drop the awaitables that are not finished."""
        for each in self._waiting:
            each.close()


class _Waiting:
    """An awaitable in a column."""

    __slots__ = ("_column", "_coroutine", "_index", "_load")

    def __init__(self, column: list[Any], index: int, value: Any) -> None:
        self._column, self._index = column, index
        self._coroutine: Coroutine[Any, Any, Any] | Generator[Any, None, Any] = (
            value if iscoroutine(value) else value.__await__()
        )
        self._load: Load[Any] | None = None

    def advance(self) -> bool:
        """Go on as far as the loads that are read allow; return whether the value is there."""
        if self._load is not None and not self._load.is_read:
            return False
        try:
            while True:
                load = self._coroutine.send(None)
                if not isinstance(load, Load):
                    raise UnsupportedError("A resolver awaits something other than a load.")
                if not load.is_read:
                    self._load = load
                    return False
        except StopIteration as finished:
            self._column[self._index] = finished.value
            return True

    def close(self) -> None:
        """Drop the awaitable."""
        self._coroutine.close()
