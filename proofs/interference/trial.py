"""Non-interference: two worlds that differ only in data hidden from a viewer give that viewer identical responses.

A trial makes a world and a copy of it, and applies changes hidden from the viewer to the copy. Then it sends the same
operations to both and compares status, headers, body and, for queries, the SQL statements. After writes, it compares
the events of the viewer's subscriptions, and now and then, exports. The viewer's mutations run in both. No expected
responses are needed: any channel that leaks hidden data makes the two differ.

Source: Goguen and Meseguer, "Security Policies and Security Models", 1982.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from random import Random
from typing import Any, NamedTuple
from unittest.mock import patch

import orjson
from sqlalchemy import or_, select

from app.tokens import DEFAULT_NAME
from permissions.visible import MEMBER_ACTIONS
from proofs.databases import Databases
from proofs.determinism import fix_ids_and_time, separate_ids
from proofs.interference.case import Case, Shrinker, Step
from proofs.interference.deletion import SLUG, add_to_deletion, create_collection, delete_collection, read_change
from proofs.interference.full_reads import (
    full_reads,
    pull_graph,
    resume,
    subscribe_to_collection,
    subscribe_to_tree,
)
from proofs.interference.hidden_changes import HiddenChanges, WorldChange
from proofs.interference.operations import PREFIXES, Operation, OperationGenerator, Vocabulary, find_cursors, next_page
from proofs.interference.served_world import ObservedResponse, ServedWorld
from proofs.interference.subscriber import Subscriber
from proofs.interference.walks import CURSORS, change_own_member, choose_collection, page_of
from proofs.interference.world import (
    NAMES,
    NEAR_NAMES,
    TAGS,
    USERS,
    VIEWERS,
    initial_statements,
    public_id,
    random_catalogue,
)
from proofs.model_reader import read_model
from proofs.proof import BrokenPromiseError, Proof
from resolvers.listing.listing import MAX_PAGE_SIZE
from store import sql
from tests.oracle import ANONYMOUS, Model

PAST_MUTATIONS = 12  # mutations by anyone before the copy is made
ROUNDS = 16  # each applies hidden changes, then sends operations
CHANGES_PER_ROUND = 2
OPERATIONS_PER_ROUND = 12
REPEATED = (
    4  # of 8 draws, 1 to 3 repeat an earlier query (0 prefers the next page), 4 is a mutation, 5 to 7 are new queries
)
OTHERS_EVERY = 3  # one of so many queries is sent by someone else first
UNDO_EVERY = 3  # one of so many rounds begins with undos
PULL_EVERY = 2  # in one of so many rounds, the viewer pulls what changed since their last pull
WALK_EVERY = 3  # in one of so many rounds, members move between two pages of a walk
EXPORT_EVERY = 8  # after one of so many steps, the viewer exports the catalogue
SUBSCRIPTIONS = 3  # at the same time
SUBSCRIBE_EVERY = 2  # in one of so many rounds, a subscription is added
UNSEEN_EVERY = 3  # after one of so many writes, subscribers do not look, so that an event sums up several
MOVES = 3  # of visible members past hidden ones, before each undo, and between two pages
PERMISSIONS = dict.fromkeys(USERS, ("SIGNED_IN",)) | {USERS[0]: ("SIGNED_IN", "ADMIN"), ANONYMOUS: ()}
CONTENT_MUTATIONS = ("assetsRegister", "assetsTransfer", "groupMembersUpdate")
"""Mutations by which administrators can get access to the content of assets: as their owner, or by a group."""
INTERNAL_ERROR = '"code":"INTERNAL"'
"""Part of the response to an unhandled exception, which no operation may cause."""


class SubscriptionPair(NamedTuple):
    """Subscription in both worlds."""

    operation: Operation
    original: Subscriber
    changed: Subscriber


@dataclass
class WorldPair:
    """The two worlds of a case; hidden changes are applied to the second."""

    original: ServedWorld
    changed: ServedWorld
    who: str
    cursors: list[str] = field(default_factory=list)
    queries: list[Operation] = field(default_factory=list)
    following_page: Operation | None = None  # next page of the latest query
    sync_token: str | None = None  # of the last pull
    subscriptions: list[SubscriptionPair] = field(default_factory=list)
    event_cursors: list[tuple[Operation, str]] = field(default_factory=list)
    checks: int = 0

    async def apply(self, step: Step) -> None:
        """Apply a step. Raises BrokenPromiseError if the worlds respond differently, or send different events."""
        if isinstance(step.action, Operation) and step.action.kind == "subscription":
            subscribers = [world.subscribe(self.who, step.action) for world in (self.original, self.changed)]
            self.subscriptions.append(SubscriptionPair(step.action, *subscribers))
            del self.subscriptions[:-SUBSCRIPTIONS]
            await self._compare_events(self.subscriptions[-1], step.number)
            return
        await self._apply_change_or_operation(step)
        is_query = isinstance(step.action, Operation) and step.action.kind == "query"
        if not is_query and step.number % UNSEEN_EVERY:
            for pair in self.subscriptions:
                await self._compare_events(pair, step.number)

    async def _compare_events(self, pair: SubscriptionPair, number: int) -> None:
        """Raise BrokenPromiseError unless both worlds send the same event of a subscription, or none."""
        events = []
        for subscriber in (pair.original, pair.changed):
            with fix_environment(number):
                events.append(await subscriber.look())
        self.checks += 1
        first, second = events
        if first != second or INTERNAL_ERROR.encode() in (first or b""):
            raise BrokenPromiseError(f"An event differs:\n  original: {first!r}\n  changed:  {second!r}")
        if first is not None:
            cursors = list(find_cursors(orjson.loads(first)))
            self.event_cursors += [(pair.operation, cursor) for cursor in cursors[:1]]

    async def _apply_change_or_operation(self, step: Step) -> None:
        if isinstance(step.action, WorldChange):
            if step.action.in_both:
                await apply_change(self.original, step)
            self.cursors += await apply_change(self.changed, step)
            return
        with fix_environment(step.number):
            first = await self.original.send(self.who, step.action)
        with fix_environment(step.number):
            beside = [self._send_beside(change, step.number) for change in step.concurrent]
            second, *_ = await asyncio.gather(self.changed.send(self.who, step.action), *beside)
        self.checks += 1
        if first.observable() != second.observable() or INTERNAL_ERROR in first.response.text:
            raise BrokenPromiseError(_format_difference(first, second))
        if step.number % EXPORT_EVERY == 0:
            await self._compare_exports()
        self.cursors += _response_cursors(first)
        if step.action.kind == "query":
            self.queries.append(step.action)
            self.following_page = next_page(step.action, first.response.json())
            self.sync_token = _sync_token(first) or self.sync_token

    async def _send_beside(self, change: WorldChange, number: int) -> ObservedResponse:
        """Send a query to the second world beside an operation, whose ids do not depend on a pull that this stores."""
        assert change.operation is not None
        with separate_ids(number):
            return await self.changed.send(change.who, change.operation)

    async def _compare_exports(self) -> None:
        """Raise BrokenPromiseError if the viewer exports different lines from the two worlds, or an export fails."""
        try:
            first, second = [await world.export(self.who) for world in (self.original, self.changed)]
        except Exception as error:
            raise BrokenPromiseError(f"An export fails: {error!r}") from error
        self.checks += 1
        for one, other in zip_longest(first, second):
            if one != other:
                raise BrokenPromiseError(f"A line of an export differs:\n  original: {one!r}\n  changed:  {other!r}")

    async def compare_models(self) -> None:
        """Raise BrokenPromiseError if, according to the oracle, the viewer sees different states in the two worlds."""
        first, second = [
            visible_state(await read_model(world.database), self.who) for world in (self.original, self.changed)
        ]
        if first != second:
            raise BrokenPromiseError(f"What {self.who} sees is\n{first}\nin one world and\n{second}\nin the other.")


class CaseGenerator:
    """Generator of a case, which it runs meanwhile: each step depends on the state so far."""

    def __init__(self, random: Random) -> None:
        """Choose the viewer and the initial world."""
        self._random, self._number, self.checks = random, 0, 0
        lines = random_catalogue(random)
        self.case = Case(lines, initial_statements(random, lines), random.choice((*VIEWERS, ANONYMOUS)))

    async def run(self, databases: Databases) -> int:
        """Run the case and return the number of pairs of equal responses. Raises BrokenPromiseError if two differ."""
        world = await create_world(databases, self.case)
        try:
            for number in range(PAST_MUTATIONS):
                if number % 4 == 0:
                    words = await read_vocabulary(world, await read_model(world.database), ())
                who = self._random.choice(USERS)
                generator = OperationGenerator(self._random, words, PERMISSIONS[who])
                step = self._step(WorldChange("past", who=who, operation=generator.mutation()))
                self.case = replace(self.case, past=[*self.case.past, step])
                await apply_change(world, step)
        finally:
            await world.close()
        async with open_pair(databases, world, self.case.who) as pair:
            if pair.who != ANONYMOUS:
                await self._subscribe_to_all(pair)
            for _ in range(ROUNDS):
                if self._random.randrange(SUBSCRIBE_EVERY) == 0:
                    await self._apply(pair, await self._next_subscription(pair))
                if pair.who != ANONYMOUS and self._random.randrange(UNDO_EVERY) == 0:
                    await self._undo_after_moves(pair)
                if self._random.randrange(WALK_EVERY) == 0:
                    await self._walk_after_moves(pair)
                if self._random.randrange(PULL_EVERY) == 0:
                    await self._pull(pair)
                if await self._compare_responses(pair, await self._apply_hidden_changes(pair)):
                    return pair.checks
            await self._read_deletion(pair)
            await pair.compare_models()
            return pair.checks

    async def _apply_hidden_changes(self, pair: WorldPair) -> Model:
        """Apply hidden changes to the second world and return its model."""
        model = await read_model(pair.changed.database)
        before, words = visible_state(model, pair.who), await read_vocabulary(pair.changed, model, pair.cursors)
        for _ in range(CHANGES_PER_ROUND):
            change = HiddenChanges(self._random, model, pair.who, words, self._number).draw()
            await self._apply(pair, change)
            model = await read_model(pair.changed.database)
            assert visible_state(model, pair.who) == before, f"This is not hidden from {pair.who}: {change}"
        return model

    async def _pull(self, pair: WorldPair) -> None:
        """Pull all rows, or those that changed since the last pull, and apply hidden changes between the pages."""
        await self._apply(pair, pull_graph(self._random.choice((30, 1_000)), pair.sync_token))
        while (page := pair.following_page) is not None and pair.queries[-1].selections[0].type == "CollectionGraph":
            if self._random.randrange(2):
                await self._apply_hidden_changes(pair)
            await self._apply(pair, page)

    async def _subscribe_to_all(self, pair: WorldPair) -> None:
        """Subscribe to the tree and to two collections, visible or not."""
        await self._apply(pair, subscribe_to_tree())
        for slug in ("held-0", "held-1"):  # these exist in every world
            await self._apply(pair, subscribe_to_collection(public_id("col", slug)))

    async def _next_subscription(self, pair: WorldPair) -> Operation:
        """Return a subscription: from after an earlier event on, to a collection, or a random one."""
        kind = self._random.randrange(3)
        if kind == 0 and pair.event_cursors:
            return resume(*self._random.choice(pair.event_cursors[-10:]))
        model = await read_model(pair.changed.database)
        if kind == 1:
            return subscribe_to_collection(model.ids[self._random.choice(sorted(model.collection))])
        words = await read_vocabulary(pair.changed, model, pair.cursors)
        return OperationGenerator(self._random, words, PERMISSIONS[pair.who]).subscription()

    async def _undo_after_moves(self, pair: WorldPair) -> None:
        """Move visible members past hidden ones in the second world, and undo a change in both; then undo that."""
        for is_second in (False, True):
            model = await read_model(pair.changed.database)
            words = await read_vocabulary(pair.changed, model, pair.cursors)
            for _ in range(MOVES):
                if move := HiddenChanges(self._random, model, pair.who, words, self._number).move_past_hidden():
                    await self._apply(pair, move)
                    model = await read_model(pair.changed.database)
            generator = OperationGenerator(self._random, words, PERMISSIONS[pair.who])
            await self._apply(pair, generator.undo(latest=is_second))

    async def _walk_after_moves(self, pair: WorldPair) -> None:
        """Read a page of a collection's assets, change own members, move others past hidden ones, and read on."""
        model = await read_model(pair.changed.database)
        slug = choose_collection(self._random, model, pair.who)
        if slug is None:
            return
        if pair.who != ANONYMOUS:
            await self._apply(pair, subscribe_to_collection(model.ids[slug]))
        known = len(pair.cursors)
        await self._apply(pair, page_of(model.ids[slug], MAX_PAGE_SIZE))
        cursors = pair.cursors[known:]
        for _ in range(MOVES):
            words = await read_vocabulary(pair.changed, model, pair.cursors)
            if own := change_own_member(self._random, model, pair.who, slug):
                await self._apply(pair, own)
                model = await read_model(pair.changed.database)
            changes = HiddenChanges(self._random, model, pair.who, words, self._number)
            if move := changes.move_past_hidden(slug):
                await self._apply(pair, move)
                model = await read_model(pair.changed.database)
        for cursor in self._random.sample(cursors, min(CURSORS, len(cursors))):
            for name in ("after", "before"):
                await self._apply(pair, page_of(model.ids[slug], self._random.randint(1, 3), **{name: cursor}))

    async def _read_deletion(self, pair: WorldPair) -> None:
        """Delete a collection in both worlds, one that had a hidden asset in the second, and read the deletion."""
        model = await read_model(pair.changed.database)
        hidden = [asset for asset in model.asset if not model.sees_asset(pair.who, asset)]
        if not hidden or pair.who == ANONYMOUS:  # visitors see no changes
            return
        await self._apply(pair, create_collection(model))
        model = await read_model(pair.changed.database)
        await self._apply(pair, delete_collection(model))
        await self._apply(pair, add_to_deletion(model.ids[SLUG], self._random.choice(hidden)))
        async with pair.changed.database.snapshot() as snapshot:
            [deletion] = await snapshot.rows(select(sql.change.c.id).order_by(sql.change.c.pk.desc()).limit(1))
        await self._apply(pair, read_change(deletion.id))

    async def _compare_responses(self, pair: WorldPair, model: Model) -> bool:
        """Send operations to both worlds. Returns True if the viewer may have made the differences visible."""
        words = await read_vocabulary(pair.changed, model, pair.cursors)
        if self._random.randrange(2):  # a full read takes as long as about five others
            question = self._random.choice(full_reads(is_signed_in=pair.who != ANONYMOUS))
            await self._ask_as_other(pair, question)
            await self._apply(pair, question)
        for _ in range(OPERATIONS_PER_ROUND):
            question = self._next_operation(pair, words)
            await self._ask_as_other(pair, question)
            generator = HiddenChanges(self._random, model, pair.who, words, self._number)
            await self._apply(pair, question, [generator.query_as_other()] if self._random.randrange(6) == 0 else [])
            # The administrator may now see the content of assets, which differs.
            if pair.who == USERS[0] and question.selections[0].name in CONTENT_MUTATIONS:
                return True
        return False

    async def _ask_as_other(self, pair: WorldPair, question: Operation) -> None:
        """Now and then, send a query to the second world as someone else first, who may see more than the viewer."""
        if question.kind == "query" and self._random.randrange(OTHERS_EVERY) == 0:
            who = self._random.choice([viewer for viewer in (*USERS, ANONYMOUS) if viewer != pair.who])
            await self._apply(pair, WorldChange("others ask it first", who=who, operation=question))

    def _next_operation(self, pair: WorldPair, words: Vocabulary) -> Operation:
        """Return a new operation, the following page, or an earlier query."""
        kind = self._random.randrange(8)
        if kind == 0 and pair.following_page is not None:
            return pair.following_page
        if kind < REPEATED and pair.queries:
            return self._random.choice(pair.queries)
        generator = OperationGenerator(self._random, words, PERMISSIONS[pair.who])
        return generator.mutation() if kind == REPEATED else generator.query()

    async def _apply(self, pair: WorldPair, what: WorldChange | Operation, beside: Sequence[WorldChange] = ()) -> None:
        step = self._step(what, beside)
        self.case = replace(self.case, steps=[*self.case.steps, step])
        await pair.apply(step)
        self.checks = pair.checks

    def _step(self, what: WorldChange | Operation, beside: Sequence[WorldChange] = ()) -> Step:
        self._number += 1
        return Step(self._number, what, beside)


async def trial(databases: Databases, seed: int) -> int:
    """Run one case and return the number of equal pairs of responses. A failing case is shrunk."""
    generator = CaseGenerator(Random(seed))
    try:
        return await generator.run(databases)
    except BrokenPromiseError as broken:
        smallest = Shrinker(generator.case, str(broken), lambda case: replay(databases, case))
        await smallest.shrink()
        first = f"Before shrinking:\n{broken}" if smallest.failure != str(broken) else ""
        report = f"{smallest.case.format()}\n{smallest.failure}\n{first}"
        raise BrokenPromiseError(f"seed {seed} on {databases.backend}\n{report}") from None


async def replay(databases: Databases, case: Case) -> str | None:
    """Run a case and return its failure, or None if it passes."""
    world = await create_world(databases, case)
    try:
        for step in case.past:
            await apply_change(world, step)
    finally:
        await world.close()
    async with open_pair(databases, world, case.who) as pair:
        try:
            for step in case.steps:
                before = visible_state(await read_model(pair.changed.database), case.who)
                await pair.apply(step)
                if (
                    isinstance(step.action, WorldChange)
                    and not step.action.in_both
                    and visible_state(await read_model(pair.changed.database), case.who) != before
                ):
                    return None  # without the removed parts, the change is visible
            await pair.compare_models()
        except BrokenPromiseError as broken:
            return str(broken)
    return None


@contextmanager
def fix_environment(number: int) -> Iterator[None]:
    """Derive ids and times from the number, and run bulk mutations of more than two items as jobs in chunks of two."""
    items = [f"resolvers.write.{module}.INLINE_BULK_ITEMS" for module in ("membership", "transfer")]
    with (
        fix_ids_and_time(number),
        patch(items[0], 2),
        patch(items[1], 2),
        patch("resolvers.write.job.CHUNK_SIZE", 2),
    ):
        yield


async def create_world(databases: Databases, case: Case) -> ServedWorld:
    """Create the initial world of a case. The caller applies the past steps and closes the world."""
    with fix_ids_and_time(0):
        world = ServedWorld(await databases.create_from_catalogue(case.lines))
        await world.execute(case.statements)
        await world.sign_in([line["id"] for line in case.lines if line["kind"] == "user"])
    return world


async def apply_change(world: ServedWorld, step: Step) -> list[str]:
    """Apply a change to one world and return the cursors in the response, if it was an operation."""
    change = step.action
    assert isinstance(change, WorldChange)
    with fix_environment(step.number):
        await world.execute(change.statements)
        return _response_cursors(await world.send(change.who, change.operation)) if change.operation else []


@asynccontextmanager
async def open_pair(databases: Databases, world: ServedWorld, who: str) -> AsyncIterator[WorldPair]:
    """Open a closed world and a copy of it; delete both on exit."""
    copy = databases.copy(world.url)
    pair = WorldPair(ServedWorld(world.url, world.tokens), ServedWorld(copy, world.tokens), who)
    try:
        yield pair
    finally:
        for opened in (pair.original, pair.changed):
            await opened.close()
            databases.drop(opened.url)


def visible_state(model: Model, who: str) -> dict[str, Any]:
    """Return the part of a world that the viewer sees according to the oracle: rows, orders and accesses."""
    return {
        "topics": model.topics(who),
        "collections": {slug: model.collection_assets(who, slug) for slug in model.collections(who, "POSITION")},
        "above": {slug: model.parent(who, slug) for slug in model.collections(who)},
        "assets": {asset: (model.access(who, asset), model.uses(who, asset)) for asset in model.assets(who, "NAME")},
    }


async def read_vocabulary(world: ServedWorld, model: Model, cursors: Sequence[str]) -> Vocabulary:
    """Return everything in the world that operations can name, visible or not."""
    ids: dict[str, list[str]] = {prefix: [] for prefix in PREFIXES}
    async with world.database.snapshot() as snapshot:
        ids_of_log = [row.id for table in (sql.change, sql.job) for row in await snapshot.rows(select(table.c.id))]
        # Without those by which the users of the trial sign in.
        created = select(sql.api_token.c.id).where(sql.api_token.c.name != DEFAULT_NAME)
        ids_of_log += [row.id for row in await snapshot.rows(created)]
        undoable = select(sql.change.c.id).where(
            sql.change.c.actor_pk.is_not(None),
            or_(sql.change.c.action.in_(MEMBER_ACTIONS), sql.change.c.effect.is_not(None)),
        )
        undoable_ids = [row.id for row in await snapshot.rows(undoable.order_by(sql.change.c.pk))]
    for id_ in (*model.ids.values(), *ids_of_log):
        ids.setdefault(id_[:3], []).append(id_)
    return Vocabulary(
        ids,
        list(model.asset),
        [*model.collection, *model.topic, *NAMES, *NEAR_NAMES, *TAGS],
        list(cursors),
        undoable_ids,
        [*model.users, *model.groups],
    )


def _sync_token(answer: ObservedResponse) -> str | None:
    """Return the sync token of a complete pull."""
    graph = (answer.response.json().get("data") or {}).get("collectionGraph") or {}
    token: str | None = graph.get("syncToken")
    return token


def _response_cursors(answer: ObservedResponse) -> list[str]:
    return list(find_cursors(answer.response.json()))[:8]


def _format_difference(first: ObservedResponse, second: ObservedResponse) -> str:
    """Describe the parts in which the responses differ."""
    parts = zip(("status", "headers", "body", "statements"), first.observable(), second.observable(), strict=True)
    differences = [
        f"{name} differs:\n  original: {one!r}\n  changed:  {other!r}" for name, one, other in parts if one != other
    ]
    return "\n".join(differences) or f"Internal error in both worlds: {first.response.text}"


INTERFERENCE = Proof(
    "interference",
    "Two worlds that differ only in data hidden from the viewer respond byte for byte the same.",
    "pairs of responses",
    100_000,
    trial,
)
