"""This file is rows being created, updated or left as they are, each outcome counted and logged."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Table, bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.changes import ChangeLog, changed_columns
from store.ids import new_id
from store.ranks import GAP
from store.tables import ChangeAction
from store.text import NAME_KEY_PLACEHOLDER

BATCH = 1_000
VERSIONED = frozenset({sql.topic, sql.collection})


@dataclass(frozen=True)
class DesiredRow:
    """A row as a line wants it."""

    kind: str  # that it is counted as
    prefix: str  # of its id
    columns: Mapping[str, Any]
    first: Mapping[str, Any] = field(default_factory=dict)  # columns that only a new row takes
    is_touched: bool = False  # something beside the row's own columns differs
    unstamped: frozenset[str] = frozenset()  # columns that not all see who see the row: its stamp tells of no change


class SavedRows(NamedTuple):
    """What became of rows, by name: their pks, the ids of new ones, and how those that differ were before."""

    pks: dict[str, int]
    created: dict[str, str]
    updated: dict[str, Row[Any]]


@dataclass
class ImportSession:
    """One import on its way: its transaction, its log, and what it did so far in objects by kind."""

    connection: AsyncConnection
    log: ChangeLog
    created: Counter[str] = field(default_factory=Counter)
    updated: Counter[str] = field(default_factory=Counter)
    unchanged: Counter[str] = field(default_factory=Counter)

    async def upsert(self, table: Table, by: str, wanted: Mapping[str, DesiredRow]) -> dict[str, int]:
        """Insert what is new, update what differs, and log both; return the pk of each by the column `by`."""
        saved = await self.save(table, by, wanted)
        await self.log.append(ChangeAction.CREATED, saved.created.values())
        await self.log.append(ChangeAction.UPDATED, [row.id for row in saved.updated.values()])
        return saved.pks

    async def save(self, table: Table, by: str, wanted: Mapping[str, DesiredRow]) -> SavedRows:
        """Insert what is new and update what differs, each counted; log nothing."""
        held = await self.held(table, by, wanted)
        ids = {name: new_id(row.prefix) for name, row in wanted.items() if name not in held}
        differing = {name: row for name, row in held.items() if is_different(row, wanted[name])}
        new = [{by: name, "id": id_, **wanted[name].first, **wanted[name].columns} for name, id_ in ids.items()]
        await self.insert(table, new)
        await self._update(table, [(row, wanted[name]) for name, row in differing.items()])
        self._count(wanted, ids, differing)
        return SavedRows(await self.pks(table, by, wanted), ids, differing)

    async def held(self, table: Table, by: str, names: Iterable[str]) -> dict[str, Row[Any]]:
        """Return the rows that the database has of those names."""
        rows = select(table).where(table.c[by].in_(sql.text_list(list(names))))
        return {getattr(row, by): row for row in await self.connection.execute(rows)}

    async def pks(self, table: Table, by: str, names: Iterable[str]) -> dict[str, int]:
        """Return the pk of each row of those names."""
        rows = select(table.c[by], table.c.pk).where(table.c[by].in_(sql.text_list(list(names))))
        return {row[0]: row.pk for row in await self.connection.execute(rows)}

    async def insert(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows, a bounded number in a statement."""
        for start in range(0, len(rows), BATCH):
            await self.connection.execute(insert(table), rows[start : start + BATCH])

    async def replace(self, column: ColumnElement[int], pks: Sequence[int], rows: Sequence[Mapping[str, Any]]) -> None:
        """Put rows in the place of all those whose column is among the pks."""
        table: Table = column.table
        if pks:
            await self.connection.execute(delete(table).where(column.in_(sql.int_list(pks))))
        await self.insert(table, rows)

    async def free_names(self, table: Table, pks: Sequence[int]) -> None:
        """Take names away that other rows of this import may want; those rows get theirs later in it."""
        if pks:
            nameless = (
                update(table)
                .where(table.c.pk.in_(sql.int_list(pks)))
                .values(name_key=NAME_KEY_PLACEHOLDER + table.c.id)
            )
            await self.connection.execute(nameless)

    async def next_ranks(self, column: ColumnElement[int]) -> Iterator[int]:
        """Return ranks behind all that there are."""
        greatest = (await self.connection.scalar(select(func.max(column)))) or 0
        return iter(range(greatest + GAP, 1 << 62, GAP))

    @property
    def stamps(self) -> dict[str, int]:
        """The columns that a new topic or collection begins with."""
        return {"created_at": self.log.at, "updated_at": self.log.at, "version": 1}

    async def _update(self, table: Table, touched: Sequence[tuple[Row[Any], DesiredRow]]) -> None:
        """Update the rows whose own columns differ. One statement, and none where no row's do."""
        changes = [(row, wanted, values) for row, wanted in touched if (values := changed_columns(row, wanted.columns))]
        if not changes:
            return
        stamps = {"updated_at": self.log.at} if "updated_at" in table.c else {}
        columns = stamps.keys() | {column for _, wanted, _ in changes for column in wanted.columns}
        setting: dict[str, Any] = {column: bindparam(f"to_{column}") for column in columns}
        if table in VERSIONED:
            setting["version"] = table.c.version + 1
        rows = [
            (row.pk, {**row._mapping, **(stamps if values.keys() - wanted.unstamped else {}), **wanted.columns})  # noqa: SLF001 - a row's public name for its columns
            for row, wanted, values in changes
        ]
        await self.connection.execute(
            update(table).where(table.c.pk == bindparam("pk_")).values(setting),
            [{"pk_": pk} | {f"to_{column}": values[column] for column in columns} for pk, values in rows],
        )

    def _count(self, wanted: Mapping[str, DesiredRow], created: Iterable[str], updated: Iterable[str]) -> None:
        all_, new, changed = (Counter(wanted[name].kind for name in names) for names in (wanted, created, updated))
        self.created += new
        self.updated += changed
        self.unchanged += all_ - new - changed


def is_different(row: Row[Any], wanted: DesiredRow) -> bool:
    """Return whether a row of the database is not as a line wants it."""
    return wanted.is_touched or bool(changed_columns(row, wanted.columns))
