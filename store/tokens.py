"""API tokens: created, listed, revoked, and the time of their last use. Only their digests are stored."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import ids, sql
from store.ids import now_ms

API_TOKEN_PREFIX = "atoll_"  # noqa: S105 - a prefix, not a password
DAY_MS: Final = 24 * 3_600 * 1_000
RETENTION_MS: Final = 30 * DAY_MS
"""How long an expired or revoked token is kept, so that a list can explain why it stopped working."""


class CreatedToken(NamedTuple):
    """A new token: its public id, and the secret, which is nowhere else."""

    id: str
    secret: str


def token_digest(token: str) -> str:
    """Return the digest by which an API token is stored. A token has 256 random bits, so a fast hash is safe."""
    return sha256(token.encode()).hexdigest()


async def create(
    connection: AsyncConnection, user_pk: int, name: str, *, at: int, expires_at: int, parent_pk: int | None = None
) -> CreatedToken:
    """Create a token of a user, and delete the user's tokens that ended long ago. Two statements.

    A parent is the token that the user created this one with. Both are revoked together.
    """
    ended = func.coalesce(sql.api_token.c.revoked_at, sql.api_token.c.expires_at)
    await connection.execute(delete(sql.api_token).where(sql.api_token.c.user_pk == user_pk, ended < at - RETENTION_MS))
    token = CreatedToken(ids.new_id("tok"), _new_secret())
    row = {"id": token.id, "digest": token_digest(token.secret), "user_pk": user_pk, "parent_pk": parent_pk}
    row |= {"name": name, "created_at": at, "expires_at": expires_at}
    await connection.execute(insert(sql.api_token).values(row))
    return token


def _new_secret() -> str:
    return API_TOKEN_PREFIX + base64.urlsafe_b64encode(ids.random_bytes(32)).decode().rstrip("=")


async def find(connection: AsyncConnection, text: str) -> Row[Any] | None:
    """Return the token with this id or, for those who have it, this secret; None if there is none. One statement."""
    is_secret = text.startswith(API_TOKEN_PREFIX)
    found = sql.api_token.c.digest == token_digest(text) if is_secret else sql.api_token.c.id == text
    return (await connection.execute(select(sql.api_token).where(found))).first()


async def list_of(connection: AsyncConnection, user_pk: int) -> Sequence[Row[Any]]:
    """Return all tokens of a user, the oldest first, revoked and expired ones included. One statement."""
    tokens = select(sql.api_token).where(sql.api_token.c.user_pk == user_pk).order_by(sql.api_token.c.pk)
    return (await connection.execute(tokens)).all()


def valid(tokens: Iterable[Row[Any]]) -> list[Row[Any]]:
    """Return those of the tokens that are neither revoked nor expired."""
    return [token for token in tokens if token.revoked_at is None and token.expires_at > now_ms()]


async def revoke(connection: AsyncConnection, tokens: Sequence[Row[Any]]) -> None:
    """Revoke tokens for every operation that starts from now on. One statement."""
    pks = [token.pk for token in tokens]
    unrevoked = sql.api_token.c.pk.in_(pks), sql.api_token.c.revoked_at.is_(None)
    await connection.execute(update(sql.api_token).where(*unrevoked).values(revoked_at=now_ms()))


def with_descendants(tokens: Iterable[Row[Any]], pk: int) -> list[Row[Any]]:
    """Return the token with this pk and those created with it, directly or not; `tokens` are all of a user's."""
    found: list[Row[Any]] = []
    pks = {pk}
    for token in tokens:  # the oldest first, so that a parent comes before its children
        if token.pk in pks or token.parent_pk in pks:
            pks.add(token.pk)
            found.append(token)
    return found


async def record_uses(connection: AsyncConnection, times: Mapping[str, int]) -> None:
    """Store when tokens were used last, by digest, unless a later use is stored.

    The order of the rows is that of the digests, so that two processes never wait for each other.
    """
    token = sql.api_token
    later = update(token).where(
        token.c.digest == bindparam("used_digest"), func.coalesce(token.c.last_used_at, 0) < bindparam("used_at")
    )
    rows = [{"used_digest": digest, "used_at": at} for digest, at in sorted(times.items())]
    await connection.execute(later.values(last_used_at=bindparam("used_at")), rows)
