"""Tests of the limits of documents: their errors, their cost, and the cache of documents."""

from collections.abc import Iterator
from typing import Any

import pytest
from graphql import (
    ASTValidationRule,
    GraphQLError,
    GraphQLSchema,
    get_introspection_query,
    parse,
    specified_rules,
    validate,
)
from strawberry.extensions import AddValidationRules, SchemaExtension

from app import documents, limits
from app.limits import LIMITS, DocumentLimits, Selections, limit_errors
from resolvers import limits as shared
from tests.http_server import World, build_test_schema


def messages(document: str, limits_: DocumentLimits = LIMITS) -> list[str]:
    """Return the errors of the limits that the document exceeds."""
    return [error.message for error in limit_errors(parse(document), limits_)]


def nested(levels: int, around: str = "branch", within: str = "name") -> str:
    """Return fields with this number of nested levels."""
    return f"{around} {{ " * (levels - 1) + within + " }" * (levels - 1)


def doubling(fragments: int, spread: str = "...F{}") -> str:
    """Return a document in which each fragment spreads the next one twice."""
    chain = [
        f"fragment F{number} on Branch {{ {spread.format(number + 1)} {spread.format(number + 1)} }}"
        for number in range(fragments)
    ]
    return "\n".join(["{ branch { ...F0 } }", *chain, f"fragment F{fragments} on Branch {{ name }}"])


def everywhere(directives: int) -> str:
    """Return a document with this number of directives in each of the five places other than fields."""
    on = "@a " * directives
    return f"query ($v: T {on}) {on} {{ ...F {on} ... {on} {{ hello }} }} fragment F on Query {on} {{ hello }}"


def test_the_depth_limit_is_the_one_that_the_schema_reports() -> None:
    assert LIMITS.depth == shared.LIMITS.depth == 24


@pytest.mark.parametrize(
    ("fits", "exceeds", "message"),
    [
        (
            f"{{ {nested(24)} }}",
            f"{{ {nested(27)} }}",
            "The query is 27 levels deep; the limit is 24.",
        ),
        (
            f"mutation {{ a {{ ...F }} }} fragment F on T {{ {nested(23)} }}",
            f"mutation {{ a {{ ...F }} }} fragment F on T {{ {nested(24)} }}",
            "The mutation is 25 levels deep; the limit is 24.",
        ),
        (
            f"{{ ... on Query {{ {nested(24)} }} }}",
            f"{{ ... on Query {{ ... {{ {nested(25)} }} }} }}",
            "The query is 25 levels deep; the limit is 24.",
        ),
        (
            f"{{ {nested(15, '__schema')} }}",
            f"{{ __schema {{ {nested(15, 'types')} }} }}",
            "The query goes 16 levels deep into the schema; the limit is 15.",
        ),
        (
            "{ __schema { types { name } } ...F } fragment F on Query { hello }",
            "{ __schema { types { name } } ...F } fragment F on Query { __type }",
            "The query selects __schema and __type 2 times; the limit is 1.",
        ),
        (
            f"{{ branch {{ {'name ' * 1_999} }} }}",
            f"{{ branch {{ {'name ' * 2_000} }} }}",
            "The query selects 2,001 fields; the limit is 2,000.",
        ),
        (
            f"{{ {'hello ' * 20} }}",
            f"{{ {'hello ' * 21} }}",
            "The query selects 21 fields at its root; the limit is 20.",
        ),
        (
            f"mutation {{ {'hello ' * 5} }}",
            f"mutation {{ {'hello ' * 6} }}",
            "The mutation selects 6 fields at its root; the limit is 5.",
        ),
        (
            f"{{ {'...F ' * 10} }} fragment F on Query {{ hello ... {{ hello }} }}",
            f"{{ {'...F ' * 11} }} fragment F on Query {{ hello ... {{ hello }} }}",
            "The query selects 22 fields at its root; the limit is 20.",
        ),
        (
            f"{{ branch {{ {'a: name ' * 60} }} }}",
            f"{{ branch {{ {'a: name ' * 61} }} }}",
            "The query uses 61 aliases; the limit is 60.",
        ),
        (
            f"{{ branch {{ {'...F ' * 20} }} }} fragment F on Branch {{ {'a: name ' * 3} }}",
            f"{{ branch {{ {'...F ' * 21} }} }} fragment F on Branch {{ {'a: name ' * 3} }}",
            "The query uses 63 aliases; the limit is 60.",
        ),
        (
            f"{{ {'a' * 100}: hello ...F }} fragment F on Query {{ b: hello }}",
            f"{{ b: hello ...F }} fragment F on Query {{ {'a' * 101}: hello }}",
            "The query has an alias of 101 characters; the limit is 100.",
        ),
        (
            f"{{ hello {'@a ' * 50} }}",
            f"{{ hello {'@a ' * 51} }}",
            "The query uses 51 directives; the limit is 50.",
        ),
        (
            everywhere(10),
            everywhere(11),
            "The query uses 55 directives; the limit is 50.",
        ),
    ],
)
def test_each_limit_is_reported_with_the_count(fits: str, exceeds: str, message: str) -> None:
    assert messages(fits) == []
    assert messages(exceeds) == [message]


def test_every_operation_and_every_limit_is_reported() -> None:
    wide = "{ " + "a: b @c " * 61 + "}"
    assert messages(f"query A {wide} query B {{ hello }} subscription C {wide}") == [
        f"The {kind} {problem}"
        for kind in ("query", "subscription")
        for problem in (
            "selects 61 fields at its root; the limit is 20.",
            "uses 61 aliases; the limit is 60.",
            "uses 61 directives; the limit is 50.",
        )
    ]


@pytest.mark.parametrize("fragments", [8, 11, 17, 25, 50, 100, 600])
def test_nested_fragments_are_measured_in_linear_time(fragments: int) -> None:
    document = parse(doubling(fragments), max_tokens=LIMITS.tokens * 3)
    selections = Selections(document)
    measure = selections.measure(document.definitions[0].selection_set)  # type: ignore[attr-defined]  # the operation
    assert measure.fields == min(2**fragments + 1, limits.COUNT_CAP)
    assert selections.visited == 2 + 2 * fragments + 1


def test_a_capped_count_is_reported_as_such() -> None:
    assert messages(doubling(100)) == ["The query selects 1,000,000 or more fields; the limit is 2,000."]
    assert messages(doubling(100, "a{0}: branch {{ ...F{0} }}")) == [
        "The query is 102 levels deep; the limit is 24.",
        "The query selects 1,000,000 or more fields; the limit is 2,000.",
        "The query uses 1,000,000 or more aliases; the limit is 60.",
    ]


@pytest.mark.parametrize(
    "document",
    [
        "{ ...Missing }",
        "{ ...A } fragment A on Query { ...A }",
        "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A hello }",
        "{ ...A ...B } fragment A on Query { ...B ...B } fragment B on Query { ...A ...A }",
    ],
)
async def test_missing_and_cyclic_fragments_are_left_to_other_rules(document: str) -> None:
    assert messages(document) == []
    answer = await ask(World(), document)
    assert "levels" not in str(answer)
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"GRAPHQL_VALIDATION_FAILED"}


async def ask(world: World, query: str, **variables: Any) -> dict[str, Any]:
    """Return the endpoint's response, without its cost."""
    async with world.client() as client:
        answer = dict((await client.post("/graphql", json={"query": query, "variables": variables})).json())
        answer.pop("extensions", None)  # the cost
        return answer


async def test_a_document_above_a_limit_is_neither_validated_nor_executed(validations: list[int]) -> None:
    world = World()
    answer = await ask(world, f"{{ {nested(25, within='missing')} }}")
    assert [error["message"] for error in answer["errors"]] == ["The query is 25 levels deep; the limit is 24."]
    assert (world.opened, validations) == ([], [])


@pytest.mark.parametrize(
    "document",
    [
        f"{{ branch {{ {'name ' * 400} }} }}",
        "{" + f"... on Query {{ branch {{ {'... on Branch { branch { name } } ' * 30} }} }}" * 15 + "}",
        "{ ...F0 }"
        + "".join(f"fragment F{i} on Query {{ ...F{i + 1} }}" for i in range(600))
        + "fragment F600 on Query { hello }",
    ],
)
async def test_a_document_that_takes_too_long_to_validate_is_rejected(document: str) -> None:
    assert messages(document) == []
    assert [error["message"] for error in (await ask(World(), document))["errors"]] == [documents.TOO_COMPLEX]


async def test_a_realistic_document_can_be_validated() -> None:
    fragments = "fragment F on Branch { name branch { ...G } } fragment G on Branch { name branches { name } ...H }"
    document = f"{{ {'branch { ...F ...G ...H } ' * 20} }} {fragments} fragment H on Branch {{ branch {{ name }} }}"
    assert (await ask(World(), document)).keys() == {"data"}


async def test_the_number_of_tokens_is_limited() -> None:
    schema = build_test_schema(limits.extensions(limits.document_rules(DocumentLimits(tokens=5))))
    assert (await schema.execute("{ hello hello hello }")).data == {"hello": "world"}
    result = await schema.execute("{ hello hello hello # a comment counts\n }")
    assert [error.message for error in result.errors or ()] == [
        "Syntax Error: Document contains more than 5 tokens. Parsing aborted."
    ]
    [error] = (await ask(World(), "{ branch { " + "name " * LIMITS.tokens + "} }"))["errors"]
    assert (error["message"].count("5000"), error["extensions"]) == (1, {"code": "GRAPHQL_PARSE_FAILED"})


async def test_clients_can_read_the_whole_schema() -> None:
    assert messages(get_introspection_query(input_value_deprecation=True)) == []
    assert "data" in await ask(World(), get_introspection_query(input_value_deprecation=True))


@pytest.fixture
def validations(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list to which each validation by GraphQL's rules appends the number of rules."""
    counted: list[int] = []

    def counting(schema: GraphQLSchema, document: Any, rules: Any, *rest: Any) -> Any:
        counted.append(len(rules))
        return validate(schema, document, rules, *rest)

    monkeypatch.setattr(documents, "validate", counting)
    return counted


@pytest.fixture
def parsings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list to which each parsed text is appended."""
    counted: list[str] = []

    def counting(text: str, **options: Any) -> Any:
        counted.append(text)
        return parse(text, **options)

    monkeypatch.setattr(documents, "parse", counting)
    return counted


async def test_a_document_is_parsed_and_validated_once(parsings: list[str], validations: list[int]) -> None:
    world, query = World(), "query Once($t: String!) { echo(text: $t) }"
    for text in ("a", "b", "c"):
        assert await ask(world, query, t=text) == {"data": {"echo": text}}
    assert (parsings, len(validations)) == ([query], 1)
    assert validations[0] > len(specified_rules)


async def test_an_invalid_document_is_cached_with_its_errors(parsings: list[str], validations: list[int]) -> None:
    world = World()
    answers = [await ask(world, "query Erring { missing }") for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert (len(parsings), len(validations)) == (1, 1)


async def test_each_schema_validates_for_itself(validations: list[int]) -> None:
    for _ in range(2):
        assert "data" in await ask(World(), "query Apart { hello }")
    assert len(validations) == 2


async def test_only_the_last_long_document_is_cached(parsings: list[str], validations: list[int]) -> None:
    world, (query, other) = World(), ["query Long { hello } #" + letter * 5_000 for letter in "ab"]
    for each in (query, query, other, query):
        assert await ask(world, each) == {"data": {"hello": "world"}}
    assert (parsings, len(validations)) == ([query, other, query], 3)


async def test_rules_of_other_extensions_apply() -> None:
    schema = build_test_schema([*limits.extensions(), lambda: AddValidationRules([Never])])
    for _ in range(2):
        result = await schema.execute("{ hello }")
        assert [error.message for error in result.errors or ()] == ["No."]


class Never(ASTValidationRule):
    """A rule that rejects every document."""

    def enter_document(self, *_: Any) -> None:
        """Report an error."""
        self.report_error(GraphQLError("No."))


async def test_the_document_cache_is_bounded() -> None:
    schema = build_test_schema(limits.extensions())
    for number in range(documents.CACHE_SIZE + 10):
        await schema.execute(f"query Number{number} {{ hello }}")
    assert documents._parse_cached.cache_info().currsize == documents.CACHE_SIZE  # noqa: SLF001 - the cache has no public name


@pytest.mark.parametrize(("hides", "suggestion"), [(False, " Did you mean 'text'?"), (True, "")])
async def test_suggestions_can_be_turned_off(hides: bool, suggestion: str) -> None:  # noqa: FBT001 - a parameter of the test
    schema = build_test_schema(limits.extensions())
    schema.config.disable_field_suggestions = hides
    result = await schema.execute('{ echo(text: "a", tekst: "a") }')
    assert [error.message for error in result.errors or ()] == [
        f"Unknown argument 'tekst' on field 'Query.echo'.{suggestion}"
    ]


@pytest.mark.parametrize("limits_", [LIMITS, DocumentLimits(root_fields=0, fields=0, depth=0)])
async def test_validation_stops_after_the_fifth_error(limits_: DocumentLimits) -> None:
    document = " ".join(f"query Q{number} {{ missing }}" for number in range(10))
    result = await build_test_schema(limits.extensions(limits.document_rules(limits_))).execute(
        document, operation_name="Q1"
    )
    assert len(result.errors or ()) == 5


class Parsed(SchemaExtension):
    """An extension that sets a document of its own."""

    def on_operation(self) -> Iterator[None]:
        """Set the document."""
        self.execution_context.graphql_document = parse("{ hello again: hello }")
        yield


@pytest.mark.parametrize(("root_fields", "errors"), [(1, 1), (2, 0)])
async def test_the_limits_apply_to_documents_of_other_extensions(root_fields: int, errors: int) -> None:
    schema = build_test_schema(
        [Parsed, *limits.extensions(limits.document_rules(DocumentLimits(root_fields=root_fields)))]
    )
    assert len((await schema.execute("{ missing }")).errors or ()) == errors


async def test_limits_can_be_changed() -> None:
    schema = build_test_schema(limits.extensions(limits.document_rules(DocumentLimits(root_fields=1))))
    result = await schema.execute("{ hello again: hello }")
    assert [error.message for error in result.errors or ()] == [
        "The query selects 2 fields at its root; the limit is 1."
    ]
    assert (await schema.execute("{ hello }")).data == {"hello": "world"}


async def test_a_context_that_is_not_lazy_is_used_as_it_is() -> None:
    class Context:
        request_id = "own"

    schema = build_test_schema(limits.extensions())
    assert (await schema.execute("{ requestId }", context_value=Context())).data == {"requestId": "own"}
