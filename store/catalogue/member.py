"""Import of the members of collections: additions and removals since the last import, without edits by people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Row, bindparam, delete, select, update

from store import sql
from store.catalogue.lines import CollectionLine, MemberLine
from store.catalogue.upsert import ImportSession
from store.changes import MemberChange
from store.membership_ranks import next_ranks
from store.ranks import GAP
from store.tables import ChangeAction

Entry = dict[str, Any]
"""State of a line's member: its note, addedAt and addedBy, as far as it has them, and `made`: the time and the
user's pk of the membership that an import made. Without `made`, people added the member."""

Memberships = Mapping[int, Row[Any]]
"""Memberships of one collection by the pk of the asset."""


class LineOfCollection(NamedTuple):
    """A line and its collection, with the entries at the last import; None if people edited the collection first."""

    line: CollectionLine
    id: str
    pk: int
    imported: Mapping[str, Entry] | None


@dataclass
class MemberPlan:
    """Changes to the members of one collection, and the entries of its line for the next import."""

    added: list[MemberLine] = field(default_factory=list)
    removed: list[Row[Any]] = field(default_factory=list)
    updated: list[tuple[Row[Any], dict[str, Any]]] = field(default_factory=list)  # with the new values
    entries: dict[str, Entry] = field(default_factory=dict)  # by external id of the asset
    missing: int = 0  # members of the line that people removed

    @property
    def has_changes(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.added or self.removed or self.updated)


class MemberWriter:
    """Writer of the members of all collections that have lines."""

    def __init__(self, session: ImportSession, assets: Mapping[str, int], users: Mapping[str, int]) -> None:
        """Take the pks of assets and users by external id."""
        self._session, self._assets, self._users = session, assets, users
        self.future_ids: list[str] = []  # members whose time is in the future, with their collections

    async def write(self, lines: Sequence[LineOfCollection]) -> dict[str, MemberPlan]:
        """Write the members, and return the plans by the id of the collection.

        Added assets come after existing members, in the order of the line.
        """
        memberships = await self._load_memberships([line.pk for line in lines])
        plans = {line.id: self._plan(line, memberships[line.pk]) for line in lines}
        ranks = await next_ranks(self._session.connection, [line.pk for line in lines if plans[line.id].added])
        rows = [
            self._row(member, line.pk, ranks[line.pk] + index * GAP)
            for line in lines
            for index, member in enumerate(plans[line.id].added)
        ]
        for line in lines:
            await self._delete(line.pk, plans[line.id].removed)
        await self._update([(line.pk, *updated) for line in lines for updated in plans[line.id].updated])
        await self._session.insert(sql.membership, rows)
        await self._log(plans)
        return plans

    def _plan(self, line: LineOfCollection, memberships: Memberships) -> MemberPlan:
        plan = MemberPlan()
        for member in line.line.assets:
            membership = memberships.get(self._assets[member.id])
            self._plan_member(plan, member, line.imported, membership)
            if self._session.past(member.addedAt) != member.addedAt:
                self.future_ids.append(f"{member.id} in {line.line.slug}")
        for id_, entry in (line.imported or {}).items():
            membership = memberships.get(self._assets[id_])
            if id_ not in plan.entries and membership is not None and _is_made(entry, membership):
                plan.removed.append(membership)
        return plan

    def _plan_member(
        self, plan: MemberPlan, member: MemberLine, imported: Mapping[str, Entry] | None, membership: Row[Any] | None
    ) -> None:
        entry: Entry = member.model_dump(exclude={"id"}, exclude_none=True)
        plan.entries[member.id] = entry
        if imported is not None and member.id not in imported:
            if membership is None:
                plan.added.append(member)
                entry["made"] = [self._added_at(member), self._added_by(member)]
            return
        if membership is None:
            plan.missing += 1
        former = (imported or {}).get(member.id, {})
        if "made" not in former:
            return
        entry["made"] = former["made"]
        if entry != former and membership is not None and _is_made(former, membership):
            values = {"note": member.note, "added_by_pk": self._added_by(member)}
            added_at = self._session.past(member.addedAt)
            values["added_at"] = membership.added_at if added_at is None else added_at
            plan.updated.append((membership, values))
            entry["made"] = [values["added_at"], values["added_by_pk"]]

    def _added_at(self, member: MemberLine) -> int:
        added_at = self._session.past(member.addedAt)
        return self._session.log.at if added_at is None else added_at

    def _added_by(self, member: MemberLine) -> int | None:
        return self._users[member.addedBy] if member.addedBy else None

    def _row(self, member: MemberLine, collection_pk: int, rank: int) -> dict[str, Any]:
        key = {"collection_pk": collection_pk, "asset_pk": self._assets[member.id], "rank": rank}
        return key | {
            "added_at": self._added_at(member),
            "added_by_pk": self._added_by(member),
            "note": member.note,
        }

    async def _load_memberships(self, collection_pks: Sequence[int]) -> dict[int, dict[int, Row[Any]]]:
        membership = sql.membership
        rows = select(membership).where(membership.c.collection_pk.in_(sql.int_list(collection_pks)))
        memberships: dict[int, dict[int, Row[Any]]] = {pk: {} for pk in collection_pks}
        for row in await self._session.connection.execute(rows):
            memberships[row.collection_pk][row.asset_pk] = row
        return memberships

    async def _delete(self, collection_pk: int, rows: Sequence[Row[Any]]) -> None:
        membership = sql.membership
        if rows:
            is_removed = membership.c.asset_pk.in_(sql.int_list([row.asset_pk for row in rows]))
            of_collection = membership.c.collection_pk == collection_pk
            await self._session.connection.execute(delete(membership).where(of_collection, is_removed))

    async def _update(self, updates: Sequence[tuple[int, Row[Any], dict[str, Any]]]) -> None:
        membership = sql.membership
        if updates:
            one = update(membership).where(
                membership.c.collection_pk == bindparam("of_collection"), membership.c.asset_pk == bindparam("of_asset")
            )
            rows = [
                {"of_collection": pk, "of_asset": row.asset_pk}
                | {f"to_{name}": value for name, value in values.items()}
                for pk, row, values in updates
            ]
            assignments: dict[str, Any] = {
                name: bindparam(f"to_{name}") for name in ("note", "added_at", "added_by_pk")
            }
            await self._session.connection.execute(one.values(assignments), rows)

    async def _log(self, plans: Mapping[str, MemberPlan]) -> None:
        """Log the changes. An update is logged as a removal and an addition, which only viewers of the asset see."""
        removed = {
            id_: [_member_change(row) for row in (*plan.removed, *(row for row, _ in plan.updated))]
            for id_, plan in plans.items()
        }
        added = {
            id_: [
                *(MemberChange(row.asset_pk) for row, _ in plan.updated),
                *(MemberChange(self._assets[member.id]) for member in plan.added),
            ]
            for id_, plan in plans.items()
        }
        await self._session.log.append_member_changes(ChangeAction.ASSETS_REMOVED, removed)
        await self._session.log.append_member_changes(ChangeAction.ASSETS_ADDED, added)


def _is_made(entry: Entry, membership: Row[Any]) -> bool:
    """Return whether an import made the membership."""
    return bool(entry.get("made") == [membership.added_at, membership.added_by_pk])


def _member_change(row: Row[Any]) -> MemberChange:
    return MemberChange(row.asset_pk, row.rank, row.added_at, row.added_by_pk, row.note)
