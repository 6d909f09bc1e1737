"""Rate limits of one process: token buckets of users and of addresses, in points of static cost."""

from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from threading import Lock
from time import monotonic_ns
from typing import Final

from resolvers.limits import Rate

MAX_BUCKETS: Final = 10_000
"""Most buckets of a kind that are kept. Full ones need not be, and few are not full: see the decision."""

MAX_ADDRESS_CHARACTERS: Final = 45
_CACHED_ADDRESSES: Final = 4_096
_NETWORK_BYTES: Final = 8  # of a /64, the network of one subscriber
_SECOND: Final = 1_000_000_000

Clock = Callable[[], int]
"""Returns nanoseconds, never fewer than before."""


class Buckets:
    """Token buckets of equal rate, by key.

    A bucket is one number: the time at which it will be full (generic cell rate algorithm). So it needs no timer, and
    its integers make `Retry-After` exact. Work that is done before its cost is known can leave it in debt, by the
    points of one second. Several threads may call the methods.
    """

    def __init__(self, rate: Rate, clock: Clock) -> None:
        """Take the rate and the clock. All buckets are full."""
        self.rate = rate
        self._clock, self._lock = clock, Lock()
        self._point = _SECOND // rate.points
        self._whole = rate.burst * self._point
        self._debt = rate.points * self._point
        self._full_at: dict[str | bytes, int] = {}

    def __len__(self) -> int:
        """Return the number of buckets that are kept."""
        return len(self._full_at)

    def count_left(self, key: str | bytes) -> int:
        """Return the number of points in a bucket."""
        used = max(self._full_at.get(key, 0) - self._clock(), 0)
        return max(self._whole - used, 0) // self._point

    def has_credit(self, key: str | bytes) -> bool:
        """Return whether a point can be taken, perhaps as a debt."""
        return self._after(key, 1)[1] <= self._debt

    def seconds_until(self, key: str | bytes, points: int) -> int:
        """Return after how many whole seconds the points can be taken; 0 for now."""
        return _whole_seconds(self._after(key, points)[1])

    def take(self, key: str | bytes, points: int) -> int:
        """Take points, a whole bucket at most, and return 0.

        If there are not enough, take none, and return after how many whole seconds there are.
        """
        with self._lock:
            full_at, missing = self._after(key, points)
            if missing <= 0:
                self._set(key, full_at)
        return _whole_seconds(missing)

    def take_up_to(self, key: str | bytes, points: int) -> None:
        """Take points, also as a debt, or those that can be taken."""
        with self._lock:
            full_at, missing = self._after(key, points)
            self._set(key, full_at - max(missing - self._debt, 0))

    def give_back(self, key: str | bytes, points: int) -> None:
        """Put back points that were taken."""
        with self._lock:
            if key in self._full_at:
                self._full_at[key] -= min(points, self.rate.burst) * self._point

    def _after(self, key: str | bytes, points: int) -> tuple[int, int]:
        """Return when the bucket is full once the points are taken, and the time that is missing until they can be."""
        now = self._clock()
        full_at = max(self._full_at.get(key, 0), now) + min(points, self.rate.burst) * self._point
        return full_at, full_at - now - self._whole

    def _set(self, key: str | bytes, full_at: int) -> None:
        self._full_at[key] = full_at
        if len(self._full_at) > MAX_BUCKETS:
            self._drop()

    def _drop(self) -> None:
        """Drop the full buckets, and the fullest ones if more than half of all are left."""
        now = self._clock()
        left = [(full_at, key) for key, full_at in self._full_at.items() if full_at > now]
        left.sort(key=lambda bucket: bucket[0])
        self._full_at = {key: full_at for full_at, key in left[-MAX_BUCKETS // 2 :]}


class RateLimit:
    """Buckets of users, by their id, and of addresses, for visitors and for requests whose viewer is not known."""

    def __init__(self, rate: Rate, clock: Clock = monotonic_ns) -> None:
        """Take the rate of a user, and the clock."""
        self.users = Buckets(rate, clock)
        self.addresses = Buckets(rate.of_visitors(), clock)


@lru_cache(_CACHED_ADDRESSES)
def address_key(host: str) -> bytes:
    """Return the key of a client's address: IPv4 addresses one by one, IPv6 by their /64.

    A host that is no address, such as that of a Unix socket, has an empty key.
    """
    try:
        address = ip_address(host[: MAX_ADDRESS_CHARACTERS + 1])
    except ValueError:
        return b""
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped.packed if address.ipv4_mapped else address.packed[:_NETWORK_BYTES]
    return address.packed


def _whole_seconds(nanoseconds: int) -> int:
    return max(-(-nanoseconds // _SECOND), 0)
