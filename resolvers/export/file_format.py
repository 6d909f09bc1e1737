"""Formats of an export."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, Final

import orjson

from resolvers.export.csv_file import zip_csv
from resolvers.export.graphml_file import write_graphml
from resolvers.export.line import ExportedLine
from resolvers.export.parquet_file import zip_parquet
from resolvers.export.table import RowBuilder
from resolvers.export.zip_file import WriteRow

WriteLine = Callable[[ExportedLine], None]


class ExportFormat(StrEnum):
    """Format of an export, by its name on the command line."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"
    GRAPHML = "graphml"


ENDINGS: Final[Mapping[ExportFormat, str]] = {
    ExportFormat.JSONL: "jsonl",
    ExportFormat.CSV: "zip",
    ExportFormat.PARQUET: "zip",
    ExportFormat.GRAPHML: "graphml",
}
"""Endings of the names of files."""

_ROW_WRITERS: Final[Mapping[ExportFormat, Callable[[BinaryIO, Path], AbstractContextManager[WriteRow]]]] = {
    ExportFormat.CSV: zip_csv,
    ExportFormat.PARQUET: zip_parquet,
    ExportFormat.GRAPHML: write_graphml,
}


@contextmanager
def line_writer(
    format_: ExportFormat, stream: BinaryIO, folder: Path | None, *, is_signed_in: bool
) -> Iterator[WriteLine]:
    """Yield a function that writes a line in the format. The file is complete when the block ends without an error.

    Formats other than JSON Lines need a file or two in the folder (None: that of the system) meanwhile, which together
    are about as large as the data.
    """
    if format_ is ExportFormat.JSONL:
        yield lambda line: _write_json(stream, line)
        return
    builder = RowBuilder(is_signed_in=is_signed_in)
    with (
        TemporaryDirectory(prefix=".export-", dir=folder) as spool,
        _ROW_WRITERS[format_](stream, Path(spool)) as write_row,
    ):

        def write_line(line: ExportedLine) -> None:
            for table, row in builder.rows(line):
                write_row(table, row)

        yield write_line


def _write_json(stream: BinaryIO, line: ExportedLine) -> None:
    stream.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
