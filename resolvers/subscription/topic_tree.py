"""Subscription to the tree of topics and collections: the visible tree now, compared with the previous event.

A cursor has the digest of the visible tree. A client that resumes gets the difference if the process still knows that
tree, else an event that says to read it again: the tree is small.
"""

from collections import defaultdict
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

from sqlalchemy import Integer, String, bindparam, func
from sqlalchemy import cast as sql_cast

from permissions import Viewer, visible
from permissions.visible import MEMBER_ACTIONS
from resolvers.context import Context
from resolvers.filter import has_subject_of
from resolvers.listing import cursor
from resolvers.listing.statement_cache import cached
from resolvers.loaders import CollectionById, TopicById, load_visible
from resolvers.subscription.watch import KnownMembers, States, digest, is_too_large
from store import sql
from store.changes import fetch_revision
from store.ids import is_id
from store.recent_writes import RecentWrites
from store.rows import ChangeRow, CollectionRow, TopicRow
from store.sql import Selection
from store.subject_type import SubjectType

SCOPE = "topicTreeChanged"


class Item(NamedTuple):
    """A visible topic or collection. `parent_id` is that of a collection's visible parent, or else of its topic."""

    id: str
    version: int
    parent_id: str | None


Items = tuple[Item, ...]
"""Topics in their order, then the collections of each topic in their order."""


@dataclass(frozen=True)
class TopicTreeEvent:
    """Difference between two states of the tree."""

    cursor: str
    change: ChangeRow | None
    changed: Sequence[str]
    removed: Sequence[str]
    reload: bool
    state: Items
    revision: int
    is_last = False


class TopicTreeWatch:
    """Watch of the tree."""

    needs_every_look = False
    collection_pk = None

    def __init__(self, states: States, *, after: str | None = None) -> None:
        """Take the states of the process and the cursor to resume from."""
        self._states, self._after = states, after
        self._state: Items | None = None
        self._revision = -1

    def is_concerned(self, writes: RecentWrites, since: int) -> bool:
        """Return whether a topic or collection was written since the version."""
        return writes.tree_version > since

    async def look(self, context: Context, _members: KnownMembers | None = None) -> TopicTreeEvent | None:
        """Return the event since the last one; see `Watch`. Three statements, four after the first look."""
        position = None if self._after is None else cursor.unseal(context.viewer, SCOPE, self._after)
        revision, items = await fetch_revision(context.snapshot), await _read(context)
        before = self._state
        if before is None and position is not None:
            before = items if digest(items).encode() == position else self._states.find(SCOPE, position)
        change = await self._last_change(context) if self._revision >= 0 else None
        if before == items and change is None:
            self._state, self._revision, self._after = items, revision, None
            return None
        return self._event(context.viewer, before, items, change, revision)

    def accept(self, event: TopicTreeEvent) -> None:
        """Take the event as delivered."""
        self._state, self._revision, self._after = event.state, event.revision, None

    async def _last_change(self, context: Context) -> ChangeRow | None:
        """Return the newest visible change of the tree since the last look. One statement."""
        viewer = context.viewer
        statement = cached((viewer.kind, "last change of the tree"), lambda: _select_last_change(viewer))
        rows = await context.snapshot.rows(statement, {**viewer.parameters, "since": self._revision})
        return cast("ChangeRow | None", next(iter(rows), None))

    def _event(
        self, viewer: Viewer, before: Items | None, items: Items, change: ChangeRow | None, revision: int
    ) -> TopicTreeEvent:
        changed, removed = ([], []) if before is None else _difference(before, items)
        is_large = is_too_large(changed, removed)
        reload = before is None or is_large or _is_reordered(before, items)
        position = digest(items).encode()
        return TopicTreeEvent(
            cursor.seal(viewer, SCOPE, position),
            change,
            () if is_large else changed,
            () if is_large else removed,
            reload,
            self._states.share(SCOPE, position, lambda: items),
            revision,
        )


async def _read(context: Context) -> Items:
    """Return the visible tree. Two statements."""
    viewer = context.viewer
    topics = await context.snapshot.rows(
        cached((viewer.kind, "topics of the tree"), lambda: _select_topics(viewer)), viewer.parameters
    )
    collections = await context.snapshot.rows(
        cached((viewer.kind, "collections of the tree"), lambda: _select_collections(viewer)), viewer.parameters
    )
    topic_ids, ids = {row.pk: row.id for row in topics}, {row.pk: row.id for row in collections}
    return (
        *(Item(row.id, row.version, None) for row in topics),
        *(Item(row.id, row.version, ids.get(row.parent_pk) or topic_ids.get(row.topic_pk)) for row in collections),
    )


def _difference(before: Items, now: Items) -> tuple[list[str], list[str]]:
    """Return the ids of new and changed items, and of items that are gone."""
    known, present = set(before), {item.id for item in now}
    return [item.id for item in now if item not in known], [item.id for item in before if item.id not in present]


def _is_reordered(before: Items, now: Items) -> bool:
    """Return whether siblings have another order than after removals, and additions at the end."""
    former = _siblings(before)
    return any(_expected(former[parent_id], ids) != ids for parent_id, ids in _siblings(now).items())


def _expected(former: Sequence[str], ids: Sequence[str]) -> list[str]:
    return [*(id_ for id_ in former if id_ in ids), *(id_ for id_ in ids if id_ not in former)]


def _siblings(items: Items) -> defaultdict[str | None, list[str]]:
    """Return the ids by parent, in their order."""
    siblings = defaultdict[str | None, list[str]](list)
    for item in items:
        siblings[item.parent_id].append(item.id)
    return siblings


def _select_topics(viewer: Viewer) -> Selection:
    topic = sql.topic
    return visible(topic, viewer).with_only_columns(topic.c.pk, topic.c.id, topic.c.version).order_by(topic.c.rank)


def _select_collections(viewer: Viewer) -> Selection:
    collection = sql.collection
    columns = (collection.c[name] for name in ("pk", "id", "version", "topic_pk", "parent_pk"))
    rows = visible(collection, viewer).with_only_columns(*columns)
    return rows.order_by(collection.c.topic_pk, collection.c.rank, collection.c.pk)


def _select_last_change(viewer: Viewer) -> Selection:
    """Return the SELECT of the newest visible change of a topic or collection after a revision, but for members."""
    change = sql.change
    is_member_order = func.coalesce(sql_cast(change.c.effect, String), "").contains('"members":')
    newest = visible(change, viewer).where(
        change.c.revision > bindparam("since", type_=Integer()),
        has_subject_of((SubjectType.TOPIC, SubjectType.COLLECTION)),
        change.c.action.not_in(MEMBER_ACTIONS),
        ~is_member_order,
    )
    return newest.order_by(change.c.pk.desc()).limit(1)


def topic_tree_changed(event: TopicTreeEvent | None, _context: Context, **_arguments: object) -> TopicTreeEvent | None:
    """Return the event that the operation is executed for."""
    return event


def topics(event: TopicTreeEvent, context: Context) -> Awaitable[list[TopicRow]]:
    """Return the topics that are new or changed."""
    return load_visible(context, TopicById, [id_ for id_ in event.changed if is_id(id_, "top")])


def collections(event: TopicTreeEvent, context: Context) -> Awaitable[list[CollectionRow]]:
    """Return the collections that are new or changed."""
    return load_visible(context, CollectionById, [id_ for id_ in event.changed if is_id(id_, "col")])


def removed_ids(event: TopicTreeEvent, _context: Context) -> Sequence[str]:
    """Return the ids of items that were deleted or are no longer visible."""
    return event.removed
