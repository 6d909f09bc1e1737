"""Tests of callers: slow work for them ends with their connection and at the deadline, but a mutation does not."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.requests import ClientDisconnect

from app.caller import Caller, CallerLimits
from app.errors import HTTPError
from app.http_request import HTTPRequest
from app.operation import OperationRecord
from app.turns import Turns, ViewerKey
from tests.conftest import ANONYMOUS, GraphQLClient
from tests.http_server import World

LEAVING: dict[str, Any] = {"type": "http.disconnect"}


class Connection:
    """A client's connection, which has parts of a body and is left when `left` is set."""

    def __init__(self, *parts: dict[str, Any]) -> None:
        self.parts, self.left, self.ended = list(parts), asyncio.Event(), list[str]()

    async def receive(self) -> dict[str, Any]:
        """Return the next message."""
        if self.parts:
            return self.parts.pop(0)
        await self.left.wait()
        return LEAVING

    def caller(self, seconds: float = 5, turns_: Turns | None = None) -> Caller:
        """Return the caller with that token."""
        scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"authorization", b"a")]}
        limits = CallerLimits(operation_seconds=seconds, turns=turns_ or Turns())
        return Caller(HTTPRequest(scope, self.receive), OperationRecord("r"), limits)

    async def work(self, seconds: float = 5) -> str:
        """Work for a while, and note how it ended."""
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        self.ended.append("done")
        return "result"


async def test_work_that_ends_in_time_returns_its_result() -> None:
    connection = Connection({"type": "http.request"})
    assert await connection.caller().run(connection.work(0)) == "result"
    assert await connection.caller().read(lambda: connection.work(0)) == "result"


async def test_errors_of_the_work_are_raised() -> None:
    async def fail() -> None:
        raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        await Connection().caller().run(fail())


async def test_work_ends_when_the_client_leaves() -> None:
    connection = Connection({"type": "http.request"})
    asyncio.get_running_loop().call_later(0.01, connection.left.set)
    with pytest.raises(ClientDisconnect):
        await connection.caller().read(connection.work)
    assert connection.ended == ["cancelled"]


async def test_work_ends_at_the_deadline() -> None:
    connection = Connection()
    with pytest.raises(HTTPError) as raised:
        await connection.caller(seconds=0.01).read(connection.work)
    assert (raised.value.status, raised.value.code) == (503, "UNAVAILABLE")
    assert raised.value.message == "The operation took longer than 0.01 seconds. Ask for less."
    assert connection.ended == ["cancelled"]


async def test_a_mutation_ends_neither_way() -> None:
    connection = Connection()
    connection.left.set()
    caller = connection.caller(seconds=0.01)
    caller.is_mutation = True
    assert await caller.run(connection.work(0.05)) == "result"
    assert connection.ended == ["done"]


async def test_an_operation_that_waits_for_its_turn_leaves_the_queue_with_the_client() -> None:
    all_turns, running, waiting = Turns(), Connection(), Connection()
    busy = [asyncio.create_task(running.caller(turns_=all_turns).read(running.work)) for _ in range(2)]
    third = asyncio.create_task(waiting.caller(turns_=all_turns).read(waiting.work))
    await asyncio.sleep(0.01)
    assert all_turns.waiting == 1
    waiting.left.set()
    with pytest.raises(ClientDisconnect):
        await third
    assert (all_turns.waiting, waiting.ended) == (0, [])
    running.left.set()
    await asyncio.gather(*busy, return_exceptions=True)
    assert running.ended == ["cancelled"] * 2


# Over HTTP


@pytest.fixture
async def served() -> AsyncIterator[tuple[World, httpx.AsyncClient]]:
    """Yield the small world whose operations take at most a moment, and its client."""
    world = World(operation_seconds=0.05)
    async with world.client() as client:
        yield world, client


async def test_a_query_of_graphql_core_has_a_deadline(served: tuple[World, httpx.AsyncClient]) -> None:
    world, client = served
    response = await client.post("/graphql", json={"query": "{ wait }"})
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert response.json()["errors"][0]["extensions"] == {"code": "UNAVAILABLE"}
    assert world.closed == world.opened != []


@pytest.mark.usefixtures("engine_on")
async def test_queries_that_the_index_does_not_answer_take_a_turn(
    ask_own: GraphQLClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[ViewerKey] = []
    take = Turns.take

    def recording(turns: Turns, viewer: ViewerKey) -> Any:
        taken.append(viewer)
        return take(turns, viewer)

    monkeypatch.setattr(Turns, "take", recording)
    await ask_own("ada", "{ topics { nodes { name } } }")  # from the index, which reads what it does not hold yet
    assert len(taken) == 1
    taken.clear()
    await ask_own("ada", "{ topics { nodes { name } } }")
    await ask_own("ada", 'mutation { topicCreate(input: {name: "New"}) { userErrors { code } } }')
    assert taken == []
    await ask_own("ada", '{ assets(query: "a") { totalCount } }')  # by the engine
    await ask_own(ANONYMOUS, "{ __schema { queryType { name } } }")  # by graphql-core
    of_ada, of_visitor = taken
    assert of_ada == (await ask_own("ada", "{ viewer { user { id } } }"))["viewer"]["user"]["id"]
    assert of_visitor == b""


@pytest.mark.usefixtures("engine_on")
async def test_a_query_whose_client_left_is_neither_logged_as_failed_nor_executed_again(
    ask_own: GraphQLClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def leave(*_: Any) -> None:
        raise ClientDisconnect

    monkeypatch.setattr(Caller, "read", leave)
    assert await ask_own.errors("ada", '{ assets(query: "a") { totalCount } }') == [
        ("BAD_REQUEST", "The request ended early.")
    ]
