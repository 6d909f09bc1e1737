"""Stored pulls: row sets of `collectionGraph`, each as one sequence of rows, from which pages are served."""

import zlib
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, NamedTuple, Self

import orjson
from sqlalchemy import Select, case, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.ids import now_ms

SERVED_MS = 3_600 * 1_000
"""How long pages of a pull are served after its first page."""

CHUNK_ROWS = 4_096
"""Rows in a chunk: a page reads one or two chunks, however large the pull is."""

MAX_PULLS = 20
"""Most pulls that are stored for a user, and for all visitors together, who see the same rows."""

_FAST = 1  # level of compression

Row = Sequence[Any]
"""Row of a pull: values that JSON can hold."""


class NewPull(NamedTuple):
    """Pull that is not stored yet, with the compressed chunks of its rows."""

    id: str
    user_pk: int | None
    digest: str
    size: int
    chunks: Sequence[bytes]

    @classmethod
    def of_rows(cls, id_: str, user_pk: int | None, rows: Sequence[Row]) -> Self:
        """Return the pull of these rows."""
        chunks = [orjson.dumps(rows[start : start + CHUNK_ROWS]) for start in range(0, len(rows), CHUNK_ROWS)]
        digest = blake2b(digest_size=16)
        for chunk in chunks:
            digest.update(chunk)
        return cls(id_, user_pk, digest.hexdigest(), len(rows), [zlib.compress(chunk, _FAST) for chunk in chunks])


def rows_of_chunk(stored: bytes) -> list[Row]:
    """Return the rows of a stored chunk."""
    rows: list[Row] = orjson.loads(zlib.decompress(stored))
    return rows


async def save_pull(connection: AsyncConnection, pull: NewPull) -> None:
    """Store a pull, and delete expired ones and the user's oldest ones beyond MAX_PULLS. Six statements.

    One more for each chunk on SQLite.
    """
    at = now_ms()
    await _delete(connection, select(sql.pull.c.pk).where(sql.pull.c.expires_at <= at))
    is_own = sql.pull.c.user_pk.is_not_distinct_from(pull.user_pk)
    newest = select(sql.pull.c.pk).where(is_own).order_by(sql.pull.c.expires_at.desc(), sql.pull.c.pk.desc())
    await _delete(connection, newest.offset(MAX_PULLS - 1))
    values = {"id": pull.id, "user_pk": pull.user_pk, "digest": pull.digest, "size": pull.size}
    times = {"served_until": at + SERVED_MS, "expires_at": at + SERVED_MS}
    inserted = insert(sql.pull).values(values | times).returning(sql.pull.c.pk)
    pk = (await connection.execute(inserted)).scalar_one()
    chunks = [{"pull_pk": pk, "start": n * CHUNK_ROWS, "rows": rows} for n, rows in enumerate(pull.chunks)]
    if chunks:
        await connection.execute(insert(sql.pull_chunk), chunks)


async def renew_pull(connection: AsyncConnection, pk: int) -> None:
    """Serve the pages of a stored pull for another hour. One statement."""
    until = now_ms() + SERVED_MS
    expires_at = case((sql.pull.c.expires_at < until, until), else_=sql.pull.c.expires_at)
    await connection.execute(
        update(sql.pull).where(sql.pull.c.pk == pk).values(served_until=until, expires_at=expires_at)
    )


async def _delete(connection: AsyncConnection, pks: Select[tuple[int]]) -> None:
    await connection.execute(delete(sql.pull_chunk).where(sql.pull_chunk.c.pull_pk.in_(pks)))
    await connection.execute(delete(sql.pull).where(sql.pull.c.pk.in_(pks)))
