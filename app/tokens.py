"""Commands on API tokens: create, list, revoke, and parse their lifetime."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Row

from store import tokens
from store.database import Database
from store.date_time import format_rfc_3339
from store.ids import now_ms
from store.text import MAX_NAME_LENGTH, clean_text
from store.users import user_pk_by_external_id

UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
MAX_TTL_DAYS = 366
DEFAULT_NAME: Final = "Command line"


async def create_token(database: Database, user: str, seconds: int, name: str = DEFAULT_NAME) -> str:
    """Create a bearer token for the user with this external id and return its secret; only its digest is stored.

    Raises UserNotFoundError.
    """
    async with database.write() as connection:
        user_pk = await user_pk_by_external_id(connection, user)
        at = now_ms()
        return (await tokens.create(connection, user_pk, name, at=at, expires_at=at + seconds * 1_000)).secret


async def list_tokens(database: Database, user: str) -> Sequence[Row[Any]]:
    """Return all tokens of the user with this external id, the oldest first. Raises UserNotFoundError."""
    async with database.write() as connection:
        return await tokens.list_of(connection, await user_pk_by_external_id(connection, user))


async def revoke_token(database: Database, token: str) -> bool:
    """Revoke a token, named by id or secret, for every operation that starts from now on, and those created with it.

    Returns whether it was valid until now.
    """
    async with database.write() as connection:
        found = await tokens.find(connection, token)
        if found is None or not tokens.valid([found]):
            return False
        of_user = await tokens.list_of(connection, found.user_pk)
        await tokens.revoke(connection, tokens.with_descendants(of_user, found.pk))
        return True


async def revoke_all_tokens(database: Database, user: str) -> int:
    """Revoke all tokens of the user with this external id; return how many were valid. Raises UserNotFoundError."""
    async with database.write() as connection:
        of_user = tokens.valid(await tokens.list_of(connection, await user_pk_by_external_id(connection, user)))
        await tokens.revoke(connection, of_user)
        return len(of_user)


def format_tokens(rows: Sequence[Row[Any]]) -> Iterator[str]:
    """Yield a heading and a line for each token: id, state, times of creation, last use and end, and name."""
    yield f"{'id':<28}  {'state':<7}  {'created':<24}  {'last used':<24}  {'expires':<24}  name"
    for row in rows:
        state = "revoked" if row.revoked_at is not None else "valid" if row.expires_at > now_ms() else "expired"
        times = (row.created_at, row.last_used_at, row.expires_at)
        columns = "  ".join(f"{'never' if at is None else format_rfc_3339(at):<24}" for at in times)
        yield f"{row.id:<28}  {state:<7}  {columns}  {row.name}"


class TokenLifetimeError(ValueError):
    """A text that is not the lifetime of a token; the message names the option."""


class TokenNameError(ValueError):
    """A text that is not the name of a token; the message names the option."""


def parse_name(text: str) -> str:
    """Return the name without surrounding white space; raise TokenNameError if it is empty or unusable."""
    try:
        name = clean_text(text, MAX_NAME_LENGTH)
    except ValueError as error:
        raise TokenNameError(f"The --name {error}.") from None
    if not name:
        raise TokenNameError("The --name is empty. Use for example --name Notebook.")
    return name


def parse_ttl(text: str) -> int:
    """Return the seconds of a lifetime such as `30d`, `12h`, `15m` or `90s`; raise TokenLifetimeError otherwise."""
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    seconds = int(match[1]) * UNITS[match[2]] if match else 0
    if not 0 < seconds <= MAX_TTL_DAYS * UNITS["d"]:
        raise TokenLifetimeError(f"Invalid --ttl {text!r}. Use for example 30d, 12h or 15m (at most {MAX_TTL_DAYS}d).")
    return seconds
