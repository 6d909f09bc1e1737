"""This file is the change log: every write appends what it did, in its own transaction, under the next revision."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.bulk_insert import insert_many
from store.ids import new_id, now_ms
from store.tables import ChangeAction

FieldChange = Mapping[str, str | None]
"""A field with its value `before` and `after`."""


def changed_columns(row: Any, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the wanted columns that differ from the row's."""
    return {column: value for column, value in wanted.items() if getattr(row, column) != value}


def field_changes(row: Any, after: Mapping[str, Any]) -> list[FieldChange]:
    """Return what the log tells of the row's fields that become what `after` says; of a new row for no row."""
    return [
        {"field": field, "before": _told(getattr(row, field, None)), "after": _told(value)}
        for field, value in after.items()
    ]


def _told(value: Any) -> str | None:
    return None if value is None else str(value)


class MemberChange(NamedTuple):
    """A member that a write touched, and what its membership was before; nothing for one that was not in."""

    asset_pk: int
    rank: int | None = None
    added_at: int | None = None
    added_by_pk: int | None = None
    note: str | None = None


class ChangeLog:
    """The changes of one write. Opening it takes the writers' lock, so that revisions commit in their order."""

    def __init__(self, connection: AsyncConnection, revision: int, request_id: str) -> None:
        """Take the write's transaction and revision; use `open_change_log`."""
        self._connection, self.revision, self.request_id = connection, revision, request_id
        self.actor_pk: int | None = None  # whoever writes; nobody for the platform
        self.at = now_ms()
        self.has_changes = False

    async def append(
        self,
        action: ChangeAction,
        subject_ids: Iterable[str],
        fields: Sequence[FieldChange] = (),
        least_access: int = 0,
    ) -> None:
        """Append one change for each subject. One statement.

        `least_access` is what a viewer needs to have to an asset to see that this happened to it.
        """
        rows = [self._row(action, subject_id, fields, least_access) for subject_id in subject_ids]
        if rows:
            await self._append(rows)

    async def append_by_subject(
        self, action: ChangeAction, fields: Mapping[str, Sequence[FieldChange]], least_access: int = 0
    ) -> None:
        """Append one change for each subject, which has fields of its own. One statement."""
        rows = [self._row(action, subject_id, told, least_access) for subject_id, told in fields.items()]
        if rows:
            await self._append(rows)

    async def append_member_changes(
        self,
        action: ChangeAction,
        touched: Mapping[str, Sequence[MemberChange]],
        fields: Mapping[str, Sequence[FieldChange]] | None = None,
    ) -> dict[str, str]:
        """Append one change for each subject that has touched members; return their ids by subject.

        Three statements, more for thousands of members, and none for none.

        Which ids are made does not depend on what was touched, only on how many subjects there are.
        """
        rows = [self._row(action, subject_id, (fields or {}).get(subject_id, ())) for subject_id in touched]
        told = [row for row in rows if touched[row["subject_id"]]]
        if not told:
            return {}
        await self._append(told)
        made = select(sql.change.c.pk, sql.change.c.subject_id).where(
            sql.change.c.id.in_(sql.text_list([row["id"] for row in told]))
        )
        is_new = action is ChangeAction.ASSETS_ADDED  # which has no membership to be told of
        members = [
            {"change_pk": change.pk} | ({"asset_pk": member.asset_pk} if is_new else member._asdict())
            for change in await self._connection.execute(made)
            for member in touched[change.subject_id]
        ]
        await insert_many(self._connection, sql.change_asset, members)
        return {row["subject_id"]: row["id"] for row in told}

    async def _append(self, rows: list[dict[str, Any]]) -> None:
        self.has_changes = True
        await self._connection.execute(insert(sql.change), rows)

    def _row(
        self, action: ChangeAction, subject_id: str, fields: Sequence[FieldChange] = (), least_access: int = 0
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
        }


async def open_change_log(connection: AsyncConnection, request_id: str) -> ChangeLog:
    """Return the log of a write, under the next revision. One statement, which waits for any other writer."""
    raised = update(sql.deployment).values(revision=sql.deployment.c.revision + 1).returning(sql.deployment.c.revision)
    return ChangeLog(connection, (await connection.execute(raised)).scalar_one(), request_id)
