"""Tests of the GraphQL over HTTP specification: its audits on Node.js, and further ones in Python."""

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.http_server import JSON, RESPONSE, World, run_server, without_cost
from tests.node import node_for

HERE = Path(__file__).parent / "audits"
AUDITS = 61
RUN_SECONDS = 60


@pytest.fixture
def world() -> World:
    """Return the endpoint of the small schema."""
    return World()


def test_every_audit_of_the_specification_passes(world: World) -> None:
    node = node_for(HERE)
    with run_server(world.app) as port:
        command = [node, str(HERE / "audit.mjs"), f"http://127.0.0.1:{port}/graphql"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=RUN_SECONDS)
    audits = [json.loads(line) for line in done.stdout.splitlines()]
    assert [audit for audit in audits if audit["status"] != "ok"] == []
    assert len(audits) == AUDITS


async def post(world: World, body: Any = None, /, accept: str | None = RESPONSE, **more: Any) -> httpx.Response:
    """Send a POST with the body as JSON, or with the arguments of httpx in `more` instead."""
    headers = ({} if accept is None else {"accept": accept}) | more.pop("headers", {})
    async with world.client() as client:
        # httpx sends `*/*` by default; the audits need a client without the header.
        client.headers.pop("accept")
        return await client.post("/graphql", headers=headers, **(more or {"json": body}))


def kind_of(answer: httpx.Response) -> str:
    """Return the media type of the response, which must be in UTF-8."""
    media_type, _, charset = answer.headers["content-type"].partition("; ")
    assert charset == "charset=utf-8"
    return str(media_type)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (RESPONSE, RESPONSE),
        (f"{RESPONSE}; charset=utf-8, {JSON}; charset=utf-8", RESPONSE),
        (f"{RESPONSE}, {JSON};q=0.9", RESPONSE),
        (f"{JSON}, {RESPONSE}", RESPONSE),
        (f"{JSON}, {RESPONSE};q=0.9", JSON),
        (f"{RESPONSE};q=0, */*", JSON),
        (f"{JSON};q=0, */*", RESPONSE),
        (f"{JSON};q=0.1, */*;q=0.5", RESPONSE),
        ("APPLICATION/GRAPHQL-RESPONSE+JSON", RESPONSE),
        (JSON, JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("text/html, */*;q=0.1", JSON),
        (f"{RESPONSE};q=nonsense", RESPONSE),
        (f"{RESPONSE};q=nan, {JSON};q=0.9", RESPONSE),
        (f"{RESPONSE};q=0.9, {JSON};q=0.5, {RESPONSE};q=0.2", RESPONSE),
        ("", JSON),
        (None, JSON),
    ],
)
async def test_the_response_has_the_preferred_media_type(world: World, accept: str | None, kind: str) -> None:
    answer = await post(world, {"query": "{ __typename }"}, accept)
    assert (answer.status_code, kind_of(answer)) == (200, kind)
    assert without_cost(answer) == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize("accept", ["text/html", "image/*", f"{JSON};q=0", "text/event-stream, multipart/mixed", "x"])
async def test_an_unsupported_media_type_is_not_acceptable(world: World, accept: str) -> None:
    answer = await post(world, {"query": "{ hello }"}, accept)
    assert (answer.status_code, kind_of(answer)) == (406, JSON)
    assert answer.json()["errors"][0]["extensions"] == {"code": "NOT_ACCEPTABLE"}
    assert world.opened == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"query": "{"}, "GRAPHQL_PARSE_FAILED"),
        ({"query": "{ missing }"}, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": "query ($n: Int!) { double(number: $n) }"}, "BAD_USER_INPUT"),
        ({"query": "query ($n: Int!) { double(number: $n) }", "variables": {"n": None}}, "BAD_USER_INPUT"),
        ({"query": "query ($n: Int!) { double(number: $n) }", "variables": {"n": 2**31}}, "BAD_USER_INPUT"),
        ({"query": "query ($n: Int!) { double(number: $n) }", "variables": {"n": 2**70}}, "BAD_USER_INPUT"),
        ({"query": "query ($n: Even!) { even(number: $n) }", "variables": {"n": 3}}, "BAD_USER_INPUT"),
        ({"query": "{ even(number: 3) }"}, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": "query A { hello } query B { hello }"}, "OPERATION_RESOLUTION_FAILURE"),
        ({"query": "query A { hello } query B { hello }", "operationName": "C"}, "OPERATION_RESOLUTION_FAILURE"),
        ({"query": "{ hello }", "operationName": "C"}, "OPERATION_RESOLUTION_FAILURE"),
        ({"query": "fragment A on Query { hello }"}, "OPERATION_RESOLUTION_FAILURE"),
        ({"query": '{ echo(text: "a\\u0000b") }'}, "BAD_USER_INPUT"),
    ],
)
@pytest.mark.parametrize(("kind", "status"), [(RESPONSE, 400), (JSON, 200)])
async def test_a_request_error_has_no_data(world: World, body: Any, code: str, kind: str, status: int) -> None:
    answer = await post(world, body, kind)
    assert (answer.status_code, kind_of(answer)) == (status, kind)
    assert answer.json().keys() - {"extensions"} == {"errors"}
    assert [error["extensions"] for error in answer.json()["errors"]] == [{"code": code}]


@pytest.mark.parametrize("accept", [RESPONSE, JSON])
@pytest.mark.parametrize("body", [{}, {"notquery": "{ hello }"}, {"query": None}, {"query": ""}])
async def test_a_request_without_query_is_a_bad_request_in_either_type(world: World, body: Any, accept: str) -> None:
    answer = await post(world, body, accept)
    assert (answer.status_code, kind_of(answer)) == (400, accept)


@pytest.mark.parametrize("accept", [RESPONSE, JSON])
@pytest.mark.parametrize("member", ["query", "operationName", "variables", "extensions"])
@pytest.mark.parametrize("value", [{"obj": "ect"}, 0, False, ["array"], "string"])
async def test_a_parameter_of_the_wrong_type_is_a_bad_request_in_either_type(
    world: World, member: str, value: Any, accept: str
) -> None:
    answer = await post(world, {"query": "{ hello }", member: value}, accept)
    fits = isinstance(value, str if member in {"query", "operationName"} else dict)
    # As `query` the string is an invalid document; as `operationName` it names no operation.
    invalid_status = 400 if accept == RESPONSE else 200
    assert answer.status_code == ((200 if isinstance(value, dict) else invalid_status) if fits else 400)
    assert kind_of(answer) == accept


@pytest.mark.parametrize("accept", [RESPONSE, JSON])
@pytest.mark.parametrize("member", ["operationName", "variables", "extensions"])
async def test_a_parameter_may_be_null(world: World, member: str, accept: str) -> None:
    answer = await post(world, {"query": "{ hello }", member: None}, accept)
    assert (answer.status_code, without_cost(answer)) == (200, {"data": {"hello": "world"}})


@pytest.mark.parametrize("charset", ["", "; charset=utf-8", '; charset="UTF-8"', "; v=1"])
async def test_requests_are_decoded_as_utf8(world: World, charset: str) -> None:
    body = '{"query": "{ echo(text: \\"Run🏃Swim🏊\\") }"}'.encode()
    answer = await post(world, content=body, headers={"content-type": f"Application/JSON{charset}"})
    assert without_cost(answer) == {"data": {"echo": "Run🏃Swim🏊"}}


async def test_queries_may_be_sent_by_get_with_variables_as_json(world: World) -> None:
    parameters = {
        "query": "query A($t: String!) { echo(text: $t) } query B { hello }",
        "operationName": "A",
        "variables": '{"t": "ü"}',
        "extensions": "{}",
    }
    async with world.client() as client:
        answer = await client.get("/graphql", params=parameters, headers={"accept": RESPONSE})
    assert (answer.status_code, without_cost(answer)) == (200, {"data": {"echo": "ü"}})


async def test_mutations_may_not_be_sent_by_get(world: World) -> None:
    async with world.client() as client:
        answer = await client.get("/graphql", params={"query": 'mutation { note(text: "a") }'})
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert (world.opened, world.notes) == ([], [])


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"])
async def test_other_methods_are_not_allowed(world: World, method: str) -> None:
    async with world.client() as client:
        answer = await client.request(method, "/graphql", json={"query": "{ hello }"})
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")
    assert answer.json()["errors"][0]["extensions"] == {"code": "METHOD_NOT_ALLOWED"}
