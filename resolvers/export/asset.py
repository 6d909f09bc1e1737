"""Export of assets: metadata of those that the viewer sees, content and grants by the viewer's access to each."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import Any, cast

from permissions import Viewer, visible
from permissions.visible import used_asset
from resolvers.export.line import ExportedLine, ExportedLines, build_line, without_defaults
from resolvers.export.page import read_pages
from resolvers.export.principal import IdByPk, load_ids
from resolvers.export.scope import WHOLE, Scope
from resolvers.pull.part import GraphPart
from store import sql
from store.asset_columns import ASSET_COLUMNS
from store.catalogue.lines import AssetLine, GoldStandardLine
from store.database import Snapshot
from store.date_time import format_rfc_3339
from store.rows import AssetRow
from store.sql import Selection
from store.tables import AssetAccess, AssetStatus

_FIELDS_OF_STATUS: Mapping[str, Mapping[str, object]] = {
    AssetStatus.RELEASED: {},
    AssetStatus.DRAFT: {"released": False},
    AssetStatus.FAILED: {"state": "FAILED"},
    AssetStatus.ARCHIVED: {"archived": True},
    AssetStatus.WITHDRAWN: {"withdrawn": True},
}


_READ_COLUMNS = (
    *("pk", "external_id", "owner_pk", "created_at", "updated_at", "gold_at", "gold_note", "viewer_access"),
    *(column.name for column in ASSET_COLUMNS),
)


@dataclass(frozen=True)
class _Related:
    """Uses and grants of a page of assets, by the asset's pk, and the ids of principals."""

    uses: Mapping[int, list[str]]
    access_by_grantee: Mapping[int, Mapping[int, int]]
    principal_ids: IdByPk


async def asset_lines(snapshot: Snapshot, viewer: Viewer, scope: Scope) -> ExportedLines:
    """Yield the assets, by id. Four statements for each page."""
    select_grants, select_uses = _select_grants(viewer), _select_uses(viewer, scope)
    assets = select_assets(viewer, scope)
    columns = [assets.selected_columns[name] for name in _READ_COLUMNS]
    rows = assets.with_only_columns(*columns, maintain_column_froms=True)
    async for page in read_pages(snapshot, rows, [sql.asset.c.external_id]):
        keys = {"keys": sql.json_text([row.pk for row in page])}
        grants = await snapshot.rows(select_grants, keys)
        uses = await snapshot.rows(select_uses, keys) if GraphPart.USES in scope.parts else ()
        related = await _load_related(snapshot, viewer, page, grants, uses)
        for row in page:
            yield _build(cast("AssetRow", row), related)


def select_assets(viewer: Viewer, scope: Scope = WHOLE) -> Selection:
    """Return the SELECT of the assets that the viewer sees."""
    return scope.assets(visible(sql.asset, viewer), viewer)


def _select_grants(viewer: Viewer) -> Selection:
    """Return the SELECT of the visible grants on the assets in the parameter `keys`."""
    return visible(sql.grant, viewer).where(sql.grant.c.asset_pk.in_(sql.int_table("keys").select()))


def _select_uses(viewer: Viewer, scope: Scope) -> Selection:
    """Return the SELECT of the ids of assets in the scope that those in the parameter `keys` use, in order."""
    use = sql.asset_use
    used = visible(use, viewer).where(use.c.asset_pk.in_(sql.int_table("keys").select()))
    used = scope.assets(used, viewer, use.c.uses_pk).order_by(use.c.rank, use.c.uses_pk)
    return used.with_only_columns(use.c.asset_pk, used_asset.c.external_id)


async def _load_related(
    snapshot: Snapshot, viewer: Viewer, assets: Sequence[Any], grants: Sequence[Any], uses: Sequence[Any]
) -> _Related:
    access_by_grantee: defaultdict[int, dict[int, int]] = defaultdict(dict)
    for grant in grants:
        access_by_grantee[grant.asset_pk][grant.principal_pk] = grant.access
    used_ids: defaultdict[int, list[str]] = defaultdict(list)
    for use in uses:
        used_ids[use.asset_pk].append(use.external_id)
    grantees = {grant.principal_pk for grant in grants}
    ids = await load_ids(snapshot, viewer, grantees | {asset.owner_pk for asset in assets})
    return _Related(used_ids, access_by_grantee, ids)


def _build(asset: AssetRow, related: _Related) -> ExportedLine:
    names, read = _columns(asset.viewer_access)
    values = {
        **dict(zip(names, read(asset), strict=True)),
        "id": asset.external_id,
        "owner": related.principal_ids[asset.owner_pk],
        "grants": _grants(asset, related),
        "createdAt": format_rfc_3339(asset.created_at),
        "updatedAt": format_rfc_3339(asset.updated_at),
        "uses": related.uses.get(asset.pk, []),
        "goldStandard": _award(asset),
        **_FIELDS_OF_STATUS[asset.status],
    }
    return build_line(AssetLine, "asset", values)


@cache
def _columns(viewer_access: int) -> tuple[Sequence[str], Callable[[object], tuple[Any, ...]]]:
    """Return the names in lines of the columns that a viewer with this access sees, and the reader of their values.

    The status is not among them, which several fields of a line say.
    """
    fields = AssetLine.model_fields
    columns = [column for column in ASSET_COLUMNS if column.access <= viewer_access and column.line_name in fields]
    return [column.line_name for column in columns], attrgetter(*(column.name for column in columns))


def _grants(asset: AssetRow, related: _Related) -> list[ExportedLine]:
    """Return the grants by the id of their holder, without that of the asset's owner, which an import adds itself.

    A holder who is hidden from the viewer is omitted: the file has no line to refer to.
    """
    accesses = related.access_by_grantee.get(asset.pk)
    if accesses is None:  # which most viewers have for most assets
        return []
    grants = [
        {"to": related.principal_ids[pk], "role": AssetAccess(access).name}
        for pk, access in accesses.items()
        if pk != asset.owner_pk and pk in related.principal_ids
    ]
    return sorted(grants, key=lambda grant: str(grant["to"]))


def _award(asset: AssetRow) -> ExportedLine | None:
    """Return the gold standard award; None without one."""
    if asset.gold_at is None:
        return None
    values = {"awardedAt": format_rfc_3339(asset.gold_at), "note": asset.gold_note}
    return without_defaults(GoldStandardLine, values)
