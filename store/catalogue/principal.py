"""Import of users and groups: a group's line replaces all of its members."""

from sqlalchemy import select

from store import sql
from store.catalogue.parsed import ParsedCatalogue
from store.catalogue.upsert import DesiredRow, ImportSession


async def write_principals(session: ImportSession, catalogue: ParsedCatalogue) -> dict[str, int]:
    """Write users and groups. Return pks by external id, of all principals including `everyone` and `public`."""
    users = {
        line.id: DesiredRow(
            "user", "usr", {"kind": "USER", "name": line.name, "email": line.email, "is_admin": line.isAdmin}
        )
        for line in catalogue.users.values()
    }
    await session.upsert_and_log(sql.principal, "external_id", users)
    changed = await _groups_with_other_members(session, catalogue)
    groups = {
        line.id: DesiredRow(
            "group", "grp", {"kind": "GROUP", "name": line.name}, {"is_admin": False}, line.id in changed
        )
        for line in catalogue.groups.values()
    }
    await session.upsert_and_log(sql.principal, "external_id", groups)
    principals = await session.connection.execute(select(sql.principal.c.external_id, sql.principal.c.pk))
    pks = {row.external_id: row.pk for row in principals}
    members = [
        {"group_pk": pks[group], "user_pk": pks[user]}
        for group in changed
        for user in sorted(set(catalogue.groups[group].members))
    ]
    await session.replace(sql.group_member.c.group_pk, [pks[group] for group in changed], members)
    return pks


async def _groups_with_other_members(session: ImportSession, catalogue: ParsedCatalogue) -> list[str]:
    """Return the ids of groups whose members differ between file and database. One statement."""
    group, user, member = sql.principal.alias("in_group"), sql.principal.alias("member"), sql.group_member
    rows = (
        select(group.c.external_id.label("group"), user.c.external_id.label("user"))
        .select_from(member)
        .join(group, group.c.pk == member.c.group_pk)
        .join(user, user.c.pk == member.c.user_pk)
    )
    existing: dict[str, set[str]] = {}
    for row in await session.connection.execute(rows):
        existing.setdefault(row.group, set()).add(row.user)
    return [id_ for id_, line in catalogue.groups.items() if existing.get(id_, set()) != set(line.members)]
