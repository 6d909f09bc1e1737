"""Results of mutations with an idempotency key, stored per viewer for a day."""

from typing import Any, NamedTuple

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.ids import now_ms

RETENTION_MS = 24 * 3_600 * 1_000


class SavedResult(NamedTuple):
    """Result of a mutation, with the digest of its name and input."""

    digest: str
    result: dict[str, Any]


async def find_result(connection: AsyncConnection, user_pk: int, key: str) -> SavedResult | None:
    """Return the result saved under the viewer's key during the last day, else None. One statement."""
    saved = select(sql.idempotency.c.digest, sql.idempotency.c.answer).where(
        sql.idempotency.c.user_pk == user_pk,
        sql.idempotency.c.key == key,
        sql.idempotency.c.at > now_ms() - RETENTION_MS,
    )
    row = (await connection.execute(saved)).first()
    return None if row is None else SavedResult(row.digest, row.answer)


async def count_results(connection: AsyncConnection, user_pk: int) -> int:
    """Count the results that were saved for the viewer during the last day. One statement."""
    saved = sql.idempotency.c.user_pk == user_pk, sql.idempotency.c.at > now_ms() - RETENTION_MS
    return int((await connection.execute(select(func.count()).where(*saved))).scalar_one())


async def save_result(connection: AsyncConnection, user_pk: int, key: str, digest: str, result: dict[str, Any]) -> None:
    """Save a result, and delete all results older than a day. Two statements."""
    await connection.execute(delete(sql.idempotency).where(sql.idempotency.c.at <= now_ms() - RETENTION_MS))
    row = {"user_pk": user_pk, "key": key, "digest": digest, "answer": result, "at": now_ms()}
    await connection.execute(insert(sql.idempotency).values(row))
