"""This file is answers kept for retries: by viewer and key, for a day."""

from typing import Any, NamedTuple

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.ids import now_ms

RETENTION_MS = 24 * 3_600 * 1_000


class SavedResult(NamedTuple):
    """What was kept: the digest of what was asked, and the answer."""

    digest: str
    result: dict[str, Any]


async def find_result(connection: AsyncConnection, user_pk: int, key: str) -> SavedResult | None:
    """Return what was kept under the viewer's key, None for nothing of the last day. One statement."""
    found = select(sql.idempotency.c.digest, sql.idempotency.c.answer).where(
        sql.idempotency.c.user_pk == user_pk,
        sql.idempotency.c.key == key,
        sql.idempotency.c.at > now_ms() - RETENTION_MS,
    )
    row = (await connection.execute(found)).first()
    return None if row is None else SavedResult(row.digest, row.answer)


async def save_result(connection: AsyncConnection, user_pk: int, key: str, digest: str, answer: dict[str, Any]) -> None:
    """Keep an answer, and forget those of more than a day ago. Two statements."""
    await connection.execute(delete(sql.idempotency).where(sql.idempotency.c.at <= now_ms() - RETENTION_MS))
    row = {"user_pk": user_pk, "key": key, "digest": digest, "answer": answer, "at": now_ms()}
    await connection.execute(insert(sql.idempotency).values(row))
