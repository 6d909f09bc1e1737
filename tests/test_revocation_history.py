"""Handwritten histories of revocations: contradictions are found in them, and allowed overlaps are not."""

import pytest

from proofs.revocation.history import Event, Kind, count_confirmed, find_contradiction, format_context

KINDS = {
    "grant": Kind.GRANTED,
    "revoke": Kind.REVOKED,
    "saw": Kind.VISIBLE,
    "missed": Kind.HIDDEN,
    "failed": Kind.FAILED,
}


def history(*lines: str) -> list[Event]:
    """Parse events: start, end, kind, server, and optionally the access."""
    return [_event(*line.split()) for line in lines]


def _event(began: str, ended: str, kind: str, server: str, access: str = "align") -> Event:
    return Event(float(began), float(ended), access, KINDS[kind], server, "query")


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("0 1 missed a",),
        ("0 1 grant a", "2 3 saw b", "4 5 revoke a", "6 7 missed b"),
        (
            "0 1 grant a",
            "2 4 saw b",
            "3 5 revoke a",
            "4 6 missed b",
        ),  # a read that overlaps a write may see either state
        ("0 1 grant a", "2 4 missed b", "3 5 revoke a", "4 6 saw b"),
        ("0 1 grant a", "2 9 revoke a", "3 4 missed b", "5 6 saw b"),
        ("0 1 grant a", "2 9 missed b", "3 4 revoke a"),
        ("0 1 grant a", "2 3 revoke a", "4 6 saw b", "5 7 grant a"),
        ("0 1 grant a align", "2 3 revoke a align", "0 1 grant b blast", "4 5 saw a blast", "4 5 missed a align"),
        ("6 7 missed b", "2 3 saw b", "0 1 grant a", "4 5 revoke a"),  # events in any order
    ],
)
def test_a_history_whose_reads_agree_with_the_last_write_has_no_contradiction(lines: tuple[str, ...]) -> None:
    assert find_contradiction(history(*lines)) is None


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        (("0 1 grant a", "2 3 revoke a", "4 5 saw b"), 2),
        (("0 1 grant a", "2 3 revoke a", "4 5 missed a", "4 5 saw b"), 3),
        (("0 1 grant a", "2 3 revoke a", "4 5 saw b", "6 7 grant a"), 2),
        (("0 1 grant a", "2 3 revoke a", "3.1 9 saw b"), 2),
        (("0 1 grant a", "2 3 missed b"), 1),
        (("0 1 saw a",), 0),
        (("0 1 saw a", "2 3 grant b"), 0),
        (("0 1 grant a", "2 3 revoke a", "4 5 grant a", "6 7 revoke a", "8 9 missed a", "10 11 saw b"), 5),
        (("0 1 grant a align", "2 3 revoke a align", "0 1 grant b blast", "4 5 saw a align"), 3),
        (("0 9 grant a", "1 2 failed b"), 1),  # a failed read is always wrong
    ],
)
def test_a_read_that_disagrees_with_the_last_write_is_found(lines: tuple[str, ...], wrong: int) -> None:
    events = history(*lines)
    assert find_contradiction(events) is events[wrong]


@pytest.mark.parametrize(
    ("lines", "count"),
    [
        ((), 0),
        (("0 1 grant a", "2 3 saw a", "4 5 revoke a", "6 7 missed a"), 1),
        (("0 1 grant a", "2 3 saw a", "2 3 saw b", "4 5 revoke a", "6 7 missed a", "6 7 missed b"), 1),
        (("0 1 grant a", "2 3 saw a", "2 3 saw b", "4 5 revoke a", "6 7 missed a"), 0),  # no read at b afterwards
        (("0 1 grant a", "2 3 saw a", "4 5 revoke a", "6 7 missed a", "6 7 missed b"), 0),  # no read at b before
        (("0 1 grant a", "2 3 saw a", "4 6 revoke a", "5 7 missed a"), 0),  # a read during the write confirms nothing
        (("0 1 revoke a", "2 3 missed a"), 0),
        (("0 1 grant a", "2 3 saw a", "4 5 revoke a", "6 7 missed a", "8 9 grant a"), 1),
    ],
)
def test_a_revocation_counts_if_each_server_was_read_before_and_after_it(lines: tuple[str, ...], count: int) -> None:
    assert count_confirmed(history(*lines)) == count


def test_a_contradiction_is_reported_with_the_events_around_it() -> None:
    events = history("1 1.001 grant a", "1.5 1.75 revoke b", "1.6 1.8 saw a", "2 2.5 saw b", "3 4 grant a blast")
    assert format_context(events, events[3]) == (
        "      0.000 to     1.000 ms  a: granted align: query\n"
        "    500.000 to   750.000 ms  b: revoked align: query\n"
        "    600.000 to   800.000 ms  a: saw align: query\n"
        ">  1000.000 to  1500.000 ms  b: saw align: query"
    )
