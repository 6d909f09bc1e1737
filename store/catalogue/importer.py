"""This file is a catalogue being written: each object created, updated or left as it is, all in one transaction."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from store.catalogue.asset import AssetWriter
from store.catalogue.collection import write_collections
from store.catalogue.file import CatalogueFile, Progress
from store.catalogue.lines import AssetLine, InvalidLineError, parse_line
from store.catalogue.parsed import parse_catalogue
from store.catalogue.principal import write_principals
from store.catalogue.topic import write_topics
from store.catalogue.upsert import BATCH, ImportSession
from store.catalogue.validate import validate
from store.changes import open_change_log
from store.database import Database


@dataclass(frozen=True)
class ImportResult:
    """What an import did, in objects by kind: `user`, `group`, `topic`, `collection` and the five kinds of asset."""

    created: Counter[str]
    updated: Counter[str]
    unchanged: Counter[str]
    memberships: int

    @property
    def has_changes(self) -> bool:
        """Whether any row changed."""
        return bool(self.created.total() or self.updated.total() or self.memberships)


async def import_catalogue(database: Database, path: Path, request_id: str, progress: Progress) -> ImportResult:
    """Write the catalogue, all of it or nothing, and return what was done.

    The file is read twice, and `progress` called with the bytes read each time. Assets are not kept in memory. Raises
    UnreadableFileError, and InvalidCatalogueError with every bad line.
    """
    file = CatalogueFile(path)
    told = parse_catalogue(file, progress)
    async with database.write() as connection:
        write = ImportSession(connection, await open_change_log(connection, request_id))
        await validate(connection, told)
        principals = await write_principals(write, told)
        await write_topics(write, told)
        assets = AssetWriter(write, principals)
        for batch in _batches(file, progress):
            await assets.write_batch(batch)
        await assets.write_uses()
        memberships = await write_collections(write, told)
        outcome = ImportResult(write.created, write.updated, write.unchanged, memberships)
        if not outcome.has_changes:
            await connection.rollback()  # nothing changed: no revision is spent
    return outcome


def _batches(file: CatalogueFile, progress: Progress) -> Iterator[list[AssetLine]]:
    """Yield the assets of the file in batches. Raises UnreadableFileError when the file was changed."""
    lines = _assets(file, progress)
    while batch := list(islice(lines, BATCH)):
        file.check_unchanged()
        yield batch
    file.check_unchanged()


def _assets(file: CatalogueFile, progress: Progress) -> Iterator[AssetLine]:
    for _, raw in file.lines(progress):
        try:
            line = parse_line(raw)
        except InvalidLineError:
            file.check_unchanged()
            raise
        if isinstance(line, AssetLine):
            yield line
