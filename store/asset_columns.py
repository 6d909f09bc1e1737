"""Asset columns that a catalogue line sets, each declared once.

The import, `assetsRegister`, the change log, the access required to see a change, and the search index are derived from
these declarations. Libraries need the types of the columns declared again: in the table (`store/tables.py`), the line
(`store/catalogue/lines.py`), the GraphQL types (`schema/asset.py`) and the input (`schema/write/asset.py`).
`tests/test_asset_columns.py` checks that all of them agree.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from store.tables import AppKind, AssetAccess, AssetKind, DataAssetKind

ALL_KINDS = frozenset(AssetKind)


@dataclass(frozen=True)
class AssetColumn:
    """A column of the asset table: its names in GraphQL and in lines, the kinds of asset that have it, and its uses."""

    name: str
    kinds: frozenset[AssetKind] = ALL_KINDS
    access: AssetAccess = AssetAccess.DISCOVERABLE  # required to read the value, and its changes in the log
    is_searched: bool = False
    is_registrable: bool = True  # whether `assetsRegister` accepts it
    default: StrEnum | None = None  # for a missing value; assets of kinds without the column have NULL
    line: str | None = None  # name in a catalogue line, if it differs from the GraphQL name

    @cached_property
    def graph_name(self) -> str:
        """The field's name in GraphQL and the change log."""
        first, *rest = self.name.removesuffix("_pk").split("_")
        return first + "".join(part.capitalize() for part in rest)

    @cached_property
    def line_name(self) -> str:
        """The field's name in a catalogue line."""
        return self.line or self.graph_name


# The change log lists fields in this order.
ASSET_COLUMNS = (
    AssetColumn("kind", is_searched=True, line="type"),
    AssetColumn("status"),
    AssetColumn("name", is_searched=True),
    AssetColumn("description", is_searched=True),
    AssetColumn("tags", is_searched=True),
    AssetColumn("properties", is_registrable=False),
    AssetColumn("license", is_searched=True),
    AssetColumn("doi", is_searched=True),
    AssetColumn("version", is_searched=True),
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
"""Access that a field and its changes require, by GraphQL name. Fields not listed require only DISCOVERABLE."""
