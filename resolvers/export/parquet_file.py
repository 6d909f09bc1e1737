"""Parquet files of an export in a ZIP file, by PyArrow."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from itertools import starmap
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final
from zipfile import ZIP_STORED

from resolvers.export.table import ColumnType, Row, Table
from resolvers.export.zip_file import WriteRow, WriteTableRow, zip_tables

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_PER_GROUP: Final = 50_000
CHARACTERS_PER_GROUP: Final = 8_000_000
"""Characters at which a group of rows is complete, so that long texts take little memory."""


def is_available() -> bool:
    """Return whether PyArrow is installed."""
    return find_spec("pyarrow") is not None


def zip_parquet(stream: BinaryIO, folder: Path) -> AbstractContextManager[WriteRow]:
    """Write a ZIP file with a Parquet file for each table, compressed once; the folder takes the files until then."""
    return zip_tables(stream, folder, "parquet", ZIP_STORED, _open_table)


@contextmanager
def _open_table(path: Path, table: Table) -> Iterator[WriteTableRow]:
    import pyarrow as pa  # noqa: PLC0415 - an optional dependency
    from pyarrow.parquet import ParquetWriter  # noqa: PLC0415 - as above

    types = _arrow_types()
    schema = pa.schema([(name, types[type_]) for name, type_ in table.columns.items()])
    rows: list[Row] = []
    characters = 0

    def write_row(row: Row) -> None:
        nonlocal characters
        rows.append(row)
        characters += sum(map(_count_characters, row))
        if len(rows) >= ROWS_PER_GROUP or characters >= CHARACTERS_PER_GROUP:
            write_group()

    def write_group() -> None:
        nonlocal characters
        columns = starmap(_arrow_array, zip(zip(*rows, strict=True), schema.types, strict=True))
        writer.write_table(pa.Table.from_arrays(list(columns), schema=schema))
        rows.clear()
        characters = 0

    with ParquetWriter(path, schema, compression="zstd") as writer:
        yield write_row
        if rows:
            write_group()


def _arrow_types() -> Mapping[ColumnType, "pa.DataType"]:
    import pyarrow as pa  # noqa: PLC0415 - an optional dependency

    texts = pa.list_(pa.string())
    return {
        ColumnType.TEXT: pa.string(),
        ColumnType.BOOLEAN: pa.bool_(),
        ColumnType.INTEGER: pa.int64(),
        ColumnType.TIMESTAMP: pa.timestamp("ms", tz="UTC"),
        ColumnType.TEXTS: texts,
        ColumnType.PROPERTIES: pa.map_(pa.string(), texts),
    }


def _arrow_array(values: tuple[Any, ...], type_: "pa.DataType") -> "pa.Array":
    import pyarrow as pa  # noqa: PLC0415 - an optional dependency

    if pa.types.is_timestamp(type_):
        return pa.array(values, pa.string()).cast(type_)
    if pa.types.is_map(type_):
        return pa.array([None if each is None else list(each.items()) for each in values], type_)
    return pa.array(values, type_)


def _count_characters(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(len(name) + _count_characters(texts) for name, texts in value.items())
    return sum(map(len, value)) if isinstance(value, list) else 0
