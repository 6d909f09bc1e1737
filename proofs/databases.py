"""Temporary databases for trials, on SQLite or PostgreSQL."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from store.catalogue.importer import import_catalogue
from store.database import Database
from store.migrate import migrate
from tests.conftest import write_lines
from tests.oracle import Line
from tests.postgres import Postgres

BACKENDS = ("sqlite", "postgresql")
TEMPLATE = "empty"


class Databases:
    """Factory of temporary databases on one backend. Opened with `open_databases`."""

    def __init__(self, backend: str, folder: Path, server: Postgres | None) -> None:
        """Use the folder and, for PostgreSQL, a running server."""
        self.backend, self.folder, self._server = backend, folder, server
        self._serial = count()

    def create_empty(self) -> str:
        """Create a database with all tables and no rows. Returns its URL."""
        return self.copy(self._url(TEMPLATE))

    def copy(self, url: str) -> str:
        """Copy a database that has no open connections. Returns the copy's URL."""
        name = f"world{next(self._serial)}"
        if self._server:
            return self._server.create_database(name, template=_database_name(url))
        shutil.copy(self.folder / _database_name(url), self.folder / name)
        return self._url(name)

    def drop(self, url: str) -> None:
        """Delete a database if it exists."""
        if self._server:
            self._server.drop_database(_database_name(url))
        else:
            for suffix in ("", "-wal", "-shm"):
                (self.folder / f"{_database_name(url)}{suffix}").unlink(missing_ok=True)

    async def create_from_catalogue(self, lines: Sequence[Line]) -> str:
        """Create a database and import these catalogue lines. Returns its URL."""
        url = self.create_empty()
        database = Database(url)
        try:
            path = write_lines(self.folder / "world.jsonl", [dict(line) for line in lines])
            await import_catalogue(database, path, "proof", lambda _bytes: None)
        finally:
            await database.close()
        return url

    def _url(self, name: str) -> str:
        return self._server.url(name) if self._server else f"sqlite+aiosqlite:///{self.folder / name}"

    async def create_template(self) -> None:
        """Create the migrated database that all others are copied from."""
        url = self._server.create_database(TEMPLATE) if self._server else self._url(TEMPLATE)
        database = Database(url)
        try:
            await migrate(database)
        finally:
            await database.close()


@contextmanager
def open_databases(backend: str, server: Postgres | None = None) -> Iterator[Databases]:
    """Open the backend's databases and delete them on exit. Those on a server passed in are kept."""
    with tempfile.TemporaryDirectory(prefix="atoll-proof-") as folder:
        if backend == "postgresql" and server is None:
            with Postgres() as own_server:
                yield _with_template(Databases(backend, Path(folder), own_server))
        else:
            yield _with_template(Databases(backend, Path(folder), server))


def _with_template(databases: Databases) -> Databases:
    asyncio.run(databases.create_template())
    return databases


def _database_name(url: str) -> str:
    return url.rpartition("/")[2]
