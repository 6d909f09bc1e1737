"""Change log: each write appends its changes, all with the next revision number, in its own transaction."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import insert, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.bulk_insert import insert_many
from store.database import Snapshot
from store.ids import new_id, now_ms
from store.tables import ChangeAction
from store.text import fold_name

REVISION: Final = select(sql.deployment.c.revision)
"""SELECT of the revision of the last write, 0 if there was none."""

LoggedFieldChange = Mapping[str, str | None]
"""A field change: the keys are `field`, `before` and `after`."""


def changed_columns(row: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that differ from those of the row, by column."""
    return {column: value for column, value in values.items() if getattr(row, column) != value}


def field_changes(row: Any, values: Mapping[str, Any]) -> list[LoggedFieldChange]:
    """Return a field change for each new value; `before` is the row's value. For a new object, pass None as row."""
    return [
        {"field": field, "before": _log_value(getattr(row, field, None)), "after": _log_value(value)}
        for field, value in values.items()
    ]


def _log_value(value: Any) -> str | None:
    return None if value is None else str(value)


class MemberChange(NamedTuple):
    """An asset that was added or removed, with its former membership; all None if it was not a member."""

    asset_pk: int
    rank: int | None = None
    added_at: int | None = None
    added_by_pk: int | None = None
    note: str | None = None


class Undone(NamedTuple):
    """The change that an undo undoes, and the original of that one, which is itself if it is no undo."""

    undoes_pk: int
    original_pk: int


class ChangeLog:
    """Appender of one write's changes. Opening it takes the lock of all writers, so that revisions commit in order."""

    def __init__(self, connection: AsyncConnection, revision: int, request_id: str) -> None:
        """Use `open_change_log` instead."""
        self._connection, self.revision, self.request_id = connection, revision, request_id
        self.actor_pk: int | None = None  # None for changes by the platform itself, such as an import
        self.origin: str | None = None  # of an import, its file; the same for all changes of the write
        self.at = now_ms()
        self.has_changes = False

    async def append(
        self,
        action: ChangeAction,
        subject_ids: Iterable[str],
        fields: Sequence[LoggedFieldChange] = (),
        least_access: int = 0,
        **record: Any,
    ) -> list[str]:
        """Append one change per subject, and return the ids of the changes. Two statements.

        Deletions are appended before the subject is deleted, whose name is logged. `least_access` is the access to its
        subject, an asset, that a viewer needs to see the change. `record` has further columns, for an undo.
        """
        rows = [self._row(action, subject_id, fields, least_access, **record) for subject_id in subject_ids]
        await self._insert(rows)
        return [row["id"] for row in rows]

    async def append_by_subject(
        self,
        action: ChangeAction,
        fields_by_subject: Mapping[str, Sequence[LoggedFieldChange]],
        least_access: int = 0,
        records: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> list[str]:
        """Append one change per subject, each with its own field changes, and return their ids. Two statements.

        `records` has further columns by subject, for an undo.
        """
        rows = [
            self._row(action, subject_id, fields, least_access, **(records or {}).get(subject_id, {}))
            for subject_id, fields in fields_by_subject.items()
        ]
        await self._insert(rows)
        return [row["id"] for row in rows]

    async def append_member_changes(
        self,
        action: ChangeAction,
        members_by_subject: Mapping[str, Sequence[MemberChange]],
        fields_by_subject: Mapping[str, Sequence[LoggedFieldChange]] | None = None,
        undone_by_subject: Mapping[str, Undone] | None = None,
        **record: Any,
    ) -> dict[str, str]:
        """Append one change per subject that has member changes; return the ids of the changes by subject id.

        `undone_by_subject` has the changes that this one undoes. Four statements, plus one per further 5,000 members;
        none without members.
        """
        fields, undone = fields_by_subject or {}, undone_by_subject or {}
        # Draw an id for subjects without members too: which ids the others get must not depend on hidden members.
        candidates = [
            self._row(action, id_, fields.get(id_, ()), **record, **(undone[id_]._asdict() if id_ in undone else {}))
            for id_ in members_by_subject
        ]
        rows = [row for row in candidates if members_by_subject[row["subject_id"]]]
        if not rows:
            return {}
        await self._insert(rows)
        await self.append_members({row["id"]: members_by_subject[row["subject_id"]] for row in rows})
        return {row["subject_id"]: row["id"] for row in rows}

    async def append_members(self, members_by_change: Mapping[str, Sequence[MemberChange]]) -> None:
        """Append member changes to changes of this write, by their ids. Two statements, plus one per 5,000 members."""
        inserted = select(sql.change.c.pk, sql.change.c.id).where(
            sql.change.c.id.in_(sql.text_list(list(members_by_change)))
        )
        members = [
            {"change_pk": change.pk} | member._asdict()
            for change in await self._connection.execute(inserted)
            for member in members_by_change[change.id]
        ]
        await insert_many(self._connection, sql.change_asset, members)

    async def _insert(self, rows: list[dict[str, Any]]) -> None:
        if not rows:
            return
        self.has_changes = True
        names = await self._names([row["subject_id"] for row in rows])
        for row in rows:
            name = names.get(row["subject_id"])
            row |= {"subject_name": name, "subject_key": None if name is None else fold_name(name)}
        await self._connection.execute(insert(sql.change), rows)

    async def _names(self, ids: Sequence[str]) -> dict[str, str]:
        """Return the names of objects by id. One statement."""
        wanted = sql.text_list(sorted(set(ids)))
        tables = (sql.topic, sql.collection, sql.asset, sql.principal)
        names = union_all(*(select(table.c.id, table.c.name).where(table.c.id.in_(wanted)) for table in tables))
        return {row.id: row.name for row in await self._connection.execute(names)}

    def _row(
        self,
        action: ChangeAction,
        subject_id: str,
        fields: Sequence[LoggedFieldChange] = (),
        least_access: int = 0,
        *,
        effect: Mapping[str, Any] | None = None,
        deleted_visibility: str | None = None,
        undoes_pk: int | None = None,
        original_pk: int | None = None,
    ) -> dict[str, Any]:
        return {
            "id": new_id("chg"),
            "revision": self.revision,
            "at": self.at,
            "actor_pk": self.actor_pk,
            "action": action,
            "subject_id": subject_id,
            "least_access": least_access,
            "fields": list(fields),
            "request_id": self.request_id,
            "origin": self.origin,
            "effect": effect,
            "deleted_visibility": deleted_visibility,
            "undoes_pk": undoes_pk,
            "original_pk": original_pk,
        }


async def open_change_log(connection: AsyncConnection, request_id: str) -> ChangeLog:
    """Increment the revision and return the log for it. One statement, which waits until no other writer is active."""
    deployment = sql.deployment
    increment = update(deployment).values(revision=deployment.c.revision + 1).returning(deployment.c.revision)
    return ChangeLog(connection, (await connection.execute(increment)).scalar_one(), request_id)


async def fetch_revision(snapshot: Snapshot) -> int:
    """Return the revision of the last write, 0 if there was none. One statement."""
    [row] = await snapshot.rows(REVISION)
    return int(row.revision)
