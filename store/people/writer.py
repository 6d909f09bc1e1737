"""Writer of users and groups: creates and updates them for one source, and logs each field that changes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.changes import ChangeLog, LoggedFieldChange, changed_columns
from store.people.members import GroupWrite, MemberChanges, load_members, member_fields, write_members
from store.people.plan import Plan, Writer, check_administrators, make_plan
from store.rows import PrincipalRow
from store.search.sort_key import name_sort_key
from store.tables import ChangeAction, PrincipalKind, PrincipalSource

_GRAPH_NAMES = {
    "name": "name",
    "email": "email",
    "is_admin": "isAdmin",
    "is_active": "isActive",
    "source": "provisionedBy",
}
"""Names of columns in the change log."""


class UserColumns(TypedDict, total=False):
    """Columns of a user to write; those left out keep their values.

    Without them, a new user is active, no administrator, has no e-mail address, and is named by the external id.
    """

    name: str
    email: str | None
    is_admin: bool
    is_active: bool


@dataclass(frozen=True)
class WrittenPeople:
    """Outcome of a write, by external id: all pks and public ids, and which users or groups are new or changed.

    `skipped` has those that would have changed, but belong to another source, with that source.
    """

    pks: Mapping[str, int]
    ids: Mapping[str, str]
    created: Collection[str]
    updated: Collection[str]
    skipped: Mapping[str, PrincipalSource]


class PeopleWriter:
    """Writer for one source, in a transaction whose change log is open.

    It writes and logs only what differs. Before it writes anything, it refuses changes to users and groups that
    another source owns, and the demotion or deactivation of the last active administrator.
    """

    def __init__(
        self,
        connection: AsyncConnection,
        log: ChangeLog,
        source: PrincipalSource,
        hand_over_to: PrincipalSource | None = None,
        *,
        skips_foreign: bool = False,
    ) -> None:
        """Take the transaction, its change log and the source that writes.

        With `hand_over_to`, it may write the users and groups of all sources, and this source owns them from then on.
        With `skips_foreign`, it leaves those of other sources as they are, instead of refusing the write.
        """
        self._connection, self._log = connection, log
        self._writer = Writer(source, hand_over_to, skips_foreign)

    async def write_users(self, users: Mapping[str, UserColumns]) -> WrittenPeople:
        """Create or update users by external id. Up to seven statements. Raises PeopleRefusedError."""
        columns_by_id = {id_: dict(columns) for id_, columns in users.items()}
        plan = await make_plan(self._connection, PrincipalKind.USER, columns_by_id, self._writer)
        await check_administrators(self._connection, plan)
        plan.raise_refusals()
        return await self._write(plan, {})

    async def write_groups(self, groups: Mapping[str, GroupWrite]) -> WrittenPeople:
        """Create or update groups and their members by external id. Up to nine statements.

        Raises PeopleRefusedError.
        """
        columns_by_id = {id_: {} if group.name is None else {"name": group.name} for id_, group in groups.items()}
        plan = await make_plan(self._connection, PrincipalKind.GROUP, columns_by_id, self._writer)
        members = await load_members(self._connection, plan.existing.values())
        changes: dict[str, MemberChanges] = {}
        for id_, group in groups.items():
            row = plan.existing.get(id_)
            change = group.changes_from(set() if row is None else members[row.pk])
            if any(change) and (row is None or plan.check_source(row, self._writer)):
                changes[id_] = change
        plan.raise_refusals()
        return await self._write(plan, changes)

    async def set_active(self, user: PrincipalRow, *, is_active: bool) -> None:
        """Deactivate a user and revoke their tokens, or reactivate them. Up to four statements.

        A user of any source may be deactivated, because a departure must not wait for it. Raises PeopleRefusedError.
        """
        changed = changed_columns(user, {"is_active": is_active})
        plan = Plan({user.external_id: user}, updated={user.external_id: changed} if changed else {})
        await check_administrators(self._connection, plan)
        plan.raise_refusals()
        await self._write(plan, {})

    async def _write(self, plan: Plan, changes: Mapping[str, MemberChanges]) -> WrittenPeople:
        await self._insert(plan)
        await self._update(plan)
        pks = {id_: row.pk for id_, row in plan.existing.items()} | await self._load_pks(plan.created)
        await write_members(self._connection, {pks[id_]: change for id_, change in changes.items()})
        await self._log_changes(plan, await member_fields(self._connection, changes))
        updated = [id_ for id_ in plan.existing if id_ in plan.updated or id_ in changes]
        return WrittenPeople(pks, plan.ids, plan.created.keys(), updated, plan.skipped)

    async def _insert(self, plan: Plan) -> None:
        defaults = {"email": None, "is_admin": False, "is_active": True}
        rows = [
            {"external_id": id_} | defaults | columns | _derived_columns(columns)
            for id_, columns in plan.created.items()
        ]
        if rows:
            await self._connection.execute(insert(sql.principal), rows)

    async def _update(self, plan: Plan) -> None:
        """Write the changed columns, and revoke the tokens of deactivated users. Up to two statements."""
        updated = {id_: {**changed, **_derived_columns(changed)} for id_, changed in plan.updated.items()}
        names = sorted({name for changed in updated.values() for name in changed})
        rows = [
            {"pk_": plan.existing[id_].pk}
            | {f"to_{name}": changed.get(name, getattr(plan.existing[id_], name)) for name in names}
            for id_, changed in updated.items()
        ]
        if rows:
            matching = update(sql.principal).where(sql.principal.c.pk == bindparam("pk_"))
            await self._connection.execute(matching.values({name: bindparam(f"to_{name}") for name in names}), rows)
        deactivated = [plan.existing[id_].pk for id_, new in plan.updated.items() if new.get("is_active") is False]
        if deactivated:
            token = sql.api_token
            valid = update(token).where(token.c.user_pk.in_(sql.int_list(deactivated)), token.c.revoked_at.is_(None))
            await self._connection.execute(valid.values(revoked_at=self._log.at))

    async def _load_pks(self, ids: Collection[str]) -> dict[str, int]:
        if not ids:
            return {}
        principal = sql.principal.c
        rows = select(principal.external_id, principal.pk).where(principal.external_id.in_(sql.text_list(list(ids))))
        return {row.external_id: row.pk for row in await self._connection.execute(rows)}

    async def _log_changes(self, plan: Plan, members: Mapping[str, Sequence[LoggedFieldChange]]) -> None:
        created = {
            columns["id"]: [*_field_changes(None, columns), *members.get(id_, ())]
            for id_, columns in plan.created.items()
        }
        updated = {
            row.id: [*_field_changes(row, plan.updated.get(id_, {})), *members.get(id_, ())]
            for id_, row in plan.existing.items()
            if id_ in plan.updated or id_ in members
        }
        await self._log.append_by_subject(ChangeAction.CREATED, created)
        await self._log.append_by_subject(ChangeAction.UPDATED, updated)


def _derived_columns(columns: Mapping[str, Any]) -> dict[str, str]:
    return {"sort_key": name_sort_key(columns["name"])} if "name" in columns else {}


def _field_changes(row: PrincipalRow | None, columns: Mapping[str, Any]) -> list[LoggedFieldChange]:
    """Return a field change for each column, in the order of _GRAPH_NAMES."""
    return [
        {"field": field, "before": _format(getattr(row, name, None)), "after": _format(columns[name])}
        for name, field in _GRAPH_NAMES.items()
        if name in columns
    ]


def _format(value: object) -> str | None:
    return str(value).lower() if isinstance(value, bool) else None if value is None else str(value)
