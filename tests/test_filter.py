"""Filters against the oracle: each field alone and many together, for every viewer."""

import dataclasses
import random
import re
from collections.abc import Sequence
from itertools import zip_longest
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from sqlalchemy import select, update
from sqlalchemy import text as sql_text
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.utils.str_converters import to_camel_case

from permissions import Viewer
from proofs.oracle.filters import random_asset_filter, random_collection_filter, random_user_filter
from resolvers import filter as filters
from resolvers.listing import statement_cache
from schema.graph import build_schema
from store import sql
from tests.conftest import ANONYMOUS, MEMBERS, VIEWERS, GraphQLClient
from tests.oracle import KINDS, Model, Names
from tests.test_listing import load_model, vary_world

SEED = 20_260_101
NO_ID = "ast_" + "0" * 24
LISTS = """query($a: AssetFilter, $c: CollectionFilter) {
  assets(first: 100, filter: $a, orderBy: {field: NAME}) { totalCount nodes { ... on AssetFields { externalId } } }
  collections(first: 100, filter: $c) { totalCount nodes { slug } }
  open: collection(by: {slug: "open"}) {
    assets(filter: $a) { nodes { ... on AssetFields { externalId } } }
    below: assets(filter: $a, includeDescendants: true) { totalCount nodes { ... on AssetFields { externalId } } }
    assetCounts(filter: $a, includeDescendants: true) { total }
    children(filter: $c) { nodes { slug } }
  }
  topic(by: {slug: "imaging"}) { collections(filter: $c) { nodes { slug } } }
}"""
PANEL = """query($a: AssetFilter) { collection(by: {slug: "members"}) {
  addableAssets(filter: $a) { totalCount nodes { ... on AssetFields { externalId } } } } }"""
USERS = "query($u: UserFilter) { users(first: 100, filter: $u) { totalCount nodes { externalId } } }"
ASSETS = """query($a: AssetFilter) { assets(filter: $a, orderBy: {field: NAME}) {
  nodes { ... on AssetFields { externalId } } } }"""

FilterInput = dict[str, Any]


def node_names(found: dict[str, Any]) -> Names:
    """Return the nodes of the list; its count, if selected, must equal their number."""
    held = [node.get("slug") or node["externalId"] for node in found["nodes"]]
    assert found.get("totalCount", len(held)) == len(held)
    return held


async def assert_filtered(
    ask: GraphQLClient, model: Model, who: str, given: FilterInput | None, collections: FilterInput | None
) -> None:
    """Fail unless every list that takes the filters equals the oracle's."""
    failure = f"seed {SEED}, {who}: {given} {collections}"
    data = await ask(who, LISTS, a=given, c=collections)
    assert node_names(data["assets"]) == model.assets(who, "NAME", given, descending=False), failure
    assert node_names(data["collections"]) == model.collections(who, filter=collections), failure
    assert node_names(data["open"]["assets"]) == model.collection_assets(who, "open", filter=given), failure
    below = model.collection_assets(who, "open", filter=given, include_descendants=True)
    assert node_names(data["open"]["below"]) == below, failure
    assert data["open"]["assetCounts"]["total"] == len(below), failure
    assert node_names(data["open"]["children"]) == model.children(who, "open", filter=collections), failure
    of_topic = model.collections(who, "POSITION", collections, "imaging")
    assert node_names(data["topic"]["collections"]) == of_topic, failure
    if who not in {ANONYMOUS, "ada", "eve"}:
        panel = (await ask(who, PANEL, a=given))["collection"]["addableAssets"]
        assert node_names(panel) == model.addable_assets(who, "members", filter=given), failure


def time_range(chance: random.Random, instants: Sequence[str]) -> FilterInput:
    """Return a time range whose ends are timestamps of the world, or missing, or null, or reversed."""
    ends: dict[str, str | None] = {}
    for end in ("from", "until"):
        if chance.random() < 0.8:
            ends[end] = chance.choice([*instants, None])
    return ends


def any_of(chance: random.Random, values: Sequence[str], most: int = 3) -> list[str]:
    """Return a few of the values, with repetition, perhaps none."""
    return chance.choices(values, k=chance.randint(0, most))


def values_of(chance: random.Random, model: Model) -> dict[str, dict[str, Any]]:
    """Return a value for each field of the filters."""
    years = ["2023-01-01T00:00:00Z", "2024-01-01T00:00:00Z", "2024-01-01T00:00:00.001Z"]
    days = [f"2025-01-{day:02}T00:00:00Z" for day in range(1, 15)]
    seconds = [f"1970-01-01T00:00:00.{ms:03}Z" for ms in (0, 99, 100, 101, 500, 501, 900, 901)]
    ids = {
        kind: [model.ids[name] for name in getattr(model, kind)] for kind in ("collection", "topic", "users", "asset")
    }
    known = [*ids["collection"], NO_ID, "no id", ""]
    return {
        "a": {
            "ids": any_of(chance, [*ids["asset"], NO_ID]),
            "externalIds": any_of(chance, [*model.asset, "no"]),
            "kinds": any_of(chance, KINDS),
            "statuses": any_of(chance, ["RELEASED", "DRAFT", "ARCHIVED", "WITHDRAWN", "FAILED"]),
            "tags": any_of(chance, ["all", *"abcdehi", "A", "al", "", "%", "_"]),
            "allTags": any_of(chance, ["all", *"abc"], 2),
            "licenses": any_of(chance, ["MIT", "mit", ""]),
            "viewerAccess": chance.choice(["DISCOVERABLE", "VIEWER", "EDITOR", "OWNER"]),
            "ownerIds": any_of(chance, [*ids["users"], NO_ID]),
            "goldStandard": chance.choice([True, False]),
            "createdAt": time_range(chance, years),
            "updatedAt": time_range(chance, days),
            "inCollectionIds": any_of(chance, known),
            "notInCollectionIds": any_of(chance, known),
            "inNoCollection": chance.choice([True, False]),
        },
        "c": {
            "ids": any_of(chance, known),
            "slugs": any_of(chance, [*model.collection, "no"]),
            "parentIds": any_of(chance, known),
            "visibility": chance.choice(["PUBLIC", "INTERNAL"]),
            "topicIds": any_of(chance, [*ids["topic"], NO_ID]),
            "topLevelOnly": chance.choice([True, False]),
            "containsAssetId": chance.choice([*ids["asset"], NO_ID, ""]),
            "updatedAt": time_range(chance, seconds),
        },
        "u": {
            "isAdmin": chance.choice([True, False]),
            "isActive": chance.choice([True, False]),
            "groupIds": any_of(chance, [*(model.ids[group] for group in model.groups), NO_ID, ""]),
        },
    }


@pytest.mark.parametrize("who", VIEWERS)
async def test_each_field_alone_matches_like_the_oracle(ask_own: GraphQLClient, who: str) -> None:
    model = await vary_world(ask_own)
    chance = random.Random(f"{SEED} {who}")
    values = values_of(chance, model)
    alone = {which: [{name: value} for name, value in values[which].items()] for which in "ac"}
    for given, collections in zip_longest(alone["a"], alone["c"]):
        await assert_filtered(ask_own, model, who, given, collections)
    await assert_filtered(ask_own, model, who, dict.fromkeys(values["a"]), dict.fromkeys(values["c"]))


COMBINATIONS = 200


@pytest.mark.parametrize("who", VIEWERS)
async def test_combined_fields_match_like_the_oracle(ask_own: GraphQLClient, who: str) -> None:
    model = await vary_world(ask_own)
    chance = random.Random(f"{SEED} together {who}")
    for _ in range(COMBINATIONS // len(VIEWERS) + 1):
        values = values_of(chance, model)
        some = {
            which: {name: value for name, value in values[which].items() if chance.random() < 2.2 / len(values[which])}
            for which in "ac"
        }
        await assert_filtered(ask_own, model, who, some["a"], some["c"])


@pytest.mark.parametrize("who", MEMBERS)
async def test_users_match_like_the_oracle(ask_own: GraphQLClient, who: str) -> None:
    model = await vary_world(ask_own)
    chance = random.Random(f"{SEED} users {who}")
    values = [values_of(chance, model)["u"] for _ in range(12)]
    for given in [*values, *({name: value} for each in values for name, value in each.items()), None]:
        found = node_names((await ask_own(who, USERS, u=given))["users"])
        assert found == model.users_by_name(who, given), f"seed {SEED}, {who}: {given}"


async def test_hidden_ids_in_filters_answer_like_unknown_ids(ask: GraphQLClient) -> None:
    model = await load_model(ask)
    for who, hidden in ((ANONYMOUS, "inner"), (ANONYMOUS, "members")):
        for name in ("inCollectionIds", "notInCollectionIds"):
            answers = {
                (await ask.response(who, LISTS, a={name: [id_]}, c=None)).content
                for id_ in (model.ids[hidden], NO_ID, "")
            }
            assert len(answers) == 1
    for who, hidden in (("eve", "hidden"), ("eve", "genomes"), ("sam", "junk"), (ANONYMOUS, "blast")):
        answers = {
            (await ask.response(who, LISTS, a=None, c={"containsAssetId": id_})).content
            for id_ in (model.ids[hidden], NO_ID, "")
        }
        assert len(answers) == 1
    answers = {(await ask.response("eve", USERS, u={"groupIds": [id_]})).content for id_ in (model.ids["lab"], NO_ID)}
    assert len(answers) == 1
    answers = {
        (await ask.response(ANONYMOUS, LISTS, a={"ownerIds": [id_]}, c=None)).content
        for id_ in (model.ids["mei"], NO_ID)
    }
    assert len(answers) == 1


@pytest.mark.parametrize("field", ["kinds", "statuses", "tags", "ownerIds", "inCollectionIds"])
async def test_an_empty_list_matches_nothing(ask: GraphQLClient, field: str) -> None:
    assert (await ask("olu", ASSETS, a={field: []}))["assets"]["nodes"] == []


async def test_an_empty_list_excludes_nothing(ask: GraphQLClient) -> None:
    assert len((await ask("olu", ASSETS, a={"notInCollectionIds": []}))["assets"]["nodes"]) == 11


async def test_a_time_range_contains_its_start_and_not_its_end(ask: GraphQLClient) -> None:
    third, fourth = "2025-01-03T00:00:00Z", "2025-01-04T00:00:00Z"
    for given, expected in (
        ({"from": third, "until": fourth}, ["count"]),
        ({"from": third, "until": third}, []),
        ({"from": fourth, "until": third}, []),
        ({"until": third}, ["align", "blast"]),
        ({"from": "2025-01-03T02:00:00+02:00", "until": "2025-01-03T00:00:00.001Z"}, ["count"]),
        ({"from": "2025-01-03T00:00:00.001Z", "until": fourth}, []),
        ({}, None),
    ):
        nodes = (await ask("olu", ASSETS, a={"updatedAt": given}))["assets"]["nodes"]
        found = [node["externalId"] for node in nodes]
        assert found == expected if expected is not None else len(found) == 11


async def test_a_returned_timestamp_means_the_same_in_a_filter(ask_own: GraphQLClient) -> None:
    await vary_world(ask_own)
    query = "query($f: CollectionFilter) { collections(filter: $f) { nodes { slug updatedAt } } }"
    for at in (1, 1_001, 1_795_415_340_001, 1_795_415_340_119, 4_102_444_799_999):
        async with ask_own.database.write() as connection:
            await connection.execute(
                update(sql.collection).where(sql.collection.c.slug == "bare").values(updated_at=at)
            )
        nodes = (await ask_own("eve", query))["collections"]["nodes"]
        timestamp = next(node["updatedAt"] for node in nodes if node["slug"] == "bare")
        nodes = (await ask_own("eve", query, f={"updatedAt": {"from": timestamp}}))["collections"]["nodes"]
        assert "bare" in [node["slug"] for node in nodes], timestamp
        nodes = (await ask_own("eve", query, f={"updatedAt": {"until": timestamp}}))["collections"]["nodes"]
        assert "bare" not in [node["slug"] for node in nodes], timestamp


ODD = [
    "'",
    '"',
    "'; drop table asset; --",
    "\\",
    "🦊",
    "[]",
    "{}",
    "%",
    "\u202e",
    "a" * 10_000,
    "\x01",
    "\ufffd",
    "$1",
    ":a",
]


async def test_odd_texts_match_nothing_and_cause_no_error(ask: GraphQLClient) -> None:
    for text in ODD:
        for field in ("tags", "ownerIds", "inCollectionIds"):
            assert (await ask("eve", ASSETS, a={field: [text]}))["assets"]["nodes"] == []
        assert (await ask("eve", LISTS, c={"containsAssetId": text}))["collections"]["nodes"] == []
    many = [*ODD, *(f"{index:024}" for index in range(80)), "b"]
    assert (await ask("eve", ASSETS, a={"tags": many}))["assets"]["nodes"] == [{"externalId": "blast"}]
    assert len((await ask("eve", ASSETS, a={"notInCollectionIds": many}))["assets"]["nodes"]) == 6


async def test_a_null_character_is_rejected_before_it_reaches_the_database(ask: GraphQLClient) -> None:
    response = await ask.response("eve", ASSETS, a={"tags": ["a\0"]})
    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_REQUEST")
    literal = '{ assets(filter: {tags: ["a\\u0000"]}) { totalCount } }'
    body = (await ask.response("eve", literal)).json()
    assert [error["extensions"]["code"] for error in body.get("errors", [])] != ["INTERNAL"], body


async def test_statements_with_long_filters_are_not_cached(ask: GraphQLClient, monkeypatch: pytest.MonkeyPatch) -> None:
    query = "query ($tags: [String!]) { assets(filter: {tags: $tags}) { totalCount } }"
    cached = Mock(wraps=statement_cache.cached)
    monkeypatch.setattr("resolvers.listing.part.cached", cached)
    for tags, is_cached in ((["kept"], True), (["tag" * 20] * 100, False)):
        cached.reset_mock()
        await ask("ada", query, tags=tags)
        assert cached.called == is_cached


FILTERS = {
    name: definition
    for name, kind in build_schema().schema_converter.type_map.items()
    if name.endswith("Filter") and isinstance(definition := kind.definition, StrawberryObjectDefinition)
}


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_has_the_same_fields_in_the_schema_and_in_the_resolvers(name: str) -> None:
    declared = {field.python_name for field in FILTERS[name].fields}
    compiled: type[filters.Filter] = getattr(filters, name)
    assert {field.name for field in dataclasses.fields(compiled)} == {*declared, "search"}
    assert compiled.conditions_of.keys() == declared


def test_the_oracle_knows_every_field_of_the_filters_that_this_file_tests() -> None:
    values = values_of(random.Random(SEED), Model([], {}))
    for name, which in (("AssetFilter", "a"), ("CollectionFilter", "c"), ("UserFilter", "u")):
        assert graph_fields(name) == values[which].keys()


def test_the_proof_of_the_oracle_draws_every_field_of_these_filters() -> None:
    for name, draw in (
        ("AssetFilter", random_asset_filter),
        ("CollectionFilter", random_collection_filter),
        ("UserFilter", random_user_filter),
    ):
        assert graph_fields(name) == {
            field for seed in range(200) for field in draw(random.Random(seed), Model([], {}))
        }


def graph_fields(name: str) -> set[str]:
    """Return the names of the filter's fields in the schema."""
    return {to_camel_case(field.python_name) for field in FILTERS[name].fields}


async def test_some_value_of_each_field_matches_a_part_of_the_world(ask_own: GraphQLClient) -> None:
    model = await vary_world(ask_own)
    chance = random.Random(SEED)
    drawn = [values_of(chance, model) for _ in range(50)]
    for which, matches, objects in (
        ("a", model.asset_matches, model.asset),
        ("c", model.collection_matches, model.collection),
        ("u", model.user_matches, model.users),
    ):
        for field in drawn[0][which]:
            numbers = {sum(matches("ada", each, {field: values[which][field]}) for each in objects) for values in drawn}
            assert numbers - {0, len(objects)}, f"no object of the test world has a value of {field}"


def test_an_input_with_a_field_that_the_filter_lacks_is_an_error() -> None:
    given = SimpleNamespace(kinds=["MODEL"], colours=None)
    with pytest.raises(TypeError, match=r"AssetFilter has no field colours\. Add it in resolvers/filter\.py\."):
        filters.AssetFilter.from_input(given)


async def test_no_condition_looks_through_its_list_for_each_row(ask: GraphQLClient) -> None:
    viewer = Viewer(1, is_admin=False, principals=(1, 2), public_sharing=False, cursor_key=b"", row_version=0)
    # A subquery that depends on the row is correlated in SQLite's words; in PostgreSQL's, it is not hashed.
    explain, faulty = ("EXPLAIN", r"(?<!hashed )SubPlan \d+\)")
    if ask.database.is_sqlite:
        explain, faulty = ("EXPLAIN QUERY PLAN", "CORRELATED")
    async with ask.database.engines[1].connect() as connection:
        for name in FILTERS:
            compiled: type[filters.Filter] = getattr(filters, name)
            for field in list_fields(compiled):
                values: dict[str, Any] = {field: ("x", "y")}
                conditions = compiled(**values).conditions(viewer)
                statement = select(compiled.table.c.pk).where(*conditions)
                compilation = statement.compile(connection.engine, compile_kwargs={"literal_binds": True})
                rows = await connection.execute(sql_text(f"{explain} {compilation}"), viewer.parameters)
                plan = "\n".join(str(row) for row in rows)
                assert not re.search(faulty, plan), f"{name}.{field}: {plan}"


def list_fields(compiled: type[filters.Filter]) -> list[str]:
    """Return the fields of a filter that are lists."""
    return [field.name for field in dataclasses.fields(compiled) if "tuple" in str(field.type)]
