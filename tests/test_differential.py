"""Differential test of executors: its generator, a small part of its trials, and the faults that it must find."""

import secrets
from collections.abc import Iterator
from random import Random

import pytest
from graphql import (
    DirectiveNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInputObjectType,
    InlineFragmentNode,
    NameNode,
    Node,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_named_type,
    get_operation_ast,
    parse,
    validate,
    visit,
)

from proofs.databases import Databases
from proofs.differential.applications import (
    ENGINE,
    REFERENCE,
    CreateApplication,
    Response,
    Server,
    create,
    find_difference,
)
from proofs.differential.engine_faults import ENGINE_FAULTS, EngineFault
from proofs.differential.faults import RESPONSE_FAULTS, ResponseFault
from proofs.differential.generator import DocumentGenerator, Request, drawn_fields
from proofs.differential.shrinker import shrink
from proofs.differential.trial import compare_executors, make_world
from proofs.interference.operations import SCHEMA
from proofs.interference.world import VIEWERS
from proofs.leaks import disable_logging
from proofs.proof import BrokenPromiseError
from tests.test_interference import VOCABULARY, pytestmark

NEW_SEED = secrets.randbelow(1_000_000)
OPERATIONS = 150  # per test of a trial
PATIENCE = 20
"""Number of trials within which a planted fault must be found."""

SEEDS = range(3_680, 5_480)  # so many that every field, argument and type is drawn
__all__ = ["pytestmark"]  # the filters of warnings apply to this file, too


def draw(seed: int) -> Request:
    return DocumentGenerator(Random(seed), VOCABULARY, cursors={"assets": ["c"]}).request()


@pytest.fixture(scope="module")
def requests() -> list[Request]:
    return [draw(seed) for seed in SEEDS]


# The generator


def test_every_drawn_document_is_valid(requests: list[Request]) -> None:
    for seed, request in zip(SEEDS, requests[:250], strict=False):
        assert validate(SCHEMA, parse(request.document)) == [], f"seed {seed}\n{request}"


def test_a_seed_gives_the_same_request() -> None:
    assert [draw(seed) for seed in range(20)] == [draw(seed) for seed in range(20)]
    assert draw(1) != draw(2)


def test_every_field_argument_and_type_is_drawn(requests: list[Request]) -> None:
    usage = Usage()
    for request in requests:
        usage.add(request)
    fields = dict(drawn_fields())
    assert sorted(fields.keys() - usage.fields) == []
    arguments = {(*field, name) for field, definition in fields.items() for name in definition.args}
    assert sorted(arguments - usage.arguments) == []
    assert sorted({kind for kind, _ in fields} - usage.types) == []
    unreached = {"AssetsRegisterPayload", "TokenCreatePayload"}  # of mutations that would change the world
    unreached |= {"Subscription", "CollectionEvent", "TopicTreeEvent"}  # executed for events alone
    objects = {name for name, kind in SCHEMA.type_map.items() if hasattr(kind, "fields") and not is_input(name)}
    assert objects - usage.types == unreached


def test_every_construct_of_the_language_is_drawn(requests: list[Request]) -> None:
    usage = Usage()
    for request in requests:
        usage.add(request)
    names = {"alias", "merged field", "spread", "nested spread", "inline fragment", "inline fragment without type"}
    names |= {"@skip", "@include", "@skip and @include", "several operations", "anonymous operation", "mutation"}
    names |= {"variable given", "variable null", "variable missing", "variable missing with default"}
    names |= {"variable in a list", "variable in an object", "argument null", "unknown operation"}
    assert sorted(names - usage.constructs) == []


def test_mutations_are_dry_runs_or_change_unknown_objects(requests: list[Request]) -> None:
    for (parent, name), field in drawn_fields():
        if parent == "Mutation":
            kind = get_named_type(field.args["input"].type)
            assert isinstance(kind, GraphQLInputObjectType)
            assert "dryRun" in kind.fields or any(str(field.type) == "ID!" for field in kind.fields.values()), name
    assert any("dryRun: true" in request.document for request in requests)
    assert not any("idempotencyKey" in request.document for request in requests)


def is_input(name: str) -> bool:
    return isinstance(SCHEMA.type_map[name], GraphQLInputObjectType)


class Usage:
    """Parts of the schema and of the language that documents use."""

    def __init__(self) -> None:
        self.fields: set[tuple[str, str]] = set()
        self.arguments: set[tuple[str, str, str]] = set()
        self.types: set[str] = set()
        self.constructs: set[str] = set()

    def add(self, request: Request) -> None:
        document = parse(request.document, no_location=True)
        info = TypeInfo(SCHEMA)
        usage = self

        class Fields(Visitor):
            def enter_field(self, node: FieldNode, *_: object) -> None:
                parent = info.get_parent_type()
                assert parent
                usage.types.add(parent.name)
                usage.fields.add((parent.name, node.name.value))
                usage.arguments |= {
                    (parent.name, node.name.value, argument.name.value) for argument in node.arguments or ()
                }

        visit(document, TypeInfoVisitor(info, Fields()))
        self.constructs |= set(constructs(document, request))


def constructs(document: Node, request: Request) -> Iterator[str]:
    """Yield the constructs of the language that the request uses."""
    operations = [node for node in nodes(document) if isinstance(node, OperationDefinitionNode)]
    if len(operations) > 1:
        yield "several operations"
    if request.operation_name and not any(
        node.name and node.name.value == request.operation_name for node in operations
    ):
        yield "unknown operation"
    for operation in operations:
        if operation.name is None:
            yield "anonymous operation"
        if operation.operation.value == "mutation":
            yield "mutation"
        for variable in operation.variable_definitions or ():
            name = variable.variable.name.value
            if name not in request.variables:
                yield "variable missing with default" if variable.default_value else "variable missing"
            else:
                yield "variable null" if request.variables[name] is None else "variable given"
    for node in nodes(document):
        yield from node_constructs(node)


def node_constructs(node: Node) -> Iterator[str]:
    directives = {directive.name.value for directive in getattr(node, "directives", None) or ()}
    if directives == {"skip", "include"}:
        yield "@skip and @include"
    match node:
        case DirectiveNode():
            yield f"@{node.name.value}"
        case FieldNode(alias=NameNode()):
            yield "alias"
        case FragmentSpreadNode():
            yield "spread"
        case InlineFragmentNode():
            yield "inline fragment" if node.type_condition else "inline fragment without type"
        case FragmentDefinitionNode() if any(isinstance(inner, FragmentSpreadNode) for inner in nodes(node)):
            yield "nested spread"
        case SelectionSetNode():
            fields = [field for field in node.selections if isinstance(field, FieldNode)]
            if len({(field.alias or field.name).value for field in fields}) < len(fields):
                yield "merged field"
    inner = {child.kind for child in children(node)}
    names = {("list_value", "variable"): "variable in a list", ("object_field", "variable"): "variable in an object"}
    names |= {("argument", "null_value"): "argument null"}
    yield from (name for (kind, value), name in names.items() if node.kind == kind and value in inner)


def nodes(root: Node) -> Iterator[Node]:
    yield root
    for child in children(root):
        yield from nodes(child)


def children(node: Node) -> Iterator[Node]:
    for key in node.keys:
        value = getattr(node, key, None)
        yield from (child for child in (value if isinstance(value, tuple) else (value,)) if isinstance(child, Node))


# The comparison


@pytest.mark.parametrize("seed", [1, NEW_SEED], ids=["known", "new"])
async def test_the_engine_responds_like_the_reference(databases: Databases, seed: int) -> None:
    assert await compare_executors(databases, seed, ENGINE, operations=OPERATIONS) == OPERATIONS


async def test_the_reference_responds_like_itself(databases: Databases) -> None:
    assert await compare_executors(databases, 2, REFERENCE, operations=OPERATIONS) == OPERATIONS


async def test_the_engine_itself_responds_to_queries_without_errors(
    databases: Databases, engine_answers: list[bytes | None]
) -> None:
    random = Random(4)
    world = await make_world(databases, random)
    server = Server(world.url, world.tokens, ENGINE)
    for _ in range(OPERATIONS):
        who = random.choice(VIEWERS)
        request = world.draw(random, who)
        engine_answers.clear()
        sent = await server.send(who, request)
        operation = get_operation_ast(parse(request.document), request.operation_name)
        is_query = operation is not None and operation.operation is OperationType.QUERY
        if (
            is_query
            and b'"errors":' not in sent.content
            and "__schema" not in str(request)
            and "__type(" not in str(request)
        ):
            assert engine_answers == [sent.content], request
    await server.close()
    databases.drop(world.url)


def test_only_the_order_of_errors_may_differ() -> None:
    one, other = '{"message":"a","path":["a"]}', '{"message":"b","path":["b"]}'
    both = response(f'{{"errors":[{one},{other}],"data":{{"a":null,"b":null}}}}')
    assert find_difference(both, response(f'{{"errors":[{other},{one}],"data":{{"a":null,"b":null}}}}')) == ""
    assert find_difference(both, response(f'{{"errors":[{one},{other}],"data":{{"b":null,"a":null}}}}'))
    assert find_difference(both, response(f'{{"errors":[{one}],"data":{{"a":null,"b":null}}}}'))
    assert find_difference(both, response(f'{{"data":{{"a":null,"b":null}},"errors":[{one},{other}]}}'))
    assert find_difference(both, Response(500, (), both.content))


def test_of_errors_that_null_the_same_parent_one_is_enough() -> None:
    one, other, alone = (f'{{"message":"{name}","path":["a",0,"{name}"]}}' for name in ("b", "c", "d"))
    both = response(f'{{"errors":[{one},{other}],"data":{{"a":[null]}}}}')
    assert find_difference(both, response(f'{{"errors":[{other}],"data":{{"a":[null]}}}}')) == ""
    assert find_difference(both, response('{"errors":[],"data":{"a":[null]}}'))
    assert find_difference(both, response(f'{{"errors":[{one},{other}],"data":{{"a":null}}}}'))
    kept = '"data":{"a":[{"b":null,"c":null,"d":null}]}'
    assert find_difference(response(f'{{"errors":[{one},{alone}],{kept}}}'), response(f'{{"errors":[{one}],{kept}}}'))


def test_an_internal_error_of_both_is_a_difference() -> None:
    failed = response('{"errors":[{"message":"Internal error.","extensions":{"code":"INTERNAL"}}]}')
    assert find_difference(failed, failed).startswith("internal error")


def response(content: str) -> Response:
    return Response(200, (), content.encode())


# Faults


@pytest.mark.parametrize("fault", RESPONSE_FAULTS, ids=lambda fault: fault.description)
async def test_a_fault_in_responses_is_found(databases: Databases, fault: ResponseFault) -> None:
    if databases.backend == "sqlite":  # the faults are the same on both backends
        with pytest.raises(BrokenPromiseError, match="reference"):
            await compare_in_many_worlds(databases, REFERENCE, create_second=fault.create)


@pytest.mark.parametrize("fault", ENGINE_FAULTS, ids=lambda fault: fault.description)
async def test_a_fault_in_the_engine_is_found(databases: Databases, fault: EngineFault) -> None:
    if databases.backend == "sqlite":
        with fault.plant(), disable_logging(), pytest.raises(BrokenPromiseError, match="reference"):
            await compare_in_many_worlds(databases, ENGINE, fault.seed)


async def compare_in_many_worlds(
    databases: Databases, engine: str, first_seed: int = 0, create_second: CreateApplication = create
) -> None:
    for seed in range(first_seed, first_seed + PATIENCE):
        await compare_executors(databases, seed, engine, create_second=create_second, shrinks=False)


async def test_a_failing_operation_is_shrunk_and_reported_for_reproduction(databases: Databases) -> None:
    if databases.backend != "sqlite":
        return
    with pytest.raises(BrokenPromiseError) as error:
        await compare_executors(databases, 3, REFERENCE, create_second=RESPONSE_FAULTS[0].create)
    report, _, before = str(error.value).partition("Before shrinking:\n")
    assert report.startswith("seed 3 on sqlite, operation ")
    assert all(part in report for part in (", as ", "variables: {", "reference b'", "engine    b'"))
    assert len(report) < len(before) or len(before) < 400


async def test_the_shrinker_keeps_only_the_part_that_fails() -> None:
    document = """
        query Q($a: Int, $b: ID!) { ...F @include(if: true) topics(first: $a) { totalCount } }
        query R { deployment { version } }
        fragment F on Query { node(id: $b) { ... on Node { ... on Topic { name slug } id } } viewer { isAdmin } }
    """

    async def fails(request: Request) -> bool:
        return "slug" in request.document

    smallest = await shrink(Request(document, {"a": 1, "b": "x"}, "Q"), fails)
    assert "".join(smallest.document.split()).replace("queryQ", "Q") in {
        "Q($b:ID!){node(id:$b){...onNode{...onTopic{slug}}}}",
        "Q($b:ID!){...F}fragmentFonQuery{node(id:$b){...onNode{...onTopic{slug}}}}",
        "Q($b:ID!){...onQuery{node(id:$b){...onNode{...onTopic{slug}}}}}",
    }
    assert smallest.variables == {"b": "x"}
