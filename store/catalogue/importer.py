"""Catalogue import: each object is created, updated or left unchanged, all in one transaction."""

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
from store.catalogue.upsert import BATCH_SIZE, ImportSession
from store.catalogue.validate import validate
from store.changes import open_change_log
from store.database import UNLIMITED_SECONDS, Database
from store.tables import AssetKind

COUNTED_KINDS = ("user", "group", "topic", "collection", *AssetKind)


@dataclass(frozen=True)
class ImportResult:
    """Counts of an import: objects by kind (see COUNTED_KINDS), and added memberships."""

    created: Counter[str]
    updated: Counter[str]
    unchanged: Counter[str]
    memberships: int

    @property
    def has_changes(self) -> bool:
        """Whether any row was written."""
        return bool(self.created.total() or self.updated.total() or self.memberships)


async def import_catalogue(database: Database, path: Path, request_id: str, progress: Progress) -> ImportResult:
    """Import the whole file or nothing.

    Reads the file twice, so that assets need not be kept in memory, and calls `progress` with the number of bytes read,
    so each byte counts twice. Raises UnreadableFileError, and InvalidCatalogueError with all problems.
    """
    file = CatalogueFile(path)
    catalogue = parse_catalogue(file, progress)
    async with database.write(UNLIMITED_SECONDS) as connection:
        session = ImportSession(connection, await open_change_log(connection, request_id))
        await validate(connection, catalogue)
        principal_pks = await write_principals(session, catalogue)
        await write_topics(session, catalogue)
        assets = AssetWriter(session, principal_pks)
        for batch in _batches(file, progress):
            await assets.write_batch(batch)
        await assets.write_uses()
        memberships = await write_collections(session, catalogue)
        result = ImportResult(session.created, session.updated, session.unchanged, memberships)
        if not result.has_changes:
            await connection.rollback()  # undo the increment of the revision
    return result


def _batches(file: CatalogueFile, progress: Progress) -> Iterator[list[AssetLine]]:
    """Yield the assets of the file in batches. Raises UnreadableFileError if the file has changed."""
    lines = _asset_lines(file, progress)
    while batch := list(islice(lines, BATCH_SIZE)):
        file.check_unchanged()
        yield batch
    file.check_unchanged()


def _asset_lines(file: CatalogueFile, progress: Progress) -> Iterator[AssetLine]:
    for _, raw in file.lines(progress):
        try:
            line = parse_line(raw)
        except InvalidLineError:
            file.check_unchanged()  # the first reading accepted this line, so it must have changed
            raise
        if isinstance(line, AssetLine):
            yield line
