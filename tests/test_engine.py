"""The engine's parts: loads, leaf values, plans, reader threads, and statements without SQLAlchemy."""

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Awaitable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import pytest
import strawberry
from graphql import (
    GraphQLBoolean,
    GraphQLError,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLScalarType,
    GraphQLString,
    parse,
)
from graphql.pyutils import Undefined
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import JSON, Boolean, Column, Integer, MetaData, Select, String, Table, bindparam, literal, null, select
from strawberry import Schema
from strawberry.annotation import StrawberryAnnotation
from strawberry.extensions.field_extension import FieldExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.types.arguments import StrawberryArgument

from engine import Batch, LoadQueue, Operation, Plan, UnsupportedError, compile_operation, execute
from engine import load as engine_load
from engine.field import ResolverField
from engine.leaf import serializer
from engine.plan import MAX_PLANS
from store.compiled import CompiledSelect
from store.database import Database, Snapshot
from store.reader_threads import THREADS, ReaderThreads, ThreadSnapshot
from store.sqlite_file import SQLiteFile
from tests.conftest import ANONYMOUS, GraphQLClient, World
from tests.lists import ask_lists, every_list
from tests.test_listing import load_model

# Loads


class Fetches:
    """Batch that multiplies its keys by ten, with the keys of each fetch; negative keys have exceptions."""

    def __init__(self, queue: LoadQueue) -> None:
        self.keys: list[list[int]] = []
        self.batch: Batch[int, Any] = queue.batch(self._fetch)

    async def _fetch(self, keys: list[int]) -> list[Any]:
        self.keys.append(keys)
        return [ValueError(f"no {key}") if key < 0 else key * 10 for key in keys]


@pytest.fixture
def queue() -> LoadQueue:
    return LoadQueue()


@pytest.fixture
def fetches(queue: LoadQueue) -> Fetches:
    return Fetches(queue)


async def test_keys_of_one_level_are_read_together_and_each_once(queue: LoadQueue, fetches: Fetches) -> None:
    column = engine_load.Column([fetches.batch.load(key) for key in (1, 2, 1)])
    assert not column.advance()
    await queue.read()
    assert column.advance()
    assert (column.values, fetches.keys) == ([10, 20, 10], [[1, 2]])


async def test_a_key_that_is_read_is_not_read_again(queue: LoadQueue, fetches: Fetches) -> None:
    load = fetches.batch.load(1)
    await queue.read()
    assert fetches.batch.load(1) is load
    column = engine_load.Column([load, fetches.batch.load_many([1, 1])])
    assert column.advance()
    assert (column.values, fetches.keys) == ([10, [10, 10]], [[1]])


async def test_a_load_can_be_awaited_twice(queue: LoadQueue, fetches: Fetches) -> None:
    async def resolve(load: Awaitable[int]) -> tuple[int, int]:
        return await load, await load

    load = fetches.batch.load(1)
    column = engine_load.Column([resolve(load), resolve(load)])
    assert not column.advance()
    await queue.read()
    assert column.advance()
    assert column.values == [(10, 10), (10, 10)]


async def test_load_many_gives_values_in_the_order_of_its_keys(queue: LoadQueue, fetches: Fetches) -> None:
    fetches.batch.load(2)
    column = engine_load.Column([fetches.batch.load_many([3, 2, 3]), fetches.batch.load_many([]), "plain"])
    assert not column.advance()
    await queue.read()
    assert column.advance()
    assert (column.values, fetches.keys) == ([[30, 20, 30], [], "plain"], [[2, 3]])


async def test_a_coroutine_goes_on_with_each_read(queue: LoadQueue, fetches: Fetches) -> None:
    async def resolve(key: int) -> int:
        return int(await fetches.batch.load(await fetches.batch.load(key)))

    column = engine_load.Column([resolve(1), resolve(2)])
    for expected in (False, False, True):
        assert column.advance() is expected
        if not expected:
            await queue.read()
    assert (column.values, fetches.keys) == ([100, 200], [[1, 2], [10, 20]])


async def test_an_exception_among_the_values_is_raised_where_it_is_awaited(queue: LoadQueue, fetches: Fetches) -> None:
    async def recover(load: Awaitable[int]) -> str:
        try:
            return str(await load)
        except ValueError as error:
            return f"recovered: {error}"

    column = engine_load.Column([recover(fetches.batch.load(-1)), recover(fetches.batch.load(1))])
    assert not column.advance()
    await queue.read()
    assert column.advance()
    assert column.values == ["recovered: no -1", "10"]
    for awaitable in (fetches.batch.load(-1), fetches.batch.load_many([1, -1])):
        with pytest.raises(ValueError, match="no -1"):
            engine_load.Column([awaitable]).advance()


async def test_a_coroutine_that_awaits_anything_else_is_unsupported_and_closed() -> None:
    coroutines = [asyncio.sleep(0), asyncio.sleep(0), asyncio.sleep(0.001)]
    for coroutine in coroutines[1:]:
        column = engine_load.Column([coroutine, coroutines[0]])
        with pytest.raises(UnsupportedError, match="something other than a load"):
            column.advance()
        column.close()
    assert [inspect.getcoroutinestate(each) for each in coroutines] == [inspect.CORO_CLOSED] * 3


async def test_a_load_of_another_queue_is_unsupported(queue: LoadQueue) -> None:
    column = engine_load.Column([Fetches(LoadQueue()).batch.load(1)])
    assert not column.advance()
    with pytest.raises(UnsupportedError, match="another queue"):
        await queue.read()


async def test_loads_that_nobody_awaits_are_read_with_the_others(queue: LoadQueue, fetches: Fetches) -> None:
    fetches.batch.load(-1)
    column = engine_load.Column([fetches.batch.load(1)])
    await queue.read()
    assert column.advance()
    assert fetches.keys == [[-1, 1]]
    with pytest.raises(UnsupportedError):
        await queue.read()


async def test_a_fetch_that_raises_ends_the_read(queue: LoadQueue) -> None:
    async def fetch(_keys: list[int]) -> list[int]:
        raise ValueError("no connection")

    batch = queue.batch(fetch)
    column = engine_load.Column([batch.load(1)])
    with pytest.raises(ValueError, match="no connection"):
        await queue.read()
    assert not column.advance()
    column.close()


# Leaf values


class Colour(Enum):
    RED = "red"
    ONE = 1


COLOUR: Any = Schema(  # noqa: SLF001 - Strawberry gives it no other name
    strawberry.type(type("Query", (), {"__annotations__": {"colour": strawberry.enum(Colour)}}))
)._schema.type_map["Colour"]
LEAVES = (GraphQLInt, GraphQLBoolean, GraphQLID, GraphQLString, GraphQLFloat, COLOUR)
ANYTHING = GraphQLScalarType("Anything", serialize=repr)
VALUES = st.one_of(
    st.booleans(),
    st.integers(),
    st.integers(-3, 3),
    st.floats(),
    st.sampled_from([0.0, -0.0, 1.0, Decimal("1.0"), Decimal("1.00"), 2**31, -(2**31), -(2**31) - 1]),
    st.text(),
    st.sampled_from(["1", "2.5", "red", "RED", "true", ""]),
    st.sampled_from(list(Colour)),
    st.sampled_from(
        [datetime(2026, 1, 1, 12, tzinfo=UTC), datetime(2026, 1, 1, 14, tzinfo=timezone(timedelta(hours=2)))]
    ),
    st.lists(st.integers(), max_size=2),
    st.binary(max_size=3),
)


@pytest.mark.parametrize("leaf", [*LEAVES, ANYTHING], ids=str)
@given(columns=st.lists(st.lists(VALUES, max_size=4), max_size=4))
def test_leaf_values_are_those_of_graphql_core(leaf: GraphQLLeafType, columns: list[list[Any]]) -> None:
    serialize = serializer(leaf)
    for column in columns:
        expected = [coerced(leaf, value) for value in column]
        if None in expected:
            with pytest.raises(UnsupportedError):
                serialize(column)
        else:
            assert list(map(repr, serialize(column))) == expected


def coerced(leaf: GraphQLLeafType, value: Any) -> str | None:
    """Return the representation of the serialised value; None if it cannot be serialised."""
    try:
        serialized = leaf.coerce_output_value(value)
    except (GraphQLError, TypeError, ValueError, OverflowError):
        return None
    return None if serialized is None or serialized is Undefined else repr(serialized)


async def test_exceptions_and_awaitables_are_no_leaf_values() -> None:
    future = asyncio.get_running_loop().create_future()
    for leaf in (*LEAVES, ANYTHING):
        for value in (ValueError("x"), future):
            with pytest.raises(UnsupportedError):
                serializer(leaf)([value])


@pytest.mark.parametrize("error", [GraphQLError, TypeError, ValueError, OverflowError, AttributeError, KeyError])
def test_a_scalar_that_raises_leaves_the_error_to_graphql_core(error: type[Exception]) -> None:
    def fail(_value: object) -> None:
        raise error("no value")

    for value in ("text", 1.5):
        with pytest.raises(UnsupportedError):
            serializer(GraphQLScalarType("Failing", serialize=fail))([value])


# Plans


def resolve(
    resolver: Any = None, *extensions: FieldExtension, kind: type[ResolverField] = ResolverField, **arguments: Any
) -> Any:
    """Declare a field with arguments of these types."""
    declared = kind(extensions=list(extensions))
    declared.resolver = resolver
    for name, type_ in arguments.items():
        annotation = StrawberryAnnotation(type_)
        declared.arguments.append(StrawberryArgument(name, None, annotation, default=strawberry.UNSET))
    return declared


def start(source: Any, context: Any) -> Any:
    """Return a coroutine for the first source, and raise an exception for the second."""
    if source.name == "b":
        raise ValueError("no b")
    context.append(asyncio.sleep(0, source.name))
    return context[-1]


@strawberry.type
class Item:
    name: str = resolve()
    started: str | None = resolve(start)


@strawberry.type
class Query:
    fast: str = resolve(lambda *_: "fast")
    items: list[Item] = resolve(lambda *_: [SimpleNamespace(name="a"), SimpleNamespace(name="b")])
    echo: str | None = resolve(lambda _source, _context, text=None: text, text=str | None)


SCHEMA = Schema(Query)


def compiled(document: str) -> Operation:
    return compile_operation(SCHEMA, parse(document), None)


async def test_an_operation_keeps_a_bounded_number_of_plans() -> None:
    names = "abcdef"
    head = ", ".join(f"${name}: Boolean!" for name in names)
    operation = compiled(f"query({head}) {{ fast {' '.join(f'{name}: fast @skip(if: ${name})' for name in names)} }}")
    is_kept = []
    for number in range(2 ** len(names)):
        given = {name: bool(number & 1 << index) for index, name in enumerate(names)}
        variables = operation.variable_values(given)
        plan = operation.plan(variables)
        is_kept.append(operation.plan(variables) is plan)
        data = await execute(plan, None, variables, LoadQueue())
        assert data.keys() == {"fast", *(name for name in names if not given[name])}
    assert is_kept == [True] * MAX_PLANS + [False] * (2 ** len(names) - MAX_PLANS)


async def test_other_variables_share_a_plan() -> None:
    operation = compiled("query($text: String) { echo(text: $text) }")
    one, other = operation.variable_values({"text": "one"}), operation.variable_values({"text": "other"})
    assert operation.plan(one) is operation.plan(other)
    assert await execute(operation.plan(one), None, one, LoadQueue()) == {"echo": "one"}
    assert await execute(operation.plan(other), None, other, LoadQueue()) == {"echo": "other"}


@pytest.mark.parametrize(
    ("document", "name"),
    [
        ("{ __schema { description } }", None),
        ("query A { fast } query B { fast }", None),
        ("query A { fast }", "B"),
        ("query A { fast }", ""),
    ],
)
def test_other_documents_have_no_plan(document: str, name: str | None) -> None:
    with pytest.raises(UnsupportedError):
        plan_of(document, name)


def plan_of(document: str, name: str | None) -> Plan:
    operation = compile_operation(SCHEMA, parse(document), name)
    return operation.plan(operation.variable_values(None))


class AsyncOnly(FieldExtension):
    async def resolve_async(self, next_: Any, source: Any, info: Any, **arguments: Any) -> Any:
        return await next_(source, info, **arguments)


class MapsArguments(FieldExtension):
    def map_arguments(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        return kwargs | {"text": "mapped"}

    def resolve(self, next_: Any, source: Any, info: Any, **arguments: Any) -> Any:
        return next_(source, info, **arguments)


class OtherResult(ResolverField):
    def get_result(self, source: Any, info: Any, args: list[Any], kwargs: Any) -> str:
        return f"not {super().get_result(source, info, args, kwargs)}"


@strawberry.input
class Checked:
    text: str

    def __post_init__(self) -> None:
        raise ValueError(self.text)


@strawberry.type
class Unsupported:
    @strawberry.field
    def of_strawberry(self) -> str:
        return "text"

    plain: str = strawberry.field(default="text")
    async_only: str = resolve(lambda *_: "text", AsyncOnly())
    maps_arguments: str = resolve(lambda _source, _context, text: text, MapsArguments(), text=str)
    other_result: str = resolve(lambda *_: "text", kind=OtherResult)
    one_item: Annotated[Item, strawberry.union("OneItem")] = resolve(lambda *_: SimpleNamespace(name="a"))
    checked: str | None = resolve(lambda _source, _context, by: str(by), by=Checked)


@pytest.mark.parametrize(
    "field",
    [
        "ofStrawberry",
        "plain",
        "asyncOnly",
        'mapsArguments(text: "given")',
        "otherResult",
        "oneItem { __typename }",
        'checked(by: {text: "wrong"})',
    ],
)
def test_other_declarations_have_no_plan(field: str) -> None:
    operation = compile_operation(Schema(Unsupported), parse(f"{{ {field} }}"), None)
    with pytest.raises(UnsupportedError):
        operation.plan(operation.variable_values(None))


def test_a_schema_that_reads_attributes_otherwise_has_no_plans() -> None:
    schema = Schema(Query, config=StrawberryConfig(default_resolver=dict.__getitem__))
    with pytest.raises(UnsupportedError):
        compile_operation(schema, parse("{ fast }"), None)


async def test_an_error_closes_the_coroutines_of_earlier_objects() -> None:
    operation = compiled("{ items { started } }")
    variables = operation.variable_values(None)
    coroutines: list[Any] = []
    with pytest.raises(ValueError, match="no b"):
        await execute(operation.plan(variables), coroutines, variables, LoadQueue())
    assert [inspect.getcoroutinestate(each) for each in coroutines] == [inspect.CORO_CLOSED]


async def test_a_failing_check_ends_the_execution_before_the_next_read(queue: LoadQueue, fetches: Fetches) -> None:
    def check(completed_fields: int, _characters: int) -> None:
        raise TimeoutError(completed_fields)

    @strawberry.type
    class Root:
        loaded: int = resolve(lambda _source, context: context.batch.load(1))

    operation = compile_operation(Schema(Root), parse("{ loaded }"), None)
    variables = operation.variable_values(None)
    with pytest.raises(TimeoutError):
        await execute(operation.plan(variables), fetches, variables, queue, check)
    assert fetches.keys == []
    assert await execute(operation.plan(variables), Fetches(fresh := LoadQueue()), variables, fresh) == {"loaded": 10}


# Reader threads


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Database]:
    """Yield a database with one table of values."""
    file = tmp_path / "values.db"
    file.touch()
    database = Database(f"sqlite+aiosqlite:///{file}")
    async with database.engines[0].begin() as connection:
        await connection.run_sync(TABLE.metadata.create_all)
        await connection.execute(TABLE.insert(), ROWS)
    yield database
    await database.close()


TABLE = Table(
    "value",
    MetaData(),
    Column("pk", Integer, primary_key=True),
    Column("flag", Boolean),
    Column("document", JSON(none_as_null=True)),
    Column("text", String),
    Column("count", Integer),
)
ROWS: list[dict[str, Any]] = [
    {"pk": 1, "flag": True, "document": {"a": [1, None, "é"]}, "text": "one", "count": 1},
    {"pk": 2, "flag": False, "document": [], "text": "", "count": 3},
    {"pk": 3, "flag": None, "document": None, "text": None, "count": None},
    {"pk": 4, "flag": True, "document": "text", "text": "'; --", "count": 2**62},
]


async def test_a_cancelled_read_ends_with_its_next_statement(sqlite: Database) -> None:
    threads = reader_threads(sqlite)
    started, go_on, barrier = threading.Event(), threading.Event(), threading.Barrier(THREADS)
    steps: list[str] = []

    async def cancelled(snapshot: ThreadSnapshot) -> None:
        await snapshot.rows(select(TABLE))
        started.set()
        go_on.wait(10)
        steps.append("before the next statement")
        try:
            await snapshot.rows(select(TABLE))
        finally:
            steps.append("ended")
        steps.append("after the next statement")

    async def answered(snapshot: ThreadSnapshot) -> int:
        barrier.wait(10)  # so that each thread answers one
        return len(await snapshot.rows(select(TABLE)))

    task = asyncio.create_task(threads.run(cancelled))
    await asyncio.to_thread(started.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert steps == []  # the caller does not wait for the thread
    go_on.set()
    assert await asyncio.gather(*(threads.run(answered) for _ in range(THREADS))) == [len(ROWS)] * THREADS
    assert steps == ["before the next statement", "ended"]
    await threads.close()


async def test_a_thread_answers_after_an_error_and_reads_the_latest_state(sqlite: Database) -> None:
    threads = reader_threads(sqlite)

    async def fail(snapshot: ThreadSnapshot) -> None:
        await snapshot.rows(select(TABLE))
        raise ValueError("failed")

    async def suspend(_snapshot: ThreadSnapshot) -> None:
        await asyncio.sleep(0)

    async def count(snapshot: ThreadSnapshot) -> int:
        return len(await snapshot.rows(select(TABLE)))

    for _ in range(THREADS * 2):
        with pytest.raises(ValueError, match="failed"):
            await threads.run(fail)
        with pytest.raises(RuntimeError, match="something other than its snapshot"):
            await threads.run(suspend)
    async with sqlite.engines[0].begin() as connection:
        await connection.execute(TABLE.insert(), {"pk": 5})
    assert [await threads.run(count) for _ in range(THREADS * 2)] == [len(ROWS) + 1] * (THREADS * 2)
    await threads.close()


async def test_threads_can_be_used_again_after_they_were_closed(sqlite: Database) -> None:
    async def count(snapshot: Snapshot) -> int:
        return len(await snapshot.rows(select(TABLE)))

    for _ in range(2):
        assert await sqlite.read(count) == len(ROWS)
        await sqlite.close()


def reader_threads(database: Database) -> ReaderThreads:
    return ReaderThreads(SQLiteFile(str(database.url.database)), (), database.engines[1].dialect)


# Statements without SQLAlchemy

TRUE: Any = True
PATH: Any = "a"
X, Y = bindparam("x", type_=Integer), bindparam("y", type_=String)
STATEMENTS: tuple[tuple[Select[Any], dict[str, Any]], ...] = (
    (select(TABLE).order_by(TABLE.c.pk), {}),
    (select(TABLE.c.pk).where((TABLE.c.count == X) | (TABLE.c.pk == X) | (TABLE.c.text == Y)), {"x": 3, "y": "one"}),
    (select(TABLE.c.pk, X.label("x"), Y.label("y"), X.label("again")), {"x": None, "y": "'"}),
    (select(TABLE.c.pk).where(TABLE.c.pk.in_([1, 2]), TABLE.c.text.in_(["one", ""]), TABLE.c.pk < X), {"x": 9}),
    (select(TABLE.c.pk).where(TABLE.c.pk.in_([])), {}),
    (select(TABLE.c.pk, TABLE.c.flag.is_(True), literal(TRUE).label("yes"), null().label("none")), {}),
    (select(TABLE.c.flag, TABLE.c.document, TABLE.c.document[PATH].label("part")), {}),
    (
        select(bindparam("given", type_=JSON).label("given"), bindparam("flag", type_=Boolean).label("flag")),
        {"given": {"a": [None]}, "flag": True},
    ),
    (
        select(TABLE.c.text.label("class"), TABLE.c.pk.label("_pk"), (TABLE.c.pk + X).label("sum")).limit(2).offset(1),
        {"x": 1},
    ),
)


@pytest.mark.parametrize(("statement", "parameters"), STATEMENTS, ids=str)
async def test_a_statement_has_the_rows_of_sqlalchemy(
    sqlite: Database, statement: Select[Any], parameters: dict[str, Any]
) -> None:
    compiled_select = CompiledSelect(statement, sqlite.engines[1].dialect)
    async with sqlite.engines[1].connect() as connection:
        expected = (await connection.execute(statement, parameters)).all()
        for _ in range(2):
            values = tuple(compiled_select.values(parameters))
            fetched = await connection.exec_driver_sql(compiled_select.text, values)
            compare_rows(compiled_select.rows([tuple(row) for row in fetched]), expected)


def test_a_list_of_values_that_is_given_later_is_an_error(sqlite: Database) -> None:
    keys: Any = bindparam("keys", expanding=True)
    with pytest.raises(ValueError, match="list of values"):
        CompiledSelect(select(TABLE.c.pk).where(TABLE.c.pk.in_(keys)), sqlite.engines[1].dialect)


@pytest.fixture
async def ask_engine(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[GraphQLClient]:
    """Yield a client of the shared world, whose queries the engine executes, even if the environment turns it off."""
    monkeypatch.setenv("ATOLL_ENGINE", "on")
    monkeypatch.setenv("ATOLL_INDEX", "off")
    client = GraphQLClient(world)
    yield client
    await client.close()


async def test_an_error_that_the_engine_logs_fails_tests(
    ask_engine: GraphQLClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("missing")

    monkeypatch.setattr("app.query_engine.execute", fail)
    with pytest.raises(AssertionError, match=r"The engine failed(.|\n)*KeyError: 'missing'"):
        await ask_engine.response(ANONYMOUS, "{ topics { totalCount } }")
    monkeypatch.undo()
    assert await ask_engine(ANONYMOUS, "{ topics { totalCount } }")


async def test_the_statements_of_all_lists_have_the_rows_of_sqlalchemy(
    ask_engine: GraphQLClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = ask_engine
    if not ask.database.is_sqlite:
        return
    reads: list[tuple[Any, Any, Sequence[Any]]] = []
    read = ThreadSnapshot.rows

    async def rows(snapshot: ThreadSnapshot, statement: Any, parameters: Any = None) -> Sequence[Any]:
        fetched = await read(snapshot, statement, parameters)
        reads.append((statement, parameters, fetched))
        return fetched

    monkeypatch.setattr(ThreadSnapshot, "rows", rows)
    model = await load_model(ask)
    for who in ("mei", ANONYMOUS):
        await ask_lists(ask, who, list(every_list(model, who)))
    assert len(reads) > 100
    async with ask.database.snapshot() as snapshot:
        for statement, parameters, fetched in reads:
            compare_rows(fetched, await snapshot.rows(statement, parameters))


def compare_rows(rows: Sequence[Any], expected: Sequence[Any]) -> None:
    """Compare rows with SQLAlchemy's, by position and by name, with the types of their values."""
    assert [repr(tuple(row)) for row in rows] == [repr(tuple(row)) for row in expected]
    for row, other in zip(rows, expected, strict=True):
        for name in other._fields:
            if name.isidentifier() and not name.startswith(("_", "anon_")) and name != "class":
                assert getattr(row, name) == getattr(other, name), name
