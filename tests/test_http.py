"""Tests of the endpoint beyond the specification: contexts, errors, logging, browsers and headers."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.types import Message

from tests.http_server import JSON, RESPONSE, SHARED_FAILURE, World, without_cost

PAGE = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
UNAVAILABLE = "The service is temporarily unavailable. Try again in a few seconds."
REFUSED = {"message": "That is for administrators.", "extensions": {"code": "FORBIDDEN"}}


@pytest.fixture
def world() -> World:
    """Return the endpoint of the small schema."""
    return World()


async def ask(world: World, query: str, *, accept: str = RESPONSE, **headers: str) -> httpx.Response:
    """Send the query; header names have underscores for dashes."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with world.client() as client:
        return await client.post("/graphql", json={"query": query}, headers={"accept": accept} | named)


async def browse(world: World, **headers: str) -> httpx.Response:
    """Open the endpoint's URL as a browser does."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with world.client() as client:
        return await client.get("/graphql", params={"query": "{ hello }"}, headers={"accept": PAGE} | named)


async def test_each_operation_has_its_own_context_which_is_closed(world: World) -> None:
    first, second = await ask(world, "{ requestId }"), await ask(world, "{ fail }")
    assert [context.request_id for context in world.opened] == [
        first.headers["x-request-id"],
        second.headers["x-request-id"],
    ]
    assert world.closed == world.opened
    assert without_cost(first) == {"data": {"requestId": world.opened[0].request_id}}


@pytest.mark.parametrize(
    "query",
    ["", "{", "{ missing }", "{ hello { a } }", "query A { hello } query B { hello }", "subscription { ticks }"],
)
async def test_no_context_is_opened_for_an_invalid_document(world: World, query: str) -> None:
    answer = await ask(world, query)
    assert answer.status_code == 400
    assert world.opened == []


async def test_the_context_is_closed_when_the_operation_is_cancelled(world: World) -> None:
    asking = asyncio.create_task(ask(world, "{ wait }"))
    await world.waiting.wait()
    assert (len(world.opened), world.closed) == (1, [])
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert world.closed == world.opened


async def test_a_request_is_cancelled_while_it_waits_for_its_body(world: World) -> None:
    waiting, errors = asyncio.Event(), []

    async def receive() -> Message:
        waiting.set()
        try:
            return await asyncio.Future()
        except BaseException as error:
            errors.append(type(error))
            raise

    async def send(message: Message) -> None:
        raise AssertionError(message)

    headers = [(b"content-type", b"application/json")]
    asking = asyncio.create_task(world.endpoint({"type": "http", "method": "POST", "headers": headers}, receive, send))
    await waiting.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert errors == [asyncio.CancelledError]


async def test_a_body_may_arrive_in_parts_with_pauses(world: World) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for part in (b'{"query"', b"", b':"{ hel', b'lo }"}'):
            await asyncio.sleep(0.001)
            yield part

    async with world.client() as client:
        answer = await client.post("/graphql", content=parts(), headers={"content-type": "application/json"})
    assert without_cost(answer) == {"data": {"hello": "world"}}


@pytest.mark.parametrize("accept", [RESPONSE, JSON])
async def test_an_invalid_token_is_unauthenticated_and_nothing_is_executed(world: World, accept: str) -> None:
    answer = await ask(world, 'mutation { note(text: "a") }', accept=accept, authorization="Bearer bad")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer error="invalid_token"')
    assert answer.json() == {
        "errors": [{"message": "The bearer token is not valid.", "extensions": {"code": "UNAUTHENTICATED"}}]
    }
    assert (world.opened, world.notes) == ([], [])


@pytest.mark.parametrize("token", ["down", "lost"])
async def test_an_unavailable_dependency_is_reported_and_logged_without_traceback(
    world: World, caplog: pytest.LogCaptureFixture, token: str
) -> None:
    answer = await ask(world, "{ hello }", accept=JSON, authorization=f"Bearer {token}", x_request_id="7")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json() == {"errors": [{"message": UNAVAILABLE, "extensions": {"code": "UNAVAILABLE"}}]}
    [record] = caplog.records
    assert (record.levelno, record.exc_info) == (logging.WARNING, None)
    assert record.getMessage().startswith("Request 7 could not be answered: ")
    assert world.closed == world.opened


@pytest.mark.parametrize("accept", [RESPONSE, JSON])
async def test_a_context_that_fails_to_open_is_an_internal_error(
    world: World, caplog: pytest.LogCaptureFixture, accept: str
) -> None:
    answer = await ask(world, "{ hello }", accept=accept, authorization="Bearer broken", x_request_id="7")
    assert answer.status_code == 500
    assert without_cost(answer) == {
        "errors": [{"message": "Internal error.", "extensions": {"code": "INTERNAL", "requestId": "7"}}]
    }
    assert [record.getMessage() for record in caplog.records if record.exc_info] == ["Request 7 failed."]


async def test_a_failure_of_the_endpoint_itself_is_an_internal_error(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.endpoint.schema, "execute", None)
    answer = await ask(world, "{ hello }", x_request_id="7")
    assert (answer.status_code, answer.json()["errors"][0]["message"]) == (500, "Internal error.")
    assert [record.getMessage() for record in caplog.records if record.exc_info] == ["Request 7 failed."]


async def test_unexpected_errors_are_masked_and_logged_once_with_their_traceback(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await ask(world, "{ hello fail again: fail broken }", x_request_id="7")
    masked = {"message": "Internal error.", "extensions": {"code": "INTERNAL", "requestId": "7"}}
    assert answer.status_code == 200
    assert without_cost(answer) == {
        "errors": [
            masked | {"path": ["fail"], "locations": [{"line": 1, "column": 9}]},
            masked | {"path": ["again"], "locations": [{"line": 1, "column": 14}]},
            masked | {"path": ["broken"], "locations": [{"line": 1, "column": 26}]},
        ],
        "data": {"hello": "world", "fail": None, "again": None, "broken": None},
    }
    failures = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [(record.levelno, record.getMessage()) for record in failures] == [(logging.ERROR, "Request 7 failed.")] * 2
    assert failures[0].exc_info is not None
    assert failures[0].exc_info[1] is SHARED_FAILURE


async def test_expected_errors_keep_their_message_and_code(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="app")
    answer = await ask(world, "{ refuse explain hello }")
    assert answer.status_code == 200
    assert without_cost(answer) == {
        "errors": [
            REFUSED | {"path": ["refuse"], "locations": [{"line": 1, "column": 3}]},
            {
                "message": "Explained on purpose.",
                "extensions": {"code": "ON_PURPOSE"},
                "path": ["explain"],
                "locations": [{"line": 1, "column": 10}],
            },
        ],
        "data": {"refuse": None, "explain": None, "hello": "world"},
    }
    assert not [record for record in caplog.records if record.name.startswith("app")]
    assert not any(record.levelno > logging.INFO for record in caplog.records)


async def test_an_unavailable_field_does_not_affect_others(world: World, caplog: pytest.LogCaptureFixture) -> None:
    answer = await ask(world, "{ unavailable hello }")
    assert (answer.status_code, answer.json()["data"]) == (200, {"unavailable": None, "hello": "world"})
    [error] = answer.json()["errors"]
    assert (error["message"], error["extensions"]) == (
        UNAVAILABLE,
        {"code": "UNAVAILABLE"},
    )
    assert [record.levelno for record in caplog.records if record.levelno > logging.INFO] == [logging.WARNING]


async def test_messages_that_repeat_input_are_cut(world: World) -> None:
    body = {"query": "query ($n: Int!) { double(number: $n) }", "variables": {"n": "a" * 5_000}}
    async with world.client() as client:
        answer = await client.post("/graphql", json=body)
        by_name = await client.post("/graphql", json={"query": "{ hello }", "operationName": "b" * 5_000})
    for response, character in ((answer, "a"), (by_name, "b")):
        [error] = response.json()["errors"]
        assert len(error["message"]) <= 500
        assert character * 100 in error["message"]


async def test_at_most_five_errors_are_reported(world: World) -> None:
    answer = await ask(world, "{" + " ".join(f"unknown{number}" for number in range(20)) + "}")
    assert [error["message"] for error in answer.json()["errors"]] == [
        f"Cannot query field 'unknown{number}' on type 'Query'." for number in range(5)
    ]


async def test_at_most_five_errors_of_variables_are_reported(world: World) -> None:
    names = [f"n{number}" for number in range(20)]
    query = f"query ({', '.join(f'${name}: Int!' for name in names)}) {{ hello }}"
    answer = await ask(world, query.replace("hello", " ".join(f"{name}: double(number: ${name})" for name in names)))
    assert [error["extensions"]["code"] for error in answer.json()["errors"]] == ["BAD_USER_INPUT"] * 5


async def test_input_does_not_reach_the_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await ask(world, "{ forged\n }", x_request_id="forged id")
    async with world.client() as client:
        await client.post("/graphql", json={"query": "{ hello }", "operationName": "forged\nERROR"})
    assert [record.getMessage() for record in caplog.records if "forged" in record.getMessage()] == []


@pytest.mark.parametrize("request_id", ["a", "A.b_c-9", "x" * 64])
async def test_a_request_keeps_its_request_id(world: World, request_id: str) -> None:
    answer = await ask(world, "{ requestId }", x_request_id=request_id)
    assert (answer.headers["x-request-id"], without_cost(answer)) == (request_id, {"data": {"requestId": request_id}})


@pytest.mark.parametrize("request_id", ["", "x" * 65, "a b", "a\tb", "ü", "a;b", "{}"])
async def test_a_malformed_request_id_is_replaced(world: World, request_id: str) -> None:
    async with world.client() as client:
        headers = {b"x-request-id": request_id.encode()}
        ids = [(await client.get("/graphql", headers=headers)).headers["x-request-id"] for _ in range(2)]
    assert request_id not in ids
    assert len(set(ids)) == 2
    assert all(len(id_) == 16 and set(id_) <= set("0123456789abcdef") for id_ in ids)


async def test_every_response_has_the_same_headers(world: World) -> None:
    paged = World(has_ide=True)
    answers: list[Any] = [
        await ask(world, "{ hello }"),
        await ask(world, "{"),
        await ask(world, "{ hello }", authorization="Bearer bad"),
        await ask(world, "{ hello }", authorization="Bearer broken"),
        await ask(world, "{ hello }", content_type="text/plain"),
        await browse(world),
        await browse(paged),
    ]
    assert [answer.status_code for answer in answers] == [200, 400, 401, 500, 415, 404, 200]
    for answer in answers:
        assert answer.headers.get_list("cache-control") == ["private, no-store"]
        assert answer.headers.get_list("vary") == ["Accept, Accept-Encoding, Authorization"]
        assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
        assert answer.headers.get_list("content-security-policy") == ["default-src 'none'; frame-ancestors 'none'"]
        assert answer.headers["content-length"] == str(len(answer.content))


async def test_browsers_get_the_page_even_by_a_link_from_another_site() -> None:
    world = World(has_ide=True)
    for site in ("none", "cross-site"):
        answer = await browse(world, sec_fetch_site=site)
        assert (answer.status_code, answer.text) == (200, "a page")
    assert world.opened == []


async def test_browsers_get_an_error_if_there_is_no_page(world: World) -> None:
    answer = await browse(world)
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]) == (404, {"code": "NOT_FOUND"})
    strict = await browse(world, accept="text/html")
    assert (strict.status_code, strict.json()["errors"][0]["extensions"]) == (406, {"code": "NOT_ACCEPTABLE"})


async def test_the_page_is_for_get_only() -> None:
    answer = await ask(World(has_ide=True), "{ hello }", accept=PAGE)
    assert without_cost(answer) == {"data": {"hello": "world"}}


@pytest.mark.parametrize(("site", "status"), [("cross-site", 403), ("same-site", 200), ("same-origin", 200), ("", 200)])
async def test_pages_of_other_sites_cannot_query_by_get(world: World, site: str, status: int) -> None:
    async with world.client() as client:
        headers = {"sec-fetch-site": site} if site else {}
        answer = await client.get("/graphql", params={"query": "{ hello }"}, headers=headers)
    assert answer.status_code == status
    assert len(world.opened) == (status == 200)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_pages_of_other_sites_cannot_mutate_by_a_form(world: World, content_type: str) -> None:
    body = b'{"query": "mutation { note(text: \\"a\\") }"}'
    async with world.client() as client:
        headers = {"content-type": content_type} if content_type else {}
        answer = await client.post("/graphql", content=body, headers=headers)
    assert (answer.status_code, answer.headers["accept"]) == (415, "application/json")
    assert (world.opened, world.notes) == ([], [])


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_persisted_query_is_refused_so_that_clients_send_the_document(world: World, method: str) -> None:
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": "a" * 64}}
    refusal = {"message": "PersistedQueryNotSupported", "extensions": {"code": "PERSISTED_QUERY_NOT_SUPPORTED"}}
    async with world.client() as client:
        if method == "GET":
            answer = await client.get("/graphql", params={"extensions": json.dumps(extensions)})
        else:
            answer = await client.post("/graphql", json={"extensions": extensions})
        assert (answer.status_code, answer.json()) == (400, {"errors": [refusal]})
        answered = await client.post("/graphql", json={"query": "{ hello }", "extensions": extensions})
    assert without_cost(answered) == {"data": {"hello": "world"}}


async def test_a_subscription_is_refused_with_the_way_out(world: World) -> None:
    answer = await ask(world, "subscription { ticks }")
    message = "Subscribe by WebSocket (graphql-transport-ws), or accept text/event-stream. See docs/live.md."
    refusal = {"message": message, "extensions": {"code": "SUBSCRIPTION_NOT_SUPPORTED"}}
    assert (answer.status_code, answer.json()) == (400, {"errors": [refusal]})
