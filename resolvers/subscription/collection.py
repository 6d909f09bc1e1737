"""Subscription to a collection: its visible assets now, compared with those at the previous event.

An event depends on the visible members alone, so that hidden writes cause none, and an asset that leaves the viewer's
sight is removed once, for any reason. A cursor has digests of the visible state, and the last visible change. On
resume, the members as of then are found in the memory of the process, or computed back from the log. If neither has the
digest of the cursor, the viewer's sight has changed meanwhile, and the event says to read the list again.
"""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Final, NamedTuple, Self

import orjson
from sqlalchemy import ColumnElement, Integer, String, bindparam, cast, true

from permissions import ErrorCode, OperationError, Viewer, visible
from resolvers.context import Context
from resolvers.listing import cursor
from resolvers.listing.connection import Edge
from resolvers.listing.statement_cache import cached
from resolvers.loaders import ChangeById, CollectionById
from resolvers.membership import member_edges
from resolvers.subscription.watch import KnownMembers, States, digest, is_too_large
from store import sql
from store.changes import REVISION
from store.recent_writes import RecentWrites
from store.rows import ChangeRow, CollectionRow, row_type
from store.sql import Expression, Selection

_COLLECTION_ID: Final = bindparam("collection_id", type_=String())
_CHANGE_COLUMNS: Final = (*sql.change.c.keys(), "subject_access")

MAX_CHANGED_MEMBERS: Final = 5_000
"""Most logged changes of members that a resume reads."""

SEPARATOR: Final = ":"
"""Character between the id and the time of a member."""


@dataclass(frozen=True, eq=False)
class Members:
    """Visible members of a collection in its order. Equal ones are one object, see `States`."""

    items: tuple[str, ...]
    """Id of the asset and time of its addition: an asset that was removed and added again is another member."""
    order: str
    """Digest of the items."""

    @classmethod
    def of_text(cls, text: str) -> Self:
        """Return the members in the text, separated by spaces."""
        return cls(tuple(text.split()), digest(text))

    def __len__(self) -> int:
        """Return their number."""
        return len(self.items)

    @cached_property
    def content(self) -> str:
        """Digest of the items in any order."""
        return digest(" ".join(sorted(self.items)))

    @cached_property
    def ids(self) -> list[str]:
        """Ids of the assets."""
        return [item.partition(SEPARATOR)[0] for item in self.items]


class Position(NamedTuple):
    """Content of a cursor: digests of the state that the viewer saw with the event."""

    members: str
    """Digest of the members in any order."""
    order: str
    version: int
    change_id: str | None
    """Last change of the collection that was visible."""


class CollectionState(NamedTuple):
    """Collection as a viewer sees it."""

    members: Members
    version: int
    change_id: str | None

    @property
    def position(self) -> Position:
        """Content of the cursor of the state."""
        return Position(self.members.content, self.members.order, self.version, self.change_id)


@dataclass(frozen=True)
class CollectionEvent:
    """Difference between two states of a collection. Without a state, the collection is not visible any more."""

    cursor: str
    collection_id: str
    change: ChangeRow | None
    """Last visible change since the previous event; None if only the viewer's sight changed."""
    added: Sequence[str]
    removed: Sequence[str]
    reload: bool
    state: CollectionState | None
    revision: int

    @property
    def is_last(self) -> bool:
        """Whether the collection is not visible any more."""
        return self.state is None


class _Reading(NamedTuple):
    """State of a collection, and the newest visible change that the watch does not know yet."""

    state: CollectionState
    change: ChangeRow | None
    revision: int


class CollectionWatch:
    """Watch of one collection."""

    needs_every_look = False

    def __init__(self, states: States, *, id: str, after: str | None = None) -> None:
        """Take the states of the process, the collection's id, and the cursor to resume from."""
        self._states, self._id, self._after = states, id, after
        self._scope = f"collectionChanged|{id}"
        self._state: CollectionState | None = None
        self._pk: int | None = None
        self._revision = -1
        """Revision of the log up to which its changes are in the state."""

    def is_concerned(self, writes: RecentWrites, since: int) -> bool:
        """Return whether the collection, its members or their grants were written since the version."""
        return self._pk is None or writes.collection_version(self._pk) > since

    @property
    def collection_pk(self) -> int | None:
        """The collection, after it was read for the first time."""
        return self._pk

    async def look(self, context: Context, members: KnownMembers | None = None) -> CollectionEvent | None:
        """Return the event since the last one; see `Watch`. One statement, up to three more after a resume."""
        position = None if self._after is None else self._read_cursor(context.viewer, self._after)
        now = await self._read(context, members)
        if now is None:
            return self._end(context.viewer)
        if self._state is not None:
            return self._compare(context.viewer, self._state.members, self._state, now)
        if position is None:
            return self._event(context.viewer, now, change=None, reload=True)
        return await self._resume(context, position, now)

    def accept(self, event: CollectionEvent) -> None:
        """Take the event as delivered."""
        self._state, self._revision, self._after = event.state, event.revision, None

    def _read_cursor(self, viewer: Viewer, after: str) -> Position:
        return Position(*orjson.loads(cursor.unseal(viewer, self._scope, after)))

    async def _read(self, context: Context, known_members: KnownMembers | None) -> _Reading | None:
        """Return the state of the collection; None if it is not visible."""
        viewer, known = context.viewer, None if self._state is None else self._state.change_id
        reads_members = known_members is None
        key = (viewer.kind, "state of a collection", reads_members)
        statement = cached(key, lambda: _select_state(viewer, reads_members=reads_members))
        values = {"collection_id": self._id, "since": self._revision}
        for row in await context.snapshot.rows(statement, {**viewer.parameters, **values}):
            if known_members is None:
                text = row.members
            elif row.collection_pk == self._pk:
                text = " ".join(f"{id_}{SEPARATOR}{added_at}" for id_, added_at in known_members)
            else:  # it was deleted and came back
                return await self._read(context, None)
            self._pk = row.collection_pk
            members = self._states.share(self._scope, digest(text), partial(Members.of_text, text))
            change = None if row.change_pk is None else _build_change(row)
            state = CollectionState(members, row.version, known if change is None else change.id)
            return _Reading(state, change, row.revision)
        return None

    async def _resume(self, context: Context, position: Position, now: _Reading) -> CollectionEvent | None:
        """Return the event since the position; None without a difference, in which case the state is known now."""
        ids = [] if position.change_id is None else [position.change_id]
        last = (await context.loader(ChangeById).fetch(ids)).get(position.change_id or "")
        known_pk = last.pk if last is not None else 0 if position.change_id is None else None
        change = now.change if known_pk is not None and now.change is not None and now.change.pk > known_pk else None
        now = now._replace(change=change)
        if change is None:
            now = now._replace(state=now.state._replace(change_id=position.change_id))
        before = CollectionState(now.state.members, position.version, position.change_id)
        if now.state.position == position:
            return self._compare(context.viewer, now.state.members, before, now)
        members = self._states.find(self._scope, position.order)
        if members is not None:
            return self._compare(context.viewer, members, before, now)
        former = None if known_pk is None else await self._former_members(context, known_pk)
        if former is None or former.content != position.members:
            return self._event(context.viewer, now, change=change, reload=True)
        return self._compare(context.viewer, former, before, now, reload=former.order != position.order)

    async def _former_members(self, context: Context, since: int) -> Members | None:
        """Return the members before the changes after one, as far as they are visible; None if there are too many.

        The first change of a member after that time has the former membership. Two statements.
        """
        viewer = context.viewer
        statement = cached((viewer.kind, "changed members"), lambda: _select_changed_members(viewer))
        parameters = {**viewer.parameters, "collection_id": self._id, "since": since}
        changed = await context.snapshot.rows(statement, {**parameters, "max_rows": MAX_CHANGED_MEMBERS + 1})
        if len(changed) > MAX_CHANGED_MEMBERS:
            return None
        members = cached((viewer.kind, "members of a collection"), lambda: _select_places(viewer))
        rows = await context.snapshot.rows(members, {**viewer.parameters, "collection_id": self._id})
        places: dict[str, Any] = {row.id: row for row in rows}
        places |= {row.id: row for row in reversed(changed)}
        former = [row for row in places.values() if row.rank is not None]
        former.sort(key=lambda row: (row.rank, row.pk))
        return Members.of_text(" ".join(f"{row.id}{SEPARATOR}{row.added_at}" for row in former))

    def _compare(
        self, viewer: Viewer, members: Members, before: CollectionState, now: _Reading, *, reload: bool = False
    ) -> CollectionEvent | None:
        """Return the event for the difference; None without one."""
        added, removed = _difference(members, now.state.members)
        is_equal = (members.order, before.version) == (now.state.members.order, now.state.version)
        if is_equal and not reload and now.change is None:
            self._state, self._revision, self._after = now.state, now.revision, None
            return None
        if is_too_large(added, removed):
            return self._event(viewer, now, change=now.change, reload=True)
        changed = {*added, *removed}
        expected = [*(id_ for id_ in members.ids if id_ not in changed), *added]
        reload = reload or expected != now.state.members.ids
        return self._event(viewer, now, change=now.change, added=added, removed=removed, reload=reload)

    def _event(
        self,
        viewer: Viewer,
        now: _Reading,
        *,
        change: ChangeRow | None,
        reload: bool,
        added: Sequence[str] = (),
        removed: Sequence[str] = (),
    ) -> CollectionEvent:
        sealed = cursor.seal(viewer, self._scope, orjson.dumps(tuple(now.state.position)))
        return CollectionEvent(sealed, self._id, change, added, removed, reload, now.state, now.revision)

    def _end(self, viewer: Viewer) -> CollectionEvent:
        """Return the event of a collection that is not visible: the same whether it exists or not."""
        removed = [] if self._state is None else self._state.members.ids
        removed = [] if is_too_large([], removed) else removed
        position = Position("", "", 0, None)
        sealed = cursor.seal(viewer, self._scope, orjson.dumps(tuple(position)))
        return CollectionEvent(sealed, self._id, None, (), removed, reload=False, state=None, revision=-1)


def _difference(before: Members, now: Members) -> tuple[list[str], list[str]]:
    """Return the ids of the members that were added, or again, in their order, and of those that are gone."""
    if before.order == now.order:
        return [], []
    new, gone, present = {*now.items}.difference(before.items), {*before.items}.difference(now.items), {*now.ids}
    return (
        [id_ for id_, item in zip(now.ids, now.items, strict=True) if item in new],
        [id_ for id_, item in zip(before.ids, before.items, strict=True) if item in gone and id_ not in present],
    )


def _select_state(viewer: Viewer, *, reads_members: bool) -> Selection:
    """Return the SELECT of a collection, the revision, and its newest visible change after one.

    The columns of the change come first. Of the members it has a text, if they are to be read.
    """
    collection = sql.collection.alias("watched")
    change = _select_last_change(viewer).subquery()
    watched = visible(collection, viewer).where(collection.c.id == _COLLECTION_ID).outerjoin(change, true())
    columns: list[Expression] = [change.c[name].label(f"change_{name}") for name in _CHANGE_COLUMNS]
    columns += [collection.c.pk.label("collection_pk"), collection.c.version]
    columns.append(REVISION.scalar_subquery().label("revision"))
    if reads_members:
        columns.append(_select_member_text(viewer).label("members"))
    return watched.with_only_columns(*columns, maintain_column_froms=True)


def _select_member_text(viewer: Viewer) -> ColumnElement[str]:
    """Return the subquery of the members as a text. Not correlated, so that PostgreSQL joins instead of looping."""
    membership = sql.membership
    item = sql.asset.c.id + SEPARATOR + cast(membership.c.added_at, String)
    members = _select_members(viewer).with_only_columns(item, maintain_column_froms=True)
    return sql.text_values(members.order_by(membership.c.rank, membership.c.asset_pk))


def _select_members(viewer: Viewer) -> Selection:
    """Return the SELECT of the visible members of the collection."""
    return visible(sql.membership, viewer).where(sql.collection.c.id == _COLLECTION_ID)


def _build_change(row: Any) -> ChangeRow:
    """Return the change among the columns of a row of `_select_state`."""
    change: ChangeRow = row_type("change", _CHANGE_COLUMNS)(*row[: len(_CHANGE_COLUMNS)])
    return change


def _select_last_change(viewer: Viewer) -> Selection:
    """Return the SELECT of the newest visible change of a collection after a revision."""
    change = sql.change
    newest = visible(change, viewer).where(
        change.c.subject_id == _COLLECTION_ID,
        change.c.revision > bindparam("since", type_=Integer()),
    )
    return newest.order_by(change.c.pk.desc()).limit(1)


def _select_places(viewer: Viewer) -> Selection:
    """Return the SELECT of the visible members of a collection, with their place."""
    columns = (sql.asset.c.id, sql.asset.c.pk, sql.membership.c.added_at, sql.membership.c.rank)
    return _select_members(viewer).with_only_columns(*columns, maintain_column_froms=True)


def _select_changed_members(viewer: Viewer) -> Selection:
    """Return the SELECT of the visible members that visible changes after one touched, with their former place."""
    change, changed = sql.change, sql.change_asset
    changes = visible(change, viewer).where(
        change.c.subject_id == _COLLECTION_ID,
        change.c.pk > bindparam("since", type_=Integer()),
    )
    touched = visible(sql.asset, viewer).join(changed, changed.c.asset_pk == sql.asset.c.pk)
    columns = (sql.asset.c.id, sql.asset.c.pk, changed.c.added_at, changed.c.rank)
    return (
        touched.where(changed.c.change_pk.in_(changes.with_only_columns(change.c.pk)))
        .with_only_columns(*columns, maintain_column_froms=True)
        .order_by(changed.c.change_pk)
        .limit(bindparam("max_rows", type_=Integer()))
    )


def collection_changed(event: CollectionEvent | None, _context: Context, **_arguments: object) -> CollectionEvent:
    """Return the event that the operation is executed for."""
    if event is None:
        raise OperationError(ErrorCode.BAD_USER_INPUT, "Subscribe by WebSocket or server-sent events.")
    return event


async def collection(event: CollectionEvent, context: Context) -> CollectionRow | None:
    """Return the collection; None once it is deleted or no longer visible."""
    return await context.loader(CollectionById).load(event.collection_id)


def added_edges(event: CollectionEvent, context: Context) -> Awaitable[list[Edge]]:
    """Return the edges of the assets that were added or became visible."""
    return member_edges(context, event.collection_id, event.added)


def removed_asset_ids(event: CollectionEvent, _context: Context) -> Sequence[str]:
    """Return the ids of the assets that were removed or are no longer visible."""
    return event.removed
