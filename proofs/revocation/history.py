"""Search of a history of concurrent reads and writes for reads that contradict acknowledged writes."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

CONTEXT = 8
"""Number of events shown before and after a contradiction."""


class Kind(StrEnum):
    """Kind of an event: a write that grants or revokes, or a read with its outcome."""

    GRANTED = "granted"
    REVOKED = "revoked"
    VISIBLE = "saw"
    HIDDEN = "did not see"
    FAILED = "failed to read"


@dataclass(frozen=True)
class Event:
    """Request of one client, from before sending it until its response, in seconds of one clock."""

    began: float
    ended: float
    access: str  # granted and revoked by one writer at a time
    kind: Kind
    server: str  # arbitrary for writes to the database
    detail: str  # operation of a read


def find_contradiction(history: Sequence[Event]) -> Event | None:
    """Return a read that disagrees with the last write before it, or None.

    A read that overlaps a write may see either state, but no read may fail. An access is initially revoked.
    """
    for last, read in _determined_reads(history):
        expected = Kind.VISIBLE if last and last.kind is Kind.GRANTED else Kind.HIDDEN
        if read.kind is not expected:
            return read
    return next((event for event in history if event.kind is Kind.FAILED), None)


def count_confirmed(history: Sequence[Event]) -> int:
    """Return the number of revocations that reads confirmed on every server.

    Each server must have a read between the grant and the revocation, and another one after the revocation.
    """
    servers_after: dict[Event, set[str]] = defaultdict(set)
    for last, read in _determined_reads(history):
        if last:
            servers_after[last].add(read.server)
    everywhere = {event.server for event in history if not _is_write(event)}
    return sum(
        (granted.kind, revoked.kind) == (Kind.GRANTED, Kind.REVOKED)
        and servers_after[granted] == servers_after[revoked] == everywhere
        for events in _events_by_access(history).values()
        for granted, revoked in pairwise(filter(_is_write, events))
    )


def format_context(history: Sequence[Event], event: Event) -> str:
    """Format the event and the neighbouring events of its access, one per line.

    Up to two writes that precede all of these are shown first.
    """
    events = _events_by_access(history)[event.access]
    index = events.index(event)
    start = max(index - CONTEXT, 0)
    last_writes = [earlier for earlier in events[:start] if _is_write(earlier)][-2:]
    shown = [*last_writes, *events[start : index + CONTEXT + 1]]
    return "\n".join(_format_event(other, shown[0].began, ">" if other is event else " ") for other in shown)


def _determined_reads(history: Sequence[Event]) -> Iterator[tuple[Event | None, Event]]:
    """Yield each read that no write of its access overlaps, with the last write before it or None."""
    for events in _events_by_access(history).values():
        writes = [event for event in events if _is_write(event)]
        for read in events:
            if _is_write(read) or any(write.began <= read.ended and write.ended >= read.began for write in writes):
                continue
            yield next((write for write in reversed(writes) if write.ended < read.began), None), read


def _events_by_access(history: Sequence[Event]) -> dict[str, list[Event]]:
    """Return the events of each access, in the order in which they began."""
    events_by_access: dict[str, list[Event]] = defaultdict(list)
    for event in sorted(history, key=lambda event: event.began):
        events_by_access[event.access].append(event)
    return events_by_access


def _is_write(event: Event) -> bool:
    return event.kind in (Kind.GRANTED, Kind.REVOKED)


def _format_event(event: Event, start: float, mark: str) -> str:
    span = f"{(event.began - start) * 1000:9.3f} to {(event.ended - start) * 1000:9.3f} ms"
    return f"{mark} {span}  {event.server}: {event.kind} {event.access}" + (f": {event.detail}" if event.detail else "")
