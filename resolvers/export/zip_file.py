"""ZIP file of an export, with a file for each table.

The rows of several tables alternate, and a ZIP file takes one file after another: so each is written to a folder first.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from shutil import copyfileobj
from typing import BinaryIO, Final
from zipfile import ZipFile, ZipInfo

from resolvers.export.table import TABLES, Row, Table

WriteTableRow = Callable[[Row], None]
WriteRow = Callable[[Table, Row], None]

_COPIED_BYTES: Final = 1 << 20


@contextmanager
def zip_tables(
    stream: BinaryIO,
    folder: Path,
    ending: str,
    compression: int,
    open_table: Callable[[Path, Table], AbstractContextManager[WriteTableRow]],
) -> Iterator[WriteRow]:
    """Yield a function that writes a row into the file of its table; then write all files to the stream.

    The ZIP file depends on nothing but the rows: its entries have no times. The files in the folder remain.
    """
    paths = {table: folder / f"{table.name}.{ending}" for table in TABLES}
    with ExitStack() as stack:
        write_by_table = {table: stack.enter_context(open_table(path, table)) for table, path in paths.items()}
        yield lambda table, row: write_by_table[table](row)
    with ZipFile(stream, "w", compression) as archive:
        for path in paths.values():
            entry = ZipInfo(path.name)
            entry.compress_type = compression
            entry.file_size = path.stat().st_size  # so that only an entry of 2 GiB has the fields of ZIP64
            with path.open("rb") as source, archive.open(entry, "w") as target:
                copyfileobj(source, target, _COPIED_BYTES)
