"""This file is what the database holds beside an asset's own row: its grants, what it uses, its tags."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql

Known = Mapping[str, int]
"""Pks of assets by the platform's ids."""


async def held_grants(connection: AsyncConnection, known: Known) -> dict[str, dict[int, int]]:
    """Return the access of each principal's pk, by the platform's id of the asset. One statement."""
    held: dict[str, dict[int, int]] = {id_: {} for id_ in known}
    grant = sql.grant
    rows = select(sql.asset.c.external_id, grant.c.principal_pk, grant.c.access).join(
        sql.asset, sql.asset.c.pk == grant.c.asset_pk
    )
    for row in await connection.execute(_of(known, rows, grant.c.asset_pk).order_by(grant.c.principal_pk)):
        held[row.external_id][row.principal_pk] = row.access
    return held


async def held_uses(connection: AsyncConnection, known: Known) -> dict[str, list[str]]:
    """Return the platform's ids of what each asset uses, in its order. One statement."""
    held: dict[str, list[str]] = {id_: [] for id_ in known}
    use, user, used = sql.asset_use, sql.asset.alias("user"), sql.asset.alias("used")
    rows = (
        select(user.c.external_id, used.c.external_id.label("used"))
        .select_from(use)
        .join(user, user.c.pk == use.c.asset_pk)
        .join(used, used.c.pk == use.c.uses_pk)
        .order_by(use.c.asset_pk, use.c.rank)
    )
    for row in await connection.execute(_of(known, rows, use.c.asset_pk)):
        held[row.external_id].append(row.used)
    return held


async def held_tags(connection: AsyncConnection, known: Known) -> dict[str, set[str]]:
    """Return the tags of each asset. One statement."""
    held: dict[str, set[str]] = {id_: set() for id_ in known}
    tag = sql.asset_tag
    rows = select(sql.asset.c.external_id, tag.c.tag).join(sql.asset, sql.asset.c.pk == tag.c.asset_pk)
    for row in await connection.execute(_of(known, rows, tag.c.asset_pk)):
        held[row.external_id].add(row.tag)
    return held


def _of(known: Known, rows: Select[Any], column: Any) -> Select[Any]:
    return rows.where(column.in_(sql.int_list([*known.values()])))
