"""CSV files of an export, by RFC 4180, in a ZIP file.

A spreadsheet runs a cell that begins like a formula, and every owner of an asset chooses texts. So such a text gets an
apostrophe in front, and so does one that begins with an apostrophe: readers that remove one from each text have the
values of the other formats. The files begin with a byte order mark, without which Excel expects another encoding.
"""

import csv
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final
from zipfile import ZIP_DEFLATED

import orjson

from resolvers.export.table import Table
from resolvers.export.zip_file import WriteRow, WriteTableRow, zip_tables

APOSTROPHE: Final = "'"
_ESCAPED_STARTS: Final = (*"=+-@\t\r\n", *"＝＋－＠", APOSTROPHE)  # noqa: RUF001 - wide forms, which some spreadsheets run as well
"""First characters of texts that get an apostrophe in front."""


def zip_csv(stream: BinaryIO, folder: Path) -> AbstractContextManager[WriteRow]:
    """Write a ZIP file with a CSV file for each table; the folder takes the files until then."""
    return zip_tables(stream, folder, "csv", ZIP_DEFLATED, _open_table)


@contextmanager
def _open_table(path: Path, table: Table) -> Iterator[WriteTableRow]:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(table.columns)
        yield lambda row: writer.writerow(map(_format, row))


def _format(value: Any) -> str:
    """Return the cell: empty for None, and JSON for lists of texts and for properties."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return APOSTROPHE + text if text.startswith(_ESCAPED_STARTS) else text
