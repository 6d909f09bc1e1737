"""Stored pulls: row sets of `collectionGraph`, each as one sequence of rows, from which pages are served.

A sync compares the rows of an earlier pull with those that the viewer sees now, and stores two pulls: one with the
rows, for the next sync token, and one with the difference, for the pages.
"""

import zlib
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple, Self

import orjson
from sqlalchemy import Select, Table, Update, and_, case, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.database import Snapshot
from store.ids import now_ms

SERVED_MINUTES = 60
"""How long pages of a pull are served after its first page."""

TOKEN_DAYS = 30
"""How long a sync token is valid."""

SERVED_MS, TOKEN_MS = SERVED_MINUTES * 60 * 1_000, TOKEN_DAYS * 24 * 3_600 * 1_000

CHUNK_ROWS = 1_000
"""Rows in a chunk, as many as in the largest page: pages read one or two chunks, however large the pull is."""

MAX_PULLS = 40
"""Most pulls that are stored for a user, and as many differences."""

MAX_VISITORS_PULLS = 20
"""Most pulls with the same parts, and as many differences, that are stored for all visitors together.

Visitors see the same rows, and so share pulls: only changes of these, and other parts, make another pull.
"""

_FAST = 1  # level of compression

Row = Sequence[Any]
"""Row of a pull: values that JSON can hold."""


class Contents(NamedTuple):
    """Contents of a pull: its parts, the rows in its pages, and others; see `store.tables.Pull`."""

    parts: str
    state_id: str | None
    sent: Sequence[Row]
    unsent: Sequence[Row]


class NewPull(NamedTuple):
    """Pull that is not stored yet, with the compressed chunks of its rows."""

    id: str
    user_pk: int | None
    parts: str
    state_id: str | None
    digest: str
    size: int
    chunks: Sequence[bytes]

    @classmethod
    def of_rows(cls, id_: str, user_pk: int | None, of: Contents) -> Self:
        """Return the pull with these contents."""
        rows = [*of.sent, *of.unsent]
        chunks = [orjson.dumps(rows[start : start + CHUNK_ROWS]) for start in range(0, len(rows), CHUNK_ROWS)]
        digest = blake2b(orjson.dumps([of.parts, of.state_id]), digest_size=16)
        for chunk in chunks:
            digest.update(chunk)
        compressed = [zlib.compress(chunk, _FAST) for chunk in chunks]
        return cls(id_, user_pk, of.parts, of.state_id, digest.hexdigest(), len(of.sent), compressed)


def rows_of_chunk(stored: bytes) -> list[Row]:
    """Return the rows of a stored chunk."""
    rows: list[Row] = orjson.loads(zlib.decompress(stored))
    return rows


async def save_pull(connection: AsyncConnection, pull: NewPull) -> None:
    """Store a pull, and delete expired ones and the viewer's oldest ones beyond the limit. Six statements."""
    at = now_ms()
    await _delete(connection, select(sql.pull.c.pk).where(sql.pull.c.expires_at <= at))
    limit, is_of_viewer = MAX_PULLS, sql.pull.c.user_pk == pull.user_pk
    if pull.user_pk is None:
        limit, is_of_viewer = MAX_VISITORS_PULLS, and_(sql.pull.c.user_pk.is_(None), sql.pull.c.parts == pull.parts)
    is_difference = sql.pull.c.state_id.is_not(None)
    alike = select(sql.pull.c.pk).where(is_of_viewer, is_difference if pull.state_id else ~is_difference)
    newest_first = alike.order_by(sql.pull.c.served_until.desc(), sql.pull.c.pk.desc())
    await _delete(connection, newest_first.offset(limit - 1))
    values = {name: value for name, value in pull._asdict().items() if name != "chunks"} | {"torn": []}
    times = {"served_until": at + SERVED_MS, "expires_at": at + SERVED_MS}
    inserted = insert(sql.pull).values(values | times).returning(sql.pull.c.pk)
    pk = (await connection.execute(inserted)).scalar_one()
    chunks = [{"pull_pk": pk, "start": n * CHUNK_ROWS, "rows": rows} for n, rows in enumerate(pull.chunks)]
    if chunks:
        await connection.execute(insert(sql.pull_chunk), chunks)


async def renew_pull(connection: AsyncConnection, id_: str) -> None:
    """Serve the pages of a stored pull for another hour. One statement."""
    until = now_ms() + SERVED_MS
    await connection.execute(_extend(id_, until).values(served_until=until))


async def keep_pull(connection: AsyncConnection, id_: str) -> None:
    """Keep a stored pull for as long as a new sync token is valid. One statement."""
    await connection.execute(_extend(id_, now_ms() + TOKEN_MS))


async def add_torn_rows(connection: AsyncConnection, id_: str, keys: Sequence[Row]) -> None:
    """Add keys to the torn rows of a stored pull, which no other viewer or walk then gets. Two statements."""
    is_pull = sql.pull.c.id == id_
    for [torn] in (await connection.execute(select(sql.pull.c.torn).where(is_pull))).all():
        known = set(map(tuple, torn))
        added = [list(key) for key in keys if tuple(key) not in known]
        await connection.execute(update(sql.pull).where(is_pull).values(torn=[*torn, *added], digest=id_))


async def fetch_ids(snapshot: Snapshot, table: Table, pks: Iterable[int]) -> dict[int, str]:
    """Return the ids of rows by primary key, for a viewer who saw them before. One statement.

    They may be hidden from the viewer now: the ids say that they were removed.
    """
    rows = select(table.c.pk, table.c.id).where(table.c.pk.in_(sql.int_table("pks").select()))
    return {row.pk: row.id for row in await snapshot.rows(rows, {"pks": sql.json_text(sorted(pks))})}


def _extend(id_: str, until: int) -> Update:
    """Return the UPDATE of a pull that expires at that time or later."""
    expires_at = case((sql.pull.c.expires_at < until, until), else_=sql.pull.c.expires_at)
    return update(sql.pull).where(sql.pull.c.id == id_).values(expires_at=expires_at)


async def _delete(connection: AsyncConnection, pks: Select[tuple[int]]) -> None:
    await connection.execute(delete(sql.pull_chunk).where(sql.pull_chunk.c.pull_pk.in_(pks)))
    await connection.execute(delete(sql.pull).where(sql.pull.c.pk.in_(pks)))
