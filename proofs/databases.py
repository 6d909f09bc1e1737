"""This file is where trials live: databases of their own on either backend, made and thrown away by the hundred."""

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
EMPTY = "empty"


class Databases:
    """A folder, or a folder and a server, in which databases are made; use `open_databases`."""

    def __init__(self, backend: str, folder: Path, server: Postgres | None) -> None:
        """Take a folder of one's own and, for PostgreSQL, a running server."""
        self.backend, self.folder, self._server = backend, folder, server
        self._numbers = count()

    def empty(self) -> str:
        """Return the URL of a new database with all tables and nothing in them."""
        return self.copy(self._url(EMPTY))

    def copy(self, url: str) -> str:
        """Return the URL of a copy of a database, which nobody may be connected to."""
        name = f"world{next(self._numbers)}"
        if self._server:
            return self._server.create_database(name, template=_name(url))
        shutil.copy(self.folder / _name(url), self.folder / name)
        return self._url(name)

    def drop(self, url: str) -> None:
        """Remove a database; no error when there is none."""
        if self._server:
            self._server.drop_database(_name(url))
        else:
            for kept in ("", "-wal", "-shm"):
                (self.folder / f"{_name(url)}{kept}").unlink(missing_ok=True)

    async def written(self, lines: Sequence[Line]) -> str:
        """Return the URL of a new database that holds a catalogue of these lines."""
        url = self.empty()
        database = Database(url)
        try:
            path = write_lines(self.folder / "world.jsonl", [dict(line) for line in lines])
            await import_catalogue(database, path, "proof", lambda _bytes: None)
        finally:
            await database.close()
        return url

    def _url(self, name: str) -> str:
        return self._server.url(name) if self._server else f"sqlite+aiosqlite:///{self.folder / name}"

    async def prepare(self) -> None:
        """Make the empty database that all others are copies of."""
        url = self._server.create_database(EMPTY) if self._server else self._url(EMPTY)
        database = Database(url)
        try:
            await migrate(database)
        finally:
            await database.close()


@contextmanager
def open_databases(backend: str, server: Postgres | None = None) -> Iterator[Databases]:
    """Give a place on that backend; it goes with all its databases, but for those on a server that was given."""
    with tempfile.TemporaryDirectory(prefix="atoll-proof-") as folder:
        if backend == "postgresql" and server is None:
            with Postgres() as own:
                yield _prepared(Databases(backend, Path(folder), own))
        else:
            yield _prepared(Databases(backend, Path(folder), server))


def _prepared(made: Databases) -> Databases:
    asyncio.run(made.prepare())
    return made


def _name(url: str) -> str:
    return url.rpartition("/")[2]
