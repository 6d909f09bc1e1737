"""Operators of search queries, unknown fields, and queries of many words."""

import pytest

from store.search.parse import MAX_QUERY_WORDS
from tests.conftest import GraphQLClient
from tests.test_search import ASSETS, search, update_assets

NAMES = {"align": "wheat trials", "blast": "wheat", "count": "rna", "draft": "rna trials", "explore": "wheat and rna"}
WHEAT = {"wheat trials", "wheat", "wheat and rna"}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("wheat -trials", {"wheat", "wheat and rna"}),
        ("wheat NOT trials", {"wheat", "wheat and rna"}),
        ("wheat AND trials", {"wheat trials"}),
        ("wheat trials", {"wheat trials"}),
        ("rna OR wheat", set(NAMES.values())),
        ("trials OR rna wheat", {"wheat trials", "wheat and rna"}),
        ("wheat rna OR trials", {"wheat trials", "wheat and rna"}),
        ("wheat -trials -rna", {"wheat"}),
        ("wheat -tria", WHEAT),  # no prefix is excluded
        ('wheat -"and rna"', {"wheat trials", "wheat"}),
        ('wheat NOT "and rna"', {"wheat trials", "wheat"}),
        ("kind:model OR tag:zz wheat", set()),
        ("wheat -tag:zz", WHEAT),
        ("tag:w OR rna", {"rna", "rna trials", "wheat and rna"}),
        ("wheat OR", WHEAT),
        ("OR wheat", WHEAT),
        ("wheat NOT", WHEAT),
        ("AND", {"wheat and rna"}),
        ("and rna", {"wheat and rna"}),
        ("wheat-trials", {"wheat trials"}),
        ("wheat - trials", {"wheat trials"}),
        ("wheat -", WHEAT),
    ],
)
async def test_operators_combine_terms(ask_own: GraphQLClient, query: str, expected: set[str]) -> None:
    plain: dict[str, object] = {"description": None, "tags": []}
    await update_assets(ask_own, **{asset: plain | {"name": name} for asset, name in NAMES.items()})
    found = await search(ask_own, "ada", query)
    assert set(found) == expected
    assert len(found) == len(set(found))


async def test_a_query_of_excluded_terms_finds_all_others(ask_own: GraphQLClient) -> None:
    every = await search(ask_own, "ada", None)
    await update_assets(ask_own, align={"name": "wheat"})
    for query in ("-wheat", "NOT wheat", "-wheat -zebra"):
        found = await search(ask_own, "ada", query)
        assert found == [name for name in every if name != "align"]
        assert set(await search(ask_own, "mei", query)) <= set(found)


@pytest.mark.parametrize(
    ("query", "field", "value"),
    [
        ("status:draft", "status", "status:draft"),
        ("wheat author:x y", "author", "author:x"),
        ('-name:"a b"', "name", "name:a"),
    ],
)
async def test_an_unknown_field_is_an_error_that_names_the_known_ones(
    ask: GraphQLClient, query: str, field: str, value: str
) -> None:
    message = (
        f'The query has the unknown field "{field}:". Known fields: tag:, owner:, kind:, doi:.'
        f' To find the text, quote it: "{value}".'
    )
    assert await ask.errors("ada", ASSETS, typed=query) == [("BAD_USER_INPUT", message)]
    assert (await ask.response("ada", ASSETS, typed=f'"{value}"')).json().get("errors") is None


@pytest.mark.parametrize("query", ["GO:0006915", "chr1:1000", "https://example.org/x", "std::vector", "a: b", "10:30"])
async def test_a_colon_in_other_text_is_punctuation(ask_own: GraphQLClient, query: str) -> None:
    await update_assets(ask_own, align={"name": query})
    assert await search(ask_own, "olu", query) == [query]


async def test_words_beyond_the_limit_are_left_aside(ask_own: GraphQLClient) -> None:
    name = " ".join(f"w{number}" for number in range(40))
    await update_assets(ask_own, align={"name": name}, blast={"name": name.replace("w39", "other")})
    assert set(await search(ask_own, "ada", name)) == {name, name.replace("w39", "other")}
    missing = name.replace(f"w{MAX_QUERY_WORDS - 1} ", "missing ")
    assert await search(ask_own, "ada", missing) == []
    assert len(await search(ask_own, "ada", f'"{name}"')) == 2


@pytest.mark.parametrize("query", ["a " * 31, f'"{"a " * 31}"', "a-" * 31, "tag:a " * 31, '"' + "\ufdfa" * 499])
async def test_many_words_of_each_kind_are_no_error(ask: GraphQLClient, query: str) -> None:
    assert (await ask.response("ada", ASSETS, typed=query)).json().get("errors") is None
