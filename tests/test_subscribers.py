"""A small part of the proof of many subscribers, and faults that the proof must find."""

import random

import pytest

from proofs.databases import Databases
from proofs.proof import BrokenPromiseError
from proofs.subscribers.subscriber import Subscriber
from proofs.subscribers.trial import Sizes, run_trial

SMALL = Sizes(subscribers=20, silent=2, events=8)


async def test_no_event_is_lost_or_doubled(databases: Databases) -> None:
    assert await run_trial(databases, random.randrange(1 << 32), SMALL) >= SMALL.subscribers


EVENTS = [
    ({"reload": True}, "an event says to reload the list"),
    ({"addedEdges": [{"node": {"id": "known"}}]}, "assets were added twice: {'known'}"),
    ({"removedAssetIds": ["unknown"]}, "assets were removed that were not there, or twice: {'unknown'}"),
]


@pytest.mark.parametrize(("event", "fault"), EVENTS)
def test_an_event_that_may_not_come_is_found(event: dict[str, object], fault: str) -> None:
    subscriber = Subscriber([], "", "", random.Random())
    subscriber.apply(message(reload=True))
    subscriber.apply(message(addedEdges=[{"node": {"id": "known"}}]))
    with pytest.raises(BrokenPromiseError, match=fault):
        subscriber.apply(message(**event))


def test_a_subscription_that_ends_is_found() -> None:
    with pytest.raises(BrokenPromiseError, match="the subscription ended"):
        Subscriber([], "", "", random.Random()).apply({"id": "1", "type": "complete"})


def message(**event: object) -> dict[str, object]:
    values = {"cursor": "", "reload": False, "addedEdges": [], "removedAssetIds": []} | event
    return {"type": "next", "payload": {"data": {"collectionChanged": values}}}
