"""This file is non-interference: two worlds that differ only in what a viewer may not see answer them alike.

A trial makes a world and a copy of it. In the copy, things happen that the viewer may not see; then both are asked the
same, and must answer byte for byte the same: status, headers, body, and the texts of the SQL that was sent. What the
viewer changes, they change in both, and the asking goes on. No answer is expected of either world: whatever tells of a
hidden thing, by whatever channel, makes the two differ.

Source: Goguen and Meseguer, «Security Policies and Security Models», 1982.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any
from unittest.mock import patch

from sqlalchemy import select

from proofs.databases import Databases
from proofs.determinism import fixed
from proofs.interference.case import Case, Shrinking, Step
from proofs.interference.full_reads import survey
from proofs.interference.hidden_changes import Act, Hiding
from proofs.interference.operations import Asking, Question, Words, cursors_in, next_page
from proofs.interference.served_world import Answer, World
from proofs.interference.world import EVERYBODY, NAMES, NEAR_NAMES, TAGS, USERS, beginning, lines_of
from proofs.model_reader import read_model
from proofs.proof import BrokenPromiseError, Proof
from store import sql
from tests.oracle import ANONYMOUS, Model

PAST = 12  # changes by anybody before the worlds part
ROUNDS = 16  # of acts, and questions after each
ACTS = 2  # of a round
ASKED = 12  # questions of a round
REPEATED = 4  # of eight questions, less one: asked before, when other things were hidden
HOLDING = dict.fromkeys(USERS, ("SIGNED_IN",)) | {USERS[0]: ("SIGNED_IN", "ADMIN"), ANONYMOUS: ()}
FAILURE = '"code":"INTERNAL"'
"""What an answer holds when the server failed, which no question may make it do."""


@dataclass
class Both:
    """The two worlds of a case, of which the second is the one where hidden things happen."""

    first: World
    second: World
    who: str
    cursors: list[str] = field(default_factory=list)
    asked: list[Question] = field(default_factory=list)
    further: Question | None = None  # about the page after one that was just told
    checks: int = 0

    async def take(self, step: Step) -> None:
        """Do or ask one thing; raise BrokenPromiseError where the worlds can be told apart."""
        if isinstance(step.what, Act):
            self.cursors += await do(self.second, step)
            return
        with held_still(step.number):
            first = await self.first.ask(self.who, step.what)
        with held_still(step.number):
            beside = [self.second.ask(act.who, act.question) for act in step.beside if act.question]
            second, *_ = await asyncio.gather(self.second.ask(self.who, step.what), *beside)
        self.checks += 1
        if first.told() != second.told() or FAILURE in first.response.text:
            raise BrokenPromiseError(_difference(first, second))
        self.cursors += _cursors(first)
        if step.what.kind == "query":
            self.asked.append(step.what)
            self.further = next_page(step.what, first.response.json())

    async def compare(self) -> None:
        """Raise BrokenPromiseError if a mutation of the viewer had another outcome in one world, by the oracle."""
        first, second = [seen(await read_model(world.database), self.who) for world in (self.first, self.second)]
        if first != second:
            raise BrokenPromiseError(f"What {self.who} sees is\n{first}\nin one world and\n{second}\nin the other.")


class Making:
    """Makes a case while it runs: what is asked next depends on what there is by then."""

    def __init__(self, chance: Random) -> None:
        """Draw who asks, and the world as it begins."""
        self._chance, self._number, self.checks = chance, 0, 0
        lines = lines_of(chance)
        self.case = Case(lines, beginning(chance, lines), chance.choice((*EVERYBODY, ANONYMOUS)))

    async def run(self, databases: Databases) -> int:
        """Return how many answers were the same; raise BrokenPromiseError at the first that were not."""
        world = await begun(databases, self.case)
        try:
            for done in range(PAST):
                if done % 4 == 0:
                    words = await _words(world, await read_model(world.database), ())
                who = self._chance.choice(USERS)
                asking = Asking(self._chance, words, HOLDING[who])
                step = self._step(Act("past", who=who, question=asking.mutation()))
                self.case = replace(self.case, past=[*self.case.past, step])
                await do(world, step)
        finally:
            await world.close()
        async with parted(databases, world, self.case.who) as both:
            for _ in range(ROUNDS):
                if await self._ask(both, await self._hide(both)):
                    return both.checks
            await both.compare()
            return both.checks

    async def _hide(self, both: Both) -> Model:
        """Let something happen in the second world that the viewer may not see; return the world."""
        model = await read_model(both.second.database)
        before, words = seen(model, both.who), await _words(both.second, model, both.cursors)
        for _ in range(ACTS):
            act = Hiding(self._chance, model, both.who, words, self._number).act()
            await self._take(both, act)
            model = await read_model(both.second.database)
            assert seen(model, both.who) == before, f"This is not hidden from {both.who}: {act}"
        return model

    async def _ask(self, both: Both, model: Model) -> bool:
        """Ask both worlds; return whether the viewer may have let themselves see what differs."""
        words = await _words(both.second, model, both.cursors)
        if self._chance.randrange(2):  # it takes as long as some five of the others
            await self._take(both, self._chance.choice(survey(is_signed_in=both.who != ANONYMOUS)))
        for _ in range(ASKED):
            question = self._question(both, words)
            others = Hiding(self._chance, model, both.who, words, self._number)
            await self._take(both, question, [others.read()] if self._chance.randrange(6) == 0 else [])
            # Whoever registers an asset says who owns it: an administrator, of one whose content differs.
            if both.who == USERS[0] and question.selected[0].name == "assetsRegister":
                return True
        return False

    def _question(self, both: Both, words: Words) -> Question:
        """Return what to ask next: something new, what follows a page that was just told, or what was asked before."""
        kind = self._chance.randrange(8)
        if kind == 0 and both.further is not None:
            return both.further
        if kind < REPEATED and both.asked:
            return self._chance.choice(both.asked)
        asking = Asking(self._chance, words, HOLDING[both.who])
        return asking.mutation() if kind == REPEATED else asking.query()

    async def _take(self, both: Both, what: Act | Question, beside: Sequence[Act] = ()) -> None:
        step = self._step(what, beside)
        self.case = replace(self.case, steps=[*self.case.steps, step])
        await both.take(step)
        self.checks = both.checks

    def _step(self, what: Act | Question, beside: Sequence[Act] = ()) -> Step:
        self._number += 1
        return Step(self._number, what, beside)


async def trial(databases: Databases, seed: int) -> int:
    """Return how many answers of two worlds were the same."""
    made = Making(Random(seed))
    try:
        return await made.run(databases)
    except BrokenPromiseError as broken:
        smallest = Shrinking(made.case, str(broken), lambda case: replay(databases, case))
        await smallest.shrink()
        first = f"as it was found:\n{broken}" if smallest.told != str(broken) else ""
        told = f"{smallest.case.pasted()}\n{smallest.told}\n{first}"
        raise BrokenPromiseError(f"seed {seed} on {databases.backend}\n{told}") from None


async def replay(databases: Databases, case: Case) -> str | None:
    """Return how the case's worlds are told apart; None where they are not."""
    world = await begun(databases, case)
    try:
        for step in case.past:
            await do(world, step)
    finally:
        await world.close()
    async with parted(databases, world, case.who) as both:
        try:
            for step in case.steps:
                before = seen(await read_model(both.second.database), case.who)
                await both.take(step)
                if isinstance(step.what, Act) and seen(await read_model(both.second.database), case.who) != before:
                    return None  # with parts left out, this is no longer hidden
            await both.compare()
        except BrokenPromiseError as broken:
            return str(broken)
    return None


@contextmanager
def held_still(number: int) -> Iterator[None]:
    """Let ids and times be those of the number, and changes of more than two items jobs of several chunks."""
    items, chunk = "resolvers.write.membership.INLINE_BULK_ITEMS", "resolvers.write.job.CHUNK_SIZE"
    with fixed(number), patch(items, 2), patch(chunk, 2):
        yield


async def begun(databases: Databases, case: Case) -> World:
    """Return the world that a case begins with, which has no past yet; it is to be closed."""
    with fixed(0):
        world = World(await databases.written(case.lines))
        await world.execute(case.statements)
        await world.sign_in([line["id"] for line in case.lines if line["kind"] == "user"])
    return world


async def do(world: World, step: Step) -> list[str]:
    """Let something happen in one world; return the cursors that were told to whoever did it."""
    act = step.what
    assert isinstance(act, Act)
    with held_still(step.number):
        await world.execute(act.statements)
        return _cursors(await world.ask(act.who, act.question)) if act.question else []


@asynccontextmanager
async def parted(databases: Databases, world: World, who: str) -> AsyncIterator[Both]:
    """Open a world, which was closed, and a copy of it; both go at the end."""
    copy = databases.copy(world.url)
    both = Both(World(world.url, world.tokens), World(copy, world.tokens), who)
    try:
        yield both
    finally:
        for each in (both.first, both.second):
            await each.close()
            databases.drop(each.url)


def seen(model: Model, who: str) -> dict[str, Any]:
    """Return what there is for the viewer by the oracle: rows, orders and accesses."""
    return {
        "topics": model.topics(who),
        "collections": {slug: model.collection_assets(who, slug) for slug in model.collections(who, "POSITION")},
        "above": {slug: model.parent(who, slug) for slug in model.collections(who)},
        "assets": {asset: (model.access(who, asset), model.uses(who, asset)) for asset in model.assets(who, "NAME")},
    }


async def _words(world: World, model: Model, cursors: Sequence[str]) -> Words:
    """Return what there is to ask for in the world, seen or not."""
    ids: dict[str, list[str]] = {prefix: [] for prefix in ("ast", "col", "top", "usr", "grp", "chg", "job")}
    async with world.database.snapshot() as snapshot:
        kept = [row.id for table in (sql.change, sql.job) for row in await snapshot.rows(select(table.c.id))]
    for id_ in (*model.ids.values(), *kept):
        ids.setdefault(id_[:3], []).append(id_)
    return Words(ids, list(model.asset), [*model.collection, *model.topic, *NAMES, *NEAR_NAMES, *TAGS], list(cursors))


def _cursors(answer: Answer) -> list[str]:
    return list(cursors_in(answer.response.json()))[:8]


def _difference(first: Answer, second: Answer) -> str:
    """Return what the answers differ in, each with the other."""
    parts = zip(("status", "headers", "body", "statements"), first.told(), second.told(), strict=True)
    told = [f"{name}:\n  {one!r}\n  {other!r}" for name, one, other in parts if one != other]
    return "\n".join(told) or f"A failure: {first.response.text}"


INTERFERENCE = Proof(
    "interference",
    "Two worlds that differ only in what the viewer may not see answer byte for byte the same.",
    "pairs of answers",
    100_000,
    trial,
)
