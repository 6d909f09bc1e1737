"""Mutations of API tokens. Each is logged as a change of the token's user."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from resolvers.limits import LIMITS
from resolvers.write.input import InputReader
from resolvers.write.transaction import MutationTransaction, Result
from resolvers.write.user_error import UserErrorCode
from store import sql, tokens
from store.tables import ChangeAction, PrincipalKind

if TYPE_CHECKING:
    from store.rows import ApiTokenRow, PrincipalRow

DEFAULT_DAYS: Final = 30


async def create(tx: MutationTransaction, reader: InputReader) -> Result:
    """Create a token of the viewer; the result has its secret.

    A token that is created with another expires with it at the latest, and is revoked with it: so a stolen one gives
    no access that outlives it.
    """
    name, days = reader.name(), _days(reader)
    assert tx.viewer.user_pk is not None  # noqa: S101 - the mutation requires SIGNED_IN
    valid = tokens.valid(await tokens.list_of(tx.connection, tx.viewer.user_pk))
    if len(valid) >= LIMITS.active_tokens:
        message = f"You have {len(valid)} valid tokens; at most {LIMITS.active_tokens} are allowed. Revoke one first."
        reader.add_error(UserErrorCode.LIMIT_EXCEEDED, message, limit=LIMITS.active_tokens)
    reader.raise_errors()
    parents = [token.expires_at for token in valid if token.pk == tx.viewer.token_pk]
    expires_at = min([tx.log.at + days * tokens.DAY_MS, *parents])
    token = await tokens.create(
        tx.connection,
        tx.viewer.user_pk,
        name,
        at=tx.log.at,
        expires_at=expires_at,
        parent_pk=tx.viewer.token_pk,
    )
    await _log(tx, str(tx.viewer.user_id), [{"field": "token", "before": None, "after": name}])
    return {"token": token.id, "secret": token.secret}


async def revoke(tx: MutationTransaction, reader: InputReader) -> Result:
    """Revoke a token of the viewer, and those that were created with it."""
    token: ApiTokenRow = await tx.get(reader, sql.api_token, "id")
    of_user = await tokens.list_of(tx.connection, token.user_pk)
    revoked = [each for each in tokens.with_descendants(of_user, token.pk) if each.revoked_at is None]
    await tokens.revoke(tx.connection, revoked)
    await _log(tx, str(tx.viewer.user_id), _removals(revoked))
    return {"revoked": [each.id for each in revoked]}


async def revoke_all(tx: MutationTransaction, reader: InputReader) -> Result:
    """Revoke all tokens of a user."""
    user: PrincipalRow | None = (await tx.visible_by_id(sql.principal, [reader.input["user_id"]])).get(
        reader.input["user_id"]
    )
    reader.check_found(user if user and user.kind == PrincipalKind.USER else None, "user", "user_id")
    reader.raise_errors()
    assert user is not None  # noqa: S101 - raised above
    revoked = tokens.valid(await tokens.list_of(tx.connection, user.pk))
    if revoked:
        await tokens.revoke(tx.connection, revoked)
        await _log(tx, user.id, _removals(revoked))
    return {"user": user.id, "count": len(revoked)}


def _days(reader: InputReader) -> int:
    days = reader.input.get("days")
    if days is None:
        return DEFAULT_DAYS
    if not 0 < days <= LIMITS.token_days:
        message = f"Invalid days {days}. Use a number from 1 to {LIMITS.token_days}."
        reader.add_error(UserErrorCode.INVALID, message, "days", limit=LIMITS.token_days)
    return int(days)


def _removals(revoked: Sequence[Any]) -> list[dict[str, str | None]]:
    return [{"field": "token", "before": token.name, "after": None} for token in revoked]


async def _log(tx: MutationTransaction, user_id: str, fields: Sequence[dict[str, str | None]]) -> None:
    await tx.log.append(ChangeAction.UPDATED, [user_id], fields)
