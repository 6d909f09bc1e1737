"""Users and groups as an identity provider sent them by SCIM, beside the principals that they are."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, delete, false, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.database import Snapshot
from store.rows import PrincipalRow
from store.sql import Selection
from store.tables import PrincipalKind
from store.text import fold_name, is_storable


class StoredResource(NamedTuple):
    """A resource with its principal."""

    pk: int
    id: str
    principal_id: str  # external id of the principal
    is_active: bool
    resource: Mapping[str, Any]
    created_at: int
    updated_at: int


class Reference(NamedTuple):
    """A member of a group, or a group of a member."""

    id: str
    name: str


class Filter(NamedTuple):
    """Values that resources must have, all of them; None for any."""

    id: str | None = None
    name: str | None = None  # a user's name for signing in, or a group's name, in any case
    external_id: str | None = None

    def conditions(self, kind: PrincipalKind) -> list[ColumnElement[bool]]:
        """Return the conditions on resources of the kind."""
        resource = sql.scim_resource.c
        found = [resource.kind == kind]
        if not all(is_storable(value) for value in self if value is not None):
            return [false()]  # no resource has such a value, and PostgreSQL refuses to compare with it
        if self.id is not None:
            found.append(sql.principal.c.id == self.id)
        if self.name is not None:
            found.append(resource.name_key == fold_name(self.name))
        if self.external_id is not None:
            found.append(resource.external_id == self.external_id)
        return found


async def find(snapshot: Snapshot, kind: PrincipalKind, match: Filter) -> StoredResource | None:
    """Return the oldest resource that matches; None if there is none. One statement."""
    resources = await fetch_page(snapshot, kind, match, 0, 1)
    return resources[0] if resources else None


async def get(snapshot: Snapshot, kind: PrincipalKind, pk: int) -> StoredResource:
    """Return the resource of a principal that has one. One statement."""
    [row] = await snapshot.rows(_select(kind, Filter()).where(sql.principal.c.pk == pk))
    return StoredResource._make(row)


async def fetch_page(
    snapshot: Snapshot, kind: PrincipalKind, match: Filter, offset: int, limit: int
) -> list[StoredResource]:
    """Return a page of the matching resources, the oldest first. One statement."""
    rows = _select(kind, match).order_by(sql.principal.c.pk).offset(offset).limit(limit)
    return [StoredResource._make(row) for row in await snapshot.rows(rows)]


async def count(snapshot: Snapshot, kind: PrincipalKind, match: Filter) -> int:
    """Count the matching resources. One statement."""
    ((number,),) = await snapshot.rows(_select(kind, match).with_only_columns(func.count()))
    return int(number)


async def find_principal(snapshot: Snapshot, external_id: str) -> PrincipalRow | None:
    """Return the user or group with this external id, of any source; None if there is none. One statement."""
    rows = await snapshot.rows(select(sql.principal).where(sql.principal.c.external_id == external_id))
    return cast("PrincipalRow", rows[0]) if rows else None


async def find_users(snapshot: Snapshot, ids: Iterable[str]) -> dict[str, int]:
    """Return the pks of those ids that are users of the identity provider. One statement."""
    users = _select(PrincipalKind.USER, Filter()).where(sql.principal.c.id.in_(sql.text_list(list(ids))))
    return {row.id: row.pk for row in await snapshot.rows(users)}


async def fetch_members(snapshot: Snapshot, pks: Sequence[int]) -> dict[int, list[Reference]]:
    """Return the members of each group that are users of the identity provider, the oldest first. One statement."""
    member = sql.group_member.c
    rows = (
        _select(PrincipalKind.USER, Filter())
        .join(sql.group_member, member.user_pk == sql.principal.c.pk)
        .where(member.group_pk.in_(sql.int_list(pks)))
        .with_only_columns(member.group_pk, sql.principal.c.id, sql.principal.c.name)
    )
    return _references(pks, await snapshot.rows(rows.order_by(sql.principal.c.pk)))


async def fetch_groups(snapshot: Snapshot, pks: Sequence[int]) -> dict[int, list[Reference]]:
    """Return the groups of the identity provider that each user is a member of. One statement."""
    member = sql.group_member.c
    rows = (
        _select(PrincipalKind.GROUP, Filter())
        .join(sql.group_member, member.group_pk == sql.principal.c.pk)
        .where(member.user_pk.in_(sql.int_list(pks)))
        .with_only_columns(member.user_pk, sql.principal.c.id, sql.principal.c.name)
    )
    return _references(pks, await snapshot.rows(rows.order_by(sql.principal.c.pk)))


async def fetch_group_ids(snapshot: Snapshot, pk: int) -> list[str]:
    """Return the external ids of all groups of the identity provider that a user is a member of. One statement."""
    member = sql.group_member.c
    groups = _select(PrincipalKind.GROUP, Filter()).join(sql.group_member, member.group_pk == sql.principal.c.pk)
    own = groups.where(member.user_pk == pk).with_only_columns(sql.principal.c.external_id)
    return [row.external_id for row in await snapshot.rows(own)]


async def save(
    connection: AsyncConnection,
    pk: int,
    kind: PrincipalKind,
    *,
    name: str,
    resource: Mapping[str, Any],
    at: int,
) -> None:
    """Store the resource of a principal, whether it is new or not. Up to two statements."""
    table = sql.scim_resource
    values = {"name_key": fold_name(name), "external_id": resource.get("externalId"), "resource": dict(resource)}
    values |= {"updated_at": at}
    matched = await connection.execute(update(table).where(table.c.principal_pk == pk).values(values))
    if not matched.rowcount:
        await connection.execute(insert(table).values(principal_pk=pk, kind=kind, created_at=at, **values))


async def forget(connection: AsyncConnection, pk: int) -> None:
    """Delete the resource of a principal, which stays. One statement."""
    await connection.execute(delete(sql.scim_resource).where(sql.scim_resource.c.principal_pk == pk))


def _select(kind: PrincipalKind, match: Filter) -> Selection:
    principal, resource = sql.principal.c, sql.scim_resource.c
    columns = (principal.pk, principal.id, principal.external_id, principal.is_active)
    stored = (resource.resource, resource.created_at, resource.updated_at)
    joined = sql.scim_resource.join(sql.principal, principal.pk == resource.principal_pk)
    return select(*columns, *stored).select_from(joined).where(*match.conditions(kind))


def _references(pks: Iterable[int], rows: Iterable[Any]) -> dict[int, list[Reference]]:
    found: dict[int, list[Reference]] = {pk: [] for pk in pks}
    for pk, id_, name in rows:
        found[pk].append(Reference(id_, name))
    return found
