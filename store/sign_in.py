"""Sign-ins by an issuer's tokens: the digest of the claims that were taken over last, and when their token was issued.

The newest token counts: an older one with other claims changes nothing.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.database import Snapshot
from store.tables import PrincipalKind, PrincipalSource

ISSUE_MS: Final = 60 * 1_000
"""Difference from which the time of a newer token with the same claims is stored: not at each token of a program that
requests one for each operation. Until then, a token that was issued in between counts as newer."""


class TakenClaims(NamedTuple):
    """Source of a user, and the claims that were taken over last; None if there were none."""

    source: str
    digest: str | None
    issued_at: int | None

    def is_due(self, digest: str, issued_at: int) -> bool:
        """Return whether claims of this digest and time of issue, in milliseconds, are to be taken over."""
        if self.source != PrincipalSource.OIDC:
            return False
        if self.issued_at is None:
            return True
        return issued_at > self.issued_at and (digest != self.digest or issued_at >= self.issued_at + ISSUE_MS)


class SignedInUser(NamedTuple):
    """A principal with a subject's id: whether it is an active user, who can sign in, and the claims taken over."""

    is_active_user: bool
    taken: TakenClaims


async def find_user(snapshot: Snapshot, external_id: str) -> SignedInUser | None:
    """Return the principal with this external id; None if there is none. One statement."""
    principal, taken = sql.principal.c, sql.sign_in.c
    found = select(principal.kind, principal.is_active, principal.source, taken.digest, taken.issued_at)
    joined = sql.principal.outerjoin(sql.sign_in, taken.user_pk == principal.pk)
    for row in await snapshot.rows(found.select_from(joined).where(principal.external_id == external_id)):
        is_active_user = row.kind == PrincipalKind.USER and row.is_active
        return SignedInUser(is_active_user, TakenClaims(row.source, row.digest, row.issued_at))
    return None


async def record_claims(connection: AsyncConnection, user_pk: int, digest: str, issued_at: int) -> None:
    """Store the claims that were taken over, unless newer ones are stored. Up to two statements."""
    table = sql.sign_in
    stored = (await connection.execute(select(table.c.issued_at).where(table.c.user_pk == user_pk))).first()
    values = {"digest": digest, "issued_at": issued_at}
    if stored is None:
        await connection.execute(insert(table).values(user_pk=user_pk, **values))
    else:
        is_older = table.c.issued_at < issued_at
        await connection.execute(update(table).where(table.c.user_pk == user_pk, is_older).values(values))


async def fetch_groups(connection: AsyncConnection, user_pk: int) -> list[str]:
    """Return the external ids of the user's groups that come from claims. One statement."""
    principal, member = sql.principal.c, sql.group_member.c
    groups = select(principal.external_id).join(sql.group_member, member.group_pk == principal.pk)
    own = groups.where(member.user_pk == user_pk, principal.source == PrincipalSource.OIDC)
    return list(await connection.scalars(own))


async def find_foreign(connection: AsyncConnection, external_ids: Sequence[str]) -> set[str]:
    """Return those of the ids that no group of claims can have: another source or a user has them. One statement."""
    principal = sql.principal.c
    rows = await connection.execute(
        select(principal.external_id, principal.kind, principal.source).where(
            principal.external_id.in_(sql.text_list(external_ids))
        )
    )
    own = (PrincipalKind.GROUP, PrincipalSource.OIDC)
    return {row.external_id for row in rows if (row.kind, row.source) != own}
