"""Whole state of a database: read for comparison, saved and restored."""

import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from typing import Any

import asyncpg
from sqlalchemy import Table, select
from sqlmodel import SQLModel

from store.database import Database
from store.search.index import INDEXES
from store.tables import RowKind

State = Mapping[str, Any]
"""Rows of each table, with ids in place of primary keys: a rolled back transaction may use up keys."""

Restore = Callable[[], Awaitable[None]]

_TABLE_OF_KIND = {
    RowKind.TOPIC: "topic",
    RowKind.COLLECTION: "collection",
    RowKind.MEMBERS: "collection",
    RowKind.ASSET: "asset",
    RowKind.GRANTS: "asset",
    RowKind.PRINCIPAL: "principal",
}


async def read_state(database: Database) -> State:
    """Read every row of every table and of the search index. One statement for each table."""
    indexes = INDEXES[database.url.get_backend_name()]
    tables = (*SQLModel.metadata.sorted_tables, *indexes.values())
    async with database.snapshot() as snapshot:
        rows = {table.name: [row._asdict() for row in await snapshot.rows(select(table))] for table in tables}
    ids = {name: {row["pk"]: row["id"] for row in found if {"pk", "id"} <= row.keys()} for name, found in rows.items()}
    kind_of_index = {table.name: kind for kind, table in indexes.items()}
    return {
        table.name: sorted(
            (_with_ids(table, row, ids, kind_of_index.get(table.name)) for row in rows[table.name]), key=repr
        )
        for table in tables
    }


def _with_ids(
    table: Table, row: dict[str, Any], ids: Mapping[str, Mapping[int, str]], indexed: str | None
) -> dict[str, Any]:
    """Return the row with the id of the object in place of each key."""
    if indexed is not None:
        return row | {"rowid": ids[indexed].get(row["rowid"])}
    if table.name == "row_version":
        return row | {"pk": ids[_TABLE_OF_KIND[RowKind(row["kind"])]].get(row["pk"], row["pk"])}
    if table.name == "former_place":
        row |= {"row_pk": row["id"]}
    referenced = {
        column.name: ids[reference.column.table.name][row[column.name]]
        for column in table.c
        for reference in column.foreign_keys
        if row[column.name] is not None
    }
    return {name: value for name, value in row.items() if name != "pk"} | referenced


def describe_difference(state: State, expected: State) -> str:
    """Return the rows of each table in which the states differ."""
    return "\n".join(
        f"  {name}: {[row for row in rows if row not in expected[name]]}"
        f" in place of {[row for row in expected[name] if row not in rows]}"
        for name, rows in state.items()
        if rows != expected[name]
    )


async def save(database: Database) -> Restore:
    """Save the state; return the function that restores it, which other connections may survive."""
    return _save_file(str(database.url.database)) if database.is_sqlite else await _save_tables(database)


def _save_file(path: str) -> Restore:
    saved = sqlite3.connect(":memory:", check_same_thread=False)
    with closing(sqlite3.connect(path)) as connection:
        connection.backup(saved)

    async def restore() -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA synchronous=OFF")
            saved.backup(connection)

    return restore


async def _save_tables(database: Database) -> Restore:
    dsn = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(dsn)
    try:
        tables = [row[0] for row in await connection.fetch("select tablename from pg_tables where schemaname='public'")]
        copies = [f"create table saved.{table} as table public.{table}" for table in tables]
        await connection.execute("; ".join(["create schema saved", *copies]))
    finally:
        await connection.close()
    rows = [f"delete from {table}; insert into {table} select * from saved.{table}" for table in tables]
    # Without triggers, which would mark the rows as changed.
    script = "; ".join(["begin", "set local session_replication_role = replica", *rows, "commit"])

    async def restore() -> None:
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute(script)
        finally:
            await connection.close()

    return restore
