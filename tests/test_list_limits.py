"""Tests of the limits of lists in arguments and variables, which are checked before any value is coerced."""

from collections.abc import Iterator
from typing import Any

import pytest
from graphql import (
    GraphQLInputObjectType,
    GraphQLList,
    get_nullable_type,
    is_input_object_type,
    parse,
    parse_const_value,
)

from app.list_limits import check_inputs, find_input_arguments
from resolvers.limits import LIMITS
from schema.graph import build_schema, graphql_schema
from schema.sizes import ITEMS_OF
from tests.http_server import World

SCHEMA = graphql_schema(build_schema())
FILTERED = "query($f: AssetFilter) { assets(filter: $f) { totalCount } }"
ADDING = "mutation($i: CollectionAssetsAddInput!) { collectionAssetsAdd(input: $i) { summary { changed } } }"


def messages(document: str, **variables: Any) -> list[str]:
    """Return the errors of the document's lists."""
    return [error.message for error in check_inputs(find_input_arguments(SCHEMA, parse(document)), variables).errors]


def list_fields() -> Iterator[tuple[GraphQLInputObjectType, str]]:
    """Yield the input type and the name of each list in an input."""
    for type_ in SCHEMA.type_map.values():
        if is_input_object_type(type_):
            for name, field in type_.fields.items():
                if isinstance(get_nullable_type(field.type), GraphQLList):
                    yield type_, name


@pytest.mark.parametrize(("type_", "name"), list(list_fields()), ids=str)
def test_every_list_of_an_input_has_a_limit(type_: GraphQLInputObjectType, name: str) -> None:
    roots = [root for root in (SCHEMA.query_type, SCHEMA.mutation_type) if root is not None]
    root, root_field, argument, path = next(
        (root, root_field, argument, path)
        for root in roots
        for root_field, definition in root.fields.items()
        for argument, each in definition.args.items()
        for path in _paths(each.type, type_)
    )
    limit = ITEMS_OF.get(f"{type_.name}.{name}", LIMITS.list_items)
    kind = root.fields[root_field].args[argument].type
    operation = "mutation" if root is SCHEMA.mutation_type else "query"
    document = f"{operation}($given: {kind}) {{ {root_field}({argument}: $given) {{ __typename }} }}"
    assert messages(document, given=_nest(path, {name: ["x"] * limit})) == []
    where = ".".join([argument, *path, name])
    assert messages(document, given=_nest(path, {name: ["x"] * (limit + 1)})) == [
        f"{where} has {limit + 1:,} values; at most {limit:,} are allowed. Send several requests."
    ]


def _paths(type_: Any, wanted: GraphQLInputObjectType, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the paths within a type that lead to the wanted input type; an index is that of the first item."""
    nullable = get_nullable_type(type_)
    if isinstance(nullable, GraphQLList):
        return _paths(nullable.of_type, wanted, (*path, "0"))
    if nullable is wanted:
        return [path]
    fields = nullable.fields.items() if isinstance(nullable, GraphQLInputObjectType) else ()
    return [found for name, field in fields for found in _paths(field.type, wanted, (*path, name))]


def _nest(path: tuple[str, ...], value: Any) -> Any:
    for name in reversed(path):
        value = [value] if name == "0" else {name: value}
    return value


def test_lists_in_documents_and_in_defaults_have_the_same_limits() -> None:
    many = "[" + '"x" ' * (LIMITS.list_items + 1) + "]"
    too_many = "has 101 values; at most 100 are allowed. Send several requests."
    assert messages(f"{{ nodes(ids: {many}) {{ id }} }}") == [f"ids {too_many}"]
    assert messages(f"{{ assets(filter: {{tags: {many}}}) {{ totalCount }} }}") == [f"filter.tags {too_many}"]
    document = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    assert messages(document, ids=parse_const_value(many)) == [f"ids {too_many}"]
    nested = "query($tags: [String!]) { assets(filter: {tags: $tags}) { totalCount } }"
    assert messages(nested, tags=["x"] * 101) == [f"filter.tags {too_many}"]


def test_an_object_with_more_fields_than_its_type_is_refused() -> None:
    given = {f"k{number}": 1 for number in range(20_000)}
    assert messages(FILTERED, f=given) == ["filter has 20,000 fields; AssetFilter has 15. Send several requests."]


def test_all_lists_together_have_a_limit() -> None:
    document = "mutation($i: AssetsRegisterInput!) { " + " ".join(
        f"a{number}: assetsRegister(input: $i) {{ summary {{ changed }} }}" for number in range(2)
    )
    given = {"assets": [{"tags": ["x"] * 100}] * 500}
    assert messages(f"{document} }}", i=given) == [
        "All lists of the arguments have 101,000 values; at most 100,000 are allowed. Send several requests."
    ]


@pytest.mark.parametrize("given", [None, 3, "x", [], {}, {"tags": None}, {"tags": "x"}, {"unknown": ["x"] * 101}])
def test_other_values_are_left_to_the_coercion(given: Any) -> None:
    assert messages(FILTERED, f=given) == []


def test_every_list_that_is_too_long_is_reported() -> None:
    given = {"tags": ["x"] * 200, "ownerIds": [1] * 300, "kinds": ["CAPSULE"]}
    assert [message.split(" has ")[0] for message in messages(FILTERED, f=given)] == ["filter.tags", "filter.ownerIds"]
    assert messages(ADDING, i={"assetIds": [{}] * 500_000}) == [
        "input.assetIds has 500,000 values; at most 100,000 are allowed. Send several requests."
    ]


def test_the_limits_are_of_lists_that_exist() -> None:
    assert ITEMS_OF.keys() <= {f"{type_.name}.{name}" for type_, name in list_fields()}


def test_a_description_says_each_limit() -> None:
    for type_, name in list_fields():
        limit = ITEMS_OF.get(f"{type_.name}.{name}", LIMITS.list_items)
        texts = f"{type_.fields[name].description} {type_.description}"
        named = {100_000: "bulkItems", 1_000: "inlineBulkItems"}.get(limit, "100")
        assert f"at most {limit:,}" in texts or f"limits.{named}" in texts, f"{type_.name}.{name}"


async def test_a_list_is_refused_before_its_values_are_coerced_and_a_context_is_opened() -> None:
    world = World()
    async with world.client() as client:
        query = "query($even: [Even!]!) { evens(of: $even) }"
        answer = (await client.post("/graphql", json={"query": query, "variables": {"even": [1] * 101}})).json()
    assert answer["errors"] == [
        {
            "message": "of has 101 values; at most 100 are allowed. Send several requests.",
            "locations": [{"line": 1, "column": 36}],
            "extensions": {"code": "LIMIT_EXCEEDED"},
        }
    ]
    assert world.opened == []
