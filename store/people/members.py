"""Members of groups: comparison, writing, and their entries in the change log."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.bulk_insert import insert_many
from store.changes import LoggedFieldChange
from store.rows import PrincipalRow


@dataclass(frozen=True)
class GroupWrite:
    """Changes to a group: its name, None to keep it, and its members, as pks of users."""

    name: str | None = None
    members: Collection[int] | None = None  # all members; None to keep those who are neither added nor removed
    add: Collection[int] = ()
    remove: Collection[int] = ()

    def changes_from(self, existing: set[int]) -> "MemberChanges":
        """Return who joins and who leaves a group with these members."""
        desired = (existing if self.members is None else set(self.members)) | set(self.add)
        desired -= set(self.remove)
        return MemberChanges(sorted(desired - existing), sorted(existing - desired))


class MemberChanges(NamedTuple):
    """Pks of the users who join a group and of those who leave it."""

    joining: list[int]
    leaving: list[int]


async def load_members(connection: AsyncConnection, groups: Iterable[PrincipalRow]) -> dict[int, set[int]]:
    """Return the members' pks by the group's pk, empty sets included. One statement."""
    members: dict[int, set[int]] = {group.pk: set() for group in groups}
    member = sql.group_member
    for row in await connection.execute(select(member).where(member.c.group_pk.in_(sql.int_list(list(members))))):
        members[row.group_pk].add(row.user_pk)
    return members


async def write_members(connection: AsyncConnection, changes_by_group: Mapping[int, MemberChanges]) -> None:
    """Write the changes of each group. Up to two statements, and one more per further 5,000 new members."""
    joining = [
        {"group_pk": group, "user_pk": user} for group, changes in changes_by_group.items() for user in changes.joining
    ]
    await insert_many(connection, sql.group_member, joining)
    leaving = [
        {"group": group, "user": user} for group, changes in changes_by_group.items() for user in changes.leaving
    ]
    if leaving:
        member = sql.group_member.c
        is_leaving = (member.group_pk == bindparam("group"), member.user_pk == bindparam("user"))
        await connection.execute(delete(sql.group_member).where(*is_leaving), leaving)


async def member_fields(
    connection: AsyncConnection, changes_by_id: Mapping[str, MemberChanges]
) -> dict[str, list[LoggedFieldChange]]:
    """Return the logged changes of members by the group's external id: the user's name, before or after.

    One statement; none without changes.
    """
    pks = sorted({pk for changes in changes_by_id.values() for side in changes for pk in side})
    if not pks:
        return {}
    principal = sql.principal.c
    named = select(principal.pk, principal.id, principal.name).where(principal.pk.in_(sql.int_list(pks)))
    users = {row.pk: row for row in await connection.execute(named)}
    return {
        id_: [
            *({"field": f"member:{users[pk].id}", "before": None, "after": users[pk].name} for pk in changes.joining),
            *({"field": f"member:{users[pk].id}", "before": users[pk].name, "after": None} for pk in changes.leaving),
        ]
        for id_, changes in changes_by_id.items()
    }
