"""Transfer of assets: all that one user owns passes to another, and an undo hands it back."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, Row, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.bulk_insert import insert_many
from store.catalogue.change_fields import AssetWrite, append_changes
from store.catalogue.existing import Relations
from store.changes import ChangeLog
from store.grant_changes import AccessByPrincipal, grant_field
from store.rows import AssetRow, ChangeRow, PrincipalRow
from store.tables import AssetAccess

OWNER_FIELD = "owner"
"""Field of the log that has the owner in the platform, and in the change of a whole transfer both users."""

AssetFields = Mapping[str, tuple[str | None, str | None]]
"""Former and new value by field: the owner, and the access of each user, of one asset."""
Users = tuple[PrincipalRow, PrincipalRow]
"""The user who was handed the assets, and the one who gets them back."""


class Transfer(NamedTuple):
    """Former and new owner, by pk, and whether the former one keeps EDITOR access."""

    source_pk: int
    target_pk: int
    keep_editor: bool

    def of(self, asset: AssetRow) -> "AssetTransfer":
        """Return the transfer of one asset."""
        kept = {self.source_pk: AssetAccess.EDITOR.value} if self.keep_editor else {}
        owner_pk = self.target_pk if asset.owner_pk == self.source_pk else asset.owner_pk
        return AssetTransfer(asset, owner_pk, {**kept, self.target_pk: AssetAccess.OWNER.value})


class AssetTransfer(NamedTuple):
    """An asset as it was, with its owner in the platform and the grants of both users afterwards."""

    asset: AssetRow
    owner_pk: int
    access: AccessByPrincipal


async def owned_asset_ids(connection: AsyncConnection, user_pk: int) -> list[str]:
    """Return the ids of the assets that a user owns, alone or with others, in the order of their pks. One statement."""
    owned = select(sql.asset.c.id).where(_is_owned(user_pk)).order_by(sql.asset.c.pk)
    return list(await connection.scalars(owned))


async def owned_assets(connection: AsyncConnection, user_pk: int, ids: Sequence[str]) -> dict[str, AssetRow]:
    """Return those of the assets that the user owns, by id. One statement."""
    owned = select(sql.asset).where(sql.asset.c.id.in_(sql.text_list(ids)), _is_owned(user_pk))
    return {row.id: cast("AssetRow", row) for row in await connection.execute(owned)}


async def transferred_fields(
    connection: AsyncConnection, change: ChangeRow
) -> dict[str, dict[str, tuple[str | None, str | None]]]:
    """Return the fields that a transfer changed of each asset, by the asset's id. One statement."""
    log = sql.change
    rows = select(log.c.subject_id, log.c.fields).where(log.c.revision == change.revision, log.c.pk != change.pk)
    fields: dict[str, dict[str, tuple[str | None, str | None]]] = {}
    for row in await connection.execute(rows):
        of_asset = fields.setdefault(row.subject_id, {})
        of_asset |= {each["field"]: (each["before"], each["after"]) for each in row.fields}
    return fields


async def grants_of_both(
    connection: AsyncConnection, user_pks: Sequence[int], asset_pks: Sequence[int]
) -> dict[int, dict[int, int]]:
    """Return the grants of both users on each asset: access by principal. One statement."""
    grants: dict[int, dict[int, int]] = {pk: {} for pk in asset_pks}
    rows = select(sql.grant).where(*_is_of_both(user_pks, asset_pks))
    for row in await connection.execute(rows):
        grants[row.asset_pk][row.principal_pk] = row.access
    return grants


def plan_return(asset: AssetRow, grants: Mapping[int, int], fields: AssetFields, users: Users) -> AssetTransfer | None:
    """Return how an asset is handed back; None if its owner or the grants of the users are no longer as handed over.

    It is also None if the owner in the platform, set by an import since, would lose the access OWNER.
    """
    pk_by_id = {user.id: user.pk for user in users}
    owner_pk, access = asset.owner_pk, dict(grants)
    if OWNER_FIELD in fields:
        before, after = fields[OWNER_FIELD]
        if pk_by_id[str(after)] != asset.owner_pk:
            return None
        owner_pk = pk_by_id[str(before)]
    for user in users:
        before, after = fields.get(grant_field(user), (None, None))
        if before == after:
            continue
        if _access_of(after) != access.pop(user.pk, None):
            return None
        if before is not None:
            access[user.pk] = AssetAccess[before].value
    is_owner_kept = owner_pk not in pk_by_id.values() or access.get(owner_pk) == AssetAccess.OWNER.value
    return AssetTransfer(asset, owner_pk, access) if is_owner_kept else None


def _access_of(name: str | None) -> int | None:
    return None if name is None else AssetAccess[name].value


async def write_transfers(
    connection: AsyncConnection, log: ChangeLog, user_pks: Sequence[int], transfers: Sequence[AssetTransfer]
) -> None:
    """Hand the assets over and log SHARED and UNSHARED changes, and UPDATED ones of the owner. Up to nine statements.

    `updated_at` stays: the platform sets it, and who holds grants is for owners only.
    """
    if not transfers:
        return
    pks = [transfer.asset.pk for transfer in transfers]
    before = await grants_of_both(connection, user_pks, pks)
    await connection.execute(delete(sql.grant).where(*_is_of_both(user_pks, pks)))
    await insert_many(
        connection,
        sql.grant,
        [
            {"asset_pk": transfer.asset.pk, "principal_pk": principal_pk, "access": access}
            for transfer in transfers
            for principal_pk, access in transfer.access.items()
        ],
    )
    await _set_owners(connection, [transfer for transfer in transfers if _columns(transfer)])
    writes = [
        AssetWrite(
            transfer.asset.id,
            cast("Row[Any]", transfer.asset),
            _columns(transfer),
            _relations(before[transfer.asset.pk]),
            _relations(transfer.access),
        )
        for transfer in transfers
    ]
    await append_changes(connection, log, writes)


async def _set_owners(connection: AsyncConnection, transfers: Iterable[AssetTransfer]) -> None:
    """Set the owners in the platform. One statement for each owner, of which there are at most two."""
    pks_by_owner: dict[int, list[int]] = {}
    for transfer in transfers:
        pks_by_owner.setdefault(transfer.owner_pk, []).append(transfer.asset.pk)
    for owner_pk, pks in pks_by_owner.items():
        await connection.execute(
            update(sql.asset).where(sql.asset.c.pk.in_(sql.int_list(pks))).values(owner_pk=owner_pk)
        )


def _is_of_both(user_pks: Sequence[int], asset_pks: Sequence[int]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return (
        sql.grant.c.asset_pk.in_(sql.int_list(asset_pks)),
        sql.grant.c.principal_pk.in_(sql.int_list(user_pks)),
    )


def _is_owned(user_pk: int) -> ColumnElement[bool]:
    held = select(sql.grant.c.asset_pk).where(
        sql.grant.c.principal_pk == user_pk, sql.grant.c.access == AssetAccess.OWNER.value
    )
    return or_(sql.asset.c.owner_pk == user_pk, sql.asset.c.pk.in_(held))


def _columns(transfer: AssetTransfer) -> dict[str, int]:
    is_same = transfer.owner_pk == transfer.asset.owner_pk
    return {} if is_same else {"owner_pk": transfer.owner_pk}


def _relations(access_by_principal: Mapping[int, int]) -> Relations:
    return Relations(access_by_principal, [], frozenset())
