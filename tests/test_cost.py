"""Tests of the static cost: the counted objects, fields and reads, and the refused operations."""

from collections.abc import Iterator
from typing import Any

import pytest
from graphql import (
    GraphQLObjectType,
    OperationDefinitionNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
    is_object_type,
    parse,
)
from graphql.execution.collect_fields import collect_subfields

from app.cost import CACHED_COSTS, Cost, OperationCost
from app.request_limits import COST_LIMITS, SMALLER_COST_LIMITS, CheckedRequest, RequestLimits
from schema import sizes
from schema.enums import AssetKind
from schema.graph import build_schema, graphql_schema

SCHEMA = build_schema()
TOPICS_AND_BACK = "topics(first: 100) {{ nodes {{ collections(first: 100) {{ nodes {{ {} }} }} }} }}"
AND_BACK = "topic {{ collections(first: 100) {{ nodes {{ {} }} }} }}"
TREE = """{ topics(first: 100) { nodes { collections(first: 100, filter: {topLevelOnly: true}) { edges { node {
    ...Level children(first: 100) { edges { node { ...Level children(first: 100) { edges { node { ...Level
    children(first: 100) { edges { node { ...Level children { edges { node { ...Level } } } } } } } } } } } } } } } } }
    }
    fragment Level on Collection { id name assets(first: 3) { nodes { ... on AssetFields { id name } } } }"""

NESTED: dict[str, Any] = {}
for _ in range(900):
    NESTED = {"f": NESTED}


def check(document: str, variables: dict[str, Any] | None = None, *, is_visitor: bool = False) -> CheckedRequest:
    """Return the check of the document's only operation."""
    parsed = parse(document)
    (definition,) = (node for node in parsed.definitions if isinstance(node, OperationDefinitionNode))
    return RequestLimits(SCHEMA, parsed, definition).check(variables, is_visitor=is_visitor)


def cost(document: str, **variables: Any) -> Cost:
    """Return the cost of the document's only operation."""
    return check(document, variables).cost


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("{ deployment { version } }", Cost(1, 2, 0)),
        ("{ topics { pageInfo { hasNextPage } } }", Cost(2, 3, 1)),
        ("{ topics(first: 3) { nodes { id name } } }", Cost(1 + 3, 1 + 1 + 3 * 2, 1)),
        ("{ topics(last: 3) { edges { node { id } } } }", Cost(1 + 3 + 3, 1 + 1 + 3 + 3, 1)),
        ("{ topics { a: nodes { id } nodes { id } nodes { name } } }", Cost(41, 1 + 2 + 20 + 40, 1)),
        ("{ collections { totalCount } }", Cost(1, 2, 1 + 10)),
        ("{ collections(orderBy: {field: ASSET_COUNT}) { pageInfo { endCursor } } }", Cost(2, 3, 4_000)),
        ("{ collections(first: 5) { nodes { assets { totalCount } } } }", Cost(11, 12, 1 + 5 * 11)),
        ('{ collections(first: 5) { nodes { assets(query: "x") { totalCount } } } }', Cost(11, 12, 1 + 5 * 34)),
        ("{ assets { facets { kinds { count } tags(first: 7) { tag } owners { count } } } }", Cost(34, 37, 620)),
        ("{ auditLog(first: 9) { nodes { canUndo } } }", Cost(10, 11, 20 + 9 * 60)),
        ('{ nodes(ids: ["a", "b"]) { id } }', Cost(2, 1 + 2, 0)),
        ('{ node(id: "a") { id ... on Topic { name slug } ... on Collection { name } } }', Cost(1, 1 + 3, 0)),
        ("{ __schema { types { name } } __typename }", Cost(0, 30_001, 0)),
    ],
)
def test_objects_fields_and_reads_are_counted(document: str, expected: Cost) -> None:
    assert cost(document) == expected


def test_variables_and_directives_count_as_they_are_given() -> None:
    document = "query($n: Int = 7, $ids: [ID!]! = [], $deep: Boolean = false) { topics(first: $n) { nodes { id } }"
    document += (
        " nodes(ids: $ids) { id } deployment @include(if: $deep) { version } viewer @skip(if: $deep) { isAdmin } }"
    )
    assert cost(document).objects == 1 + 7 + 1 + 1
    assert cost(document, n=100, ids=["a"] * 3).objects == 1 + 100 + 3 + 1
    assert cost(document, n=None, deep=True).objects == 1 + 20 + 1 + 1
    assert cost(document, n=10**9).objects == cost(document, n=100).objects


def test_the_results_of_a_bulk_mutation_are_as_many_as_its_items() -> None:
    document = """mutation($input: CollectionAssetsAddInput!) {
        collectionAssetsAdd(input: $input) { results { status } } }"""
    ids = ["ast_x"] * 30
    assert cost(document, input={"collectionId": "col_x", "assetIds": ids}) == Cost(1 + 30, 2 + 30, 0)
    queued = cost(document, input={"collectionId": "col_x", "assetIds": ids * 1_000})
    assert queued.objects == 1 + 1_000, "a job has the results then"


def test_equal_values_of_other_types_are_not_confused() -> None:
    document = "query($n: Int) { topics(first: $n) { nodes { id } } }"
    (definition,) = (parsed := parse(document)).definitions
    assert isinstance(definition, OperationDefinitionNode)
    limits = RequestLimits(SCHEMA, parsed, definition)
    for given, objects in (
        *((["a"] * 100, 21), (100, 101), (100.0, 101), (1e400, 101), (True, 2), (1, 2), ("1", 21), ({"n": 1}, 21)),
        *(({f"k{number}": 1 for number in range(1_000)}, 21), (NESTED, 21)),
    ):
        assert limits.check({"n": given}, is_visitor=False).cost.objects == objects, given


def test_costs_are_kept_for_small_variables_only() -> None:
    (definition,) = (parsed := parse("query($q: String) { assets(query: $q) { totalCount } }")).definitions
    assert isinstance(definition, OperationDefinitionNode)
    operation = OperationCost.of_document(graphql_schema(SCHEMA), parsed, definition)
    for number in range(10):
        operation.of({"q": {f"k{number}": 1 for number in range(1_000)}})
        operation.of({"q": {"k" * 1_000: number}})
        operation.of({"q": NESTED})
    assert len(operation._costs) == 0  # noqa: SLF001 - the cache has no public name
    for number in range(CACHED_COSTS * 2):
        operation.of({"q": f"{number}"})
    assert len(operation._costs) == CACHED_COSTS  # noqa: SLF001 - the cache has no public name


def test_a_directive_with_an_invalid_value_hides_no_cost() -> None:
    document = f"query($x: Boolean = true) {{ {TOPICS_AND_BACK.format(AND_BACK.format('id'))}"
    document += " deployment { version @include(if: $x) } }"
    values: tuple[Any, ...] = (None, 1, "no", [], {})
    for value in values:
        assert not cost(document, x=value).is_within(COST_LIMITS)


def test_a_page_within_a_page_multiplies() -> None:
    assert cost("{ collections(first: 100) { nodes { assets(first: 100) { nodes { __typename } } } } }") == Cost(
        objects=1 + 100 + 100 + 100 * 100, fields=1 + 1 + 100 + 100 + 100 * 100, reads=1 + 100
    )


def test_a_tree_of_five_levels_with_previews_is_allowed() -> None:
    checked = check(TREE)
    assert not checked.errors
    assert checked.cost.objects < COST_LIMITS.objects


@pytest.mark.parametrize("is_visitor", [True, False])
@pytest.mark.parametrize(
    ("document", "exceeded"),
    [
        (TOPICS_AND_BACK.format(AND_BACK.format(AND_BACK.format("id"))), {"objects", "fields", "reads"}),
        (TOPICS_AND_BACK.format(AND_BACK.format("id")), {"objects"}),
        (
            (
                "assets(first: 99) { nodes { ... on AssetFields { collections(first: 99) { nodes { assets(first: 99) {"
                " nodes { ... on AssetFields { collections(first: 100) { nodes { assets(first: 100) {"
                " nodes { ... on AssetFields { id } } } } } } } } } } } } }"
            ),
            {"objects", "fields", "reads"},
        ),
        (
            "collections(first: 100) { nodes {"
            + " ".join(
                f'a{n}: assets(includeDescendants: true, filter: {{tags: ["{n}"]}}) {{ totalCount'
                " facets { kinds { count } tags { count } owners { count } } }"
                for n in range(55)
            )
            + "} }",
            {"objects", "fields", "reads"},
        ),
        (f"collections(first: 100) {{ nodes {{ {'name ' * 1_990} }} }}", set[str]()),  # merged into one
        (
            "collections(first: 100) { nodes { assets(first: 100) { nodes { ... on AssetFields {"
            + " ".join(f"a{n}: name" for n in range(40))
            + "} } } } }",
            {"fields"},
        ),
    ],
    ids=["topics and back twice", "topics and back", "assets and back", "facets", "repeated field", "aliases"],
)
def test_costly_queries_are_refused_with_the_count_and_the_limit(
    document: str,
    exceeded: set[str],
    is_visitor: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    checked = check(f"{{ {document} }}", is_visitor=is_visitor)
    limits = SMALLER_COST_LIMITS if is_visitor else COST_LIMITS
    assert checked.limits == limits
    assert exceeded <= {name for name in Cost._fields if getattr(checked.cost, name) > getattr(limits, name)}
    messages = [error.message for error in checked.errors]
    for name in exceeded:
        count, limit = getattr(checked.cost, name), getattr(limits, name)
        assert any(f"{count:,}" in message and f"the limit is {limit:,}" in message for message in messages)
    assert {(error.extensions or {})["code"] for error in checked.errors} <= {"LIMIT_EXCEEDED"}
    assert bool(checked.errors) == bool(exceeded)


def test_a_mutation_may_cost_as_little_as_a_visitors_query() -> None:
    payload = (
        "collection { ancestors { children(first: 100) { nodes { assets(first: 100) { nodes { __typename } } } } } }"
    )
    document = f'mutation {{ collectionUpdate(input: {{collectionId: "col_x"}}) {{ {payload} }} }}'
    assert check(document).limits == SMALLER_COST_LIMITS
    assert check(document).errors


def test_interfaces_are_walked_once_and_not_once_for_each_path_of_types(monkeypatch: pytest.MonkeyPatch) -> None:
    walked: list[str] = []

    def counting(*arguments: Any) -> Any:
        walked.append(arguments[-2].name)
        return collect_subfields(*arguments)

    monkeypatch.setattr("app.cost.collect_subfields", counting)
    document = "name"
    for _ in range(6):
        document = f"uses(first: 1) {{ nodes {{ ... on AssetFields {{ {document} }} }} }}"
    total = cost(f"{{ assets(first: 1) {{ nodes {{ ... on AssetFields {{ {document} }} }} }} }}")
    assert total == Cost(objects=14, fields=15, reads=26)
    assert len(walked) == 7 * (1 + len(AssetKind))


def fields() -> Iterator[tuple[str, Any]]:
    """Yield the key and the definition of each field of an object type."""
    for type_ in graphql_schema(SCHEMA).type_map.values():
        if is_object_type(type_) and not type_.name.startswith("__"):
            yield from ((f"{type_.name}.{name}", field) for name, field in type_.fields.items())


def test_every_list_of_objects_has_a_size() -> None:
    of_input = {"*.results", "*.addedEdges", "AssetCollectionsPayload.changes"}
    known = {*sizes.LENGTHS, "*.edges", "*.nodes", *of_input}
    unknown = [
        key
        for key, field in fields()
        if is_list_type(get_nullable_type(field.type))
        and is_composite_type(get_named_type(field.type))
        and not {key, f"*.{key.partition('.')[2]}"} & known
        and key.partition(".")[0] not in sizes.SHARED_PAGES
        and "first" not in field.args
    ]
    assert not unknown, "Give them a length in schema/sizes.py."


def test_the_sizes_and_weights_are_of_fields_that_exist() -> None:
    keys = {key for key, _ in fields()}
    names = {f"*.{key.partition('.')[2]}" for key in keys}
    used = {*sizes.PARTITIONS, *sizes.RANKED, *sizes.LENGTHS, *sizes.LISTS, *sizes.PARTS, *sizes.READS}
    assert not used - keys - names
    assert all("first" in field.args for key, field in fields() if key in {*sizes.LISTS, *sizes.PARTITIONS})


def test_every_connection_is_a_page_with_weights() -> None:
    connections = [
        key
        for key, field in fields()
        if isinstance(type_ := get_named_type(field.type), GraphQLObjectType) and "pageInfo" in type_.fields
    ]
    assert len(connections) > 15
    assert all("first" in dict(fields())[key].args for key in connections)


@pytest.mark.parametrize(
    ("arguments", "reads"),
    [
        ("", 1),
        ('after: "x"', 301),
        ('after: "x", before: "y"', 601),
        ('after: "x", orderBy: {field: POSITION, direction: DESC}', 312),
        ('after: "x", orderBy: {field: NAME}', 12),
        ('after: "x", includeDescendants: true', 936),
    ],
)
def test_a_cursor_of_a_ranked_list_counts_as_if_it_were_stale(arguments: str, reads: int) -> None:
    argument_list = f"({arguments})" if arguments else ""
    document = f'{{ collection(by: {{slug: "a"}}) {{ assets{argument_list} {{ pageInfo {{ hasNextPage }} }} }} }}'
    assert cost(document).reads == reads
