"""This file is assets being registered: each line is filled in with what is there, then written as one of a file."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.catalogue.asset import AssetWriter
from store.catalogue.existing import held_grants, held_uses
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
"""What a line says of an asset in that status."""

_COLUMNS = {
    "description": "description",
    "tags": "tags",
    "license": "license",
    "doi": "doi",
    "url": "url",
    "version": "version",
    "language": "language",
    "stepCount": "step_count",
    "appKind": "app_kind",
    "dataKind": "data_kind",
    "sizeBytes": "size_bytes",
    "fileCount": "file_count",
    "source": "source",
    "framework": "framework",
}


async def register_assets(connection: AsyncConnection, log: ChangeLog, lines: Sequence[RegistrationLine]) -> set[str]:
    """Create and update the assets, and return the platform's ids of those that were not so already.

    Owners, holders of grants and used assets must exist, the latter here or in the lines.
    """
    write = ImportSession(connection, log)
    rows = await write.held(sql.asset, "external_id", [line.id for line in lines])
    known = {id_: int(row.pk) for id_, row in rows.items()}
    grants, uses = await held_grants(connection, known), await held_uses(connection, known)
    holders = [pk for accesses in grants.values() for pk in accesses]
    named = [id_ for line in lines for id_ in (line.owner, *(grant.to for grant in line.grants))]
    principals = await _principals(connection, holders, named)
    names = {pk: name for name, pk in principals.items()}
    writer = AssetWriter(write, principals)
    changed = await writer.write_batch(
        _filled_in(line, rows[line.id], uses[line.id], _lines(grants[line.id], names)) if line.id in rows else line
        for line in lines
    )
    await writer.write_uses()
    return changed


def _filled_in(line: RegistrationLine, row: Row[Any], uses: list[str], grants: list[GrantLine]) -> AssetLine:
    """Return the line with what it leaves out as it is in the database."""
    kept = {name: getattr(row, column) for name, column in _COLUMNS.items()}
    kept |= {**FLAGS_BY_STATUS[AssetStatus(row.status)], "uses": uses, "grants": grants}
    return AssetLine.model_construct(**kept | {name: getattr(line, name) for name in line.model_fields_set})


def _lines(accesses: Mapping[int, int], names: Mapping[int, str]) -> list[GrantLine]:
    return [GrantLine.model_construct(to=names[pk], role=AssetAccess(held).name) for pk, held in accesses.items()]


async def _principals(connection: AsyncConnection, pks: Iterable[int], ids: Iterable[str]) -> dict[str, int]:
    """Return the pks of the principals that have one of the pks or of the platform's ids, by the latter."""
    principal = sql.principal.c
    among = or_(
        principal.pk.in_(sql.int_list(sorted(set(pks)))), principal.external_id.in_(sql.text_list(sorted(set(ids))))
    )
    found = await connection.execute(select(principal.external_id, principal.pk).where(among))
    return {row.external_id: row.pk for row in found}
