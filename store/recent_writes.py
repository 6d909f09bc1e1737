"""Recent writes by the collections that they concern, so that only their readers look again."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from sqlalchemy import select

from store import sql
from store.database import Snapshot
from store.row_versions import fetch_changes
from store.tables import RowKind

MAX_CHANGES: Final = 1_000
"""Most changed objects of which the collections are read. More concern everything."""

MAX_COLLECTIONS: Final = 10_000
"""Most collections with a version. Then all are taken for written."""


class Written(NamedTuple):
    """State of the database: both numbers increase, the second with objects that have a version."""

    revision: int
    row_version: int


class RecentWrites:
    """Row versions of the last writes that concern each collection, and the tree of topics and collections."""

    def __init__(self) -> None:
        """Know no write: everything may have been written."""
        self._collections: dict[int, int] = {}
        self._everything, self.tree_version = -1, 0
        self._read_version: int | None = None

    @property
    def row_version(self) -> int:
        """Version up to which the writes are known."""
        return -1 if self._read_version is None else self._read_version

    def collection_version(self, pk: int) -> int:
        """Return the version of the last write that may concern a collection: itself, its members, or their grants."""
        return max(self._collections.get(pk, 0), self._everything)

    async def read(self, snapshot: Snapshot) -> Written:
        """Read the writes since the last reading. One statement if there is none, up to three otherwise."""
        [row] = await snapshot.rows(_WRITTEN)
        written = Written(int(row.revision), int(row.row_version))
        if self._read_version is None:
            self._set_everything(written.row_version)
        elif written.row_version != self._read_version:
            await self._read_changes(snapshot, self._read_version, written.row_version)
        self._read_version = written.row_version
        return written

    async def _read_changes(self, snapshot: Snapshot, since: int, version: int) -> None:
        changes = await fetch_changes(snapshot, since, MAX_CHANGES)
        if changes is None or version < since:  # a restored backup has lower versions
            self._set_everything(version)
            return
        if RowKind.TOPIC in changes or RowKind.COLLECTION in changes:
            self.tree_version = version
        touched = {*changes.get(RowKind.COLLECTION, ()), *changes.get(RowKind.MEMBERS, ())}
        assets = {*changes.get(RowKind.ASSET, ()), *changes.get(RowKind.GRANTS, ())}
        if assets:
            touched |= {
                row.value for row in await snapshot.rows(_COLLECTIONS_OF, {"keys": sql.json_text(sorted(assets))})
            }
        self._add(touched, version)

    def _add(self, collections: Iterable[int], version: int) -> None:
        self._collections |= dict.fromkeys(collections, version)
        if len(self._collections) > MAX_COLLECTIONS:
            self._set_everything(version)

    def _set_everything(self, version: int) -> None:
        self._collections.clear()
        self._everything = self.tree_version = version


_WRITTEN = select(sql.deployment.c.revision, sql.deployment.c.row_version)
_COLLECTIONS_OF = (
    select(sql.membership.c.collection_pk.label("value"))
    .where(sql.membership.c.asset_pk.in_(sql.int_table("keys").select()))
    .distinct()
)
