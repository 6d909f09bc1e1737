"""Tests of the limit of a response's bytes: each way of answering refuses larger ones, before they are built."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest
import strawberry
from graphql import parse
from strawberry import Schema

from app import request_limits
from app.request_limits import PAYLOAD_TOO_LARGE, RESPONSE_TOO_LARGE
from app.settings import Executor, Settings
from engine import LoadQueue, compile_operation, execute
from resolvers.limits import LIMITS, VISITOR_LIMITS
from schema.field import field
from tests.conftest import ANONYMOUS, ENDS_EARLY, GraphQLClient, World

NAMES = "{ topics { nodes { name } } collections { nodes { name topic { name } } } }"
TREE = "{ topics { nodes { name collections { nodes { name assets { nodes { ... on AssetFields { name } } } } } } } }"
OWNERS = "{ assets { totalCount nodes { ... on AssetFields { name owner { name } } } } }"
QUERIES = pytest.mark.parametrize("query", [NAMES, TREE, OWNERS], ids=["names", "tree", "owners"])
WAYS = {"index": (Executor.ON, True), "engine": (Executor.ON, False), "graphql-core": (Executor.REFERENCE, False)}

pytestmark = ENDS_EARLY


@pytest.fixture(params=WAYS)
async def ask_each(world: World, request: pytest.FixtureRequest) -> AsyncIterator[GraphQLClient]:
    """Yield a client of the shared world that is answered in one of the three ways."""
    engine, index = WAYS[request.param]
    client = GraphQLClient(world, Settings(database_url=world.url, engine=engine, index=index))
    yield client
    await client.close()


def limit_responses(monkeypatch: pytest.MonkeyPatch, member: int, visitor: int = VISITOR_LIMITS.response_bytes) -> None:
    """Set the limits of responses, in bytes."""
    monkeypatch.setattr(request_limits, "LIMITS", LIMITS._replace(response_bytes=member))
    monkeypatch.setattr(request_limits, "VISITOR_LIMITS", VISITOR_LIMITS._replace(response_bytes=visitor))


def test_visitors_have_a_quarter() -> None:
    assert (LIMITS.response_bytes, VISITOR_LIMITS.response_bytes) == (16 * 2**20, 4 * 2**20)


@QUERIES
@pytest.mark.parametrize("who", ["ada", ANONYMOUS])
async def test_a_response_of_one_byte_too_many_is_refused(
    ask_each: GraphQLClient, who: str, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = (await ask_each.response(who, query)).content
    limits = (1, len(usual)) if who == ANONYMOUS else (len(usual), 1)
    monkeypatch.setattr(request_limits, "LIMITS", LIMITS._replace(response_bytes=max(limits)))
    monkeypatch.setattr(request_limits, "VISITOR_LIMITS", VISITOR_LIMITS._replace(response_bytes=limits[1]))
    assert (await ask_each.response(who, query)).content == usual
    limit_responses(monkeypatch, len(usual) - 1, len(usual) - 1)
    response = await ask_each.response(who, query)
    assert response.json() == {
        "errors": [
            {"message": RESPONSE_TOO_LARGE.format(len(usual) - 1), "extensions": {"code": "LIMIT_EXCEEDED"}},
        ]
    }


@QUERIES
async def test_a_response_of_long_texts_is_not_built(
    ask_each: GraphQLClient, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = (await ask_each.response("ada", query)).json()["data"]
    monkeypatch.setattr("app.endpoint._is_too_large", lambda *_: False)
    limit_responses(monkeypatch, count_texts(data) - 1)
    message = RESPONSE_TOO_LARGE.format(count_texts(data) - 1)
    assert await ask_each.errors("ada", query) == [("LIMIT_EXCEEDED", message)]
    await ask_each.transport.refresh()
    assert await ask_each.errors("ada", query) == [("LIMIT_EXCEEDED", message)], "from kept fragments too"


def count_texts(value: Any) -> int:
    """Return the number of characters of all strings in a response's data, without keys."""
    if isinstance(value, dict):
        return sum(map(count_texts, value.values()))
    if isinstance(value, list):
        return sum(map(count_texts, value))
    return len(value) if isinstance(value, str) else 0


class Person(NamedTuple):
    """Source of an object."""

    name: str
    words: list[str]
    friends: list["Person | None"]


@strawberry.type(name="Person")
class PersonType:
    """A person with friends."""

    name: str = field("The name.")
    words: list[str] = field("Texts.", resolver=lambda person, _context: person.words)
    friends: list["PersonType | None"] = field("People.", resolver=lambda person, _context: person.friends)


@strawberry.type
class People:
    """The root."""

    people: list[PersonType] = field("People.", resolver=lambda _root, people: people)


async def test_the_engine_counts_the_texts_of_an_object_as_often_as_it_occurs() -> None:
    bob = Person("bob", ["one", "three"], [])
    ann = Person("anna", ["é"], [bob, None, bob])
    operation = compile_operation(
        Schema(People), parse("{ people { name friends { name words friends { name } } words } }"), None
    )
    variables = operation.variable_values(None)
    sizes: list[int] = []
    plan = operation.plan(variables)
    people = [ann, ann, bob, Person("cy", [], [ann, None, ann])]
    data = await execute(plan, people, variables, LoadQueue(), lambda _fields, size: sizes.append(size))
    assert sizes == sorted(sizes)
    assert sizes[-1] == count_texts(data)


CREATE = """mutation($name: String!, $key: String, $text: String) {
    first: topicCreate(input: {name: $name, description: $text, idempotencyKey: $key}) { topic { FIELDS } }
    second: topicCreate(input: {name: "Second"}) { topic { id } } }"""


async def test_a_mutation_whose_payload_is_too_long_is_executed_and_says_so(
    ask_own: GraphQLClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_responses(monkeypatch, 10_000_000, 5_000)
    document = CREATE.replace("FIELDS", "name a: description")
    given = {"name": "First", "key": "k", "text": "a" * 4_000}
    response = await ask_own.response("ada", document.replace("a: desc", "a: description b: desc"), **given)
    assert (response.status_code, response.json()) == (
        200,
        {
            "data": None,
            "errors": [{"message": PAYLOAD_TOO_LARGE.format(5_000), "extensions": {"code": "LIMIT_EXCEEDED"}}],
        },
    )
    topics = await ask_own("ada", "{ topics { nodes { name } } }")
    assert [topic["name"] for topic in topics["topics"]["nodes"]][-1] == "First"
    repeated = await ask_own("ada", document, **given)
    assert repeated["first"] == {"topic": {"name": "First", "a": "a" * 4_000}}
    assert repeated["second"]["topic"]["id"]


async def test_a_mutation_is_answered_if_only_its_bytes_are_too_many(
    ask_own: GraphQLClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_responses(monkeypatch, 5_000, 5_000)
    data = await ask_own("ada", CREATE.replace("FIELDS", "description"), name="First", text="é" * 3_000)
    assert data["first"] == {"topic": {"description": "é" * 3_000}}
