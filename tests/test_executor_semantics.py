# ruff: noqa: E501 - a message is one line
"""Corner cases of GraphQL execution, which every executor must handle like graphql-core."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from types import SimpleNamespace
from typing import Annotated, Any

import pytest
import strawberry
from strawberry import Schema
from strawberry.schema.config import StrawberryConfig
from strawberry.types.execution import ExecutionResult

Execute = Callable[[Schema, str, dict[str, Any] | None, str | None, Any], Awaitable[ExecutionResult]]
"""Executes an operation: schema, document, variables, name of the operation, context."""


async def execute_by_graphql_core(
    schema: Schema, document: str, variables: dict[str, Any] | None, operation_name: str | None, context: Any
) -> ExecutionResult:
    return await schema.execute(document, variables, context, operation_name=operation_name)


EXECUTORS: Mapping[str, Execute] = {"graphql-core": execute_by_graphql_core}


@pytest.fixture(params=EXECUTORS)
def execute(request: pytest.FixtureRequest) -> Execute:
    return EXECUTORS[request.param]


# The schema


@strawberry.enum
class Colour(Enum):
    RED = "red"
    BLUE = "blue"


def refuse() -> Any:
    raise ValueError("refused")


async def refuse_later() -> Any:
    await asyncio.sleep(0)
    raise ValueError("refused later")


class Shout(str):
    """Value of the custom scalar."""

    __slots__ = ()


LETTER = Shout("a")


def parse_shout(value: Any) -> str:
    if value == "bad":
        raise ValueError("too loud")
    return str(value).upper()


SHOUT = strawberry.scalar(name="Shout", serialize=lambda text: f"{text}!", parse_value=parse_shout)


@strawberry.interface
class Animal:
    name: str

    @classmethod
    def is_type_of(cls, obj: Any, _info: Any) -> bool:
        return getattr(obj, "kind", "") == cls.__name__


@strawberry.type
class Dog(Animal):
    is_loud: bool = True
    leg_count: int = 4


@strawberry.type
class Cat(Animal):
    lives: int = 9
    is_loud: bool = False


@strawberry.type
class Leaf:
    """Fields whose values are those of the source."""

    integer: int | None
    boolean: bool | None
    id: strawberry.ID | None
    colour: Colour | None
    text: str | None
    number: float | None
    required: str


@strawberry.type
class Item:
    label: str

    @strawberry.field
    def echo(self, a: int | None = 1, b: str | None = None) -> str:
        return f"{a} {b}"

    @strawberry.field
    def nullable(self) -> str | None:
        return str(refuse())

    @strawberry.field
    def required(self) -> str:
        return str(refuse())

    @strawberry.field
    async def late(self) -> str | None:
        return str(await refuse_later())

    @strawberry.field
    def only_b(self) -> str:
        return self.label if self.label == "b" else str(refuse())


@strawberry.input
class Point:
    x: int = 1
    y: int | None = None
    z: int | None = strawberry.UNSET


Pet = Annotated[Dog | Cat, strawberry.union("Pet")]
DOG = SimpleNamespace(kind="Dog", name="Rex", is_loud=True, leg_count=4)
CAT = SimpleNamespace(kind="Cat", name="Tom", lives=9, is_loud=False)
STRANGER = SimpleNamespace(kind="Bird", name="Tweety")
log: list[str] = []


def items() -> list[Item]:
    return [Item(label=label) for label in "abc"]


def yield_items() -> Iterator[Item]:
    yield from items()


@strawberry.type
class Query:
    @strawberry.field
    def item(self) -> Item | None:
        return items()[0]

    @strawberry.field
    def required_item(self) -> Item:
        return items()[0]

    @strawberry.field
    def no_item(self) -> Item | None:
        return None

    @strawberry.field
    def items(self) -> list[Item] | None:
        return items()

    @strawberry.field
    def nullable_items(self) -> list[Item | None] | None:
        return list(items())

    @strawberry.field
    def nested(self) -> list[list[Item] | None] | None:
        return [items(), items()[1:2]]

    @strawberry.field
    def nested_values(self) -> list[list[int]] | None:
        return [[1], [None]]  # type: ignore[list-item]

    @strawberry.field
    def generated(self) -> list[Item] | None:
        return yield_items()  # type: ignore[return-value]

    @strawberry.field
    def tupled(self) -> list[int] | None:
        return (1, 2)  # type: ignore[return-value]

    @strawberry.field
    def no_list(self, value: str = "text") -> list[str] | None:
        return {"text": "text", "object": object(), "dict": {"a": 1}, "null": None}[value]  # type: ignore[return-value]

    @strawberry.field
    def failing_list(self) -> list[int | None] | None:
        return [1, "x", None, 2**31]  # type: ignore[list-item]

    @strawberry.field
    def exceptions(self) -> list[int | None] | None:
        return [1, ValueError("in the list")]  # type: ignore[list-item]

    @strawberry.field
    def pets(self) -> list[Pet | None]:
        return [DOG, CAT]  # type: ignore[list-item]

    @strawberry.field
    def animal(self, kind: str = "Dog") -> Animal | None:
        return {"Dog": DOG, "Cat": CAT, "Bird": STRANGER}[kind]  # type: ignore[return-value]

    @strawberry.field
    def strange_pet(self) -> Pet | None:
        return STRANGER  # type: ignore[return-value]

    @strawberry.field
    def strange_dog(self) -> Dog | None:
        return CAT  # type: ignore[return-value]

    @strawberry.field
    def leaf(self, info: strawberry.Info) -> Leaf | None:
        return SimpleNamespace(**{"required": "", **info.context})  # type: ignore[return-value]

    @strawberry.field
    def returned(self) -> str | None:
        return ValueError("returned")  # type: ignore[return-value]

    @strawberry.field
    def returned_required(self) -> str:
        return ValueError("returned")  # type: ignore[return-value]

    @strawberry.field
    async def slow(self) -> str:
        await asyncio.sleep(0.001)
        return "slow"

    @strawberry.field
    def fast(self) -> str:
        return "fast"

    @strawberry.field
    async def slow_items(self) -> list[Item]:
        await asyncio.sleep(0)
        return items()

    @strawberry.field
    def argument(self, n: int = 5, text: str | None = "t", required: int | None = strawberry.UNSET) -> str:
        return f"{n} {text} {required!r}"

    @strawberry.field
    def point(self, at: Point) -> str:
        return f"{at.x} {at.y} {at.z!r}"

    @strawberry.field
    def points(self, many: list[Point] | None = None, numbers: list[int | None] | None = None) -> str:
        return f"{[point.x for point in many or ()]} {numbers}"

    @strawberry.field
    def paint(self, colour: Colour = Colour.RED) -> Colour:
        return colour

    @strawberry.field
    def identify(self, id: strawberry.ID) -> strawberry.ID:
        return strawberry.ID(f"{id!r}")

    @strawberry.field
    def shout(self, text: Shout = LETTER) -> Shout | None:
        return text

    @strawberry.field
    def root_error(self) -> str:
        return str(refuse())


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def first(self) -> str:
        log.append("first starts")
        await asyncio.sleep(0.001)
        log.append("first ends")
        return "1"

    @strawberry.mutation
    def second(self) -> str | None:
        log.append("second")
        return str(refuse())

    @strawberry.mutation
    def third(self) -> str:
        log.append("third")
        return "3"


SCHEMA = Schema(Query, Mutation, types=[Dog, Cat], config=StrawberryConfig(scalar_map={Shout: SHOUT}))


Error = tuple[str, list[str | int] | None]
"""Message and path of an error."""


@dataclass(frozen=True)
class Case:
    """Operation with its data, as JSON, and its errors."""

    title: str
    document: str
    data: str
    errors: list[Error]
    variables: dict[str, Any] | None = None


CASES = (
    Case(
        "merged fields keep the order of first appearance",
        "{ fast item { label } slow item { echo } fast }",
        '{"fast":"fast","item":{"label":"a","echo":"1 None"},"slow":"slow"}',
        [],
    ),
    Case(
        "a fragment's fields come where it is spread",
        "{ item { ...F label } } fragment F on Item { echo label }",
        '{"item":{"echo":"1 None","label":"a"}}',
        [],
    ),
    Case(
        "aliases of a field have arguments of their own",
        "{ item { a: echo(a: 1) b: echo(a: 2) echo(a: null) } }",
        '{"item":{"a":"1 None","b":"2 None","echo":"None None"}}',
        [],
    ),
    Case("skip beats include", "{ item @skip(if: true) @include(if: true) { label } fast }", '{"fast":"fast"}', []),
    Case(
        "include excludes what skip keeps",
        "{ item @skip(if: false) @include(if: false) { label } fast }",
        '{"fast":"fast"}',
        [],
    ),
    Case(
        "a skipped field is not merged",
        "{ item @skip(if: true) { label } item { echo } }",
        '{"item":{"echo":"1 None"}}',
        [],
    ),
    Case("a variable's default skips", "query($s: Boolean = true) { fast @skip(if: $s) slow }", '{"slow":"slow"}', []),
    Case(
        "a null condition is an error without a path",
        "query($s: Boolean = true) { fast @skip(if: $s) slow }",
        "null",
        [
            (
                "Argument 'if' has invalid value: Expected variable '$s' provided to non-null type 'Boolean!' not to be None.",
                None,
            )
        ],
        {"s": None},
    ),
    Case(
        "a fragment of another runtime type selects nothing",
        "{ animal { ... on Cat { lives } ... on Dog { legCount } } }",
        '{"animal":{"legCount":4}}',
        [],
    ),
    Case(
        "an object without selected fields is empty",
        "{ animal { ... on Cat { lives } } item { label @skip(if: true) } }",
        '{"animal":{},"item":{}}',
        [],
    ),
    Case(
        "a null bubbles to the nullable parent",
        "{ item { required label } fast }",
        '{"item":null,"fast":"fast"}',
        [("refused", ["item", "required"])],
    ),
    Case(
        "a null bubbles to the root",
        "{ requiredItem { required } fast }",
        "null",
        [("refused", ["requiredItem", "required"])],
    ),
    Case("the root's error nulls the data", "{ rootError fast }", "null", [("refused", ["rootError"])]),
    Case(
        "only the first error below a null is reported",
        "{ item { a: required b: nullable } }",
        '{"item":null}',
        [("refused", ["item", "a"])],
    ),
    Case(
        "a null in a list of required items nulls the list",
        "{ items { required } fast }",
        '{"items":null,"fast":"fast"}',
        [("refused", ["items", 0, "required"])],
    ),
    Case(
        "a null in a list of nullable items stays",
        "{ nullableItems { onlyB } }",
        '{"nullableItems":[null,{"onlyB":"b"},null]}',
        [("refused", ["nullableItems", 0, "onlyB"]), ("refused", ["nullableItems", 2, "onlyB"])],
    ),
    Case(
        "paths have indexes and aliases",
        "{ nullableItems { x: nullable } }",
        '{"nullableItems":[{"x":null},{"x":null},{"x":null}]}',
        [
            ("refused", ["nullableItems", 0, "x"]),
            ("refused", ["nullableItems", 1, "x"]),
            ("refused", ["nullableItems", 2, "x"]),
        ],
    ),
    Case(
        "a null in a nested list nulls the inner list",
        "{ nested { onlyB } }",
        '{"nested":[null,[{"onlyB":"b"}]]}',
        [("refused", ["nested", 0, 0, "onlyB"])],
    ),
    Case(
        "a null value in a nested list of required items",
        "{ nestedValues }",
        '{"nestedValues":null}',
        [("Cannot return null for non-nullable field Query.nestedValues.", ["nestedValues", 1, 0])],
    ),
    Case(
        "errors of resolvers precede those of coroutines",
        "{ item { late nullable label } }",
        '{"item":{"late":null,"nullable":null,"label":"a"}}',
        [("refused", ["item", "nullable"]), ("refused later", ["item", "late"])],
    ),
    Case(
        "a returned exception is an error",
        "{ returned fast }",
        '{"returned":null,"fast":"fast"}',
        [("returned", ["returned"])],
    ),
    Case("a returned exception bubbles", "{ returnedRequired }", "null", [("returned", ["returnedRequired"])]),
    Case(
        "an exception in a list is an error of the item",
        "{ exceptions }",
        '{"exceptions":[1,null]}',
        [("in the list", ["exceptions", 1])],
    ),
    Case(
        "errors of values in a list",
        "{ failingList }",
        '{"failingList":[1,null,null,null]}',
        [
            ("Int cannot represent non-integer value: 'x'", ["failingList", 1]),
            ("Int cannot represent non 32-bit signed integer value: 2147483648", ["failingList", 3]),
        ],
    ),
    Case(
        "generators and tuples are lists",
        "{ generated { label } tupled }",
        '{"generated":[{"label":"a"},{"label":"b"},{"label":"c"}],"tupled":[1,2]}',
        [],
    ),
    Case(
        "strings and dicts are no lists",
        '{ noList a: noList(value: "dict") b: noList(value: "object") c: noList(value: "null") }',
        '{"noList":null,"a":null,"b":null,"c":null}',
        [
            ("Expected Iterable, but did not find one for field 'Query.noList'.", ["noList"]),
            ("Expected Iterable, but did not find one for field 'Query.noList'.", ["a"]),
            ("Expected Iterable, but did not find one for field 'Query.noList'.", ["b"]),
        ],
    ),
    Case(
        "__typename in a union and an interface",
        "{ pets { __typename ... on Dog { name } ... on Cat { isLoud } ... on Animal { n: name } } animal { t: __typename } __typename }",
        '{"pets":[{"__typename":"Dog","name":"Rex","n":"Rex"},{"__typename":"Cat","isLoud":false,"n":"Tom"}],"animal":{"t":"Dog"},"__typename":"Query"}',
        [],
    ),
    Case(
        "an object of no type of an interface",
        '{ animal(kind: "Bird") { name } fast }',
        '{"animal":null,"fast":"fast"}',
        [
            (
                "Abstract type 'Animal' must resolve to an Object type at runtime for field 'Query.animal'. Either the 'Animal' type should provide a 'resolve_type' function or each possible type should provide an 'is_type_of' function.",
                ["animal"],
            )
        ],
    ),
    Case(
        "an object of no type of a union",
        "{ strangePet { __typename } fast }",
        '{"strangePet":null,"fast":"fast"}',
        [
            (
                'The type "<class \'types.SimpleNamespace\'>" cannot be resolved for the field "strangePet" , are you using a strawberry.field?',
                ["strangePet"],
            )
        ],
    ),
    Case(
        "an object of another type",
        "{ strangeDog { name } fast }",
        '{"strangeDog":null,"fast":"fast"}',
        [("Expected value of type 'Dog' but got: <SimpleNamespace instance>.", ["strangeDog"])],
    ),
    Case(
        "coroutines and plain values in the order of the selection",
        "{ slow fast slowItems { label } }",
        '{"slow":"slow","fast":"fast","slowItems":[{"label":"a"},{"label":"b"},{"label":"c"}]}',
        [],
    ),
    Case("defaults of arguments", "{ argument }", '{"argument":"5 t UNSET"}', []),
    Case("null replaces a default", "{ argument(n: 1, text: null, required: null) }", '{"argument":"1 None None"}', []),
    Case(
        "missing variables leave defaults",
        "query($n: Int! = 7, $t: String, $r: Int) { argument(n: $n, text: $t, required: $r) }",
        '{"argument":"7 t UNSET"}',
        [],
    ),
    Case(
        "null variables replace defaults",
        "query($n: Int! = 7, $t: String, $r: Int) { argument(n: $n, text: $t, required: $r) }",
        '{"argument":"7 None None"}',
        [],
        {"t": None, "r": None},
    ),
    Case(
        "null for a required variable with a default",
        "query($n: Int! = 7) { argument(n: $n) }",
        "null",
        [("Variable '$n' has invalid value: Expected value of non-null type 'Int!' not to be None.", None)],
        {"n": None},
    ),
    Case(
        "a missing nullable variable for a required argument",
        "query($n: Int) { argument(n: $n) }",
        '{"argument":"5 t UNSET"}',
        [],
    ),
    Case(
        "a null variable for a required argument",
        "query($n: Int = 7) { argument(n: $n) }",
        "null",
        [
            (
                "Argument 'n' has invalid value: Expected variable '$n' provided to non-null type 'Int!' not to be None.",
                ["argument"],
            )
        ],
        {"n": None},
    ),
    Case(
        "defaults of input fields",
        "{ point(at: {}) a: point(at: {x: 2, z: null}) }",
        '{"point":"1 None UNSET","a":"2 None None"}',
        [],
    ),
    Case(
        "a missing variable omits the input field",
        "query($x: Int, $z: Int) { point(at: {y: $x, z: $z}) }",
        '{"point":"1 None UNSET"}',
        [],
    ),
    Case(
        "an invalid field of a variable",
        "query($p: Point!) { point(at: $p) }",
        "null",
        [("Variable '$p' has invalid value at .x: Int cannot represent non-integer value: 'a'", None)],
        {"p": {"x": "a"}},
    ),
    Case(
        "an unknown field of a variable",
        "query($p: Point!) { point(at: $p) }",
        "null",
        [
            (
                "Variable '$p' has invalid value: Expected value of type 'Point' not to include unknown field 'q'. Did you mean 'x', 'y', or 'z'? Found: {'q': 1}.",
                None,
            )
        ],
        {"p": {"q": 1}},
    ),
    Case(
        "a null for a required variable",
        "query($p: Point!) { point(at: $p) }",
        "null",
        [("Variable '$p' has invalid value: Expected value of non-null type 'Point!' not to be None.", None)],
        {"p": None},
    ),
    Case(
        "a missing required variable",
        "query($p: Point!) { point(at: $p) }",
        "null",
        [("Variable '$p' has invalid value: Expected a value of non-null type 'Point!' to be provided.", None)],
    ),
    Case("single values become lists", "{ points(many: {x: 3}, numbers: 4) }", '{"points":"[3] [4]"}', []),
    Case(
        "a missing variable in a list is null",
        "query($n: Int) { points(numbers: [1, $n]) }",
        '{"points":"[] [1, None]"}',
        [],
    ),
    Case("enums", "{ paint(colour: BLUE) a: paint }", '{"paint":"BLUE","a":"RED"}', []),
    Case("ids from integers", '{ identify(id: 4) b: identify(id: "4") }', '{"identify":"\'4\'","b":"\'4\'"}', []),
    Case(
        "custom scalars are parsed and serialized, their defaults only serialized",
        '{ shout(text: "b") d: shout }',
        '{"shout":"B!","d":"a!"}',
        [],
    ),
    Case(
        "an invalid variable of a custom scalar",
        "query($t: Shout!) { shout(text: $t) }",
        "null",
        [
            (
                "Variable '$t' has invalid value: Expected value of type 'Shout', but encountered error 'too loud'; found: 'bad'.",
                None,
            )
        ],
        {"t": "bad"},
    ),
    Case(
        "mutations run one after the other",
        "mutation { first second third }",
        '{"first":"1","second":null,"third":"3"}',
        [("refused", ["second"])],
    ),
)
LEAVES: tuple[tuple[str, object, str, str], ...] = (
    ("integer", 2**31, "null", "Int cannot represent non 32-bit signed integer value: 2147483648"),
    ("integer", 1.0, "1", ""),
    ("integer", 1.5, "null", "Int cannot represent non-integer value: 1.5"),
    ("integer", True, "1", ""),
    ("integer", "3", "3", ""),
    ("integer", "x", "null", "Int cannot represent non-integer value: 'x'"),
    ("integer", float("nan"), "null", "Int cannot represent non-integer value: nan"),
    ("boolean", 1, "true", ""),
    ("boolean", 0, "false", ""),
    ("boolean", 2, "true", ""),
    ("boolean", "x", "null", "Boolean cannot represent a non boolean value: 'x'"),
    ("boolean", 1.0, "true", ""),
    ("id", 5, '"5"', ""),
    ("id", 1.0, '"1"', ""),
    ("id", 1.5, "null", "ID cannot represent value: 1.5"),
    ("id", True, "null", "ID cannot represent value: True"),
    ("colour", Colour.RED, '"RED"', ""),
    ("colour", "red", '"RED"', ""),
    ("colour", "RED", "null", "Enum 'Colour' cannot represent value: 'RED'"),
    ("colour", 3, "null", "Enum 'Colour' cannot represent value: 3"),
    ("text", 5, '"5"', ""),
    ("text", True, '"true"', ""),
    ("text", 1.5, '"1.5"', ""),
    ("text", [1], "null", "String cannot represent value: [1]"),
    ("number", 1, "1.0", ""),
    ("number", True, "1", ""),
    ("number", "2.5", "2.5", ""),
    ("number", float("inf"), "null", "Float cannot represent non numeric value: inf"),
    ("number", "x", "null", "Float cannot represent non numeric value: 'x'"),
)
"""Field of Leaf, value of the resolver, value in the response as JSON, and message of the error."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
async def test_an_operation_gets_the_data_and_errors_of_graphql_core(execute: Execute, case: Case) -> None:
    assert await run(execute, case.document, case.variables) == (case.data, case.errors)


@pytest.mark.parametrize(("field", "value", "expected", "message"), LEAVES)
async def test_a_leaf_is_serialized_like_by_graphql_core(
    execute: Execute, field: str, value: Any, expected: str, message: str
) -> None:
    errors: list[Error] = [(message, ["leaf", field])] if message else []
    result = await run(execute, f"{{ leaf {{ {field} }} }}", variables=None, name=None, **{field: value})
    assert result == (f'{{"leaf":{{"{field}":{expected}}}}}', errors)


async def test_a_null_of_a_required_field_is_an_error(execute: Execute) -> None:
    message = "Cannot return null for non-nullable field Leaf.required."
    assert await run(execute, "{ leaf { required } }", required=None) == (
        '{"leaf":null}',
        [(message, ["leaf", "required"])],
    )


async def test_the_named_operation_is_executed(execute: Execute) -> None:
    assert await run(execute, "query A { fast } query B { slow }", name="B") == ('{"slow":"slow"}', [])


async def test_the_next_mutation_starts_when_the_last_one_has_ended(execute: Execute) -> None:
    log.clear()
    await run(execute, "mutation { first second third }")
    assert log == ["first starts", "first ends", "second", "third"]


async def test_errors_have_the_locations_of_all_merged_fields(execute: Execute) -> None:
    result = await execute(SCHEMA, "{ item { nullable } item { nullable } }", None, None, {})
    assert [error.formatted.get("locations") for error in result.errors or ()] == [
        [{"line": 1, "column": 10}, {"line": 1, "column": 28}]
    ]


async def run(
    execute: Execute, document: str, variables: dict[str, Any] | None = None, name: str | None = None, **context: Any
) -> tuple[str, list[Error]]:
    """Execute the operation. Returns the data as JSON, and the errors."""
    result = await execute(SCHEMA, document, variables, name, context)
    return json.dumps(result.data, separators=(",", ":")), [
        (error.message, error.path) for error in result.errors or ()
    ]
