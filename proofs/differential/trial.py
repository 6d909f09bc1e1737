"""Differential test of the engine against graphql-core.

A trial makes a random world, lets its users change it, and sends random operations, drawn from the whole schema, as
each kind of viewer to two applications over its database: one executes by graphql-core, the other by the engine. Both
must respond with the same bytes and the same errors. A failing operation is shrunk.

Source: McKeeman, "Differential Testing for Software", 1998.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from random import Random
from typing import Any

import orjson
from graphql import OperationDefinitionNode, OperationType, parse

from proofs.databases import Databases
from proofs.differential.applications import ENGINE, REFERENCE, CreateApplication, Pair, Response, Server, create
from proofs.differential.generator import DocumentGenerator, Request
from proofs.differential.shrinker import shrink
from proofs.interference.case import Case, Step
from proofs.interference.hidden_changes import WorldChange
from proofs.interference.operations import Operation, OperationGenerator, Selection, Vocabulary
from proofs.interference.served_world import ServedWorld
from proofs.interference.trial import PERMISSIONS, apply_change, create_world, read_vocabulary
from proofs.interference.world import USERS, VIEWERS, initial_statements, random_catalogue
from proofs.model_reader import read_model
from proofs.proof import BrokenPromiseError, Proof

OPERATIONS = 400  # per trial
PAST_MUTATIONS = 12  # which fill the history and the jobs
KEPT_CURSORS = 20  # per viewer and field
KEPT_REQUESTS = 20
REPEAT_CHANCE = 0.2


async def trial(databases: Databases, seed: int) -> int:
    """Compare the engine with the reference in one world. Returns the number of operations.

    Half of the trials have operations that the visibility index can answer: among those drawn from the whole schema,
    they are rare.
    """
    return await compare_executors(databases, seed, is_indexed=seed % 2 == 1)


async def compare_executors(
    databases: Databases,
    seed: int,
    engine: str = ENGINE,
    *,
    create_second: CreateApplication = create,
    operations: int = OPERATIONS,
    shrinks: bool = True,
    is_indexed: bool = False,
) -> int:
    """Compare an executor with the reference. Raises BrokenPromiseError at the first difference.

    The failing operation is shrunk, unless `shrinks` is False.
    """
    random = Random(seed)
    world = await make_world(databases, random)
    world.is_indexed = is_indexed
    pair = Pair(Server(world.url, world.tokens, REFERENCE), Server(world.url, world.tokens, engine, create_second))
    try:
        for number in range(operations):
            who = random.choice(world.viewers)
            request = world.draw(random, who)
            response, difference = await pair.compare(who, request)
            if difference:
                report = await _report(pair, who, request, difference) if shrinks else f"{request}\n{difference}"
                raise BrokenPromiseError(f"seed {seed} on {databases.backend}, operation {number}, as {who}:\n{report}")
            world.collect_cursors(who, request, response)
    finally:
        await pair.close()
        databases.drop(world.url)
    return operations


@dataclass
class RandomWorld:
    """Database of a trial, the values that operations can name, and the cursors of earlier responses."""

    url: str
    tokens: dict[str, str]
    vocabulary: Vocabulary
    viewers: list[str]
    """Viewers who can sign in, and the anonymous one."""

    cursors: dict[str, dict[str, list[str]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    """Cursors by viewer and name of the list's field."""

    requests: list[Request] = field(default_factory=list)
    """The last requests with new documents."""

    is_indexed: bool = False
    """Whether operations are drawn that the visibility index can answer."""

    def draw(self, random: Random, who: str) -> Request:
        """Draw a request of the viewer: a new document, or that of an earlier request."""
        if self.requests and random.random() < REPEAT_CHANCE:
            return vary(random, random.choice(self.requests))
        generator = DocumentGenerator(
            random,
            self.vocabulary,
            cursors=self.cursors[who],
            permissions=PERMISSIONS[who],
            is_indexed=self.is_indexed,
        )
        request = generator.request()
        self.requests = [*self.requests[1 - KEPT_REQUESTS :], request]
        return request

    def collect_cursors(self, who: str, request: Request, response: Response) -> None:
        """Keep the cursors in the response, for operations of the same viewer."""
        for name, cursor in find_cursors(orjson.loads(response.content).get("data"), request):
            known = self.cursors[who][name]
            known.append(cursor)
            del known[:-KEPT_CURSORS]


def vary(random: Random, request: Request) -> Request:
    """Return a request of the same document with other variables or another operation, which caches must respect.

    Documents with mutations are repeated as they are.
    """
    operations = [node for node in parse(request.document).definitions if isinstance(node, OperationDefinitionNode)]
    if any(node.operation is OperationType.MUTATION for node in operations):
        return request  # another variable could make a dry run a change
    variables = {
        name: random.choice((True, False)) if isinstance(value, bool) else value
        for name, value in request.variables.items()
        if random.randrange(20)  # one in 20 is missing
    }
    names = [node.name.value for node in operations if node.name]
    name = random.choice(names) if len(names) > 1 else request.operation_name
    return replace(request, variables=variables, operation_name=name)


def find_cursors(value: Any, request: Request, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield each cursor in the response with the name of the list's field."""
    if isinstance(value, list):
        for child in value:
            yield from find_cursors(child, request, name)
    elif isinstance(value, dict):
        for response_name, child in value.items():
            child_name = request.fields.get(response_name, "")
            if child_name in {"cursor", "startCursor", "endCursor"} and isinstance(child, str):
                yield name, child
            is_part = child_name in {"edges", "pageInfo"}  # of the list around it
            yield from find_cursors(child, request, name if is_part else child_name)


async def make_world(databases: Databases, random: Random) -> RandomWorld:
    """Create a database with a random catalogue, and let its users change it."""
    lines = random_catalogue(random)
    world = await create_world(databases, Case(lines, initial_statements(random, lines), USERS[0]))
    try:
        for number in range(PAST_MUTATIONS):
            if number % 4 == 0:
                vocabulary = await read_vocabulary(world, await read_model(world.database), ())
            who = random.choice(USERS)
            mutation = OperationGenerator(random, vocabulary, PERMISSIONS[who]).mutation()
            await apply_change(world, Step(number, WorldChange("past", who=who, operation=mutation)))
        vocabulary = await read_vocabulary(world, await read_model(world.database), ())
        viewers = [who for who in VIEWERS if await _can_sign_in(world, who)]
    finally:
        await world.close()
    return RandomWorld(world.url, world.tokens, vocabulary, viewers)


async def _can_sign_in(world: ServedWorld, who: str) -> bool:
    """Return whether the viewer is anonymous or an active user: mutations may have deactivated some."""
    query = Operation("query", [Selection("topics", "TopicConnection", {}, [Selection("totalCount", "Int")])])
    return (await world.send(who, query)).response.status_code != HTTPStatus.UNAUTHORIZED


async def _report(pair: Pair, who: str, request: Request, difference: str) -> str:
    """Shrink a failing request and describe it with both responses."""

    async def fails(smaller: Request) -> bool:
        return bool((await pair.compare(who, smaller))[1])

    smallest = await shrink(request, fails)
    _, smallest_difference = await pair.compare(who, smallest)
    return f"{smallest}\n{smallest_difference}\nBefore shrinking:\n{request}\n{difference}"


DIFFERENTIAL = Proof(
    "differential",
    "The engine responds to every operation with the bytes and the errors of graphql-core, for every viewer.",
    unit="operations",
    goal=100_000,
    trial=trial,
)
