"""Tests of cost limits and budgets on a served world, whichever executor answers."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from graphql import validate

from app import request_limits
from app.cost import Cost
from app.guarded_executor import INTROSPECTION_WEIGHT
from app.query_engine import INDIVISIBLE
from app.settings import Executor, Settings
from resolvers.limits import LIMITS, VISITOR_LIMITS
from tests.conftest import ANONYMOUS, ENDS_EARLY, GraphQLClient, World

TOPICS_AND_BACK = """{ topics(first: 100) { nodes { collections(first: 100) { nodes { topic {
    collections(first: 100) { nodes { id } } } } } } } }"""
LIMITS_OF_VIEWER = "{ deployment { limits { objects fields reads bodyBytes listItems depth } } }"
TREE = "{ topics { nodes { name collections { nodes { name children { nodes { name } } } } } } }"
FACETS = "{ assets { facets { kinds { count } } nodes { ... on AssetFields { name owner { name } } } } }"
TOO_MANY = ("LIMIT_EXCEEDED", request_limits.BUDGET_EXCEEDED)

pytestmark = ENDS_EARLY


@pytest.fixture(params=[Executor.ON, Executor.REFERENCE])
async def ask_either(world: World, request: pytest.FixtureRequest) -> AsyncIterator[GraphQLClient]:
    """Yield a client of the shared world that is served by the engine, or by graphql-core."""
    client = GraphQLClient(world, Settings(database_url=world.url, engine=request.param, index=False, rate_points=0))
    yield client
    await client.close()


@pytest.mark.parametrize("who", ["mei", ANONYMOUS])
async def test_the_limits_of_pulls_exports_and_subscriptions_are_listed(ask_either: GraphQLClient, who: str) -> None:
    expected = {
        "graphPageMinutes": 60,
        "syncTokenDays": 30,
        "exportDays": 7,
        "liveConnections": None if who == ANONYMOUS else Settings.max_live_connections_of_user,
        "subscriptions": 20,
        "messageBytes": 65_536,
    }
    data = await ask_either(who, f"{{ deployment {{ limits {{ {' '.join(expected)} }} }} }}")
    assert data["deployment"]["limits"] == expected


@pytest.mark.parametrize("who", ["mei", ANONYMOUS])
async def test_every_response_has_the_cost_and_the_limits_of_the_viewer(ask_either: GraphQLClient, who: str) -> None:
    limits = VISITOR_LIMITS if who == ANONYMOUS else LIMITS
    response = (await ask_either.response(who, LIMITS_OF_VIEWER)).json()
    assert response["data"]["deployment"]["limits"] == {
        "objects": limits.objects,
        "fields": limits.fields,
        "reads": limits.reads,
        "bodyBytes": limits.body_bytes,
        "listItems": limits.list_items,
        "depth": limits.depth,
    }
    of_cost = {"objects": limits.objects, "fields": limits.fields, "reads": limits.reads}
    assert response["extensions"] == {"cost": {"objects": 2, "fields": 8, "reads": 0, "limit": of_cost}}


async def test_a_query_that_costs_too_much_is_refused_before_anything_is_read(ask_either: GraphQLClient) -> None:
    for who, limits in (("ada", LIMITS), (ANONYMOUS, VISITOR_LIMITS)):
        response = (await ask_either.response(who, TOPICS_AND_BACK)).json()
        assert response.keys() == {"errors", "extensions"}
        assert response["extensions"]["cost"]["objects"] == 51_701
        assert response["errors"][0] == {
            "message": f"The query may return 51,701 objects; the limit is {limits.objects:,}."
            " Ask for smaller pages or for fewer lists within lists.",
            "extensions": {"code": "LIMIT_EXCEEDED"},
        }
        assert ask_either.statements == []


@pytest.mark.parametrize("query", [TREE, FACETS], ids=["tree", "facets"])
async def test_a_query_that_completes_more_fields_than_its_budget_ends(
    ask_either: GraphQLClient, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "errors" not in (await ask_either.response("ada", query)).json()
    monkeypatch.setattr(request_limits, "BUDGET_FIELDS", 10)
    monkeypatch.setattr("app.guarded_executor.BUDGET_FIELDS", 10)
    response = await ask_either.response("ada", query)
    assert response.status_code == 200
    assert response.json() == {
        "errors": [{"message": request_limits.BUDGET_EXCEEDED, "extensions": {"code": "LIMIT_EXCEEDED"}}]
    }


@pytest.mark.usefixtures("engine_on")
async def test_a_part_that_the_index_does_not_give_has_a_budget(
    ask: GraphQLClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = f"{{ topics {{ nodes {{ id }} }} {FACETS[1:]}"
    assert "errors" not in (await ask.response("ada", query)).json()
    monkeypatch.setattr(request_limits, "BUDGET_FIELDS", 10)
    assert await ask.errors("ada", query) == [TOO_MANY]


async def test_introspection_has_a_budget(ask_either: GraphQLClient, monkeypatch: pytest.MonkeyPatch) -> None:
    query = "{ __schema { types { name fields { name args { name } } } } }"
    assert "errors" not in (await ask_either.response(ANONYMOUS, query)).json()
    monkeypatch.setattr("app.guarded_executor.BUDGET_FIELDS", 100 * INTROSPECTION_WEIGHT)
    assert await ask_either.errors(ANONYMOUS, query) == [TOO_MANY]


async def test_a_mutation_has_no_budget(ask_own: GraphQLClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.guarded_executor.BUDGET_FIELDS", 0)
    mutation = 'mutation { topicCreate(input: {name: "New"}) { topic { name } userErrors { code } } }'
    assert await ask_own("ada", mutation) == {"topicCreate": {"topic": {"name": "New"}, "userErrors": []}}


@pytest.mark.usefixtures("engine_on")
async def test_a_large_query_with_an_error_gets_the_error_alone(
    ask: GraphQLClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = "{ topics { nodes { name } } assets(first: 101) { totalCount } }"
    usual = (await ask.response("mei", wrong)).json()
    assert usual["errors"][0]["path"] == ["assets"]
    monkeypatch.setattr(request_limits, "SMALLER_COST_LIMITS", Cost(1, 1, 1))
    alone = (await ask.response("mei", wrong)).json()
    assert alone["data"] is None
    assert alone["errors"] == [{"message": usual["errors"][0]["message"], "extensions": {"code": "BAD_USER_INPUT"}}]
    invalid = "query($n: Int) { topics(first: $n) { nodes { name } } deployment { version } }"
    assert await ask.errors("mei", invalid, n="x") == [
        (
            "BAD_USER_INPUT",
            INDIVISIBLE,
        )
    ]


async def test_each_executor_validates_a_document_once(
    ask_either: GraphQLClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    validated: list[int] = []

    def counting(*arguments: Any) -> Any:
        validated.append(1)
        return validate(*arguments)

    monkeypatch.setattr("app.documents.validate", counting)
    monkeypatch.setattr("strawberry.schema.schema.validate", counting)
    await ask_either("mei", f"query Once{id(ask_either)} {{ topics {{ totalCount }} __typename }}")
    assert len(validated) == 1
