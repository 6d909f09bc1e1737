"""Registration of assets: each line is completed with existing values, then written like a catalogue line."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.asset_columns import ASSET_COLUMNS
from store.catalogue.asset import AssetWriter
from store.catalogue.existing import load_grants, load_uses
from store.catalogue.lines import AssetLine, GrantLine, RegistrationLine
from store.catalogue.upsert import ImportSession
from store.changes import ChangeLog
from store.tables import AssetAccess, AssetStatus

_READY = {"released": True, "archived": False, "withdrawn": False, "state": "READY"}
FLAGS_BY_STATUS: Mapping[AssetStatus, Mapping[str, Any]] = {
    AssetStatus.RELEASED: _READY,
    AssetStatus.DRAFT: _READY | {"released": False},
    AssetStatus.ARCHIVED: _READY | {"archived": True},
    AssetStatus.WITHDRAWN: _READY | {"withdrawn": True},
    AssetStatus.FAILED: _READY | {"state": "FAILED"},
}
"""Fields of a line that together express each status."""

# Column by line field, where an omitted field keeps the column's value. Lines always have an owner, and FLAGS_BY_STATUS
# has the fields of a status.
_COLUMN_BY_FIELD = {
    column.line_name: column.name for column in ASSET_COLUMNS if column.name not in {"owner_pk", "status"}
}


async def register_assets(connection: AsyncConnection, log: ChangeLog, lines: Sequence[RegistrationLine]) -> set[str]:
    """Create and update the assets; return the external ids of those that are new or changed.

    Owners and grantees must exist. Used assets must exist or be among the lines.
    """
    session = ImportSession(connection, log)
    rows = await session.load_rows(sql.asset, "external_id", [line.id for line in lines])
    pks = {id_: int(row.pk) for id_, row in rows.items()}
    grants, uses = await load_grants(connection, pks), await load_uses(connection, pks)
    grantee_pks = [pk for access_by_principal in grants.values() for pk in access_by_principal]
    named_ids = [id_ for line in lines for id_ in (line.owner, *(grant.to for grant in line.grants))]
    principal_pks = await _load_principals(connection, grantee_pks, named_ids)
    external_ids = {pk: id_ for id_, pk in principal_pks.items()}
    writer = AssetWriter(session, principal_pks)
    result = await writer.write_batch(
        _complete(line, rows[line.id], uses[line.id], _grant_lines(grants[line.id], external_ids))
        if line.id in rows
        else line
        for line in lines
    )
    await writer.write_uses()
    return {*result.created, *result.updated}


def _complete(line: RegistrationLine, row: Row[Any], uses: list[str], grants: list[GrantLine]) -> AssetLine:
    """Return the line with the asset's existing values in the fields that the line omits."""
    existing = {field: getattr(row, column) for field, column in _COLUMN_BY_FIELD.items()}
    existing |= {**FLAGS_BY_STATUS[AssetStatus(row.status)], "uses": uses, "grants": grants}
    return AssetLine.model_construct(**existing | {name: getattr(line, name) for name in line.model_fields_set})


def _grant_lines(access_by_principal: Mapping[int, int], external_ids: Mapping[int, str]) -> list[GrantLine]:
    return [
        GrantLine.model_construct(to=external_ids[pk], role=AssetAccess(access).name)
        for pk, access in access_by_principal.items()
    ]


async def _load_principals(connection: AsyncConnection, pks: Iterable[int], ids: Iterable[str]) -> dict[str, int]:
    """Return pks by external id, of all principals among the pks or the external ids. One statement."""
    principal = sql.principal.c
    is_named = or_(
        principal.pk.in_(sql.int_list(sorted(set(pks)))), principal.external_id.in_(sql.text_list(sorted(set(ids))))
    )
    rows = await connection.execute(select(principal.external_id, principal.pk).where(is_named))
    return {row.external_id: row.pk for row in rows}
