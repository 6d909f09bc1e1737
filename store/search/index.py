"""This file is the index of search, kept in the transaction that changes a row: FTS5 here, a tsvector there."""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    String,
    Table,
    delete,
    func,
    insert,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.bulk_insert import insert_many
from store.search.document import SEARCHED_TABLES, Document
from store.search.query import MIN_FUZZY_LENGTH

BATCH = 1_000
Progress = Callable[[int], None]

_SQLITE, _POSTGRESQL = MetaData(), MetaData()


def _fts5(kind: str) -> Table:
    texts = (Column(name, String()) for name in Document._fields)
    return Table(f"{kind}_search", _SQLITE, Column("rowid", Integer, primary_key=True), *texts)


def _tsvectors(kind: str) -> Table:
    return Table(f"{kind}_search", _POSTGRESQL, Column("rowid", Integer, primary_key=True), Column("words", TSVECTOR))


INDEXES = {"sqlite": {kind: _fts5(kind) for kind in SEARCHED_TABLES}}
INDEXES["postgresql"] = {kind: _tsvectors(kind) for kind in SEARCHED_TABLES}


async def index_stale_rows(connection: AsyncConnection, progress: Progress = lambda _: None) -> None:
    """Look anew at every row that was written since, and call `progress` with how many those were, a part at a time.

    One statement where nothing was.
    """
    noted = (sql.search_stale.c.kind, sql.search_stale.c.row_pk)
    last: Sequence[Any] = ("", 0)
    while True:
        # Behind the last, for PostgreSQL would pass by each that this transaction has deleted.
        further = select(*noted).where(tuple_(*noted) > tuple_(*map(literal, last))).order_by(*noted).limit(BATCH)
        rows = (await connection.execute(further)).all()
        for kind, each in groupby(rows, key=lambda row: row.kind):
            await _index(connection, kind, [row.row_pk for row in each])
        progress(len(rows))
        if len(rows) < BATCH:
            return
        last = rows[-1]


async def reset_index(connection: AsyncConnection) -> int:
    """Forget the index; return how many things `refresh` then has to look at. Other writers wait until it has."""
    stale, count, revision = sql.search_stale, 0, sql.deployment.c.revision
    await connection.execute(update(sql.deployment).values(revision=revision))  # which each of them begins with
    await connection.execute(delete(sql.search_word))
    await connection.execute(delete(stale))
    for kind, (table, *_) in SEARCHED_TABLES.items():
        await connection.execute(delete(INDEXES[connection.dialect.name][kind]))
        every = select(literal(kind), table.c.pk)
        await connection.execute(insert(stale).from_select(["kind", "row_pk"], every))
        count += await connection.scalar(select(func.count()).select_from(table)) or 0
    return count


async def _index(connection: AsyncConnection, kind: str, pks: Sequence[int]) -> None:
    """Index the rows of those pks, which rise, as they are now, or no more where they are gone."""
    index, searched = INDEXES[connection.dialect.name][kind], SEARCHED_TABLES[kind]
    here = searched.rows.where(searched.table.c.pk.in_(sql.int_list(pks)))
    found = {row.pk: searched.document(row) for row in await connection.execute(here)}
    await connection.execute(delete(index).where(index.c.rowid.in_(sql.int_list(pks))))
    await insert_many(connection, index, [_row(index, pk, document) for pk, document in found.items()])
    await _learn(connection, {word for document in found.values() for field in document for word in field})
    stale = sql.search_stale
    # Between the first and the last, for PostgreSQL would pass by all that were deleted before.
    these = (stale.c.row_pk.between(pks[0], pks[-1]), stale.c.row_pk.in_(sql.int_list(pks)))
    await connection.execute(delete(stale).where(stale.c.kind == kind, *these))


def _row(index: Table, pk: int, document: Document) -> dict[str, Any]:
    told = {"words": document.tsvector()} if "words" in index.c else document.texts()
    return {"rowid": pk, **told}


async def _learn(connection: AsyncConnection, words: Iterable[str]) -> None:
    """Keep the words that a misspelt one may have been meant to be."""
    word = sql.search_word
    told = sorted(each for each in words if each.isalpha() and len(each) >= MIN_FUZZY_LENGTH - 1)
    known = set(await connection.scalars(select(word.c.word).where(word.c.word.in_(sql.text_list(told)))))
    rows = [{"word": each, "backward": each[::-1]} for each in told if each not in known]
    await insert_many(connection, word, rows)
