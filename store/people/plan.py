"""Comparison of desired users and groups with the existing ones, before anything is written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.changes import changed_columns
from store.ids import new_id
from store.people.refusal import (
    PeopleRefusedError,
    Refusal,
    refuse_last_administrator,
    refuse_other_kind,
    refuse_other_source,
)
from store.rows import PrincipalRow
from store.tables import PrincipalKind, PrincipalSource
from store.text import fit_name

_ID_PREFIX = {PrincipalKind.USER: "usr", PrincipalKind.GROUP: "grp"}


@dataclass(frozen=True)
class Writer:
    """The source that writes, and the one that owns the users or groups from then on, if they are handed over."""

    source: PrincipalSource
    hand_over_to: PrincipalSource | None = None
    skips_foreign: bool = False  # whether to leave users and groups of other sources as they are, instead of refusing

    def may_write(self, row: PrincipalRow) -> bool:
        """Return whether the source owns the user or group, or it is handed over."""
        return row.source == self.source or self.hand_over_to is not None


@dataclass(frozen=True)
class Plan:
    """Users or groups to write, by external id, in the order of the input."""

    existing: dict[str, PrincipalRow]
    created: dict[str, dict[str, Any]] = field(default_factory=dict)  # all columns
    updated: dict[str, dict[str, Any]] = field(default_factory=dict)  # changed columns only
    refusals: dict[str, Refusal] = field(default_factory=dict)
    skipped: dict[str, PrincipalSource] = field(default_factory=dict)  # left as they are, with their sources

    @property
    def ids(self) -> dict[str, str]:
        """Public ids by external id."""
        existing = {external_id: row.id for external_id, row in self.existing.items()}
        return existing | {external_id: columns["id"] for external_id, columns in self.created.items()}

    def check_source(self, row: PrincipalRow, writer: Writer) -> bool:
        """Return whether the source owns the user or group; if not, refuse the change to it, or skip it."""
        if writer.may_write(row):
            return True
        if writer.skips_foreign:
            self.skipped[row.external_id] = PrincipalSource(row.source)
        else:
            self.refusals.setdefault(row.external_id, refuse_other_source(row))
        return False

    def raise_refusals(self) -> None:
        """Raise PeopleRefusedError if a part of the plan is refused."""
        if self.refusals:
            raise PeopleRefusedError(self.refusals)


async def make_plan(
    connection: AsyncConnection, kind: PrincipalKind, columns_by_id: Mapping[str, Mapping[str, Any]], writer: Writer
) -> Plan:
    """Return the plan to create or update users or groups, with its refusals. One statement."""
    ids = sql.text_list(list(columns_by_id))
    rows = await connection.execute(select(sql.principal).where(sql.principal.c.external_id.in_(ids)))
    by_id = {row.external_id: cast("PrincipalRow", row) for row in rows}
    plan = Plan({id_: by_id[id_] for id_ in columns_by_id if id_ in by_id})
    owner = {} if writer.hand_over_to is None else {"source": writer.hand_over_to}
    for id_, columns in columns_by_id.items():
        row = plan.existing.get(id_)
        if row is None:
            defaults = {
                "kind": kind,
                "id": new_id(_ID_PREFIX[kind]),
                "name": fit_name(id_) or id_,
                "source": writer.source,
            }
            plan.created[id_] = {**defaults, **columns, **owner}
        elif row.kind != kind:
            plan.refusals[id_] = refuse_other_kind(row, kind)
        elif (changed := changed_columns(row, {**columns, **owner})) and plan.check_source(row, writer):
            plan.updated[id_] = changed
    return plan


async def check_administrators(connection: AsyncConnection, plan: Plan) -> None:
    """Refuse to demote or deactivate the last active administrator. One statement, none if no administrator goes."""
    was_admin = {id_ for id_ in plan.updated if _is_active_admin(plan.existing[id_], {})}
    will_be_admin = {id_ for id_, columns in plan.updated.items() if _is_active_admin(plan.existing[id_], columns)}
    will_be_admin |= {id_ for id_, new in plan.created.items() if new.get("is_admin") and new.get("is_active", True)}
    leaving = was_admin - will_be_admin
    if not leaving or will_be_admin:
        return
    principal = sql.principal.c
    active = select(principal.external_id).where(principal.is_admin, principal.is_active)
    if not set(await connection.scalars(active)) - leaving:
        plan.refusals.update({id_: refuse_last_administrator(id_) for id_ in sorted(leaving)})


def _is_active_admin(row: PrincipalRow, columns: Mapping[str, Any]) -> bool:
    return bool(columns.get("is_admin", row.is_admin) and columns.get("is_active", row.is_active))
