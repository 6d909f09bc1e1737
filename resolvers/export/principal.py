"""Export of users and groups.

Members see the ids that users and groups have in the platform; anonymous visitors see those in Atoll only. An export
of some collections has all users and groups, not only those that its other lines name.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from permissions import Viewer, visible
from resolvers.export.line import ExportedLines, build_line
from resolvers.export.page import read_pages
from resolvers.export.scope import WHOLE, Scope
from resolvers.listing.statement_cache import cached
from store import sql
from store.catalogue.lines import GroupLine, UserLine
from store.database import Snapshot
from store.sql import Expression, Selection
from store.tables import EVERYONE_PK, PUBLIC_PK, PrincipalKind

IdByPk = Mapping[int, str]
BUILT_IN_IDS = {EVERYONE_PK: "everyone", PUBLIC_PK: "public"}


async def user_lines(snapshot: Snapshot, viewer: Viewer, _scope: Scope = WHOLE) -> ExportedLines:
    """Yield the users, by id. One statement for each page."""
    async for page in read_pages(snapshot, select_users(viewer), [_line_id(viewer)]):
        for row in page:
            yield build_line(UserLine, "user", {"id": row.line_id, "name": row.name} | _member_details(row, viewer))


def _member_details(user: Any, viewer: Viewer) -> dict[str, Any]:
    """Return the fields of a user that members see. A user is active unless the line says otherwise."""
    if not viewer.is_signed_in:
        return {}
    return {"email": user.email, "isAdmin": user.is_admin, "isActive": None if user.is_active else False}


async def group_lines(snapshot: Snapshot, viewer: Viewer, _scope: Scope = WHOLE) -> ExportedLines:
    """Yield the groups, by id, with those of their members that the viewer sees. Three statements for each page."""
    async for page in read_pages(snapshot, select_groups(viewer), [_line_id(viewer)]):
        user_pks: defaultdict[int, list[int]] = defaultdict(list)
        in_page = sql.group_member.c.group_pk.in_(sql.int_list([row.pk for row in page]))
        for member in await snapshot.rows(visible(sql.group_member, viewer).where(in_page)):
            user_pks[member.group_pk].append(member.user_pk)
        ids = await load_ids(snapshot, viewer, {pk for pks in user_pks.values() for pk in pks})
        for row in page:
            members = sorted(ids[pk] for pk in user_pks[row.pk] if pk in ids)
            yield build_line(GroupLine, "group", {"id": row.line_id, "name": row.name, "members": members})


async def load_ids(snapshot: Snapshot, viewer: Viewer, pks: Iterable[int | None]) -> IdByPk:
    """Return the ids in lines, by pk, of `everyone`, `public`, and those of the others that the viewer sees.

    One statement.
    """
    keys = sql.json_text(sorted({pk for pk in pks if pk is not None}))
    statement = cached((viewer.kind, "ids in lines"), lambda: _select_ids(viewer))
    rows = await snapshot.rows(statement, {**viewer.parameters, "keys": keys})
    return BUILT_IN_IDS | {row.pk: row.line_id for row in rows}


def _select_ids(viewer: Viewer) -> Selection:
    """Return the SELECT of pks and ids in lines of the visible principals with the pks in the parameter `keys`."""
    principal = sql.principal
    rows = visible(principal, viewer).where(principal.c.pk.in_(sql.int_table("keys").select()))
    return rows.with_only_columns(principal.c.pk, _line_id(viewer).label("line_id"), maintain_column_froms=True)


def select_users(viewer: Viewer, _scope: Scope = WHOLE) -> Selection:
    """Return the SELECT of the users that the viewer sees."""
    return _select_principals(viewer, PrincipalKind.USER)


def select_groups(viewer: Viewer, _scope: Scope = WHOLE) -> Selection:
    """Return the SELECT of the groups that the viewer sees."""
    return _select_principals(viewer, PrincipalKind.GROUP)


def _select_principals(viewer: Viewer, kind: PrincipalKind) -> Selection:
    rows = visible(sql.principal, viewer).where(sql.principal.c.kind == kind)
    return rows.add_columns(_line_id(viewer).label("line_id"))


def _line_id(viewer: Viewer) -> Expression:
    return sql.principal.c.external_id if viewer.is_signed_in else sql.principal.c.id
