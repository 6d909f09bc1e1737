"""Look-up of users by their id on the platform or their e-mail address, for the command line."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.database import Snapshot
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


@dataclass(frozen=True)
class Directory:
    """External ids of all users and groups, and the ids of users by e-mail address, in lower case."""

    user_ids: frozenset[str]
    group_ids: frozenset[str]
    id_by_email: Mapping[str, str]
    """Without addresses that several users have."""


async def load_directory(snapshot: Snapshot) -> Directory:
    """Return the directory of all users and groups. One statement."""
    principal = sql.principal
    rows = await snapshot.rows(select(principal.c.external_id, principal.c.kind, principal.c.email))
    users = [row for row in rows if row.kind == PrincipalKind.USER]
    counts = Counter(row.email.casefold() for row in users if row.email)
    return Directory(
        frozenset(row.external_id for row in users),
        frozenset(row.external_id for row in rows if row.kind == PrincipalKind.GROUP),
        {key: row.external_id for row in users if row.email and counts[key := row.email.casefold()] == 1},
    )
