"""Mirrors that follow subscriptions through random histories equal fresh reads, after each step."""

import secrets
from random import Random
from typing import Any

import pytest
from sqlalchemy import select

from permissions.viewer import Viewer, viewer_by_pk
from permissions.visible import visible
from proofs.databases import Databases
from proofs.interference.case import Case
from proofs.interference.trial import create_world
from proofs.interference.world import USERS, initial_statements, random_catalogue
from resolvers.context import OperationContext
from resolvers.subscription.collection import CollectionEvent, CollectionWatch
from resolvers.subscription.topic_tree import Item, TopicTreeEvent, TopicTreeWatch
from resolvers.subscription.watch import States
from store import sql
from store.database import ConnectionSnapshot, Database
from store.recent_writes import RecentWrites
from tests.test_interference import pytestmark
from tests.test_visibility_index import History

NEW_SEED = secrets.randbelow(1_000_000)
STEPS = 40
COLLECTIONS = 3  # of each viewer
__all__ = ["pytestmark"]  # the filters of warnings apply to this file, too


class Mirror:
    """Client of one subscription, whose objects are those of its last events."""

    def __init__(self, who: int, states: States) -> None:
        """Take the pk of the viewer's user, and the states of the process."""
        self.who, self.states = who, states
        self.viewer: Viewer | None = None
        self.version = -1
        self.cursor: str | None = None
        self.watch: Any = self.start(states)

    def start(self, states: States) -> Any:
        """Return a new watch that resumes from the cursor."""
        raise NotImplementedError

    async def fresh(self, context: OperationContext) -> Any:
        """Return the visible objects now."""
        raise NotImplementedError

    def apply(self, event: Any, fresh: Any) -> None:
        """Change the objects by an event."""
        raise NotImplementedError

    def check(self, fresh: Any, where: str) -> None:
        """Fail unless the objects equal the visible ones."""
        raise NotImplementedError

    async def step(self, database: Database, writes: RecentWrites, where: str) -> bool:
        """Follow a step of the history; return whether there was an event."""
        async with database.snapshot() as snapshot:
            await writes.read(snapshot)
            viewer = await viewer_by_pk(snapshot, self.who)
            if viewer is None:  # deactivated
                return False
            context = make_context(database, snapshot, viewer)
            is_concerned = viewer != self.viewer or self.watch.is_concerned(writes, self.version)
            self.viewer, self.version = viewer, viewer.row_version
            event, fresh = await self.watch.look(context), await self.fresh(context)
        if event is not None:
            assert is_concerned, where
            self.watch.accept(event)
            self.cursor = event.cursor
            self.apply(event, fresh)
        self.check(fresh, where)
        return event is not None

    def resume(self, *, is_restarted: bool) -> None:
        """Reconnect to the same process, or to another."""
        self.viewer = None
        self.watch = self.start(States() if is_restarted else self.states)


def make_context(database: Database, snapshot: ConnectionSnapshot, viewer: Viewer) -> OperationContext:
    async def identify(_snapshot: Any) -> Viewer:
        return viewer

    context = OperationContext(database, identify, "r")
    context.viewer, context.snapshot = viewer, snapshot
    return context


class CollectionMirror(Mirror):
    """Mirror of the assets of a collection; None if the collection is not visible."""

    def __init__(self, who: int, states: States, collection_id: str) -> None:
        """Take the collection's id."""
        self.id = collection_id
        self.assets: list[str] | None = []
        super().__init__(who, states)

    def start(self, states: States) -> CollectionWatch:
        return CollectionWatch(states, id=self.id, after=self.cursor)

    async def fresh(self, context: OperationContext) -> list[str] | None:
        viewer, collection, membership = context.viewer, sql.collection, sql.membership
        found = visible(collection, viewer).where(collection.c.id == self.id)
        if not await context.snapshot.rows(found, viewer.parameters):
            return None
        members = visible(membership, viewer).where(collection.c.id == self.id)
        ordered = members.order_by(membership.c.rank, membership.c.asset_pk).with_only_columns(sql.asset.c.id)
        return [row.id for row in await context.snapshot.rows(ordered, viewer.parameters)]

    def apply(self, event: CollectionEvent, fresh: list[str] | None) -> None:
        assets = self.assets or []
        assert set(event.removed) <= set(assets)
        assert not set(event.removed) & set(event.added)
        if event.state is None:
            self.assets, self.cursor = None, None
            self.resume(is_restarted=False)
        else:
            kept = [id_ for id_ in assets if id_ not in event.removed and id_ not in event.added]
            self.assets = fresh if event.reload else [*kept, *event.added]

    def check(self, fresh: list[str] | None, where: str) -> None:
        assert self.assets == fresh, where


class TreeMirror(Mirror):
    """Mirror of the tree: version by id, and ids by parent in their order."""

    def __init__(self, who: int, states: States) -> None:
        """Start with an empty tree."""
        self.items: dict[str, Item] = {}
        self.siblings: dict[str | None, list[str]] = {}
        super().__init__(who, states)

    def start(self, states: States) -> TopicTreeWatch:
        return TopicTreeWatch(states, after=self.cursor)

    async def fresh(self, context: OperationContext) -> list[Item]:
        viewer, rows = context.viewer, context.snapshot.rows
        topics = await rows(visible(sql.topic, viewer).order_by(sql.topic.c.rank), viewer.parameters)
        ordered = visible(sql.collection, viewer).order_by(sql.collection.c.rank, sql.collection.c.pk)
        collections = await rows(ordered, viewer.parameters)
        ids = {("topic", row.pk): row.id for row in topics} | {("parent", row.pk): row.id for row in collections}
        return [
            *(Item(row.id, row.version, None) for row in topics),
            *(
                Item(row.id, row.version, ids.get(("parent", row.parent_pk), ids["topic", row.topic_pk]))
                for row in collections
            ),
        ]

    def apply(self, event: TopicTreeEvent, fresh: list[Item]) -> None:
        assert set(event.removed) <= set(self.items)
        for id_ in event.removed:
            self.siblings[self.items.pop(id_).parent_id].remove(id_)
        if event.reload:
            self.items, self.siblings = {}, {}
        changed = [item for item in fresh if event.reload or item.id in event.changed]
        for item in changed:
            former = self.items.get(item.id)
            if former is not None and former.parent_id != item.parent_id:
                self.siblings[former.parent_id].remove(item.id)
            if former is None or former.parent_id != item.parent_id:
                self.siblings.setdefault(item.parent_id, []).append(item.id)
            self.items[item.id] = item

    def check(self, fresh: list[Item], where: str) -> None:
        assert self.items == {item.id: item for item in fresh}, where
        for parent_id, siblings in self.siblings.items():
            assert siblings == [item.id for item in fresh if item.parent_id == parent_id], where


async def mirrors_of(database: Database, random: Random, states: States) -> list[Mirror]:
    async with database.snapshot() as snapshot:
        ids = [row.id for row in await snapshot.rows(select(sql.collection.c.id))]
        people = sql.principal.select().where(sql.principal.c.external_id.in_(USERS))
        pks = [row.pk for row in await snapshot.rows(people.order_by(sql.principal.c.pk))]
    return [
        mirror
        for who in pks
        for mirror in (
            TreeMirror(who, states),
            *(CollectionMirror(who, states, id_) for id_ in random.sample(ids, min(COLLECTIONS, len(ids)))),
        )
    ]


@pytest.mark.parametrize("seed", [1, NEW_SEED], ids=["known", "new"])
async def test_mirrors_equal_what_their_viewers_see(databases: Databases, seed: int) -> None:
    random = Random(seed)
    lines = random_catalogue(random)
    world = await create_world(databases, Case(lines, initial_statements(random, lines), USERS[0]))
    history, states, writes = History(random, world, databases), States(), RecentWrites()
    try:
        mirrors, events = await mirrors_of(world.database, random, states), 0
        for number in range(STEPS):
            kind = await history.step(number) if number else "start"
            for mirror in mirrors:
                events += await mirror.step(world.database, writes, f"seed {seed}, step {number}, {kind}")
                if random.randrange(4) == 0:
                    mirror.resume(is_restarted=random.randrange(2) == 0)
        assert events > len(mirrors) + STEPS // 2, f"seed {seed}: {history.kinds}"
    finally:
        await world.close()
        databases.drop(world.url)
