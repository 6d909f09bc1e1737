"""Tests of the worked examples: each runs as its role, with few statements and the same bytes on both databases."""

import asyncio
import itertools
import random
import signal
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import asdict, replace
from functools import cache, partial
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
from sqlalchemy import select, update
from starlette.applications import Starlette

from app import demo
from app.application import create_application
from app.commands.serve import serve as serve_command
from app.graphiql import EXAMPLES as FOLDER
from app.graphiql import Example, build, read_examples
from app.graphiql.example import GROUPS, ROLES
from app.settings import Settings
from app.tokens import create_token
from schema.graph import print_schema
from store import sql
from store.catalogue.importer import import_catalogue
from store.database import Database
from store.migrate import migrate
from tests.cli_process import free_port
from tests.conftest import ANONYMOUS, GraphQLClient, World, set_public_sharing, write_lines
from tests.live_server import serve
from tests.missing import REAL_CATALOGUE, needs_real_catalogue, skip_or_fail
from tests.postgres import Postgres

ALL_EXAMPLES = read_examples(FOLDER)
DEMO_ACCOUNTS = {
    "administrators": "user:ada",
    "owners": "user:olu",
    "members": "user:mei",
    "anyone": ANONYMOUS,
}
"""The user of the first account of each role."""
SUBSCRIPTIONS = [example for example in ALL_EXAMPLES if example.group == GROUPS["live"]]
EXAMPLES = [example for example in ALL_EXAMPLES if example not in SUBSCRIPTIONS]
UNDO = next(example for example in EXAMPLES if "changeUndo" in example.query)
WITHOUT_UNDO = [example for example in EXAMPLES if example is not UNDO]
DEMO = [orjson.loads(line) for line in demo.CATALOGUE.read_bytes().splitlines()]
REGISTERED = {"kind": "CAPSULE", "name": "Spots to cells"}
LONGEST_TITLE = 40
MAX_STATEMENTS = 8
STATEMENTS_OF = {"Everything, in flat pages": 24}  # two for each of six parts, and eight that store the pull
LAST_PAGE = "UPDATE pull "  # begins the statement that only the last page of a pull takes
MAX_MUTATION_STATEMENTS = 42
FILLER = Path(__file__).with_name("fill_examples.mjs")

Fill = Callable[[Example, Any], Example]
"""GraphiQL's way of filling in an example from the response to its query of candidates."""


@pytest.fixture(scope="module")
def fill() -> Iterator[Fill]:
    node = build.find_node()
    if node is None:
        skip_or_fail("the examples are filled in by GraphiQL's script, and there is no Node.js here")
    with subprocess.Popen([node.node, FILLER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        source, sink = process.stdout, process.stdin

        def fill_in(example: Example, data: Any) -> Example:
            sink.write(orjson.dumps([asdict(example), data]) + b"\n")
            sink.flush()
            return replace(example, **orjson.loads(source.readline()))

        yield fill_in
        sink.close()


@cache
def _operation(example: Example) -> OperationDefinitionNode:
    """Return the example's operation, which comes last if candidates are put beside it."""
    operation = parse(example.query).definitions[-1]
    assert isinstance(operation, OperationDefinitionNode)
    return operation


def _is_mutation(example: Example) -> bool:
    return _operation(example).operation is OperationType.MUTATION


def _field(example: Example) -> str:
    (field,) = _operation(example).selection_set.selections
    assert isinstance(field, FieldNode)
    return field.name.value


def _variables(example: Example) -> dict[str, Any]:
    return dict(orjson.loads(example.variables or "{}"))


def _is_filled(example: Example) -> bool:
    return "query Candidates" not in example.query


async def _open(ask: GraphQLClient, fill: Fill, who: str, example: Example) -> Example:
    """Open the example as GraphiQL does for the user."""
    return fill(example, await ask(who, example.candidates) if example.candidates else {})


async def _run(ask: GraphQLClient, who: str, opened: Example) -> httpx.Response:
    """Run the example, or its query of candidates if it could not be filled in."""
    if _is_filled(opened):
        return await ask.response(who, opened.query, **_variables(opened))
    body = {"query": opened.query, "variables": _variables(opened), "operationName": "Candidates"}
    headers = {} if who == ANONYMOUS else {"authorization": f"Bearer {ask.tokens[who]}"}
    return await ask.client.post("/graphql", json=body, headers=headers)


def _assert_accepted(opened: Example, response: httpx.Response) -> None:
    answer = response.json()
    assert "errors" not in answer, (opened.title, answer["errors"])
    if _is_mutation(opened) and _is_filled(opened):
        payload = answer["data"][_field(opened)]
        assert payload["userErrors"] == [], opened.title
        assert payload.get("summary", {}).get("failed", 0) == 0, opened.title


async def _responses(
    ask: GraphQLClient, fill: Fill, examples: Iterable[Example], widen: Callable[[Example], Example] = lambda same: same
) -> AsyncIterator[tuple[Example, httpx.Response]]:
    """Open and run the examples in order, each as its role, and a dry run a second time for real.

    Each change of a collection's assets is undone by the example of undoing, so that the next example has candidates.
    """
    for example in examples:
        who = DEMO_ACCOUNTS[example.role]
        opened = widen(await _open(ask, fill, who, example))
        yield opened, await _run(ask, who, opened)
        if _is_dry_run(example):
            opened = _with_input(opened, dryRun=False)
            response = await _run(ask, who, opened)
            change = response.json()["data"][_field(opened)].get("change")
            yield opened, response
            if change:
                undo = _with_input(UNDO, changeId=change["id"], dryRun=False)
                yield undo, await _run(ask, who, undo)


def _is_dry_run(example: Example) -> bool:
    return bool(_variables(example).get("input", {}).get("dryRun"))


def _with_input(example: Example, **fields: Any) -> Example:
    input_ = _variables(example)["input"] | fields
    return replace(example, variables=orjson.dumps({"input": input_}).decode())


async def _imported(url: str, catalogue: Path, users: Iterable[str] = DEMO_ACCOUNTS.values()) -> World:
    database = Database(url)
    try:
        await migrate(database)
        await import_catalogue(database, catalogue, "demo", lambda _bytes: None)
        await set_public_sharing(database)
        tokens = {user: await create_token(database, user, 3_600) for user in users if user != ANONYMOUS}
        return World(url, tokens)
    finally:
        await database.close()


@pytest.fixture
async def ask_demo(empty_url: str) -> AsyncIterator[GraphQLClient]:
    client = GraphQLClient(await _imported(empty_url, demo.CATALOGUE))
    yield client
    await client.close()


# Coverage


def test_there_are_examples_of_each_group_for_each_role() -> None:
    assert {example.group for example in ALL_EXAMPLES} == set(GROUPS.values())
    assert {example.role for example in EXAMPLES} == set(ROLES)
    assert {account[2] for account in demo.ACCOUNTS} | {demo.ANONYMOUS.role} == set(ROLES)


def test_titles_of_examples_are_short_and_unique() -> None:
    titles = [example.title for example in ALL_EXAMPLES]
    assert len(set(titles)) == len(titles)
    assert [title for title in titles if len(title) > LONGEST_TITLE] == []


def test_every_subscription_has_an_example() -> None:
    root = build_schema(print_schema()).subscription_type
    assert root is not None
    assert sorted(map(_field, SUBSCRIPTIONS)) == sorted(root.fields)


def test_every_topic_mutation_and_every_bulk_mutation_has_an_example() -> None:
    inputs = _inputs()
    bulk = {
        name
        for name, fields in inputs.items()
        if any(is_list_type(get_nullable_type(kind)) for kind in fields.values())
    }
    assert bulk >= {"topicMerge", "collectionAssetsAdd", "assetCollectionsUpdate", "assetsRegister"}
    topics = {name for name in inputs if name.startswith("topic")}
    assert (topics | bulk) - {_field(example) for example in filter(_is_mutation, EXAMPLES)} == set()


def test_an_example_of_a_mutation_is_a_dry_run_if_there_is_one() -> None:
    inputs = _inputs()
    mutations = list(filter(_is_mutation, EXAMPLES))
    assert {_field(example) for example in mutations} >= {"topicCreate", "topicMerge"}
    for example in mutations:
        assert _variables(example)["input"].get("dryRun", False) is ("dryRun" in inputs[_field(example)])


def _inputs() -> dict[str, dict[str, GraphQLInputType]]:
    """Return the types of the fields of each mutation's input."""
    mutations = build_schema(print_schema()).mutation_type
    assert mutations is not None
    inputs = {name: get_named_type(field.args["input"].type) for name, field in mutations.fields.items()}
    return {
        name: {key: field.type for key, field in kind.fields.items()}
        for name, kind in inputs.items()
        if isinstance(kind, GraphQLInputObjectType)
    }


# Filling in


def _example(variables: str) -> Example:
    query = "# Title\n# for: members\n# More.\nmutation A { a }"
    return Example("Title", "Reading", "members", query, variables, "query Candidates { b }")


@pytest.mark.parametrize(
    ("variables", "data", "filled"),
    [
        ('{"id": "<a.0.id>"}', {"a": [{"id": "x"}]}, '{"id": "x"}'),
        ('{"flag": "<a.0>", "n": "<a.1>"}', {"a": [False, 0]}, '{"flag": false, "n": 0}'),
        ('{"ids": "<a.*.id>"}', {"a": [{"id": "x"}, {"id": "y"}]}, '{"ids": ["x","y"]}'),
        (
            '{"id": "<a.?.id>", "in": "<a.?.b.0>"}',
            {"a": [{"id": 1, "b": []}, {"id": 2, "b": [3]}]},
            '{"id": 2, "in": 3}',
        ),
        ('{"id": "<a.?.id>"}', {"viewer": {"user": {"id": "x"}}, "a": [{"id": "x"}, {"id": "y"}]}, '{"id": "y"}'),
        ('{"name": "<a>"}', {"a": 'a "quoted" $& <name>'}, '{"name": "a \\"quoted\\" $& <name>"}'),
        ('{"name": "a <b> c"}', {}, '{"name": "a <b> c"}'),
    ],
)
def test_placeholders_are_filled_in_from_candidates(fill: Fill, variables: str, data: Any, filled: str) -> None:
    example = _example(variables)
    assert fill(example, data) == replace(example, variables=filled)


@pytest.mark.parametrize(
    "data", [{}, {"a": None}, {"a": {"ids": []}}, {"a": {"id": "x"}}, {"a": {"id": "", "ids": [1]}}]
)
def test_variables_without_a_candidate_are_empty_beside_the_query_of_candidates(fill: Fill, data: Any) -> None:
    opened = fill(_example('{"id": "<a.id>", "ids": "<a.ids>", "dryRun": true}'), data)
    assert opened.variables == '{"id": "", "ids": "", "dryRun": true}'
    title, role, note, candidates, empty, more, operation = opened.query.splitlines()
    assert (title, role, more, operation) == ("# Title", "# for: members", "# More.", "mutation A { a }")
    assert note == "# The variables are yours to complete: run Candidates, and choose from its response."
    assert (candidates, empty) == ("query Candidates { b }", "")


# Responses

OWN_ADMINISTRATOR = {"kind": "user", "id": "user:own-admin", "name": "Own", "isAdmin": True}
OWN_MEMBER = {"kind": "user", "id": "user:own-member", "name": "Plain"}


def _own_catalogue(folder: Path, lines: Iterable[dict[str, Any]]) -> Path:
    return write_lines(folder / "own.jsonl", [*lines, OWN_ADMINISTRATOR, OWN_MEMBER])


def _roles(owner: str) -> dict[str, tuple[str, ...]]:
    """Return the roles of each viewer."""
    return {"user:own-admin": ROLES, owner: ROLES[:3], "user:own-member": ROLES[:2], ANONYMOUS: ROLES[:1]}


async def _assert_every_example_runs(ask: GraphQLClient, fill: Fill, roles: dict[str, tuple[str, ...]]) -> list[str]:
    """Open and run each example of each role of each viewer; return the titles of those that were filled in."""
    filled = []
    for who, example in itertools.product(roles, EXAMPLES):
        if example.role in roles[who]:
            opened = await _open(ask, fill, who, example)
            _assert_accepted(opened, await _run(ask, who, opened))
            filled += [example.title] if _is_filled(opened) else []
    return filled


@needs_real_catalogue
async def test_every_example_runs_on_a_real_catalogue(fill: Fill, empty_url: str, tmp_path: Path) -> None:
    lines = [orjson.loads(line) for line in REAL_CATALOGUE.read_bytes().splitlines()]
    (owner, _), *_ = Counter(line["owner"] for line in lines if line["kind"] == "asset").most_common(1)
    roles = _roles(owner)
    client = GraphQLClient(await _imported(empty_url, _own_catalogue(tmp_path, lines), roles))
    filled = await _assert_every_example_runs(client, fill, roles)
    await client.close()
    assert set(filled) == {example.title for example in WITHOUT_UNDO}


async def test_every_example_runs_where_nothing_fits(fill: Fill, empty_url: str, tmp_path: Path) -> None:
    roles = _roles("user:own-member")
    client = GraphQLClient(await _imported(empty_url, _own_catalogue(tmp_path, []), roles))
    filled = set(await _assert_every_example_runs(client, fill, roles))
    await client.close()
    without_placeholders = {example.title for example in EXAMPLES if not example.candidates}
    # The examples before these two add the group and the user.
    added = {"Change the members of a group", "Deactivate a user"}
    assert filled == without_placeholders | added | {"Turn public sharing on or off"}


async def test_every_example_of_the_demo_succeeds_with_few_statements(ask_demo: GraphQLClient, fill: Fill) -> None:
    ran = set()
    async for opened, response in _responses(ask_demo, fill, sorted(WITHOUT_UNDO, key=_is_mutation)):
        sent = len(ask_demo.statements)
        _assert_accepted(opened, response)
        assert _is_filled(opened), opened.title
        answer = response.json()["data"]
        assert None not in answer.values(), opened.title
        limit = MAX_MUTATION_STATEMENTS if _is_mutation(opened) else MAX_STATEMENTS
        assert 1 <= sent <= STATEMENTS_OF.get(opened.title, limit), opened.title
        ran.add(opened.title)
    assert ran == {example.title for example in EXAMPLES}


async def test_every_subscription_of_the_demo_begins_with_an_event(
    empty_url: str, fill: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolvers.write.membership.INLINE_BULK_ITEMS", 1)
    addition = next(example for example in filter(_is_mutation, EXAMPLES) if _field(example) == "collectionAssetsAdd")
    async with serve(await _imported(empty_url, demo.CATALOGUE)) as live:
        owner = DEMO_ACCOUNTS["owners"]
        opened = _with_input(await _open(live.ask, fill, owner, addition), dryRun=False)
        _assert_accepted(opened, await _run(live.ask, owner, opened))
        for example in SUBSCRIPTIONS:
            who = DEMO_ACCOUNTS[example.role]
            opened = await _open(live.ask, fill, who, example)
            assert _is_filled(opened), opened.title
            async with live.subscribe(who, opened.query, **_variables(opened)) as events:
                event = await events.next()
            assert event["status" if _field(example) == "jobUpdated" else "cursor"], opened.title


async def test_a_dry_run_forecasts_the_real_run(ask_demo: GraphQLClient, fill: Fill) -> None:
    examples = list(filter(_is_dry_run, WITHOUT_UNDO))
    assert {"topicMerge", "topicDelete", "collectionDelete", "collectionAssetsMove"} <= set(map(_field, examples))
    payloads = [
        response.json()["data"][_field(opened)]
        async for opened, response in _responses(ask_demo, fill, examples)
        if opened.title != UNDO.title
    ]
    for forecast, payload in zip(payloads[::2], payloads[1::2], strict=True):
        assert (forecast.get("summary"), forecast.get("results")) == (payload.get("summary"), payload.get("results"))
        if "movedCollections" in payload:
            assert forecast["movedCollectionCount"] == len(payload["movedCollections"]) > 0
            assert forecast["movedCollections"] == []


# Statements


def _numbered(noun: str, count: int) -> list[str]:
    return [f"{noun}-{number}" for number in range(count)]


def _catalogue_of(assets: int) -> list[dict[str, Any]]:
    """Return a catalogue with this many assets of the owner, and a tenth as many of each other kind.

    The first asset was updated last, and every fifth is archived. The first collection by name is empty, and the next
    ones have all assets.
    """
    many, tenth = _numbered("asset", assets), assets // 10
    kinds = itertools.cycle(("CAPSULE", "PIPELINE", "NO_CODE_APP", "DATA_ASSET", "MODEL"))
    grants = [
        {"to": "everyone", "role": "VIEWER"},
        {"to": "public", "role": "VIEWER"},
        {"to": "user:mei", "role": "EDITOR"},
    ]
    rows = [
        {"kind": "asset", "id": id_, "type": kind, "name": id_, "owner": "user:olu", "grants": grants, "tags": ["all"]}
        | {
            "uses": [many[place - 1]],
            "archived": id_ in many[1::5],
            "updatedAt": f"202{5 - min(place, 1)}-01-01T00:00:00Z",
        }
        for place, (id_, kind) in enumerate(zip(many, kinds, strict=False))
    ]
    rows.append(rows[-1] | {"id": "other", "name": "other", "owner": "user:sam"})
    more: list[dict[str, Any]] = [{"kind": "user", "id": id_, "name": id_} for id_ in _numbered("user", tenth)]
    more += [{"kind": "topic", "slug": slug, "name": slug} for slug in _numbered("topic", tenth)]
    # Examples move and delete the first collections of a topic, and remove an asset from b-full.
    members_by_slug = dict.fromkeys(_numbered("z", 24), many[:1]) | {"a-empty": [], "b-full": many, "c-full": many}
    members_by_slug |= dict.fromkeys(_numbered("collection", tenth), many[:tenth])
    others = [line for line in DEMO if line["kind"] not in {"asset", "collection"}]
    topics = itertools.cycle(line["slug"] for line in others if line["kind"] == "topic")
    return [*others, *rows, *more] + [
        {"kind": "collection", "slug": slug, "name": slug, "topic": topic, "assets": members}
        | {"visibility": "INTERNAL" if slug.startswith("collection") else "PUBLIC"}
        for (slug, members), topic in zip(members_by_slug.items(), topics, strict=False)
    ]


def _widened(opened: Example, ids: dict[str, str], assets: int) -> Example:
    """Return the example with its lists extended to the size of the catalogue, or to their limits."""
    # Registering inserts a thousand rows per statement, and an asset has a few grants.
    many, tenth = min(assets, 900), min(assets // 10, 98)
    more: dict[str, list[Any]] = {
        "assetIds": [ids[id_] for place, id_ in enumerate(_numbered("asset", many)) if place % 5 != 1],
        "assets": [REGISTERED | {"ownerId": ids["user:olu"], "externalId": id_} for id_ in _numbered("new", many)],
        "sourceIds": [ids[slug] for slug in _numbered("topic", tenth)],
        "addTo": [ids[slug] for slug in _numbered("collection", tenth)],
        "set": [{"to": {"userId": ids[id_]}, "access": "VIEWER"} for id_ in _numbered("user", tenth)],
    }
    input_ = _variables(opened).get("input", {})
    longer = {field: [*input_[field], *items] for field, items in more.items() if field in input_}
    return _with_input(opened, **longer) if longer else opened


async def _ids_by_name(database: Database) -> dict[str, str]:
    """Return the ids of all objects by slug, or by id in the platform."""
    names = (sql.topic.c.slug, sql.collection.c.slug, sql.asset.c.external_id, sql.principal.c.external_id)
    async with database.snapshot() as snapshot:
        rows = [row for name in names for row in await snapshot.rows(select(name, name.table.c.id))]
    return dict(map(tuple, rows))


async def test_the_statements_of_an_example_do_not_depend_on_the_amount_of_data(
    backend: str, tmp_path: Path, request: pytest.FixtureRequest, fill: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of many assets, a dry run of a transfer only counts, as of few assets here.
    monkeypatch.setattr("resolvers.write.transfer.INLINE_BULK_ITEMS", 0)
    sent: dict[int, list[tuple[str, list[str]]]] = {}
    for assets in (10, 1_000):
        url = f"sqlite+aiosqlite:///{tmp_path}/{assets}.db"
        if backend == "postgresql":
            url = request.getfixturevalue("postgres").create_database(f"shape{assets}")
        client = GraphQLClient(await _imported(url, write_lines(tmp_path / "shape.jsonl", _catalogue_of(assets))))
        ids = await _ids_by_name(client.database)
        sent[assets] = []
        widen = partial(_widened, ids=ids, assets=assets)
        async for opened, response in _responses(client, fill, sorted(WITHOUT_UNDO, key=_is_mutation), widen):
            statements = (each for each in client.statements if not each.startswith(LAST_PAGE))
            sent[assets].append((opened.title, sorted(statements)))
            assert _is_filled(opened), opened.title
            _assert_accepted(opened, response)
        await client.close()
    assert sent[10] == sent[1_000]


# Both databases


async def test_both_databases_return_the_same_bytes(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fill: Fill
) -> None:
    answers: list[list[tuple[str, str, bytes]]] = []
    for url in (f"sqlite+aiosqlite:///{tmp_path}/demo.db", postgres.create_database("same_bytes")):
        chance = random.Random(1)
        monkeypatch.setattr("store.ids.random_bytes", chance.randbytes)
        monkeypatch.setattr("store.ids.clock_ns", lambda: 1_800_000_000_000_000_000)
        client = GraphQLClient(await _imported(url, demo.CATALOGUE))
        await _set_cursor_key(client.database)
        client.client.headers["x-request-id"] = "example"
        queries = list(itertools.filterfalse(_is_mutation, EXAMPLES))
        responses = []
        for example, who in itertools.product(queries, DEMO_ACCOUNTS.values()):
            opened = await _open(client, fill, who, example)
            responses.append((example.title, who, (await _run(client, who, opened)).content))
        # The queries run again after the mutations, to show their effects.
        async for opened, answer in _responses(client, fill, sorted(WITHOUT_UNDO, key=_is_mutation, reverse=True)):
            responses.append((opened.title, opened.role, answer.content))
        answers.append(responses)
        await client.close()
    for on_sqlite, on_postgresql in zip(*answers, strict=True):
        assert on_sqlite == on_postgresql


async def _set_cursor_key(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(update(sql.deployment).values(cursor_key=bytes(64)))


# Offer


def test_the_demo_offers_the_examples_and_an_account_for_each_role(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[Starlette] = []
    monkeypatch.setenv("ATOLL_DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path}/demo.db")
    monkeypatch.setattr("app.commands.serve.uvicorn.run", lambda app, **_options: served.append(app))
    before = signal.getsignal(signal.SIGTERM)
    serve_command(port=free_port(), with_demo=True)
    signal.signal(signal.SIGTERM, before)  # `serve` replaces the handler
    config = asyncio.run(_config(served[0]))
    assert [Example(**example) for example in config["examples"]] == ALL_EXAMPLES
    assert {account["role"] for account in config["accounts"]} == set(ROLES)


async def test_other_deployments_offer_the_examples_and_no_account(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/untouched.db"
    config = await _config(create_application(Settings(database_url=url, graphiql=True)))
    assert [Example(**example) for example in config["examples"]] == ALL_EXAMPLES
    assert config["accounts"] == []


async def _config(app: Starlette) -> dict[str, Any]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        return dict((await client.get("/graphql/ide/config.json")).json())
