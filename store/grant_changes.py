"""This file is what the log tells of grants: to whom which access was given, and from whom it was taken."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.changes import FieldChange
from store.tables import AssetAccess, PrincipalKind

AccessByPrincipal = Mapping[int, int]
"""The access to one asset, by the pk of the principal who holds it."""

PrincipalByPk = Mapping[int, Row[Any]]
"""Rows with `id` and `kind`, by pk."""


async def principals_by_pk(connection: AsyncConnection, pks: Iterable[int]) -> dict[int, Row[Any]]:
    """Return the rows of principals by pk. One statement."""
    rows = select(sql.principal).where(sql.principal.c.pk.in_(sql.int_list(sorted(set(pks)))))
    return {row.pk: row for row in await connection.execute(rows)}


def shared_fields(before: AccessByPrincipal, after: AccessByPrincipal, principals: PrincipalByPk) -> list[FieldChange]:
    """Return what is told of the grants that are new or of another access."""
    return [_told(principals[pk], before.get(pk), access) for pk, access in after.items() if before.get(pk) != access]


def unshared_fields(
    before: AccessByPrincipal, after: AccessByPrincipal, principals: PrincipalByPk
) -> list[FieldChange]:
    """Return what is told of the grants that are gone."""
    return [_told(principals[pk], access, None) for pk, access in before.items() if pk not in after]


def _told(principal: Row[Any], before: int | None, after: int | None) -> FieldChange:
    is_one_of_many = principal.kind in {PrincipalKind.USER, PrincipalKind.GROUP}
    field = f"{principal.kind.lower()}:{principal.id}" if is_one_of_many else principal.kind.lower()
    return {"field": field, "before": _name(before), "after": _name(after)}


def _name(access: int | None) -> str | None:
    return None if access is None else AssetAccess(access).name
