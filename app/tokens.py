"""API tokens: create, revoke, and parse their lifetime."""

import re
import secrets

from sqlalchemy import insert, update

from app.authentication import API_TOKEN_PREFIX
from permissions.viewer import token_digest
from store import sql
from store.database import Database
from store.ids import now_ms
from store.users import user_pk_by_external_id

UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
MAX_TTL_DAYS = 366


async def create_token(database: Database, user: str, seconds: int) -> str:
    """Create a bearer token for the user with this external id; only its digest is stored.

    Raises UserNotFoundError.
    """
    token, now = API_TOKEN_PREFIX + secrets.token_urlsafe(32), now_ms()
    async with database.write() as connection:
        row = {
            "digest": token_digest(token),
            "user_pk": await user_pk_by_external_id(connection, user),
            "created_at": now,
            "expires_at": now + seconds * 1_000,
        }
        await connection.execute(insert(sql.api_token).values(row))
    return token


async def revoke_token(database: Database, token: str) -> bool:
    """Revoke a token for every operation that starts from now on; return whether it was valid until now."""
    async with database.write() as connection:
        valid = update(sql.api_token).where(
            sql.api_token.c.digest == token_digest(token),
            sql.api_token.c.revoked_at.is_(None),
            sql.api_token.c.expires_at > now_ms(),
        )
        return bool((await connection.execute(valid.values(revoked_at=now_ms()))).rowcount)


class TokenLifetimeError(ValueError):
    """A text that is not the lifetime of a token; the message names the option."""


def parse_ttl(text: str) -> int:
    """Return the seconds of a lifetime such as `30d`, `12h`, `15m` or `90s`; raise TokenLifetimeError otherwise."""
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    seconds = int(match[1]) * UNITS[match[2]] if match else 0
    if not 0 < seconds <= MAX_TTL_DAYS * UNITS["d"]:
        raise TokenLifetimeError(f"Invalid --ttl {text!r}. Use for example 30d, 12h or 15m (at most {MAX_TTL_DAYS}d).")
    return seconds
