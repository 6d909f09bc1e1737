"""Provisioning at sign-in: takes over name, e-mail address, role and groups from an issuer's claims."""

import logging
from functools import partial
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from app.oidc_claims import Claims, Profile
from store.changes import ChangeLog, open_change_log
from store.database import ConnectionSnapshot, Database, Snapshot
from store.people.members import GroupWrite
from store.people.refusal import PeopleRefusedError
from store.people.writer import PeopleWriter, UserColumns
from store.sign_in import fetch_groups, find_foreign, find_user, record_claims
from store.tables import PrincipalSource

UNTAKEN: Final = ""
"""Digest of claims that were not taken over as a whole, which a newer token tries again."""

_log = logging.getLogger(__name__)


async def sign_in(database: Database, claims: Claims, request_id: str) -> None:
    """Take over claims that are new, in one transaction; nothing if they are older than those taken over last.

    Users of another source and deactivated users are not written. Raises StorageError.
    """
    profile = claims.profile
    if profile is None or not await database.read_one(partial(_is_due, claims=claims, profile=profile)):
        return
    async with database.write(database.operation_seconds) as connection:
        log = await open_change_log(connection, request_id)
        # Another process may have taken over newer claims while this one waited for the writers' lock.
        if await _is_due(ConnectionSnapshot(connection), claims, profile):
            await _take_over(connection, log, claims, profile)


async def _is_due(snapshot: Snapshot, claims: Claims, profile: Profile) -> bool:
    user = await find_user(snapshot, claims.subject)
    if user is None:
        return claims.may_create_user
    return user.is_active_user and user.taken.is_due(profile.digest, claims.issued_at)


async def _take_over(connection: AsyncConnection, log: ChangeLog, claims: Claims, profile: Profile) -> None:
    writer, digest = PeopleWriter(connection, log, PrincipalSource.OIDC), profile.digest
    columns: UserColumns = {}
    if profile.name is not None:
        columns["name"] = profile.name
    if profile.email is not None:
        columns["email"] = profile.email
    try:
        role: UserColumns = {} if profile.is_admin is None else {"is_admin": profile.is_admin}
        written = await writer.write_users({claims.subject: columns | role})
    except PeopleRefusedError:
        _log.warning("The last active administrator stays one, although the claims of a sign-in have another role.")
        written = await writer.write_users({claims.subject: columns})
        digest = UNTAKEN
    pk = written.pks[claims.subject]
    await _write_groups(connection, writer, pk, profile.groups)
    await record_claims(connection, pk, digest, claims.issued_at)


async def _write_groups(connection: AsyncConnection, writer: PeopleWriter, pk: int, groups: tuple[str, ...]) -> None:
    """Make the user a member of exactly these groups, and of those that other sources own."""
    foreign = await find_foreign(connection, groups)
    if foreign:
        _log.warning("%d groups of a sign-in belong to other sources, and are left as they are.", len(foreign))
    leaving = set(await fetch_groups(connection, pk)) - set(groups)
    writes = {group: GroupWrite(add=[pk]) for group in groups if group not in foreign}
    await writer.write_groups(writes | {group: GroupWrite(remove=[pk]) for group in sorted(leaving)})
