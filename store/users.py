"""Look-up of users by their id on the platform, for the command line."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.tables import PrincipalKind


class UserNotFoundError(LookupError):
    """No user has the external id; the message names a few existing users."""


async def user_pk_by_external_id(connection: AsyncConnection, external_id: str) -> int:
    """Return the pk of the user with the external id. Raises UserNotFoundError."""
    users = select(sql.principal.c.external_id, sql.principal.c.pk).where(sql.principal.c.kind == PrincipalKind.USER)
    row = (await connection.execute(users.where(sql.principal.c.external_id == external_id))).first()
    if row is not None:
        return int(row.pk)
    first = (await connection.scalars(users.order_by(sql.principal.c.pk).limit(5))).all()
    hint = f"The first users are {', '.join(first)}." if first else "There are no users yet: import a catalogue first."
    raise UserNotFoundError(f"There is no user {external_id!r}. {hint}")


async def has_no_users(connection: AsyncConnection) -> bool:
    """Return whether no user exists yet. One statement."""
    users = select(sql.principal.c.pk).where(sql.principal.c.kind == PrincipalKind.USER).limit(1)
    return (await connection.execute(users)).first() is None
