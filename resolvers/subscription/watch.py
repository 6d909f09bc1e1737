"""Watches: the state at a subscriber's last event, and the next event with the difference."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence, Sized
from hashlib import blake2b
from threading import Lock
from typing import Any, Final, Protocol, TypeVar

import orjson

from resolvers.context import Context
from resolvers.limits import LIMITS
from resolvers.listing.listing import MAX_PAGE_SIZE
from store.recent_writes import RecentWrites

MAX_OBJECTS: Final = MAX_PAGE_SIZE
"""Most new objects in an event. A larger difference is an event that says to read the list again."""

MAX_REMOVED: Final = LIMITS.inline_bulk_items
"""Most removed ids in an event."""

DIGEST_BYTES: Final = 16

KnownMembers = Sequence[tuple[str, int]]
"""Ids of assets, and when they were added, in the order of the collection."""

S = TypeVar("S", bound=Sized)


class Event(Protocol):
    """Root value of a subscription's operation, which is executed once for each event."""

    @property
    def is_last(self) -> bool:
        """Whether no other event can follow."""


class Watch(Protocol):
    """One subscription of one viewer."""

    needs_every_look: bool
    """Whether it depends on writes that do not change the revision of the database."""

    def is_concerned(self, writes: RecentWrites, since: int) -> bool:
        """Return whether writes since a row version may cause an event, as far as the viewer is the same."""

    @property
    def collection_pk(self) -> int | None:
        """Collection whose visible assets `look` needs; None for none, or if it does not know it yet."""

    async def look(self, context: Context, members: KnownMembers | None = None, /) -> Event | None:
        """Return the event since the last one that was accepted; None if the viewer sees no difference.

        `members` are the visible assets of the collection as of the snapshot, if they are known. Else it reads them.
        Awaits nothing but statements of the snapshot, since it may run in a thread.
        Raises OperationError(BAD_CURSOR) for a cursor to resume from that is not the viewer's.
        """

    def accept(self, event: Any) -> None:
        """Take an event as delivered: the next look compares with its state."""


class States:
    """States that cursors of this process stand for, so that a client that resumes here misses nothing.

    Equal states are one object, so that subscribers with the same sight share the memory. The oldest are dropped first.
    Several threads may call the methods.
    """

    def __init__(self, max_items: int = 1_000_000) -> None:
        """Take the greatest number of objects in all states together, which takes 200 bytes each."""
        self._max_items, self._items = max_items, 0
        self._lock = Lock()
        self._states: OrderedDict[tuple[str, Hashable], Any] = OrderedDict()

    def share(self, scope: str, content: Hashable, build: Callable[[], S]) -> S:
        """Return the state with this content that is kept, or build and keep it."""
        key = (scope, content)
        with self._lock:
            state: S | None = self._states.pop(key, None)
            if state is None:
                state = build()
                self._items += len(state)
            self._states[key] = state
            while self._items > self._max_items:
                self._items -= len(self._states.popitem(last=False)[1])
        return state

    def find(self, scope: str, content: Hashable) -> Any:
        """Return the state; None if it is not kept."""
        return self._states.get((scope, content))


def is_too_large(new: Sequence[str], removed: Sequence[str]) -> bool:
    """Return whether a difference has too many ids for an event."""
    return len(new) > MAX_OBJECTS or len(removed) > MAX_REMOVED


def digest(items: Any) -> str:
    """Return the digest of items, which JSON can hold."""
    return blake2b(orjson.dumps(items, default=tuple), digest_size=DIGEST_BYTES).hexdigest()
