"""Upserts of an import: rows are created, updated or left unchanged; each outcome is counted, each change logged."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Table, bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.changes import ChangeLog, LoggedFieldChange, changed_columns
from store.ids import new_id
from store.place_log import log_places
from store.ranks import GAP
from store.tables import ChangeAction
from store.text import NAME_KEY_PLACEHOLDER

BATCH_SIZE = 1_000
VERSIONED_TABLES = frozenset({sql.topic, sql.collection})
RowsById = Mapping[str, Row[Any]]
FormatChanges = Callable[[Row[Any], Mapping[str, Any]], Sequence[LoggedFieldChange]]
"""Function that returns the field changes for the log, from a row and its new values."""


@dataclass(frozen=True)
class DesiredRow:
    """Row that the database should contain after the import of a line."""

    kind: str  # for the counters: "user", "group", "topic", "collection" or the kind of asset
    id_prefix: str
    columns: Mapping[str, Any]
    insert_only: Mapping[str, Any] = field(default_factory=dict)  # values for a new row only
    has_related_changes: bool = False  # if so, counts as updated even if its own columns are equal
    restricted_columns: frozenset[str] = frozenset()  # if only these change, `updated_at` does not


class UpsertResult(NamedTuple):
    """Outcome of an upsert, by key: all pks, the ids of created rows, and the former values of updated rows."""

    pks: dict[str, int]
    created: dict[str, str]
    updated: dict[str, Row[Any]]


@dataclass
class ImportSession:
    """Transaction, change log and counters of one import."""

    connection: AsyncConnection
    log: ChangeLog
    created: Counter[str] = field(default_factory=Counter)
    updated: Counter[str] = field(default_factory=Counter)
    unchanged: Counter[str] = field(default_factory=Counter)
    must_commit: bool = False  # set when a write is not in the counters

    async def upsert_and_log(self, table: Table, key: str, desired: Mapping[str, DesiredRow]) -> dict[str, int]:
        """Upsert the rows and append CREATED and UPDATED changes. Return pks by the value of the column `key`."""
        result = await self.upsert(table, key, desired, await self.load_rows(table, key, desired))
        await self.log.append(ChangeAction.CREATED, result.created.values())
        await self.log.append(ChangeAction.UPDATED, [row.id for row in result.updated.values()])
        return result.pks

    async def upsert_versioned(
        self, table: Table, desired: Mapping[str, DesiredRow], rows: RowsById, format_changes: FormatChanges
    ) -> dict[str, int]:
        """Upsert topics or collections by id, and append their changes with each changed field. Return pks by id.

        `rows` has the existing rows, as they were before `release_keys`.
        """
        existing = {id_: rows[id_] for id_ in desired if id_ in rows}
        changes = {
            id_: changed for id_, row in existing.items() if (changed := changed_columns(row, desired[id_].columns))
        }
        result = await self.upsert(table, "id", desired, existing)
        await self.log.append(ChangeAction.CREATED, result.created)
        await log_places(self.connection, self.log, table, [*result.created], are_new=True)
        fields = {id_: format_changes(existing[id_], changed) for id_, changed in changes.items()}
        await self.log.append_by_subject(ChangeAction.UPDATED, fields)
        return result.pks

    async def upsert(
        self, table: Table, key: str, desired: Mapping[str, DesiredRow], rows: Mapping[str, Row[Any]]
    ) -> UpsertResult:
        """Insert new rows, update those that differ, and count all. Does not log the changes.

        `rows` has the existing rows by the column `key`.
        """
        existing = {name: rows[name] for name in desired if name in rows}
        created = {
            name: name if key == "id" else new_id(row.id_prefix)
            for name, row in desired.items()
            if name not in existing
        }
        updated = {name: row for name, row in existing.items() if _is_different(row, desired[name])}
        new = [
            {key: name, "id": id_, **desired[name].insert_only, **desired[name].columns}
            for name, id_ in created.items()
        ]
        await self.insert(table, new)
        await self._update(table, [(row, desired[name]) for name, row in updated.items()])
        self._count(desired, created, updated)
        return UpsertResult(await self.load_pks(table, key, desired), created, updated)

    async def load_rows(self, table: Table, key: str, names: Iterable[str]) -> dict[str, Row[Any]]:
        """Return the existing rows whose column `key` is among the names, by that column. One statement."""
        rows = select(table).where(table.c[key].in_(sql.text_list(list(names))))
        return {getattr(row, key): row for row in await self.connection.execute(rows)}

    async def load_pks(self, table: Table, key: str, names: Iterable[str]) -> dict[str, int]:
        """Return the pks of existing rows whose column `key` is among the names, by that column. One statement."""
        rows = select(table.c[key], table.c.pk).where(table.c[key].in_(sql.text_list(list(names))))
        return {row[0]: row.pk for row in await self.connection.execute(rows)}

    async def insert(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows, at most BATCH_SIZE a statement."""
        for start in range(0, len(rows), BATCH_SIZE):
            await self.connection.execute(insert(table), rows[start : start + BATCH_SIZE])

    async def replace(self, column: ColumnElement[int], pks: Sequence[int], rows: Sequence[Mapping[str, Any]]) -> None:
        """Delete all rows whose column is among the pks, then insert the new rows."""
        table: Table = column.table
        if pks:
            await self.connection.execute(delete(table).where(column.in_(sql.int_list(pks))))
        await self.insert(table, rows)

    async def release_keys(self, table: Table, pks: Sequence[int]) -> None:
        """Give rows placeholder names and slugs until they are updated, so that other rows can take theirs first."""
        if pks:
            placeholder = NAME_KEY_PLACEHOLDER + table.c.id
            rows = update(table).where(table.c.pk.in_(sql.int_list(pks)))
            await self.connection.execute(rows.values(name_key=placeholder, slug=placeholder))

    async def next_ranks(self, column: ColumnElement[int]) -> Iterator[int]:
        """Return an iterator over free ranks, in order, after all ranks in the column. One statement."""
        last = (await self.connection.scalar(select(func.max(column)))) or 0
        return iter(range(last + GAP, 1 << 62, GAP))

    def past(self, at: int | None) -> int | None:
        """Return the time; None for one in the future, as if the line omitted it."""
        return None if at is None or at > self.log.at else at

    @property
    def initial_stamps(self) -> dict[str, int]:
        """Timestamps and version of a new topic or collection."""
        return {"created_at": self.log.at, "updated_at": self.log.at, "version": 1}

    async def _update(self, table: Table, updates: Sequence[tuple[Row[Any], DesiredRow]]) -> None:
        """Update the rows whose own columns differ. One statement; none if there are no such rows."""
        changes = [
            (row, desired, changed) for row, desired in updates if (changed := changed_columns(row, desired.columns))
        ]
        if not changes:
            return
        stamps = {"updated_at": self.log.at} if "updated_at" in table.c else {}
        columns = stamps.keys() | {column for _, desired, _ in changes for column in desired.columns}
        assignments: dict[str, Any] = {column: bindparam(f"to_{column}") for column in columns}
        if table in VERSIONED_TABLES:
            assignments["version"] = table.c.version + 1
        rows = [
            (
                row.pk,
                {
                    **row._mapping,  # noqa: SLF001 - SQLAlchemy's public name
                    **(stamps if changed.keys() - desired.restricted_columns else {}),
                    **desired.columns,
                },
            )
            for row, desired, changed in changes
        ]
        await self.connection.execute(
            update(table).where(table.c.pk == bindparam("pk_")).values(assignments),
            [{"pk_": pk} | {f"to_{column}": values[column] for column in columns} for pk, values in rows],
        )

    def recount_as_updated(self, kinds: Iterable[str]) -> None:
        """Count objects of these kinds as updated that were counted as unchanged."""
        count = Counter(kinds)
        self.updated += count
        self.unchanged -= count

    def _count(self, desired: Mapping[str, DesiredRow], created: Iterable[str], updated: Iterable[str]) -> None:
        total, new, changed = (Counter(desired[name].kind for name in names) for names in (desired, created, updated))
        self.created += new
        self.updated += changed
        self.unchanged += total - new - changed


def _is_different(row: Row[Any], desired: DesiredRow) -> bool:
    return desired.has_related_changes or bool(changed_columns(row, desired.columns))
