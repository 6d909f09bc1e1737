"""This file is assets being written: fields, tags, grants and uses become what the platform says in a line."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Table

from store import sql
from store.catalogue.change_fields import CONTENT, AssetWrite, append_changes
from store.catalogue.existing import held_grants, held_tags, held_uses
from store.catalogue.lines import AssetLine
from store.catalogue.upsert import DesiredRow, ImportSession
from store.changes import changed_columns
from store.ranks import GAP
from store.tables import AppKind, AssetAccess, AssetKind, DataAssetKind
from store.text import fold_name


@dataclass
class AssetWriter:
    """Writes assets a batch at a time, and what they use once all of them are there."""

    write: ImportSession
    principals: Mapping[str, int]  # pk by the platform's id
    _uses: dict[str, list[str]] = field(default_factory=dict)  # what is to be written of them, by external id

    async def write_batch(self, lines: Iterable[AssetLine]) -> set[str]:
        """Write the assets with tags and grants, and return the platform's ids of those that differ.

        What they use is kept for `write_uses`.
        """
        assets = {line.id: line for line in lines}
        known = await self.write.pks(sql.asset, "external_id", assets)
        grants = {id_: self._grants(line) for id_, line in assets.items()}
        uses = {id_: list(dict.fromkeys(line.uses)) for id_, line in assets.items()}
        tags = {id_: set(line.tags) for id_, line in assets.items()}
        granted, used = await held_grants(self.write.connection, known), await held_uses(self.write.connection, known)
        reshared, reused = _differing(grants, granted), _differing(uses, used)
        retagged = _differing(tags, await held_tags(self.write.connection, known))
        wanted = {id_: self._wanted(line, is_touched=id_ in reshared | reused) for id_, line in assets.items()}
        saved = await self.write.save(sql.asset, "external_id", wanted)
        self._uses |= {id_: uses[id_] for id_ in reused if uses[id_] or id_ in known}
        await self._replace(
            sql.grant,
            [saved.pks[id_] for id_ in assets if id_ in reshared],
            {
                saved.pks[id_]: [{"principal_pk": who, "access": access} for who, access in grants[id_].items()]
                for id_ in reshared
            },
        )
        await self._replace(
            sql.asset_tag,
            [saved.pks[id_] for id_ in assets if id_ in retagged],
            {saved.pks[id_]: [{"tag": tag} for tag in sorted(tags[id_])] for id_ in retagged},
        )
        new = [AssetWrite(id_, None, wanted[name].columns) for name, id_ in saved.created.items()]
        old = [
            AssetWrite(
                row.id,
                row,
                changed_columns(row, wanted[name].columns),
                (used[name], uses[name]),
                (granted[name], grants[name]),
            )
            for name, row in saved.updated.items()
        ]
        await append_changes(self.write.connection, self.write.log, [*new, *old])
        return saved.created.keys() | saved.updated.keys()

    async def write_uses(self) -> None:
        """Write what the assets use, of all batches."""
        pks = await self.write.pks(sql.asset, "external_id", self._uses)
        used = await self.write.pks(sql.asset, "external_id", {id_ for uses in self._uses.values() for id_ in uses})
        rows = {
            pks[id_]: [{"uses_pk": used[each], "rank": rank * GAP} for rank, each in enumerate(uses)]
            for id_, uses in self._uses.items()
        }
        await self._replace(sql.asset_use, list(pks.values()), rows)

    def _wanted(self, line: AssetLine, *, is_touched: bool) -> DesiredRow:
        made = line.createdAt or line.updatedAt or self.write.log.at
        told = {"created_at": line.createdAt, "updated_at": line.updatedAt}
        columns = _columns(line) | {"owner_pk": self.principals[line.owner]}
        columns |= {column: at for column, at in told.items() if at is not None}
        first = {"created_at": made, "updated_at": line.updatedAt or made}
        return DesiredRow(line.type, "ast", columns, first, is_touched, CONTENT)

    def _grants(self, line: AssetLine) -> dict[int, int]:
        """Return the access of each principal: the greatest the line tells, and the owner's."""
        held: dict[int, int] = {}
        for grant in line.grants:
            pk = self.principals[grant.to]
            held[pk] = max(grant.access.value, held.get(pk, 0))
        return held | {self.principals[line.owner]: AssetAccess.OWNER.value}

    async def _replace(self, table: Table, pks: list[int], rows: Mapping[int, list[dict[str, Any]]]) -> None:
        """Put the rows of each asset, by its pk, in the place of those it has."""
        new = [{"asset_pk": pk, **row} for pk in pks for row in rows[pk]]
        await self.write.replace(table.c.asset_pk, pks, new)


def _differing(wanted: Mapping[str, Any], held: Mapping[str, Any]) -> set[str]:
    return {id_ for id_, value in wanted.items() if held.get(id_) != value}


def _columns(line: AssetLine) -> dict[str, Any]:
    is_app, is_data = line.type is AssetKind.NO_CODE_APP, line.type is AssetKind.DATA_ASSET
    return {
        "kind": line.type,
        "status": line.status,
        "name": line.name,
        "name_key": fold_name(line.name),
        "description": line.description,
        "tags": list(dict.fromkeys(line.tags)),
        "license": line.license,
        "doi": line.doi,
        "version": line.version,
        "url": line.url,
        "language": line.language,
        "step_count": line.stepCount,
        "app_kind": (line.appKind or AppKind.OTHER) if is_app else None,
        "data_kind": (line.dataKind or DataAssetKind.DATASET) if is_data else None,
        "size_bytes": line.sizeBytes,
        "file_count": line.fileCount,
        "source": line.source,
        "framework": line.framework,
    }
