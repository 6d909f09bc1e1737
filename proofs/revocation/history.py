"""This file is the judge of what readers saw while others gave and took back: a pure function of the history."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

AROUND = 8
"""Events told before and after one that must not be."""


class Deed(StrEnum):
    """What an event was."""

    GAVE = "gave"
    TOOK = "took back"
    SAW = "saw"
    MISSED = "did not see"
    FAILED = "was not answered"


@dataclass(frozen=True)
class Event:
    """What one client did, from before it sent the request until it had the answer, in seconds of one clock."""

    began: float
    ended: float
    sight: str  # what is given, taken back and looked for; one writer at a time changes it
    deed: Deed
    server: str  # that was asked; for what is written in the database, whichever
    told: str  # where it was looked for


def contradiction(history: Sequence[Event]) -> Event | None:
    """Return a read that tells otherwise than the last write that ended before it began, or None.

    A read that a write overlaps may tell either, but none may fail. Before its first write a sight is not there.
    """
    for last, read in _decided(history):
        expected = Deed.SAW if last and last.deed is Deed.GAVE else Deed.MISSED
        if read.deed is not expected:
            return read
    return next((event for event in history if event.deed is Deed.FAILED), None)


def witnessed(history: Sequence[Event]) -> int:
    """Return how many times a sight was taken back that each server was asked for, both before and after."""
    servers_after: dict[Event, set[str]] = defaultdict(set)
    for last, read in _decided(history):
        if last:
            servers_after[last].add(read.server)
    everywhere = {event.server for event in history if not _is_write(event)}
    return sum(
        (gave.deed, took.deed) == (Deed.GAVE, Deed.TOOK) and servers_after[gave] == servers_after[took] == everywhere
        for of_one in _by_sight(history).values()
        for gave, took in pairwise(filter(_is_write, of_one))
    )


def around(history: Sequence[Event], event: Event) -> str:
    """Return the event and those of its sight around it, a line each, from the last two writes before it on."""
    of_one = _by_sight(history)[event.sight]
    at = of_one.index(event)
    start = max(at - AROUND, 0)
    told = [*[each for each in of_one[:start] if _is_write(each)][-2:], *of_one[start : at + AROUND + 1]]
    return "\n".join(_line(each, told[0].began, ">" if each is event else " ") for each in told)


def _decided(history: Sequence[Event]) -> Iterator[tuple[Event | None, Event]]:
    """Yield each read that no write of its sight overlaps, after the last write before it, if any."""
    for of_one in _by_sight(history).values():
        writes = [event for event in of_one if _is_write(event)]
        for read in of_one:
            if _is_write(read) or any(write.began <= read.ended and write.ended >= read.began for write in writes):
                continue
            yield next((write for write in reversed(writes) if write.ended < read.began), None), read


def _by_sight(history: Sequence[Event]) -> dict[str, list[Event]]:
    """Return the events of each sight, as they began."""
    of_sight: dict[str, list[Event]] = defaultdict(list)
    for event in sorted(history, key=lambda event: event.began):
        of_sight[event.sight].append(event)
    return of_sight


def _is_write(event: Event) -> bool:
    return event.deed in (Deed.GAVE, Deed.TOOK)


def _line(event: Event, start: float, mark: str) -> str:
    span = f"{(event.began - start) * 1000:9.3f} to {(event.ended - start) * 1000:9.3f} ms"
    return f"{mark} {span}  {event.server}: {event.deed} {event.sight}" + (f": {event.told}" if event.told else "")
