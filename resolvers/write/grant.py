"""This file is assets being shared: by their owners, with users, groups, everyone and public."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, delete

from permissions import visible
from permissions.permission import Permission
from resolvers.context import Context
from resolvers.write.asset import find_asset
from resolvers.write.grant_input import GrantReader, check_count, principal_ids, principals_by_id
from resolvers.write.input import Input, InputReader
from resolvers.write.transaction import MutationTransaction, Payload, Result, run_mutation
from resolvers.write.user_error import UserErrorCode
from store import sql
from store.grant_changes import AccessByPrincipal, PrincipalByPk, shared_fields, unshared_fields
from store.tables import AssetAccess, ChangeAction

NOT_OWNER = "Only owners of the asset may do this."


async def update_(context: Context, given: Input) -> Payload:
    """Give, change and take back grants on an asset that the viewer owns."""
    return await run_mutation(context, Permission.SIGNED_IN, "assetGrantsUpdate", given, _update)


async def _update(write: MutationTransaction, reading: InputReader) -> Result:
    given, taken = reading.input["set"], reading.input["revoke"]
    _refuse_size(reading, given, taken)
    asset = await _owned(write, reading)
    named = principal_ids([*(grant["to"] for grant in given), *taken])
    sharing = GrantReader(reading, await principals_by_id(write, named), asset and asset.owner_pk)
    grants, revoked = sharing.grants(given, "set"), sharing.principals(taken, "revoke")
    reading.raise_errors()
    accesses = {principal.pk: access for principal, access in grants}
    principals = {principal.pk: principal for principal in [*(who for who, _ in grants), *revoked]}
    await _share(write, asset, accesses, principals)
    return {"asset": asset.id}


def _refuse_size(reading: InputReader, given: Sequence[Input], taken: Sequence[Input]) -> None:
    check_count(reading, given, "set")
    check_count(reading, taken, "revoke")
    if not (given or taken):
        message = "Name at least one to share with, or one whose access to take back."
        reading.add_error(UserErrorCode.REQUIRED, message, "set")
    reading.raise_errors()


async def _owned(write: MutationTransaction, reading: InputReader) -> Any:
    """Return the asset that the input names; refuse one that the viewer does not own, None then. One statement."""
    asset = await find_asset(write, reading)
    if asset is None or write.has_permission(asset, Permission.ASSET_OWN):
        return asset
    reading.add_error(UserErrorCode.NOT_OWNER, NOT_OWNER, "assetId")
    return None


async def _share(
    write: MutationTransaction, asset: Row[Any], accesses: AccessByPrincipal, principals: PrincipalByPk
) -> None:
    """Give the principals their access, none to those without one, and log what that changes. One to five statements.

    The asset's `updated_at` stays: whoever may not see its grants would see that they changed.
    """
    of_asset = sql.grant.c.asset_pk == asset.pk
    held = {row.principal_pk: row.access for row in await write.rows(visible(sql.grant, write.viewer).where(of_asset))}
    before = {pk: access for pk, access in held.items() if pk in principals and access != accesses.get(pk)}
    after = {pk: access for pk, access in accesses.items() if access != held.get(pk)}
    if before:
        await write.execute(delete(sql.grant).where(of_asset, sql.grant.c.principal_pk.in_(sql.int_list([*before]))))
    if after:
        rows = [{"asset_pk": asset.pk, "principal_pk": pk, "access": access} for pk, access in after.items()]
        await write.insert(sql.grant, rows)
    told = {
        ChangeAction.SHARED: shared_fields(before, after, principals),
        ChangeAction.UNSHARED: unshared_fields(before, after, principals),
    }
    for action, fields in told.items():
        await write.log.append(action, [asset.id] if fields else [], fields, AssetAccess.OWNER.value)
