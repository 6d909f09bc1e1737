"""Backup of a SQLite database: a consistent, verified copy, while servers go on reading and writing."""

import shlex
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from sqlalchemy.engine import URL

from store.database import BUSY_SECONDS
from store.error import SETTING, DatabaseUnusableError, explain_driver_error
from store.new_file import check_target, new_file
from store.sqlite_file import file_uri

STEP_PAGES: Final = 1_000
"""How many pages, 4 MB, are copied between two reports of the progress."""

ReportPages = Callable[[int, int], None]

_COMPANIONS: Final = ("-wal", "-shm", "-journal", ".lock")
"""Endings of the names of the files beside a database."""
_POSTGRESQL_OPTIONS: Final = {"host": "host", "port": "port", "user": "user", "ssl": "sslmode"}
"""Name in libpq of the options in a URL that concern the address, by their name in asyncpg."""


class Backup(NamedTuple):
    """Finished copy of a database."""

    size_bytes: int
    schema_revision: str
    revision: int
    """Revision of the change log."""


def back_up(url: URL, target: Path, *, replace: bool = False, report: ReportPages = lambda _left, _all: None) -> Backup:
    """Copy the SQLite database to the target, which never exists half-written, and is readable by its owner only.

    `report` is called with the numbers of pages left and of all, after each step. Raises UnwritableFileError, and
    leaves the target as it was, if it exists and may not be replaced, or if it cannot be written. Raises
    DatabaseUnusableError if there is no database, or if the copy fails its verification.
    """
    source = Path(str(url.database))
    if not source.exists():
        raise DatabaseUnusableError(f"There is no database {source} to back up. Check {SETTING}.")
    _check_target(source, target, replace=replace)
    with new_file(target, _COMPANIONS) as temporary:
        try:
            _copy(source, temporary, report)
            return _verify(temporary, source)
        except sqlite3.Error as error:
            raise explain_driver_error(error, url.set(database=_place(error, source, target))) from error


def postgresql_command(url: URL, target: Path) -> str:
    """Return the shell command that backs up a PostgreSQL database with its own tool. It has no password."""
    query = {libpq: url.query[name] for name, libpq in _POSTGRESQL_OPTIONS.items() if name in url.query}
    address = URL.create("postgresql", url.username, None, url.host, url.port, url.database, query)
    text = address.render_as_string().replace(
        " ", "%20"
    )  # SQLAlchemy leaves spaces as they are, and libpq refuses them
    return shlex.join(["pg_dump", "--format=custom", f"--file={target}", text])


def _check_target(source: Path, target: Path, *, replace: bool) -> None:
    resolved = source.resolve()
    if target.resolve() in {resolved.with_name(resolved.name + ending) for ending in ("", *_COMPANIONS)}:
        raise DatabaseUnusableError(f"{target} is a file of the database itself. Name another file.")
    if (log := target.with_name(f"{target.name}-wal")).exists():  # it would be applied to the copy
        raise DatabaseUnusableError(f"{target} is a database in use: {log} exists. Name another file.")
    check_target(target, source.name, replace=replace)


def _copy(source: Path, target: Path, report: ReportPages) -> None:
    with closing(_connect(source)) as reader, closing(_connect(target)) as writer:
        # An open read transaction keeps the snapshot through all steps: writers go on, and do not restart the copy.
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
        writer.execute("PRAGMA synchronous=OFF")  # the whole file is synced at the end
        reader.backup(writer, pages=STEP_PAGES, progress=lambda _status, left, count: report(left, count))
        writer.execute("PRAGMA journal_mode=DELETE")  # one file without companions, also for read-only media


def _verify(copy: Path, source: Path) -> Backup:
    with closing(_connect(copy)) as connection:
        (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok":
            raise DatabaseUnusableError(f"The copy of {source} is damaged ({verdict}). Run: atoll check")
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        if not {"alembic_version", "deployment"} <= tables:
            raise DatabaseUnusableError(f"{source} is not a database of Atoll. Check {SETTING}.")
        (schema_revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        (revision,) = connection.execute("SELECT revision FROM deployment").fetchone()
    return Backup(copy.stat().st_size, schema_revision, revision)


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(file_uri(str(path)), uri=True, isolation_level=None, timeout=BUSY_SECONDS)


def _place(error: sqlite3.Error, source: Path, target: Path) -> str:
    """Return the name of the file that the error is about: only the copy is written."""
    is_written = "full" in str(error) or "readonly" in str(error) or "disk I/O" in str(error)
    return str(target if is_written else source)
