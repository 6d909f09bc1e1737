"""Change log entries for assets written by an import: field changes, granted and revoked access.

A viewer reads no more in the log than on the asset. A change requires the lowest access that any of its fields does;
`resolvers/change.py` omits the fields that require more than the viewer has.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from store.asset_columns import ACCESS_BY_FIELD, ASSET_COLUMNS
from store.catalogue.existing import NO_RELATIONS, Relations
from store.changes import ChangeLog, LoggedFieldChange
from store.grant_changes import PrincipalsByPk, principals_by_pk, shared_fields, unshared_fields
from store.tables import AssetAccess, ChangeAction

# Without `created_at` and `updated_at`, because a change has its own time.
GRAPH_NAMES = {column.name: column.graph_name for column in ASSET_COLUMNS}


@dataclass(frozen=True)
class AssetWrite:
    """A created or updated asset: its new column values (of an update, those that differ) and its relations."""

    id: str
    row: Row[Any] | None  # before the write; None for a created asset
    columns: Mapping[str, Any]
    before: Relations = NO_RELATIONS
    after: Relations = NO_RELATIONS

    @property
    def principal_pks(self) -> Iterable[int]:
        """Owners and grantees, before and after the write. May contain duplicates."""
        owners = [pk for pk in (self.columns.get("owner_pk"), self.row and self.row.owner_pk) if pk is not None]
        return (*owners, *self.before.access_by_principal, *self.after.access_by_principal)


async def append_changes(connection: AsyncConnection, log: ChangeLog, writes: Sequence[AssetWrite]) -> None:
    """Append CREATED, UPDATED, SHARED and UNSHARED changes. One statement per action and required access."""
    if not writes:
        return
    principals = await principals_by_pk(connection, [pk for write in writes for pk in write.principal_pks])
    updates = [write for write in writes if write.row is not None]
    created = {write.id: _created_fields(write, principals) for write in writes if write.row is None}
    await log.append_by_subject(ChangeAction.CREATED, created)
    updated: defaultdict[int, dict[str, list[LoggedFieldChange]]] = defaultdict(dict)
    for write in updates:
        fields = _updated_fields(write, principals)
        if fields is not None:
            updated[_required_access(fields)][write.id] = fields
    for access in sorted(updated):
        await log.append_by_subject(ChangeAction.UPDATED, updated[access], access)
    # A user who registers an asset may grant themselves access to it. An import's grants are in its file.
    shared = updates if log.actor_pk is None else writes
    for action, grant_fields in ((ChangeAction.SHARED, shared_fields), (ChangeAction.UNSHARED, unshared_fields)):
        grants = {write.id: grant_fields(*_accesses(write), principals) for write in shared}
        changed = {id_: fields for id_, fields in grants.items() if fields}
        await log.append_by_subject(action, changed, AssetAccess.OWNER.value)


def _accesses(write: AssetWrite) -> tuple[Mapping[int, int], Mapping[int, int]]:
    """Return the grants before and after the write. The owner of a new asset is among its fields."""
    after = write.after.access_by_principal
    if write.row is None:
        after = {pk: access for pk, access in after.items() if pk != write.columns["owner_pk"]}
    return write.before.access_by_principal, after


def _created_fields(write: AssetWrite, principals: PrincipalsByPk) -> list[LoggedFieldChange]:
    """Return the initial values of the fields that every viewer of the asset may read."""
    values = {
        name: _format(column, write.columns[column], principals)
        for column, name in GRAPH_NAMES.items()
        if column in write.columns and name not in ACCESS_BY_FIELD
    }
    return [{"field": name, "before": None, "after": value} for name, value in values.items() if value is not None]


def _updated_fields(write: AssetWrite, principals: PrincipalsByPk) -> list[LoggedFieldChange] | None:
    """Return the changed fields; None if only grants changed."""
    before, after = write.before.uses, write.after.uses
    if not write.columns and before == after:
        return None
    fields: list[LoggedFieldChange] = [
        {
            "field": GRAPH_NAMES[column],
            "before": _format(column, getattr(write.row, column), principals),
            "after": _format(column, value, principals),
        }
        for column, value in write.columns.items()
        if column in GRAPH_NAMES
    ]
    if before != after:
        fields.append({"field": "uses", "before": _join(before), "after": _join(after)})
    return fields


def _required_access(fields: Sequence[LoggedFieldChange]) -> int:
    return min((int(ACCESS_BY_FIELD.get(str(change["field"]), 0)) for change in fields), default=0)


def _format(column: str, value: Any, principals: PrincipalsByPk) -> str | None:
    if value is None:
        return None
    if column == "owner_pk":
        return str(principals[value].id)
    match column:
        case "tags":
            return _join(value)
        case "properties":
            return "; ".join(f"{name}: {', '.join(values)}" for name, values in value.items()) or None
        case _:
            return str(value)


def _join(values: Sequence[str]) -> str | None:
    return ", ".join(values) or None
