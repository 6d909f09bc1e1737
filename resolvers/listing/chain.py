"""Chains: the ids of a row in a ranked list and of the visible rows around it, which mark a place without its rank."""

import base64
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

from store.ids import ID_PREFIX_LENGTH

IDS_BEFORE = 6
IDS_AFTER = 2
_RANDOM_BYTES = 15  # in an id, see `store.ids.new_id`


class Chain(NamedTuple):
    """Row of a ranked list, and the rows on either side of it, nearest first.

    There are fewer than IDS_BEFORE or IDS_AFTER where the list begins or ends.
    """

    id: str
    before: tuple[str, ...]
    after: tuple[str, ...]

    @classmethod
    def around(cls, id_: str, before: Sequence[str], after: Sequence[str]) -> Self:
        """Return the chain of a row, given all rows around it that are known."""
        return cls(id_, tuple(before[:IDS_BEFORE]), tuple(after[:IDS_AFTER]))

    @property
    def is_at_start(self) -> bool:
        """Whether the chain reaches the start of the list."""
        return len(self.before) < IDS_BEFORE

    @property
    def is_at_end(self) -> bool:
        """Whether the chain reaches the end of the list."""
        return len(self.after) < IDS_AFTER

    def is_in_order(self, keys: Mapping[str, tuple[int, ...]], *, is_descending: bool) -> bool:
        """Return whether the row is still between its neighbours, by the current sort keys of those that are there."""
        ids = [each for each in (*self.before[:1], self.id, *self.after[:1]) if each in keys]
        return ids == sorted(ids, key=keys.__getitem__, reverse=is_descending)

    def encode(self) -> bytes:
        """Return the chain as bytes: the number of rows before, the prefix of the ids, and their random parts."""
        prefix = self.id[:ID_PREFIX_LENGTH].encode()
        return b"%c%b%b" % (
            len(self.before),
            prefix,
            b"".join(_random_part(id_) for id_ in (self.id, *self.before, *self.after)),
        )

    @classmethod
    def decode(cls, encoded: bytes) -> Self:
        """Return the chain of bytes that `encode` returned. Raises ValueError for those of an earlier version."""
        number, prefix = encoded[0], encoded[1 : 1 + ID_PREFIX_LENGTH].decode()
        if number > IDS_BEFORE:  # a JSON array begins with a greater byte
            raise ValueError("The bytes are not a chain.")
        starts = range(1 + ID_PREFIX_LENGTH, len(encoded), _RANDOM_BYTES)
        ids = [_id(prefix, encoded[start : start + _RANDOM_BYTES]) for start in starts]
        return cls(ids[0], tuple(ids[1 : 1 + number]), tuple(ids[1 + number :]))


def _random_part(id_: str) -> bytes:
    return base64.b32hexdecode(id_[ID_PREFIX_LENGTH + 1 :].upper())


def _id(prefix: str, random_part: bytes) -> str:
    return f"{prefix}_{base64.b32hexencode(random_part).decode().lower()}"
