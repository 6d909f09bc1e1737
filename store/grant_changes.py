"""Field changes for SHARED and UNSHARED in the change log: the access of a principal before and after."""

from collections.abc import Iterable, Mapping
from typing import cast

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.changes import LoggedFieldChange
from store.rows import PrincipalRow
from store.tables import AssetAccess, PrincipalKind

AccessByPrincipal = Mapping[int, int]
"""Granted access to one asset, by the pk of the principal."""

PrincipalsByPk = Mapping[int, PrincipalRow]
"""Principals, with `id` and `kind`, by pk."""


async def principals_by_pk(connection: AsyncConnection, pks: Iterable[int]) -> dict[int, PrincipalRow]:
    """Return principals by pk. One statement."""
    rows = select(sql.principal).where(sql.principal.c.pk.in_(sql.int_list(sorted(set(pks)))))
    return {row.pk: cast("PrincipalRow", row) for row in await connection.execute(rows)}


def shared_fields(
    before: AccessByPrincipal, after: AccessByPrincipal, principals: PrincipalsByPk
) -> list[LoggedFieldChange]:
    """Return the field changes of new grants and of grants whose access changed."""
    changed = {pk: access for pk, access in after.items() if before.get(pk) != access}
    return [_grant_change(principals[pk], before.get(pk), access) for pk, access in changed.items()]


def unshared_fields(
    before: AccessByPrincipal, after: AccessByPrincipal, principals: PrincipalsByPk
) -> list[LoggedFieldChange]:
    """Return the field changes of revoked grants."""
    return [_grant_change(principals[pk], access, None) for pk, access in before.items() if pk not in after]


def grant_field(principal: PrincipalRow) -> str:
    """Return the name of the field that logs a principal's access."""
    has_id = principal.kind in {PrincipalKind.USER, PrincipalKind.GROUP}
    return f"{principal.kind.lower()}:{principal.id}" if has_id else principal.kind.lower()


def _grant_change(principal: PrincipalRow, before: int | None, after: int | None) -> LoggedFieldChange:
    return {"field": grant_field(principal), "before": _access_name(before), "after": _access_name(after)}


def _access_name(access: int | None) -> str | None:
    return None if access is None else AssetAccess(access).name
