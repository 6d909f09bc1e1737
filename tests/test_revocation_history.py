"""This file is histories written by hand: which of them the judge of revocations lets pass, and why not the others."""

import pytest

from proofs.revocation.history import Deed, Event, around, contradiction, witnessed

DEEDS = {"gave": Deed.GAVE, "took": Deed.TOOK, "saw": Deed.SAW, "missed": Deed.MISSED, "failed": Deed.FAILED}


def history(*lines: str) -> list[Event]:
    """Return the events: when each began and ended, what it was, its server, and its sight if there are several."""
    return [_event(*line.split()) for line in lines]


def _event(began: str, ended: str, deed: str, server: str, sight: str = "align") -> Event:
    return Event(float(began), float(ended), sight, DEEDS[deed], server, "told")


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("0 1 missed a",),
        ("0 1 gave a", "2 3 saw b", "4 5 took a", "6 7 missed b"),
        ("0 1 gave a", "2 4 saw b", "3 5 took a", "4 6 missed b"),  # a read that a write overlaps may tell either
        ("0 1 gave a", "2 4 missed b", "3 5 took a", "4 6 saw b"),
        ("0 1 gave a", "2 9 took a", "3 4 missed b", "5 6 saw b"),
        ("0 1 gave a", "2 9 missed b", "3 4 took a"),
        ("0 1 gave a", "2 3 took a", "4 6 saw b", "5 7 gave a"),
        ("0 1 gave a align", "2 3 took a align", "0 1 gave b blast", "4 5 saw a blast", "4 5 missed a align"),
        ("6 7 missed b", "2 3 saw b", "0 1 gave a", "4 5 took a"),  # in whatever order they were written down
    ],
)
def test_a_history_in_which_each_read_tells_of_the_last_write_has_no_contradiction(lines: tuple[str, ...]) -> None:
    assert contradiction(history(*lines)) is None


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        (("0 1 gave a", "2 3 took a", "4 5 saw b"), 2),
        (("0 1 gave a", "2 3 took a", "4 5 missed a", "4 5 saw b"), 3),
        (("0 1 gave a", "2 3 took a", "4 5 saw b", "6 7 gave a"), 2),
        (("0 1 gave a", "2 3 took a", "3.1 9 saw b"), 2),
        (("0 1 gave a", "2 3 missed b"), 1),
        (("0 1 saw a",), 0),
        (("0 1 saw a", "2 3 gave b"), 0),
        (("0 1 gave a", "2 3 took a", "4 5 gave a", "6 7 took a", "8 9 missed a", "10 11 saw b"), 5),
        (("0 1 gave a align", "2 3 took a align", "0 1 gave b blast", "4 5 saw a align"), 3),
        (("0 9 gave a", "1 2 failed b"), 1),  # a read that is not answered is wrong at any time
    ],
)
def test_a_read_that_tells_of_what_was_before_is_found(lines: tuple[str, ...], wrong: int) -> None:
    events = history(*lines)
    assert contradiction(events) is events[wrong]


@pytest.mark.parametrize(
    ("lines", "count"),
    [
        ((), 0),
        (("0 1 gave a", "2 3 saw a", "4 5 took a", "6 7 missed a"), 1),
        (("0 1 gave a", "2 3 saw a", "2 3 saw b", "4 5 took a", "6 7 missed a", "6 7 missed b"), 1),
        (("0 1 gave a", "2 3 saw a", "2 3 saw b", "4 5 took a", "6 7 missed a"), 0),  # nobody asked b after it
        (("0 1 gave a", "2 3 saw a", "4 5 took a", "6 7 missed a", "6 7 missed b"), 0),  # nor here before
        (("0 1 gave a", "2 3 saw a", "4 6 took a", "5 7 missed a"), 0),  # a read during it witnesses nothing
        (("0 1 took a", "2 3 missed a"), 0),
        (("0 1 gave a", "2 3 saw a", "4 5 took a", "6 7 missed a", "8 9 gave a"), 1),
    ],
)
def test_what_was_taken_back_counts_when_each_server_was_asked_before_and_after(
    lines: tuple[str, ...], count: int
) -> None:
    assert witnessed(history(*lines)) == count


def test_a_contradiction_is_told_with_what_happened_around_it() -> None:
    events = history("1 1.001 gave a", "1.5 1.75 took b", "1.6 1.8 saw a", "2 2.5 saw b", "3 4 gave a blast")
    assert around(events, events[3]) == (
        "      0.000 to     1.000 ms  a: gave align: told\n"
        "    500.000 to   750.000 ms  b: took back align: told\n"
        "    600.000 to   800.000 ms  a: saw align: told\n"
        ">  1000.000 to  1500.000 ms  b: saw align: told"
    )
