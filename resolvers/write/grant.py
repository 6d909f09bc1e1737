"""Sharing of assets: owners set and revoke grants of users, groups, everyone and public."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete

from permissions import visible
from permissions.may import may_share
from resolvers.write.grant_input import GrantReader
from resolvers.write.input import Input, InputReader
from resolvers.write.principal_input import load_principals
from resolvers.write.transaction import MutationTransaction, Result
from resolvers.write.user_error import UserErrorCode
from store import sql
from store.grant_changes import AccessByPrincipal, PrincipalsByPk, shared_fields, unshared_fields
from store.rows import AssetRow
from store.tables import AssetAccess, ChangeAction

NOT_OWNER = "Only owners of the asset may share it."


async def update(tx: MutationTransaction, reader: InputReader) -> Result:
    """Set and revoke grants of an asset that the viewer owns."""
    to_set, to_revoke = reader.input["set"], reader.input["revoke"]
    _check_size(reader, to_set, to_revoke)
    asset = await _find_shareable(tx, reader)
    principals = await load_principals(tx, [*(grant["to"] for grant in to_set), *to_revoke])
    owner_pk = None if asset is None else asset.owner_pk
    grant_reader = GrantReader(reader, principals, owner_pk)
    grants, revoked = grant_reader.grants(to_set, "set"), grant_reader.principals(to_revoke, "revoke")
    reader.raise_errors()
    assert asset is not None  # noqa: S101 - raised above
    access = {principal.pk: granted for principal, granted in grants}
    named = {principal.pk: principal for principal in [*(principal for principal, _ in grants), *revoked]}
    changes = await share(tx, asset, access, named)
    return {"asset": asset.id, "changes": changes}


def _check_size(reader: InputReader, to_set: Sequence[Input], to_revoke: Sequence[Input]) -> None:
    if not (to_set or to_revoke):
        reader.add_error(UserErrorCode.REQUIRED, "Give at least one grant to set or to revoke.", "set")
    reader.raise_errors()


async def _find_shareable(tx: MutationTransaction, reader: InputReader) -> AssetRow | None:
    """Return the asset; add an error and return None unless the viewer may share it. One statement."""
    asset: AssetRow | None = await tx.find(reader, sql.asset, "asset_id")
    if asset is None or may_share(is_owner=tx.is_owner(asset)):
        return asset
    reader.add_error(UserErrorCode.NOT_OWNER, NOT_OWNER, "assetId")
    return None


async def share(
    tx: MutationTransaction, asset: AssetRow, access: AccessByPrincipal, principals: PrincipalsByPk, **record: Any
) -> list[str]:
    """Replace the principals' grants by `access`, and log the differences. One to seven statements.

    Return the ids of the changes. `record` has further columns of the log.

    The asset's `updated_at` stays: viewers who may not see its grants must not learn that they changed.
    """
    of_asset = sql.grant.c.asset_pk == asset.pk
    rows = await tx.rows(visible(sql.grant, tx.viewer).where(of_asset))
    existing = {row.principal_pk: row.access for row in rows}
    before = {pk: old for pk, old in existing.items() if pk in principals and old != access.get(pk)}
    after = {pk: new for pk, new in access.items() if new != existing.get(pk)}
    if before:
        await tx.execute(delete(sql.grant).where(of_asset, sql.grant.c.principal_pk.in_(sql.int_list([*before]))))
    if after:
        await tx.insert(
            sql.grant, [{"asset_pk": asset.pk, "principal_pk": pk, "access": new} for pk, new in after.items()]
        )
    changes = {
        ChangeAction.SHARED: shared_fields(before, after, principals),
        ChangeAction.UNSHARED: unshared_fields(before, after, principals),
    }
    ids: list[str] = []
    for action, fields in changes.items():
        if fields:
            ids += await tx.log.append(action, [asset.id], fields, AssetAccess.OWNER.value, effect={}, **record)
    return ids
