"""Tests of the worked examples: each runs as its account, with few statements and the same bytes on both databases."""

import asyncio
import itertools
import random
import signal
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from graphql import (
    FieldNode,
    GraphQLInputObjectType,
    GraphQLInputType,
    OperationDefinitionNode,
    OperationType,
    build_schema,
    get_named_type,
    get_nullable_type,
    is_list_type,
    parse,
)
from sqlalchemy import update
from starlette.applications import Starlette

from app import cli, demo
from app.application import create_application
from app.graphiql import EXAMPLES as FOLDER
from app.graphiql import Reference, Tab, find_references, read_examples
from app.settings import Settings
from app.tokens import create_token
from schema.graph import print_schema
from store import sql
from store.catalogue.importer import import_catalogue
from store.database import Database
from store.migrate import migrate
from tests.cli_process import free_port
from tests.conftest import ANONYMOUS, GraphQLClient, World, set_public_sharing, write_lines
from tests.postgres import Postgres

EXAMPLES = read_examples(FOLDER)
ACCOUNTS = {name: user for name, user, _ in demo.ACCOUNTS} | {demo.ANONYMOUS.name: ANONYMOUS}
DEMO = [orjson.loads(line) for line in demo.CATALOGUE.read_bytes().splitlines()]
NAMES = set[Reference]().union(*map(find_references, EXAMPLES))
# The collections that examples add assets to.
ADDED_TO = {"pathogens", "read-quality", "electron-microscopy", "bacteria", "image-tools"}
REGISTERED = {"kind": "CAPSULE", "name": "Spots to cells", "ownerId": "<user user:olu>"}
MAX_STATEMENTS = 8
MAX_MUTATION_STATEMENTS = 36
# Placeholder for the id of the change that the example of adding assets makes.
ADD_CHANGE = "<change.id of the answer>"


@cache
def _operation(tab: Tab) -> OperationDefinitionNode:
    (operation,) = parse(tab.query).definitions
    assert isinstance(operation, OperationDefinitionNode)
    return operation


def _is_mutation(tab: Tab) -> bool:
    return _operation(tab).operation is OperationType.MUTATION


def _variables(tab: Tab) -> dict[str, Any]:
    return dict(orjson.loads(tab.variables or "{}"))


def _who(tab: Tab) -> str:
    return ACCOUNTS[tab.account or demo.ANONYMOUS.name]


async def _responses(ask: GraphQLClient, tabs: Iterable[Tab]) -> AsyncIterator[tuple[Tab, httpx.Response]]:
    """Run the tabs in order, each as its account; the undo example undoes the addition. Yield tab and response."""
    change_id = ADD_CHANGE
    for tab in tabs:
        filled = replace(tab, variables=tab.variables.replace(ADD_CHANGE, change_id))
        response = await ask.response(_who(tab), tab.query, **_variables(filled))
        payload = response.json()["data"].get("collectionAssetsAdd")
        change_id = payload["change"]["id"] if payload else change_id
        yield tab, response


async def _filled(url: str, catalogue: Path) -> World:
    database = Database(url)
    try:
        await migrate(database)
        await import_catalogue(database, catalogue, "demo", lambda _bytes: None)
        await set_public_sharing(database)
        users = [user for user in ACCOUNTS.values() if user != ANONYMOUS]
        return World(url, {user: await create_token(database, user, 3_600) for user in users})
    finally:
        await database.close()


@pytest.fixture
async def ask_demo(empty_url: str) -> AsyncIterator[GraphQLClient]:
    client = GraphQLClient(await _filled(empty_url, demo.CATALOGUE))
    yield client
    await client.close()


# Coverage


def test_there_are_examples_for_each_kind_of_reader() -> None:
    assert {tab.group for tab in EXAMPLES} == {"web", "admin", "analyst"}
    assert {tab.account for tab in EXAMPLES} <= ACCOUNTS.keys()


def test_every_topic_mutation_and_every_bulk_mutation_has_an_example() -> None:
    mutations = build_schema(print_schema()).mutation_type
    assert mutations is not None
    bulk = {name for name, field in mutations.fields.items() if _has_list(field.args["input"].type)}
    assert bulk >= {"topicMerge", "collectionAssetsAdd", "assetCollectionsUpdate", "assetsRegister"}
    topics = {name for name in mutations.fields if name.startswith("topic")}
    assert (topics | bulk) - {_mutation(tab) for tab in filter(_is_mutation, EXAMPLES)} == set()


def _has_list(input_type: GraphQLInputType) -> bool:
    kind = get_named_type(input_type)
    assert isinstance(kind, GraphQLInputObjectType)
    return any(is_list_type(get_nullable_type(field.type)) for field in kind.fields.values())


def _mutation(tab: Tab) -> str:
    (field,) = _operation(tab).selection_set.selections
    assert isinstance(field, FieldNode)
    return field.name.value


# Responses


async def test_every_query_succeeds_as_its_account_with_few_statements(ask_demo: GraphQLClient) -> None:
    for tab in itertools.filterfalse(_is_mutation, await demo.insert_ids(ask_demo.database, EXAMPLES)):
        data = await ask_demo(_who(tab), tab.query, **_variables(tab))
        assert None not in data.values(), tab.title
        assert 1 <= len(ask_demo.statements) <= MAX_STATEMENTS, f"{tab.title}: {len(ask_demo.statements)} statements"


async def test_every_mutation_succeeds_as_its_account_with_few_statements(ask_demo: GraphQLClient) -> None:
    tabs = await demo.insert_ids(ask_demo.database, EXAMPLES)
    async for tab, response in _responses(ask_demo, filter(_is_mutation, tabs)):
        _assert_accepted(tab, response)
        sent = len(ask_demo.statements)
        assert 1 <= sent <= MAX_MUTATION_STATEMENTS, f"{tab.title}: {sent} statements"


def _assert_accepted(tab: Tab, response: httpx.Response) -> None:
    answer = response.json()
    assert "errors" not in answer, (tab.title, answer["errors"])
    payload = answer["data"][_mutation(tab)]
    assert payload.pop("userErrors") == [], tab.title
    assert payload, tab.title
    is_dry_run = _variables(tab)["input"].get("dryRun")  # it deletes nothing
    assert [name for name, value in payload.items() if value is None and not is_dry_run] == [], tab.title


async def test_a_dry_run_forecasts_the_real_run(ask_demo: GraphQLClient) -> None:
    tabs = await demo.insert_ids(ask_demo.database, EXAMPLES)
    dry_runs = [tab for tab in filter(_is_mutation, tabs) if _variables(tab)["input"].get("dryRun")]
    assert [_mutation(tab) for tab in dry_runs] == ["topicMerge", "topicDelete", "collectionDelete"]
    for tab in dry_runs:
        input_ = _variables(tab)["input"]
        forecast = (await ask_demo(_who(tab), tab.query, input=input_))[_mutation(tab)]
        payload = (await ask_demo(_who(tab), tab.query, input=input_ | {"dryRun": False}))[_mutation(tab)]
        assert (forecast["movedCollections"], forecast["userErrors"]) == ([], payload["userErrors"])
        assert forecast["movedCollectionCount"] == len(payload["movedCollections"]) > 0


# Statements


def _numbered(noun: str, count: int) -> list[str]:
    return [f"{noun}-{number}" for number in range(count)]


def _catalogue_of(assets: int) -> list[dict[str, Any]]:
    """Return a catalogue with the examples' objects, this many other assets, and a tenth as many of each other kind.

    Every fifth asset is archived. Collections that examples add assets to are empty; their other collections contain
    all assets.
    """
    many, tenth = _numbered("asset", assets), assets // 10
    ids = [*sorted(name for kind, name in NAMES if kind == "asset"), *many]
    kinds = itertools.cycle(("CAPSULE", "PIPELINE", "NO_CODE_APP", "DATA_ASSET", "MODEL"))
    grants = [{"to": "everyone", "role": "VIEWER"}, {"to": "public", "role": "VIEWER"}]
    rows = [
        {"kind": "asset", "id": id_, "type": kind, "name": id_, "owner": "user:olu", "grants": grants, "tags": ["all"]}
        | {"uses": [ids[place - 1]], "archived": id_ in many[1::5], "updatedAt": "2025-01-01T00:00:00Z"}
        for place, (id_, kind) in enumerate(zip(ids, kinds, strict=False))
    ]
    more: list[dict[str, Any]] = [{"kind": "user", "id": id_, "name": id_} for id_ in _numbered("user", tenth)]
    more += [{"kind": "topic", "slug": slug, "name": slug} for slug in _numbered("topic", tenth)]
    more += [
        {"kind": "collection", "slug": slug, "name": slug, "topic": "topic-0", "visibility": "PUBLIC"}
        | {"assets": many[:tenth]}
        for slug in _numbered("collection", tenth)
    ]
    assets_by_slug = {name: [] if name in ADDED_TO else ids for kind, name in NAMES if kind == "collection"}
    assets_by_slug |= {
        slug: ids for slug in (_variables(tab).get("slug") for tab in EXAMPLES) if slug and slug not in ADDED_TO
    }
    others = [line for line in DEMO if line["kind"] not in {"asset", "collection"}]
    collections = [
        line | {"assets": assets_by_slug.get(line["slug"], many[:1])} for line in DEMO if line["kind"] == "collection"
    ]
    return [*others, *rows, *more, *collections]


def _widened(tab: Tab, assets: int) -> Tab:
    """Return the example with its lists extended to the size of the catalogue, or to their limits."""
    # Registering inserts a thousand rows per statement, and an asset has one or two grants.
    many, tenth = min(assets, 900), min(assets // 10, 98)
    more: dict[str, list[Any]] = {
        "assetIds": [f"<asset {id_}>" for place, id_ in enumerate(_numbered("asset", many)) if place % 5 != 1],
        "assets": [REGISTERED | {"externalId": id_} for id_ in _numbered("new", many)],
        "sourceIds": [f"<topic {slug}>" for slug in _numbered("topic", tenth)],
        "addTo": [f"<collection {slug}>" for slug in _numbered("collection", tenth)],
        "set": [{"to": {"userId": f"<user {id_}>"}, "access": "VIEWER"} for id_ in _numbered("user", tenth)],
    }
    variables = _variables(tab)
    input_ = variables.get("input", {})
    input_ |= {field: [*input_[field], *items] for field, items in more.items() if field in input_}
    return replace(tab, variables=orjson.dumps(variables).decode())


async def test_the_statements_of_an_example_do_not_depend_on_the_amount_of_data(
    backend: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    sent: dict[int, dict[str, list[str]]] = {}
    for assets in (10, 1_000):
        url = f"sqlite+aiosqlite:///{tmp_path}/{assets}.db"
        if backend == "postgresql":
            url = request.getfixturevalue("postgres").create_database(f"shape{assets}")
        client = GraphQLClient(await _filled(url, write_lines(tmp_path / "shape.jsonl", _catalogue_of(assets))))
        tabs = await demo.insert_ids(client.database, [_widened(tab, assets) for tab in EXAMPLES])
        sent[assets] = {}
        async for tab, response in _responses(client, sorted(tabs, key=_is_mutation)):
            sent[assets][tab.title] = sorted(client.statements)
            if _is_mutation(tab):
                _assert_accepted(tab, response)
        await client.close()
    assert sent[10] == sent[1_000]


# Both databases


async def test_both_databases_return_the_same_bytes(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[list[tuple[str, str, bytes]]] = []
    for url in (f"sqlite+aiosqlite:///{tmp_path}/demo.db", postgres.create_database("same_bytes")):
        chance = random.Random(1)
        monkeypatch.setattr("store.ids.random_bytes", chance.randbytes)
        monkeypatch.setattr("store.ids.clock_ns", lambda: 1_800_000_000_000_000_000)
        client = GraphQLClient(await _filled(url, demo.CATALOGUE))
        await _set_cursor_key(client.database)
        client.client.headers["x-request-id"] = "example"
        tabs = await demo.insert_ids(client.database, EXAMPLES)
        responses = []
        for tab, who in itertools.product(itertools.filterfalse(_is_mutation, tabs), ACCOUNTS.values()):
            answer = await client.response(who, tab.query, **_variables(tab))
            responses.append((tab.title, who, answer.content))
        # The queries run again after the mutations, to show their effects.
        async for tab, answer in _responses(client, sorted(tabs, key=_is_mutation, reverse=True)):
            responses.append((tab.title, _who(tab), answer.content))
        answers.append(responses)
        await client.close()
    for on_sqlite, on_postgresql in zip(*answers, strict=True):
        assert on_sqlite == on_postgresql


async def _set_cursor_key(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(update(sql.deployment).values(cursor_key=bytes(64)))


# Ids


async def test_examples_refer_to_the_demo_by_its_ids(ask_demo: GraphQLClient) -> None:
    tabs = await demo.insert_ids(ask_demo.database, EXAMPLES)
    assert set().union(*map(find_references, tabs)) == set()
    assert [tab.title for tab in tabs if "<" in tab.variables] == ["Undo an addition of assets"]
    data = await ask_demo("user:ada", '{ topic(by: { slug: "life-on-earth" }) { id } }')
    (renaming,) = [tab for tab in filter(_is_mutation, tabs) if _mutation(tab) == "topicUpdate"]
    assert _variables(renaming)["input"]["id"] == data["topic"]["id"]


def test_the_demo_offers_the_examples_with_its_ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[Starlette] = []
    monkeypatch.setenv("ATOLL_DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path}/demo.db")
    monkeypatch.setattr("app.cli.uvicorn.run", lambda app, **_options: served.append(app))
    before = signal.getsignal(signal.SIGTERM)
    cli.serve(port=free_port(), with_demo=True)
    signal.signal(signal.SIGTERM, before)  # `serve` replaces the handler
    offered = asyncio.run(_offered(served[0]))
    assert [tab.title for tab in offered] == [tab.title for tab in EXAMPLES]
    assert set().union(*map(find_references, offered)) == set()


async def test_other_deployments_offer_the_examples_unchanged(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/untouched.db"
    assert await _offered(create_application(Settings(database_url=url, graphiql=True))) == EXAMPLES


async def _offered(app: Starlette) -> list[Tab]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        config = (await client.get("/graphql/ide/config.json")).json()
    return [Tab(**tab) for tab in config["tabs"]]
