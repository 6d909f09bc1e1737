# ruff: noqa: E501 - a message is one line
"""Corner cases of GraphQL execution, which every executor must handle like graphql-core."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import SimpleNamespace
from typing import Annotated, Any

import pytest
import strawberry
from graphql import parse, validate
from strawberry import Schema
from strawberry.annotation import StrawberryAnnotation
from strawberry.extensions.field_extension import FieldExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.execution import ExecutionResult

from engine import LoadQueue, UnsupportedError, compile_operation
from engine import execute as execute_plan
from engine.field import ResolverField, TypeTest
from resolvers.context import MakeBatch, TickBatch


class Context:
    """Context of an operation: the values that resolvers return, and a loader."""

    def __init__(self, values: Mapping[str, Any], make_batch: MakeBatch) -> None:
        self.values = values
        self._batch = make_batch(self._fetch)

    def load(self, key: str) -> Awaitable[str]:
        return self._batch.load(key)

    def load_many(self, keys: list[str]) -> Awaitable[list[str]]:
        return self._batch.load_many(keys)

    async def _fetch(self, keys: list[str]) -> list[Any]:
        return [RefusedError("not loaded") if key == "c" else key.upper() for key in keys]


@dataclass(frozen=True)
class Operation:
    """Operation to execute."""

    document: str
    variables: Mapping[str, Any] | None = None
    name: str | None = None
    context: Mapping[str, Any] = field(default_factory=dict)


Execute = Callable[[Operation], Awaitable[ExecutionResult]]


async def execute_by_graphql_core(operation: Operation) -> ExecutionResult:
    context = Context(operation.context, TickBatch)
    variables = None if operation.variables is None else dict(operation.variables)
    return await SCHEMA.execute(operation.document, variables, context, operation_name=operation.name)


async def execute_by_engine(operation: Operation) -> ExecutionResult | None:
    """Execute the operation by the engine. Returns None if graphql-core has to execute it."""
    document = parse(operation.document)
    if validate(SCHEMA._schema, document):  # noqa: SLF001 - Strawberry gives it no other name
        return None
    queue = LoadQueue()
    context = Context(operation.context, queue.batch)
    try:
        compiled = COMPILED.get((operation.document, operation.name))
        if compiled is None:
            compiled = compile_operation(SCHEMA, document, operation.name)
            COMPILED[operation.document, operation.name] = compiled
        variables = compiled.variable_values(operation.variables)
        data = await execute_plan(compiled.plan(variables), context, variables, queue)
    except (UnsupportedError, RefusedError):
        return None
    return ExecutionResult(data=data, errors=None)


async def execute_by_engine_or_graphql_core(operation: Operation) -> ExecutionResult:
    return await execute_by_engine(operation) or await execute_by_graphql_core(operation)


COMPILED: dict[tuple[str, str | None], Any] = {}
EXECUTORS: Mapping[str, Execute] = {
    "graphql-core": execute_by_graphql_core,
    "engine": execute_by_engine_or_graphql_core,
}


@pytest.fixture(params=EXECUTORS)
def execute(request: pytest.FixtureRequest) -> Execute:
    return EXECUTORS[request.param]


# The schema


def resolve(resolver: Callable[..., Any] | None = None, *extensions: FieldExtension, **arguments: Any) -> Any:
    """Declare a field. Each argument is its type, or a pair of its type and default."""
    declared = ResolverField(extensions=list(extensions))
    declared.resolver = resolver
    for name, given in arguments.items():
        kind, default = given if isinstance(given, tuple) else (given, strawberry.UNSET)
        annotation = StrawberryAnnotation(kind)
        declared.arguments.append(
            StrawberryArgument(python_name=name, graphql_name=None, type_annotation=annotation, default=default)
        )
    return declared


def give(value: Any) -> Callable[..., Any]:
    """Return a resolver of a constant."""
    return lambda _source, _context: value


@strawberry.enum
class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class RefusedError(Exception):
    """The exception of resolvers."""


def refuse(*_: Any) -> Any:
    raise RefusedError("refused")


async def refuse_later(*_: Any) -> Any:
    await asyncio.sleep(0)
    raise RefusedError("refused later")


class Shout(str):
    """Value of the custom scalar."""

    __slots__ = ()


LETTER = Shout("a")


def parse_shout(value: Any) -> str:
    if value == "bad":
        raise ValueError("too loud")
    return str(value).upper()


SHOUT = strawberry.scalar(name="Shout", serialize=lambda text: f"{text}!", parse_value=parse_shout)


class Surround(FieldExtension):
    """Extension that writes a letter around the field's value."""

    def __init__(self, letter: str) -> None:
        self.letter = letter

    def resolve(self, next_: Callable[..., Any], source: Any, info: Any, **arguments: Any) -> Any:
        return f"{self.letter}{next_(source, info, **arguments)}{self.letter}"


def kind_of(source: object) -> str:
    return str(getattr(source, "kind", ""))


@strawberry.interface
class Animal:
    name: str = resolve()


@strawberry.type
class Dog(Animal):
    is_type_of = TypeTest(kind_of, lambda kind: kind == "Dog")
    is_loud: bool = resolve()
    leg_count: int = resolve()


@strawberry.type
class Cat(Animal):
    is_type_of = TypeTest(kind_of, lambda kind: kind == "Cat")
    lives: int = resolve()
    is_loud: bool = resolve()


@strawberry.type
class Leaf:
    """Fields whose values are those of the source."""

    integer: int | None = resolve()
    boolean: bool | None = resolve()
    id: strawberry.ID | None = resolve()
    colour: Colour | None = resolve()
    text: str | None = resolve()
    number: float | None = resolve()
    shout: Shout | None = resolve()
    required: str = resolve()


async def load_label(source: Any, context: Context) -> str:
    """Load twice, one key after the other."""
    first = await context.load(source.label)
    return first + await context.load(first)


@strawberry.type
class Item:
    label: str = resolve()
    echo: str = resolve(lambda _source, _context, a, b: f"{a} {b}", a=(int | None, 1), b=(str | None, None))
    nullable: str | None = resolve(refuse)
    required: str = resolve(refuse)
    late: str | None = resolve(refuse_later)
    only_b: str = resolve(lambda source, _context: source.label if source.label == "b" else refuse())
    upper: str | None = resolve(lambda source, context: context.load(source.label))
    both: list[str] | None = resolve(lambda source, context: context.load_many([source.label, "z"]))
    twice: str | None = resolve(load_label)
    surrounded: str = resolve(lambda source, _context: source.label, Surround("1"), Surround("2"))


@strawberry.input
class Point:
    x: int = 1
    y: int | None = None
    z: int | None = strawberry.UNSET


Pet = Annotated[Dog | Cat, strawberry.union("Pet")]
DOG = SimpleNamespace(kind="Dog", name="Rex", is_loud=True, leg_count=4)
CAT = SimpleNamespace(kind="Cat", name="Tom", lives=9, is_loud=False)
STRANGER = SimpleNamespace(kind="Bird", name="Tweety")
ITEMS = [SimpleNamespace(label=label) for label in "abc"]
NO_LISTS = {"text": "text", "object": object(), "dict": {"a": 1}, "null": None}
log: list[str] = []


def yield_items(*_: Any) -> Iterator[Any]:
    yield from ITEMS


async def answer_slowly(*_: Any) -> str:
    await asyncio.sleep(0.001)
    return "slow"


async def answer_slow_items(*_: Any) -> list[Any]:
    await asyncio.sleep(0)
    return ITEMS


def show_argument(_source: None, _context: Context, n: int, text: str | None, **rest: Any) -> str:
    return f"{n} {text} {rest.get('required', strawberry.UNSET)!r}"


def show_points(
    _source: None, _context: Context, many: list[Point] | None = None, numbers: list[int | None] | None = None
) -> str:
    return f"{[point.x for point in many or ()]} {numbers}"


@strawberry.type
class Query:
    item: Item | None = resolve(give(ITEMS[0]))
    required_item: Item = resolve(give(ITEMS[0]))
    no_item: Item | None = resolve(give(None))
    items: list[Item] | None = resolve(give(ITEMS))
    nullable_items: list[Item | None] | None = resolve(give(ITEMS))
    gaps: list[Item | None] | None = resolve(give((None, ITEMS[1], None, ITEMS[0], ITEMS[1])))
    nested: list[list[Item] | None] | None = resolve(give([ITEMS, ITEMS[1:2]]))
    nested_gaps: list[list[Item | None] | None] = resolve(give([[], None, [ITEMS[2], None], [ITEMS[2]]]))
    nested_values: list[list[int]] | None = resolve(give([[1], [None]]))
    generated: list[Item] | None = resolve(yield_items)
    tupled: list[int] | None = resolve(give((1, 2)))
    no_list: list[str] | None = resolve(lambda _source, _context, value: NO_LISTS[value], value=(str, "text"))
    failing_list: list[int | None] | None = resolve(give([1, "x", None, 2**31]))
    exceptions: list[int | None] | None = resolve(give([1, RefusedError("in the list")]))
    exception_item: Item | None = resolve(give(RefusedError("no item")))
    exception_items: list[Item | None] = resolve(give([ITEMS[0], RefusedError("no item")]))
    exception_shout: Shout | None = resolve(give(RefusedError("no shout")))
    future_item: Item | None = resolve(lambda _source, context: context.values["future"])
    pets: list[Pet | None] = resolve(give([DOG, CAT]))
    mixed_pets: list[Pet | None] = resolve(give([CAT, None, DOG, CAT, DOG]))
    animal: Animal | None = resolve(
        lambda _source, _context, kind: {"Dog": DOG, "Cat": CAT, "Bird": STRANGER}[kind], kind=(str, "Dog")
    )
    strange_pet: Pet | None = resolve(give(STRANGER))
    strange_dog: Dog | None = resolve(give(CAT))
    leaf: Leaf | None = resolve(lambda _source, context: SimpleNamespace(**{"required": "", **context.values}))
    leaves: list[Leaf] = resolve(lambda _source, context: context.values["leaves"])
    returned: str | None = resolve(give(RefusedError("returned")))
    returned_required: str = resolve(give(RefusedError("returned")))
    slow: str = resolve(answer_slowly)
    fast: str = resolve(give("fast"))
    slow_items: list[Item] = resolve(answer_slow_items)
    argument: str = resolve(show_argument, n=(int, 5), text=(str | None, "t"), required=(int | None, strawberry.UNSET))
    point: str = resolve(lambda _source, _context, at: f"{at.x} {at.y} {at.z!r}", at=Point)
    points: str = resolve(show_points, many=(list[Point] | None, None), numbers=(list[int | None] | None, None))
    paint: Colour = resolve(lambda _source, _context, colour: colour, colour=(Colour, Colour.RED))
    identify: strawberry.ID = resolve(lambda _source, _context, **given: repr(given["id"]), id=strawberry.ID)
    shout: Shout | None = resolve(lambda _source, _context, text: text, text=(Shout, LETTER))
    root_error: str = resolve(refuse)


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
        "nulls in lists stay, and an object that occurs twice is the same",
        "{ gaps { label echo(a: 3) } nestedGaps { label } }",
        '{"gaps":[null,{"label":"b","echo":"3 None"},null,{"label":"a","echo":"3 None"},{"label":"b","echo":"3 None"}],"nestedGaps":[[],null,[{"label":"c"},null],[{"label":"c"}]]}',
        [],
    ),
    Case(
        "loads are awaited",
        "{ item { upper twice both } gaps { upper both twice } }",
        '{"item":{"upper":"A","twice":"AA","both":["A","Z"]},"gaps":[null,{"upper":"B","both":["B","Z"],"twice":"BB"},null,{"upper":"A","both":["A","Z"],"twice":"AA"},{"upper":"B","both":["B","Z"],"twice":"BB"}]}',
        [],
    ),
    Case(
        "an exception among loaded values is an error where it is awaited",
        "{ nullableItems { upper both } }",
        '{"nullableItems":[{"upper":"A","both":["A","Z"]},{"upper":"B","both":["B","Z"]},{"upper":null,"both":null}]}',
        [("not loaded", ["nullableItems", 2, "upper"]), ("not loaded", ["nullableItems", 2, "both"])],
    ),
    Case("the last extension is outermost", "{ item { surrounded } }", '{"item":{"surrounded":"21a12"}}', []),
    Case(
        "objects of several types keep their places",
        "{ mixedPets { ... on Cat { lives name } ... on Dog { name } __typename } }",
        '{"mixedPets":[{"lives":9,"name":"Tom","__typename":"Cat"},null,{"name":"Rex","__typename":"Dog"},{"lives":9,"name":"Tom","__typename":"Cat"},{"name":"Rex","__typename":"Dog"}]}',
        [],
    ),
    Case(
        "selections of a field merge at every level",
        "{ item { label } ...F item { ... on Item { both } } } fragment F on Query { item { upper label } }",
        '{"item":{"label":"a","upper":"A","both":["A","Z"]}}',
        [],
    ),
    Case(
        "a returned exception is no object",
        "{ exceptionItem { __typename } exceptionItems { __typename } }",
        '{"exceptionItem":null,"exceptionItems":[{"__typename":"Item"},null]}',
        [("no item", ["exceptionItem"]), ("no item", ["exceptionItems", 1])],
    ),
    Case(
        "a returned exception is no value of a custom scalar",
        "{ exceptionShout }",
        '{"exceptionShout":null}',
        [("no shout", ["exceptionShout"])],
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
    assert await run(execute, Operation(case.document, case.variables)) == (case.data, case.errors)


@pytest.mark.parametrize(("field", "value", "expected", "message"), LEAVES)
async def test_a_leaf_is_serialized_like_by_graphql_core(
    execute: Execute, field: str, value: Any, expected: str, message: str
) -> None:
    errors: list[Error] = [(message, ["leaf", field])] if message else []
    result = await run(execute, Operation(f"{{ leaf {{ {field} }} }}", context={field: value}))
    assert result == (f'{{"leaf":{{"{field}":{expected}}}}}', errors)


async def test_a_null_of_a_required_field_is_an_error(execute: Execute) -> None:
    message = "Cannot return null for non-nullable field Leaf.required."
    assert await run(execute, Operation("{ leaf { required } }", context={"required": None})) == (
        '{"leaf":null}',
        [(message, ["leaf", "required"])],
    )


async def test_equal_values_that_are_written_differently_are_serialized_each(execute: Execute) -> None:
    leaves = [SimpleNamespace(number=number, shout=number) for number in (0.0, -0.0, 1, True)]
    assert await run(execute, Operation("{ leaves { number shout } }", context={"leaves": leaves})) == (
        '{"leaves":[{"number":0.0,"shout":"0.0!"},{"number":-0.0,"shout":"-0.0!"},{"number":1.0,"shout":"1!"},{"number":1,"shout":"True!"}]}',
        [],
    )


async def test_futures_are_awaited(execute: Execute) -> None:
    future = asyncio.get_running_loop().create_future()
    future.set_result(ITEMS[0])
    operation = Operation("{ futureItem { __typename } }", context={"future": future})
    assert await run(execute, operation) == ('{"futureItem":{"__typename":"Item"}}', [])


async def test_the_named_operation_is_executed(execute: Execute) -> None:
    for name, data in (("A", '{"fast":"fast"}'), ("B", '{"noItem":null}'), ("A", '{"fast":"fast"}')):
        assert await run(execute, Operation("query A { fast } query B { noItem { label } }", name=name)) == (data, [])


async def test_variables_of_an_operation_choose_its_fields_each_time(execute: Execute) -> None:
    document = "query($s: Boolean!, $i: Boolean = true) { item { ...F @skip(if: $s) label @include(if: $i) } } fragment F on Item { echo }"
    expected = {
        (False, True): '{"echo":"1 None","label":"a"}',
        (True, True): '{"label":"a"}',
        (True, False): "{}",
        (False, False): '{"echo":"1 None"}',
    }
    for _ in range(2):
        for (skip, include), item in expected.items():
            operation = Operation(document, {"s": skip, "i": include})
            assert await run(execute, operation) == (f'{{"item":{item}}}', [])
    assert await run(execute, Operation(document, {"s": True})) == ('{"item":{"label":"a"}}', [])


async def test_arguments_are_those_of_each_execution(execute: Execute) -> None:
    document = "query($a: Int) { item { echo(a: $a) b: echo(a: 7) } }"
    for variables, text in (({"a": 2}, "2"), ({"a": 3}, "3"), ({"a": None}, "None"), ({}, "1")):
        data = f'{{"item":{{"echo":"{text} None","b":"7 None"}}}}'
        assert await run(execute, Operation(document, variables)) == (data, [])


async def test_the_next_mutation_starts_when_the_last_one_has_ended(execute: Execute) -> None:
    log.clear()
    await run(execute, Operation("mutation { first second third }"))
    assert log == ["first starts", "first ends", "second", "third"]


async def test_errors_have_the_locations_of_all_merged_fields(execute: Execute) -> None:
    result = await execute(Operation("{ item { nullable } item { nullable } }"))
    assert [error.formatted.get("locations") for error in result.errors or ()] == [
        [{"line": 1, "column": 10}, {"line": 1, "column": 28}]
    ]


async def run(execute: Execute, operation: Operation) -> tuple[str, list[Error]]:
    """Execute the operation. Returns the data as JSON, and the errors."""
    return summarize(await execute(operation))


def summarize(result: ExecutionResult) -> tuple[str, list[Error]]:
    return json.dumps(result.data, separators=(",", ":")), [
        (error.message, error.path) for error in result.errors or ()
    ]


# The operations that the engine executes itself

LEFT_TO_GRAPHQL_CORE = {
    "coroutines and plain values in the order of the selection",  # they wait for something other than loads
    "generators and tuples are lists",
    "merged fields keep the order of first appearance",  # with the field `slow`
    "a variable's default skips",  # with the field `slow`
    "mutations run one after the other",
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
async def test_the_engine_executes_what_has_no_errors(case: Case) -> None:
    result = await execute_by_engine(Operation(case.document, case.variables))
    assert (result is not None) == (not case.errors and case.title not in LEFT_TO_GRAPHQL_CORE)
    assert result is None or summarize(result) == (case.data, [])


@pytest.mark.parametrize(("field", "value", "expected", "message"), LEAVES)
async def test_the_engine_serializes_values_without_errors(field: str, value: Any, expected: str, message: str) -> None:
    result = await execute_by_engine(Operation(f"{{ leaf {{ {field} }} }}", context={field: value}))
    assert (result is None) == bool(message)
    assert result is None or summarize(result) == (f'{{"leaf":{{"{field}":{expected}}}}}', [])
