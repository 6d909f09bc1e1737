"""Owners of tokens that this process has seen: so that a user's limits hold for all tokens of that user."""

from threading import Lock
from typing import Final

MAX_TOKENS: Final = 4_096
"""Most tokens that are kept; the oldest is dropped first."""


class TokenOwners:
    """Ids of users by the `Authorization` header that named them last.

    They say whose limits apply before the database is asked, which then decides whether the token is valid. Several
    threads may call the methods.
    """

    def __init__(self) -> None:
        """Know no token."""
        self._lock = Lock()
        self._owners: dict[bytes, str] = {}

    def get(self, authorization: bytes) -> str | None:
        """Return the id of the token's user; None if it is not known."""
        return self._owners.get(authorization)

    def add(self, authorization: bytes, user: str) -> None:
        """Remember the user of a valid token."""
        with self._lock:
            self._owners[authorization] = user
            if len(self._owners) > MAX_TOKENS:
                del self._owners[next(iter(self._owners))]

    def discard(self, authorization: bytes) -> None:
        """Forget a token that is not valid any more."""
        with self._lock:
            self._owners.pop(authorization, None)
