"""Transfer of assets: all that one user owns passes to another."""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, Row, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.bulk_insert import insert_many
from store.catalogue.change_fields import AssetWrite, append_changes
from store.catalogue.existing import Relations
from store.changes import ChangeLog
from store.rows import AssetRow
from store.tables import AssetAccess


class Transfer(NamedTuple):
    """Former and new owner, by pk, and whether the former one keeps EDITOR access."""

    source_pk: int
    target_pk: int
    keep_editor: bool

    def relations_after(self) -> Relations:
        """Return the grants of both users on a transferred asset."""
        kept = {self.source_pk: AssetAccess.EDITOR.value} if self.keep_editor else {}
        return _relations({**kept, self.target_pk: AssetAccess.OWNER.value})


async def owned_asset_ids(connection: AsyncConnection, user_pk: int) -> list[str]:
    """Return the ids of the assets that a user owns, alone or with others, in the order of their pks. One statement."""
    owned = select(sql.asset.c.id).where(_is_owned(user_pk)).order_by(sql.asset.c.pk)
    return list(await connection.scalars(owned))


async def owned_assets(connection: AsyncConnection, user_pk: int, ids: Sequence[str]) -> dict[str, AssetRow]:
    """Return those of the assets that the user owns, by id. One statement."""
    owned = select(sql.asset).where(sql.asset.c.id.in_(sql.text_list(ids)), _is_owned(user_pk))
    return {row.id: cast("AssetRow", row) for row in await connection.execute(owned)}


async def transfer_assets(
    connection: AsyncConnection, log: ChangeLog, transfer: Transfer, assets: Sequence[AssetRow]
) -> None:
    """Hand the assets over and log SHARED and UNSHARED changes, and UPDATED ones of the owner. Up to eight statements.

    `updated_at` stays: the platform sets it, and who holds grants is for owners only.
    """
    if not assets:
        return
    after = transfer.relations_after()
    pks = [asset.pk for asset in assets]
    of_both = sql.grant.c.asset_pk.in_(sql.int_list(pks)), sql.grant.c.principal_pk.in_(sql.int_list(transfer[:2]))
    rows = (await connection.execute(select(sql.grant).where(*of_both))).all()
    await connection.execute(delete(sql.grant).where(*of_both))
    await insert_many(
        connection,
        sql.grant,
        [
            {"asset_pk": pk, "principal_pk": principal_pk, "access": access}
            for pk in pks
            for principal_pk, access in after.access_by_principal.items()
        ],
    )
    first_owner = sql.asset.c.pk.in_(sql.int_list(pks)), sql.asset.c.owner_pk == transfer.source_pk
    await connection.execute(update(sql.asset).where(*first_owner).values(owner_pk=transfer.target_pk))
    before: dict[int, dict[int, int]] = {pk: {} for pk in pks}
    for row in rows:
        before[row.asset_pk][row.principal_pk] = row.access
    writes = [
        AssetWrite(asset.id, cast("Row[Any]", asset), _columns(asset, transfer), _relations(before[asset.pk]), after)
        for asset in assets
    ]
    await append_changes(connection, log, writes)


def _is_owned(user_pk: int) -> ColumnElement[bool]:
    held = select(sql.grant.c.asset_pk).where(
        sql.grant.c.principal_pk == user_pk, sql.grant.c.access == AssetAccess.OWNER.value
    )
    return or_(sql.asset.c.owner_pk == user_pk, sql.asset.c.pk.in_(held))


def _columns(asset: AssetRow, transfer: Transfer) -> dict[str, int]:
    return {"owner_pk": transfer.target_pk} if asset.owner_pk == transfer.source_pk else {}


def _relations(access_by_principal: dict[int, int]) -> Relations:
    return Relations(access_by_principal, [], frozenset())
