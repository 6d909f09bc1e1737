"""This file is users and groups being written: a group's members become those that its line names."""

from sqlalchemy import select

from store import sql
from store.catalogue.parsed import ParsedCatalogue
from store.catalogue.upsert import DesiredRow, ImportSession


async def write_principals(write: ImportSession, told: ParsedCatalogue) -> dict[str, int]:
    """Write the users and groups, and return the pks of all that there are, everyone and public among them."""
    users = {
        line.id: DesiredRow(
            "user", "usr", {"kind": "USER", "name": line.name, "email": line.email, "is_admin": line.isAdmin}
        )
        for line in told.users.values()
    }
    await write.upsert(sql.principal, "external_id", users)
    changed = await _changed_groups(write, told)
    groups = {
        line.id: DesiredRow(
            "group", "grp", {"kind": "GROUP", "name": line.name}, {"is_admin": False}, line.id in changed
        )
        for line in told.groups.values()
    }
    await write.upsert(sql.principal, "external_id", groups)
    everybody = await write.connection.execute(select(sql.principal.c.external_id, sql.principal.c.pk))
    pks = {row.external_id: row.pk for row in everybody}
    members = [
        {"group_pk": pks[group], "user_pk": pks[user]}
        for group in changed
        for user in sorted(set(told.groups[group].members))
    ]
    await write.replace(sql.group_member.c.group_pk, [pks[group] for group in changed], members)
    return pks


async def _changed_groups(write: ImportSession, told: ParsedCatalogue) -> list[str]:
    """Return the groups of the file whose members are others than the database has."""
    group, user, member = sql.principal.alias("in_group"), sql.principal.alias("member"), sql.group_member
    rows = (
        select(group.c.external_id.label("group"), user.c.external_id.label("user"))
        .select_from(member)
        .join(group, group.c.pk == member.c.group_pk)
        .join(user, user.c.pk == member.c.user_pk)
    )
    held: dict[str, set[str]] = {}
    for row in await write.connection.execute(rows):
        held.setdefault(row.group, set()).add(row.user)
    return [id_ for id_, line in told.groups.items() if held.get(id_, set()) != set(line.members)]
