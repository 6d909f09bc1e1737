"""Search index: FTS5 tables on SQLite, tsvectors on PostgreSQL, updated in each write transaction."""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    Update,
    and_,
    bindparam,
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
from store.search.query import is_fuzzy
from store.search.sort_key import name_sort_key
from store.search.tag_key import keys_by_tag

BATCH = 1_000
POSTPONED = "~"
"""Prefix of the kind of stale rows that the next write leaves out. It sorts after all kinds."""

Progress = Callable[[int], None]

_SQLITE, _POSTGRESQL = MetaData(), MetaData()


def _fts5(kind: str) -> Table:
    columns = (Column(name, String()) for name in Document._fields)
    return Table(f"{kind}_search", _SQLITE, Column("rowid", Integer, primary_key=True), *columns)


def _tsvectors(kind: str) -> Table:
    return Table(f"{kind}_search", _POSTGRESQL, Column("rowid", Integer, primary_key=True), Column("words", TSVECTOR))


INDEXES = {"sqlite": {kind: _fts5(kind) for kind in SEARCHED_TABLES}}
INDEXES["postgresql"] = {kind: _tsvectors(kind) for kind in SEARCHED_TABLES}


async def index_stale_rows(connection: AsyncConnection, progress: Progress = lambda _: None) -> None:
    """Index all stale rows but postponed ones; call `progress` with the size of each batch. One statement if none are.

    The batches are in the order of kind and pk.
    """
    stale = sql.search_unindexed
    key = (stale.c.kind, stale.c.row_pk)
    last: Sequence[Any] = ("", 0)
    while True:
        # Start after the previous batch: PostgreSQL would scan its rows again, although they are deleted by now.
        following = tuple_(*key) > tuple_(*map(literal, last))
        batch = select(*key).where(following, stale.c.kind < POSTPONED).order_by(*key).limit(BATCH)
        rows = (await connection.execute(batch)).all()
        for kind, stale_rows in groupby(rows, key=lambda row: row.kind):
            await _index(connection, kind, [row.row_pk for row in stale_rows])
        progress(len(rows))
        if len(rows) < BATCH:
            return
        last = rows[-1]


async def postpone_indexing(connection: AsyncConnection) -> None:
    """Leave all stale rows to `index_postponed_rows`, so that the next write indexes its own rows only."""
    stale = sql.search_unindexed
    postponed = stale.alias("postponed")
    is_postponed = and_(postponed.c.kind == POSTPONED + stale.c.kind, postponed.c.row_pk == stale.c.row_pk)
    await connection.execute(delete(stale).where(select(postponed.c.row_pk).where(is_postponed).exists()))
    await connection.execute(update(stale).where(stale.c.kind < POSTPONED).values(kind=POSTPONED + stale.c.kind))


async def index_postponed_rows(connection: AsyncConnection) -> None:
    """Index one batch of the postponed rows."""
    stale = sql.search_unindexed
    key = (stale.c.kind, stale.c.row_pk)
    batch = select(*key).where(stale.c.kind > POSTPONED).order_by(*key).limit(BATCH)
    for kind, rows in groupby((await connection.execute(batch)).all(), key=lambda row: row.kind):
        await _index(connection, kind.removeprefix(POSTPONED), [row.row_pk for row in rows])


async def count_stale_rows(connection: AsyncConnection) -> int:
    """Return the number of rows that were written or deleted but not indexed since. One statement."""
    return await connection.scalar(select(func.count()).select_from(sql.search_unindexed)) or 0


async def reset_index(connection: AsyncConnection) -> int:
    """Empty the index, mark all rows as stale and return their number. Call `index_stale_rows` next to rebuild it.

    Other writers wait until the transaction ends.
    """
    stale, total = sql.search_unindexed, 0
    await lock_writers(connection)
    await connection.execute(delete(sql.search_word))
    await connection.execute(delete(stale))
    for kind, (table, *_) in SEARCHED_TABLES.items():
        await connection.execute(delete(INDEXES[connection.dialect.name][kind]))
        all_rows = select(literal(kind), table.c.pk)
        await connection.execute(insert(stale).from_select(["kind", "row_pk"], all_rows))
        total += await connection.scalar(select(func.count()).select_from(table)) or 0
    return total


async def lock_writers(connection: AsyncConnection) -> None:
    """Take the lock that every writer takes first. One statement."""
    await connection.execute(update(sql.deployment).values(revision=sql.deployment.c.revision))


async def _index(connection: AsyncConnection, kind: str, pks: Sequence[int]) -> None:
    """Replace the documents of rows; delete the documents of deleted rows. The pks must be in ascending order."""
    index, searched = INDEXES[connection.dialect.name][kind], SEARCHED_TABLES[kind]
    rows = searched.rows.where(searched.table.c.pk.in_(sql.int_list(pks)))
    stale_rows = (await connection.execute(rows)).all()
    documents = {row.pk: searched.document(row) for row in stale_rows}
    await _derive_columns(connection, searched.table, stale_rows)
    await connection.execute(delete(index).where(index.c.rowid.in_(sql.int_list(pks))))
    await insert_many(connection, index, [_index_row(index, pk, document) for pk, document in documents.items()])
    await _add_words(connection, {token for document in documents.values() for field in document for token in field})
    for stale in (sql.search_unindexed, sql.search_stale):
        # With the range, PostgreSQL does not scan the rows that earlier batches deleted.
        batch = (stale.c.row_pk.between(pks[0], pks[-1]), stale.c.row_pk.in_(sql.int_list(pks)))
        await connection.execute(delete(stale).where(stale.c.kind.in_([kind, POSTPONED + kind]), *batch))


async def _derive_columns(connection: AsyncConnection, table: Table, rows: Sequence[Row[Any]]) -> None:
    """Set the sort keys of rows and the keys of their tags, unless the writer set them.

    Servers of an earlier version and statements written by hand do not. No statement if all are set.
    """
    if "sort_key" in table.c:
        keys = [{"of_pk": row.pk, "to_key": name_sort_key(row.name)} for row in rows]
        wrong = [key for key, row in zip(keys, rows, strict=True) if key["to_key"] != row.sort_key]
        of_row = update(table).where(table.c.pk == bindparam("of_pk"))
        await _execute_many(connection, of_row.values(sort_key=bindparam("to_key")), wrong)
    await _key_tags(connection, [row.pk for row in rows if getattr(row, "has_tags_without_key", False)])


async def _key_tags(connection: AsyncConnection, asset_pks: Sequence[int]) -> None:
    if not asset_pks:
        return
    tag = sql.asset_tag.c
    rows = select(tag.asset_pk, tag.tag).where(tag.asset_pk.in_(sql.int_list(asset_pks))).order_by(tag.asset_pk)
    keys = [
        {"of_pk": pk, "of_tag": name, "to_key": key}
        for pk, tags in groupby((await connection.execute(rows)).all(), key=lambda row: row.asset_pk)
        for name, key in keys_by_tag(row.tag for row in tags).items()
    ]
    of_tag = update(sql.asset_tag).where(tag.asset_pk == bindparam("of_pk"), tag.tag == bindparam("of_tag"))
    await _execute_many(connection, of_tag.values(tag_key=bindparam("to_key")), keys)


async def _execute_many(connection: AsyncConnection, statement: Update, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        await connection.execute(statement, rows)


def _index_row(index: Table, pk: int, document: Document) -> dict[str, Any]:
    columns = {"words": document.to_tsvector()} if "words" in index.c else document.to_columns()
    return {"rowid": pk, **columns}


async def _add_words(connection: AsyncConnection, tokens: Iterable[str]) -> None:
    """Add words for fuzzy matching. Words of deleted rows are never removed: they match no row, so they do no harm."""
    word = sql.search_word
    candidates = sorted(token for token in tokens if is_fuzzy(token))
    existing = set(await connection.scalars(select(word.c.word).where(word.c.word.in_(sql.text_list(candidates)))))
    rows = [{"word": token, "backward": token[::-1]} for token in candidates if token not in existing]
    await insert_many(connection, word, rows)
