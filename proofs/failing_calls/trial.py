"""Proof that a mutation is made as a whole or not at all, whichever of its database calls fails."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from itertools import chain, count
from random import Random
from typing import Any
from unittest.mock import patch

import httpx
from graphql import GraphQLObjectType, get_named_type, is_leaf_type, is_union_type

from app.settings import Settings
from app.tokens import create_token
from proofs.databases import Databases
from proofs.determinism import fix_ids_and_time
from proofs.failing_calls.calls import CallFailure, Calls, intercept
from proofs.failing_calls.state import Restore, State, describe_difference, read_state, save
from proofs.proof import BrokenPromiseError, Proof
from store.database import Database
from tests.conftest import MEMBERS, GraphQLClient, World, catalogue_lines, set_public_sharing
from tests.mutations import Mutation
from tests.test_every_mutation import ACTS, SCHEMA, Act, filled, prepare_world

KEY, DRY_RUN = "idempotencyKey", "dryRun"
MAY_BE_SAVED = "The database was lost, and the change may be saved. Repeat it with its idempotencyKey, or reload."
UNAVAILABLE_CODES = {"UNAVAILABLE", "STORAGE_FULL"}
PARTS = 20
SECONDS = 120
"""Longest time of a request. Without a deadline, a lock that is left would stop the proof."""


@dataclass(frozen=True)
class Case:
    """A mutation with an input that it accepts, on connections that are open, or that it has to open."""

    act: Act
    opens_connections: bool = False

    @property
    def has_key(self) -> bool:
        """Whether the mutation may be repeated without a second effect."""
        return KEY in self.act.given

    def __str__(self) -> str:
        options = [name for name in (KEY, DRY_RUN) if name in self.act.given]
        return ", ".join([self.act.mutation, *options, *(["opening connections"] if self.opens_connections else [])])


def list_cases() -> list[Case]:
    """Return each mutation of the schema: alone, with an idempotency key, and as a dry run, where it has these.

    One of each is made on new connections as well. How a connection is opened does not depend on the mutation.
    """
    cases = [Case(act) for act in chain.from_iterable(map(_variants, ACTS))]
    assert SCHEMA.mutation_type
    assert {case.act.mutation for case in cases} == SCHEMA.mutation_type.fields.keys()
    return [*cases, *(replace(case, opens_connections=True) for case in cases if case.act.mutation == "topicMerge")]


def _variants(act: Act) -> Iterator[Act]:
    fields: Any = SCHEMA.type_map[f"{act.mutation[0].upper()}{act.mutation[1:]}Input"]
    yield act
    if KEY in fields.fields:
        yield replace(act, given=act.given | {KEY: "once"})
    if DRY_RUN in fields.fields:
        yield replace(act, given=act.given | {DRY_RUN: True})


def document(mutation: str) -> str:
    """Return the document of the mutation that selects all parts of its payload, most of which are read afterwards."""
    assert SCHEMA.mutation_type
    payload = get_named_type(SCHEMA.mutation_type.fields[mutation].type)
    return Mutation(mutation, " ".join(_selections(payload))).query


def _selections(parent: Any) -> Iterator[str]:
    """Yield the fields of a payload: of objects their id, of other types the fields without a selection."""
    for name, field in parent.fields.items():
        kind = get_named_type(field.type)
        if is_leaf_type(kind):
            yield name
        elif isinstance(kind, GraphQLObjectType) and name != "userErrors":
            leaves = [leaf for leaf, each in kind.fields.items() if is_leaf_type(get_named_type(each.type))]
            yield f"{name} {{ {'id' if 'id' in leaves else ' '.join(leaves)} }}"
        elif is_union_type(kind):
            yield f"{name} {{ __typename }}"


@dataclass(frozen=True)
class Outcome:
    """Response to a request, None if it was cancelled, and the state of the database afterwards."""

    response: httpx.Response | None
    state: State


class Stage:
    """The prepared world, whose state is restored after each request, and a client of an application in process."""

    def __init__(self, client: GraphQLClient, observer: Database, calls: Calls) -> None:
        """Use `open_stage` instead."""
        self._client, self._observer, self._calls = client, observer, calls
        self.ids: dict[str, str] = {}
        self.before: State = {}
        self.restore: Restore

    async def prepare(self) -> None:
        """Prepare the world for the mutations, and save it."""
        self.ids = await prepare_world(self._client)
        self.restore = await save(self._observer)
        self.before = await read_state(self._observer)

    async def send(self, case: Case, number: int = 0, failure: CallFailure = CallFailure.ERROR) -> Outcome:
        """Send the mutation and read the state afterwards; see `post`."""
        return Outcome(await self.post(case, number, failure), await read_state(self._observer))

    async def post(
        self, case: Case, number: int = 0, failure: CallFailure = CallFailure.ERROR
    ) -> httpx.Response | None:
        """Send the mutation; its call of that number fails, counted from 1. Return the response, None if cancelled."""
        if case.opens_connections:
            for engine in self._client.database.engines:
                await engine.dispose()
        request = asyncio.create_task(self._request(case.act))
        self._calls.start(request, number, failure)
        try:
            async with asyncio.timeout(SECONDS):
                response = (await asyncio.gather(request, return_exceptions=True))[0]
                await self._settle()
        finally:
            self._calls.stop()
        if isinstance(response, asyncio.CancelledError):
            return None
        if isinstance(response, BaseException):
            raise BrokenPromiseError(f"The application raised {response!r} in place of a response.") from response
        return response

    @property
    def texts(self) -> list[str]:
        """The calls of the last request."""
        return self._calls.texts

    def checked_out(self) -> list[str]:
        """Return the pools with connections that were not returned."""
        return [
            engine.pool.status()
            for engine in self._client.database.engines
            if engine.pool.checkedout()  # type: ignore[attr-defined]  # the pool of every engine is a queue
        ]

    async def _request(self, act: Act) -> httpx.Response:
        headers = {"authorization": f"Bearer {self._client.tokens[act.who]}", "x-request-id": "proof"}
        body = {"query": document(act.mutation), "variables": {"input": filled(act.given, self.ids)}}
        return await self._client.client.post("/graphql", json=body, headers=headers)

    async def _settle(self) -> None:
        """Wait for the mutation of a request that was cancelled, and for connections that are being closed."""
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others)


@asynccontextmanager
async def open_stage(databases: Databases, seed: int) -> AsyncIterator[Stage]:
    """Create the world, with ids and a time that depend on the seed only, and open a client and an observer."""
    url = await databases.create_from_catalogue(catalogue_lines())
    observer, calls = Database(url), Calls()
    try:
        with fix_ids_and_time(seed), intercept(calls):
            await set_public_sharing(observer)
            tokens = {name: await create_token(observer, name, 3_600) for name in MEMBERS}
            # Restored versions would mislead the index, which answers no mutation.
            client = GraphQLClient(World(url, tokens), Settings(database_url=url, index=False))
            try:
                stage = Stage(client, observer, calls)
                await stage.prepare()
                with _repeat_ids(calls, seed):
                    yield stage
            finally:
                await client.close()
    finally:
        await observer.close()
        databases.drop(url)


def _repeat_ids(calls: Calls, seed: int) -> Any:
    """Draw the same ids in each transaction, so that the second attempt of a mutation equals the first."""
    random = Random()

    def restart() -> None:
        random.seed(f"ids of {seed}")

    calls.on_begin = restart
    return patch("store.ids.random_bytes", random.randbytes)


async def trial(databases: Databases, seed: int) -> int:
    """Fail one of PARTS parts of all calls. Returns the number of failed calls."""
    return await run_trial(databases, seed, PARTS)


async def run_trial(databases: Databases, seed: int, parts: int = 1, *, mutation: str = "", step: int = 1) -> int:
    """Fail the calls of one part, in each way; of all mutations unless one is named. Returns their number.

    As many consecutive seeds as there are parts fail every call of every mutation in every way. With a step, only each
    case so far from the next is tried.
    """
    failed, numbers = 0, count(seed)
    async with open_stage(databases, seed) as stage:
        for case in list_cases()[seed % step :: step]:
            if mutation in {"", case.act.mutation}:
                case_trial = _CaseTrial(stage, case, f"{databases.backend}, seed {seed}, {case}")
                failed += await case_trial.run(lambda: next(numbers) % parts == 0)
    return failed


class _CaseTrial:
    """Trial of one mutation: without a failure, then with each."""

    def __init__(self, stage: Stage, case: Case, context: str) -> None:
        self._stage, self._case, self._context = stage, case, context

    async def run(self, is_chosen: Callable[[], bool]) -> int:
        """Fail each call in each way, if it is chosen. Returns the number of failed calls."""
        stage, failed = self._stage, 0
        await stage.post(self._case)  # opens connections and prepares statements
        await stage.restore()
        self._expected = await stage.send(self._case)
        await stage.restore()
        assert self._expected.response
        calls = list(stage.texts)
        assert self._expected.response.json()["data"][self._case.act.mutation]["userErrors"] == []
        for number, text in enumerate(calls, start=1):
            for failure in CallFailure:
                if is_chosen():
                    self._detail = f"{self._context}, call {number} of {len(calls)}: {failure.value}\n  {text}"
                    await self._fail(number, failure)
                    failed += 1
        return failed

    async def _fail(self, number: int, failure: CallFailure) -> None:
        """Fail a call, judge the outcome, and repeat the mutation: with a key as it is, else from the state before."""
        stage = self._stage
        outcome = await stage.send(self._case, number, failure)
        if len(stage.texts) < number:
            raise self._broken(f"The mutation made only {len(stage.texts)} calls this time: {stage.texts}")
        self._judge(outcome)
        if self._case.has_key:
            outcome = await stage.send(self._case)
            self._judge(outcome)
            response = outcome.response
        else:
            if outcome.state != stage.before:
                await stage.restore()
            response = await stage.post(self._case)
        if response is None or response.status_code != HTTPStatus.OK:
            raise self._broken(f"The mutation fails when it is repeated: {response and response.text}")
        await stage.restore()

    def _judge(self, outcome: Outcome) -> None:
        """Raise BrokenPromiseError unless response and state are right, and all connections are free."""
        if pools := self._stage.checked_out():
            raise self._broken(f"A connection was not returned: {pools}", outcome)
        is_unchanged, is_changed = (outcome.state == state for state in (self._stage.before, self._expected.state))
        if not (is_unchanged or is_changed):
            raise self._broken("The change was made in part.", outcome)
        if outcome.response is None:
            return
        body = outcome.response.json()
        if outcome.response.status_code == HTTPStatus.OK:
            assert self._expected.response
            if body != self._expected.response.json():
                raise self._broken("The response differs from the one without a failure.", outcome)
            if not is_changed:
                raise self._broken("The change was acknowledged and is not made.", outcome)
            return
        if outcome.response.status_code != HTTPStatus.SERVICE_UNAVAILABLE or not _is_one_failure(body):
            raise self._broken("The response is not that of failing storage.", outcome)
        if not is_unchanged and body["errors"][0]["message"] != MAY_BE_SAVED:
            raise self._broken("The change was made, although the response denies it.", outcome)

    def _broken(self, reason: str, outcome: Outcome | None = None) -> BrokenPromiseError:
        lines = [reason, self._detail]
        if outcome is not None:
            response = outcome.response
            lines += [f"response: {response and (response.status_code, response.text[:500])}"]
            lines += ["against the state before:", describe_difference(outcome.state, self._stage.before)]
            lines += ["against the state after:", describe_difference(outcome.state, self._expected.state)]
        return BrokenPromiseError("\n".join(lines))


def _is_one_failure(body: Any) -> bool:
    return (
        body.keys() == {"errors"}
        and len(body["errors"]) == 1
        and body["errors"][0]["extensions"]["code"] in UNAVAILABLE_CODES
    )


FAILING_CALLS = Proof(
    "failing-calls",
    "Whichever database call of a mutation fails, it is made as a whole or not at all, as its response says.",
    unit="failed calls",
    goal=10_000,  # more than PARTS trials a database: every call of every mutation in every way
    trial=trial,
)
