"""This file is users as whoever runs the deployment names them, by the platform's id, and whether there are any."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.tables import PrincipalKind


class UserNotFoundError(LookupError):
    """There is no such user; the message is a sentence that names a few there are."""


async def user_pk_by_external_id(connection: AsyncConnection, external_id: str) -> int:
    """Return the pk of a user; raise UserNotFoundError when there is none with that id."""
    users = select(sql.principal.c.external_id, sql.principal.c.pk).where(sql.principal.c.kind == PrincipalKind.USER)
    row = (await connection.execute(users.where(sql.principal.c.external_id == external_id))).first()
    if row is not None:
        return int(row.pk)
    some = (await connection.scalars(users.order_by(sql.principal.c.pk).limit(5))).all()
    known = f"The first users are {', '.join(some)}." if some else "There are no users yet: import a catalogue first."
    raise UserNotFoundError(f"There is no user {external_id!r}. {known}")


async def has_no_users(connection: AsyncConnection) -> bool:
    """Return whether nobody and nothing has been written yet."""
    users = select(sql.principal.c.pk).where(sql.principal.c.kind == PrincipalKind.USER).limit(1)
    return (await connection.execute(users)).first() is None
