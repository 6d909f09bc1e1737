"""This file is rows being created, updated or left as they are, each outcome counted and logged."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.changes import Log
from store.ids import new_id
from store.ranks import GAP
from store.tables import ChangeAction

BATCH = 1_000
VERSIONED = frozenset({sql.topic, sql.collection})
UNNAMEABLE = "\x7f"  # no name can hold it


@dataclass(frozen=True)
class Wanted:
    """A row as a line wants it."""

    kind: str  # that it is counted as
    prefix: str  # of its id
    columns: Mapping[str, Any]
    first: Mapping[str, Any] = field(default_factory=dict)  # columns that only a new row takes
    is_touched: bool = False  # something beside the row's own columns differs


@dataclass
class Write:
    """One import on its way: its transaction, its log, and what it did so far in objects by kind."""

    connection: AsyncConnection
    log: Log
    created: Counter[str] = field(default_factory=Counter)
    updated: Counter[str] = field(default_factory=Counter)
    unchanged: Counter[str] = field(default_factory=Counter)

    async def upsert(self, table: Table, by: str, wanted: Mapping[str, Wanted]) -> dict[str, int]:
        """Insert what is new and update what differs; return the pk of each by the column `by`."""
        held = await self.held(table, by, wanted)
        ids = {name: new_id(row.prefix) for name, row in wanted.items() if name not in held}
        differing = [name for name, row in held.items() if is_different(row, wanted[name])]
        new = [{by: name, "id": id_, **wanted[name].first, **wanted[name].columns} for name, id_ in ids.items()]
        await self.insert(table, new)
        await self._update(table, [(held[name], wanted[name].columns) for name in differing])
        await self.log.append(ChangeAction.CREATED, ids.values())
        await self.log.append(ChangeAction.UPDATED, [held[name].id for name in differing])
        self._count(wanted, ids, differing)
        return await self.pks(table, by, wanted)

    async def held(self, table: Table, by: str, names: Iterable[str]) -> dict[str, Row[Any]]:
        """Return the rows that the database has of those names."""
        rows = select(table).where(table.c[by].in_(sql.texts(list(names))))
        return {getattr(row, by): row for row in await self.connection.execute(rows)}

    async def pks(self, table: Table, by: str, names: Iterable[str]) -> dict[str, int]:
        """Return the pk of each row of those names."""
        rows = select(table.c[by], table.c.pk).where(table.c[by].in_(sql.texts(list(names))))
        return {row[0]: row.pk for row in await self.connection.execute(rows)}

    async def insert(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows, a bounded number in a statement."""
        for start in range(0, len(rows), BATCH):
            await self.connection.execute(insert(table), rows[start : start + BATCH])

    async def replace(self, column: ColumnElement[int], pks: Sequence[int], rows: Sequence[Mapping[str, Any]]) -> None:
        """Put rows in the place of all those whose column is among the pks."""
        table: Table = column.table
        if pks:
            await self.connection.execute(delete(table).where(column.in_(sql.listed(pks))))
        await self.insert(table, rows)

    async def free_names(self, table: Table, pks: Sequence[int]) -> None:
        """Take names away that other rows of this import may want; those rows get theirs later in it."""
        if pks:
            nameless = update(table).where(table.c.pk.in_(sql.listed(pks))).values(name_key=UNNAMEABLE + table.c.id)
            await self.connection.execute(nameless)

    async def next_ranks(self, column: ColumnElement[int]) -> Iterator[int]:
        """Return ranks behind all that there are."""
        greatest = (await self.connection.scalar(select(func.max(column)))) or 0
        return iter(range(greatest + GAP, 1 << 62, GAP))

    @property
    def stamps(self) -> dict[str, int]:
        """The columns that a new topic or collection begins with."""
        return {"created_at": self.log.at, "updated_at": self.log.at, "version": 1}

    async def _update(self, table: Table, changes: Sequence[tuple[Row[Any], Mapping[str, Any]]]) -> None:
        if not changes:
            return
        stamps = {"updated_at": self.log.at} if "updated_at" in table.c else {}
        columns = stamps.keys() | {column for _, values in changes for column in values}
        setting: dict[str, Any] = {column: bindparam(f"to_{column}") for column in columns}
        if table in VERSIONED:
            setting["version"] = table.c.version + 1
        rows = [(row.pk, {**row._mapping, **stamps, **values}) for row, values in changes]  # noqa: SLF001 - a row's public name for its columns
        await self.connection.execute(
            update(table).where(table.c.pk == bindparam("pk_")).values(setting),
            [{"pk_": pk} | {f"to_{column}": values[column] for column in columns} for pk, values in rows],
        )

    def _count(self, wanted: Mapping[str, Wanted], created: Iterable[str], updated: Iterable[str]) -> None:
        all_, new, changed = (Counter(wanted[name].kind for name in names) for names in (wanted, created, updated))
        self.created += new
        self.updated += changed
        self.unchanged += all_ - new - changed


def is_different(row: Row[Any], wanted: Wanted) -> bool:
    """Return whether a row of the database is not as a line wants it."""
    return wanted.is_touched or any(getattr(row, column) != value for column, value in wanted.columns.items())
