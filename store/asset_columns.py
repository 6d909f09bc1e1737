"""Columns that a catalogue line fills in for an asset, each declared once.

The import, `assetsRegister`, the change log, the access that each change requires and the search index derive from
these declarations. Types are written out again where a library needs them: the table (`store/tables.py`), the line
(`store/catalogue/lines.py`), the graph's types (`schema/asset.py`) and the input (`schema/write/asset.py`).
`tests/test_asset_columns.py` compares all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from store.tables import AppKind, AssetAccess, AssetKind, DataAssetKind

ALL_KINDS = frozenset(AssetKind)


@dataclass(frozen=True)
class AssetColumn:
    """A column of the asset table: its names elsewhere, the kinds that have it and how it is used."""

    name: str
    kinds: frozenset[AssetKind] = ALL_KINDS
    access: AssetAccess = AssetAccess.DISCOVERABLE  # required to read the value and its changes
    is_searched: bool = False
    is_registrable: bool = True  # whether `assetsRegister` takes it
    default: StrEnum | None = None  # replaces a missing value; assets of other kinds have NULL
    line: str | None = None  # name in a line, where it differs from the graph's

    @property
    def graph_name(self) -> str:
        """The field's name in the graph and the change log."""
        first, *rest = self.name.removesuffix("_pk").split("_")
        return first + "".join(part.capitalize() for part in rest)

    @property
    def line_name(self) -> str:
        """The field's name in a catalogue line."""
        return self.line or self.graph_name


# The order is that of fields in the change log.
ASSET_COLUMNS = (
    AssetColumn("kind", is_searched=True, line="type"),
    AssetColumn("status"),
    AssetColumn("name", is_searched=True),
    AssetColumn("description", is_searched=True),
    AssetColumn("tags", is_searched=True),
    AssetColumn("license", is_searched=True),
    AssetColumn("doi", is_searched=True),
    AssetColumn("version"),
    AssetColumn("url", access=AssetAccess.VIEWER),
    AssetColumn("language", frozenset({AssetKind.CAPSULE, AssetKind.PIPELINE}), is_searched=True),
    AssetColumn("step_count", frozenset({AssetKind.PIPELINE})),
    AssetColumn("app_kind", frozenset({AssetKind.NO_CODE_APP}), is_searched=True, default=AppKind.OTHER),
    AssetColumn(
        "data_kind",
        frozenset({AssetKind.DATA_ASSET}),
        is_searched=True,
        is_registrable=False,
        default=DataAssetKind.DATASET,
    ),
    AssetColumn("size_bytes", frozenset({AssetKind.DATA_ASSET})),
    AssetColumn("file_count", frozenset({AssetKind.DATA_ASSET})),
    AssetColumn("source", frozenset({AssetKind.DATA_ASSET, AssetKind.MODEL}), AssetAccess.VIEWER),
    AssetColumn("framework", frozenset({AssetKind.MODEL}), is_searched=True),
    AssetColumn("owner_pk", is_searched=True),
)

ACCESS_BY_FIELD: Mapping[str, AssetAccess] = {
    column.graph_name: column.access for column in ASSET_COLUMNS if column.access > AssetAccess.DISCOVERABLE
} | {"uses": AssetAccess.VIEWER, "grants": AssetAccess.OWNER}
"""The access that a field and its changes require, by graph name; other fields require none beyond DISCOVERABLE."""
