"""Limit of operations in progress: in all, of one viewer, and of visitors."""

import asyncio
import logging

import pytest

from app.errors import HTTPError
from app.operations_in_progress import OperationsInProgress
from app.turns import ViewerKey
from tests.http_server import World


def refusal(operations: OperationsInProgress, viewer: ViewerKey) -> tuple[int, str, str]:
    """Return status, code and message of the error for one more operation of the viewer."""
    with pytest.raises(HTTPError) as raised:
        operations.begin(viewer)
    assert raised.value.headers == {"retry-after": "1"}
    return raised.value.status, raised.value.code, raised.value.message


def begin_all(operations: OperationsInProgress, viewer: ViewerKey, count: int) -> None:
    for _ in range(count):
        operations.begin(viewer)


def test_a_viewer_has_a_quarter_and_visitors_a_half() -> None:
    operations = OperationsInProgress(8)
    begin_all(operations, "a", 2)
    assert refusal(operations, "a") == (
        429,
        "RATE_LIMITED",
        "2 of your operations are in progress already. Send fewer at once.",
    )
    begin_all(operations, b"", 4)
    assert refusal(operations, b"") == (
        429,
        "RATE_LIMITED",
        "4 operations of visitors are in progress already. Send fewer at once.",
    )
    operations.end("a")
    operations.begin("a")


def test_all_together_have_the_limit(caplog: pytest.LogCaptureFixture) -> None:
    operations = OperationsInProgress(8)
    begin_all(operations, b"", 4)
    for viewer in "aabb":
        operations.begin(viewer)
    for _ in range(3):
        assert refusal(operations, "c")[:2] == (503, "UNAVAILABLE")
    assert [record.levelno for record in caplog.records] == [logging.WARNING], "one line a minute"
    operations.end("a")
    operations.begin("c")


async def test_operations_of_a_server_are_counted_until_they_end() -> None:
    world = World(max_operations=2)
    async with world.client() as client:
        waiting = asyncio.create_task(client.post("/graphql", json={"query": "{ wait }"}))
        await world.waiting.wait()
        refused = await client.post("/graphql", json={"query": "{ hello }"})
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert refused.json()["errors"][0]["extensions"] == {"code": "RATE_LIMITED"}
        headers = {"authorization": "Bearer a"}
        assert (await client.post("/graphql", json={"query": "{ hello }"}, headers=headers)).status_code == 200
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        for query in ("{ hello }", "{", "{ hello }"):
            assert (await client.post("/graphql", json={"query": query})).status_code == 200
