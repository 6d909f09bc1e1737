"""Import of assets: a line replaces the asset's columns, tags, grants and uses."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from sqlalchemy import Row, Table

from store import sql
from store.asset_columns import ASSET_COLUMNS
from store.catalogue.change_fields import AssetWrite, append_changes
from store.catalogue.existing import NO_RELATIONS, Relations, load_relations
from store.catalogue.lines import AssetLine
from store.catalogue.upsert import DesiredRow, ImportSession, UpsertResult
from store.changes import changed_columns
from store.ranks import GAP
from store.search.sort_key import name_sort_key
from store.search.tag_key import keys_by_tag
from store.tables import AssetAccess
from store.text import fold_name

# Without the owner, whose pk is in the database; the line has the owner's external id.
_LINE_COLUMNS = [column for column in ASSET_COLUMNS if column.name != "owner_pk"]
_NAMES = [column.name for column in _LINE_COLUMNS]
_read_values = attrgetter(*(column.line_name for column in _LINE_COLUMNS))
_WITH_DEFAULT = [column for column in _LINE_COLUMNS if column.default is not None]
# Changes of these leave `updated_at`: a viewer without access to them could otherwise tell that one changed.
_RESTRICTED = frozenset(column.name for column in ASSET_COLUMNS if column.access > AssetAccess.DISCOVERABLE)


@dataclass
class AssetWriter:
    """Writer of assets, in batches. Uses are written after the last batch, because they may refer to any of them."""

    session: ImportSession
    principal_pks: Mapping[str, int]  # by external id
    future_ids: list[str] = field(default_factory=list)  # external ids of assets with times in the future
    _uses: dict[str, list[str]] = field(default_factory=dict)  # changed uses of all batches, by external id

    async def write_batch(self, lines: Iterable[AssetLine]) -> UpsertResult:
        """Write assets with their tags and grants; return the outcome by external id.

        Call `write_uses` after the last batch: uses may name assets of a later one.
        """
        batch = {line.id: line for line in lines}
        rows = await self.session.load_rows(sql.asset, "external_id", batch)
        pks = {id_: int(row.pk) for id_, row in rows.items()}
        before = dict.fromkeys(batch, NO_RELATIONS) | await load_relations(self.session.connection, pks)
        after = {id_: self._relations(line) for id_, line in batch.items()}
        regranted = [id_ for id_ in batch if after[id_].access_by_principal != before[id_].access_by_principal]
        retagged = [id_ for id_ in batch if after[id_].tags != before[id_].tags]
        new_uses = {id_: after[id_].uses for id_ in batch if after[id_].uses != before[id_].uses}
        changed = {*regranted, *new_uses}
        desired = {
            id_: self._desired_row(line, rows.get(id_), has_related_changes=id_ in changed)
            for id_, line in batch.items()
        }
        result = await self.session.upsert(sql.asset, "external_id", desired, rows)
        self._uses |= new_uses
        await self._replace(sql.grant, {result.pks[id_]: _grant_rows(after[id_]) for id_ in regranted})
        await self._replace(sql.asset_tag, {result.pks[id_]: _tag_rows(after[id_]) for id_ in retagged})
        created = [
            AssetWrite(id_, None, desired[name].columns, after=after[name]) for name, id_ in result.created.items()
        ]
        updated = [
            AssetWrite(row.id, row, changed_columns(row, desired[name].columns), before[name], after[name])
            for name, row in result.updated.items()
        ]
        await append_changes(self.session.connection, self.session.log, [*created, *updated])
        return result

    async def write_uses(self) -> None:
        """Write the changed uses of all batches."""
        pks = await self.session.load_pks(sql.asset, "external_id", self._uses)
        used_ids = {id_ for uses in self._uses.values() for id_ in uses}
        used_pks = await self.session.load_pks(sql.asset, "external_id", used_ids)
        rows = {
            pks[id_]: [{"uses_pk": used_pks[used], "rank": index * GAP} for index, used in enumerate(uses)]
            for id_, uses in self._uses.items()
        }
        await self._replace(sql.asset_use, rows)

    def _desired_row(self, line: AssetLine, row: Row[Any] | None, *, has_related_changes: bool) -> DesiredRow:
        created, updated = self.session.past(line.createdAt), self.session.past(line.updatedAt)
        if (created, updated) != (line.createdAt, line.updatedAt):
            self.future_ids.append(line.id)
        created_at = created or updated or self.session.log.at
        timestamps = {"created_at": created, "updated_at": updated}
        columns = _column_values(line) | {"owner_pk": self.principal_pks[line.owner]}
        columns |= {"name_key": row.name_key if row is not None and row.name == line.name else fold_name(line.name)}
        columns |= {column: at for column, at in timestamps.items() if at is not None}
        insert_only = {"created_at": created_at, "updated_at": updated or created_at}
        return DesiredRow(line.type, "ast", columns, insert_only, has_related_changes, _RESTRICTED)

    def _relations(self, line: AssetLine) -> Relations:
        """Return the line's relations. A principal with several grants gets the highest access."""
        access_by_principal: dict[int, int] = {}
        for grant in line.grants:
            pk = self.principal_pks[grant.to]
            access_by_principal[pk] = max(grant.access.value, access_by_principal.get(pk, 0))
        access_by_principal[self.principal_pks[line.owner]] = AssetAccess.OWNER.value
        return Relations(access_by_principal, list(dict.fromkeys(line.uses)), frozenset(line.tags))

    async def _replace(self, table: Table, rows_by_asset: Mapping[int, list[dict[str, Any]]]) -> None:
        """Replace the assets' rows in the table; `rows_by_asset` has the new rows by asset pk."""
        new = [{"asset_pk": pk, **row} for pk, rows in rows_by_asset.items() for row in rows]
        await self.session.replace(table.c.asset_pk, list(rows_by_asset), new)


def _grant_rows(relations: Relations) -> list[dict[str, Any]]:
    return [{"principal_pk": pk, "access": access} for pk, access in relations.access_by_principal.items()]


def _tag_rows(relations: Relations) -> list[dict[str, Any]]:
    return [{"tag": tag, "tag_key": key} for tag, key in keys_by_tag(relations.tags).items()]


def _column_values(line: AssetLine) -> dict[str, Any]:
    values = dict(zip(_NAMES, _read_values(line), strict=True))
    for column in _WITH_DEFAULT:
        values[column.name] = (values[column.name] or column.default) if line.type in column.kinds else None
    return values | {"sort_key": name_sort_key(line.name)}
