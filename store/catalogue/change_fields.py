"""This file is what the log tells of assets that were written: their fields, and with whom they are shared.

Whoever reads the log is told no more of an asset than the asset tells them: a change of what only some see of it, its
content or its grants, needs their access.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from store.changes import ChangeLog, FieldChange
from store.grant_changes import AccessByPrincipal, PrincipalByPk, principals_by_pk, shared_fields, unshared_fields
from store.tables import AssetAccess, ChangeAction

CONTENT = frozenset({"url", "source"})  # columns for those who may view the asset
FIELDS = {
    "kind": "kind",
    "status": "status",
    "name": "name",
    "description": "description",
    "owner_pk": "owner",
    "tags": "tags",
    "license": "license",
    "doi": "doi",
    "version": "version",
    "url": "url",
    "language": "language",
    "step_count": "stepCount",
    "app_kind": "appKind",
    "data_kind": "dataKind",
    "size_bytes": "sizeBytes",
    "file_count": "fileCount",
    "source": "source",
    "framework": "framework",
}
"""The graph's name of each column that is told. Of its times, a change has its own."""


@dataclass(frozen=True)
class AssetWrite:
    """What became of one asset: columns and uses that differ, and its grants, before and after."""

    id: str
    row: Row[Any] | None  # before; None for a new one
    columns: Mapping[str, Any]
    uses: tuple[Sequence[str], Sequence[str]] = ((), ())
    grants: tuple[AccessByPrincipal, AccessByPrincipal] = field(default_factory=lambda: ({}, {}))

    @property
    def principals(self) -> Iterable[int]:
        """The pks of everybody who is told of."""
        owners = [pk for pk in (self.columns.get("owner_pk"), self.row and self.row.owner_pk) if pk is not None]
        return (*owners, *self.grants[0], *self.grants[1])


async def append_changes(connection: AsyncConnection, log: ChangeLog, written: Sequence[AssetWrite]) -> None:
    """Append what became of the assets: CREATED or UPDATED, SHARED and UNSHARED. At most five statements."""
    if not written:
        return
    principals = await principals_by_pk(connection, [pk for each in written for pk in each.principals])
    old = [each for each in written if each.row is not None]
    created = {each.id: _created(each, principals) for each in written if each.row is None}
    updated = {each.id: fields for each in old if (fields := _updated(each, principals)) is not None}
    content = {id_: fields for id_, fields in updated.items() if _is_content(fields)}
    seen = {id_: fields for id_, fields in updated.items() if id_ not in content}
    await log.append_by_subject(ChangeAction.CREATED, created)
    await log.append_by_subject(ChangeAction.UPDATED, seen)
    await log.append_by_subject(ChangeAction.UPDATED, content, AssetAccess.VIEWER.value)
    for action, told_of in ((ChangeAction.SHARED, shared_fields), (ChangeAction.UNSHARED, unshared_fields)):
        fields_of = {each.id: fields for each in old if (fields := told_of(*each.grants, principals))}
        await log.append_by_subject(action, fields_of, AssetAccess.OWNER.value)


def _created(asset: AssetWrite, principals: PrincipalByPk) -> list[FieldChange]:
    """Return what is told of a new asset: what all see who see it."""
    values = {column: value for column, value in asset.columns.items() if column in FIELDS.keys() - CONTENT}
    told = {FIELDS[column]: _word(column, value, principals) for column, value in values.items()}
    return [{"field": name, "before": None, "after": after} for name, after in told.items() if after is not None]


def _updated(asset: AssetWrite, principals: PrincipalByPk) -> list[FieldChange] | None:
    """Return what is told of an asset that differs, None for one that is only shared otherwise."""
    before, after = asset.uses
    if not asset.columns and before == after:
        return None
    told: list[FieldChange] = [
        {
            "field": FIELDS[column],
            "before": _word(column, getattr(asset.row, column), principals),
            "after": _word(column, value, principals),
        }
        for column, value in asset.columns.items()
        if column in FIELDS
    ]
    if before != after:
        told.append({"field": "uses", "before": _listed(before), "after": _listed(after)})
    return told


def _is_content(fields: Sequence[FieldChange]) -> bool:
    return bool(fields) and {told["field"] for told in fields} <= {*CONTENT, "uses"}


def _word(column: str, value: Any, principals: PrincipalByPk) -> str | None:
    if value is None:
        return None
    if column == "owner_pk":
        return str(principals[value].id)
    return _listed(value) if column == "tags" else str(value)


def _listed(values: Sequence[str]) -> str | None:
    return ", ".join(values) or None
