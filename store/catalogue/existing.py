"""Existing data that an import compares with its lines: relations of assets, and objects that lines refer to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.tables import PrincipalKind

PkByExternalId = Mapping[str, int]


class Relations(NamedTuple):
    """Grants, uses and tags of one asset."""

    access_by_principal: Mapping[int, int]
    uses: list[str]  # external ids of the used assets, in order
    tags: frozenset[str]


NO_RELATIONS = Relations({}, [], frozenset())


async def load_relations(connection: AsyncConnection, assets: PkByExternalId) -> dict[str, Relations]:
    """Return the relations of each asset by its external id. Three statements."""
    grants, uses = await load_grants(connection, assets), await load_uses(connection, assets)
    tags = await _load_tags(connection, assets)
    return {id_: Relations(grants[id_], uses[id_], frozenset(tags[id_])) for id_ in assets}


async def load_grants(connection: AsyncConnection, assets: PkByExternalId) -> dict[str, dict[int, int]]:
    """Return the grants of each asset by its external id: access by principal pk. One statement."""
    grants: dict[str, dict[int, int]] = {id_: {} for id_ in assets}
    grant = sql.grant
    rows = select(sql.asset.c.external_id, grant.c.principal_pk, grant.c.access).join(
        sql.asset, sql.asset.c.pk == grant.c.asset_pk
    )
    for row in await connection.execute(_of_assets(assets, rows, grant.c.asset_pk).order_by(grant.c.principal_pk)):
        grants[row.external_id][row.principal_pk] = row.access
    return grants


async def load_uses(connection: AsyncConnection, assets: PkByExternalId) -> dict[str, list[str]]:
    """Return the uses of each asset by its external id: external ids of the used assets, in order. One statement."""
    uses: dict[str, list[str]] = {id_: [] for id_ in assets}
    use, user, used = sql.asset_use, sql.asset.alias("user"), sql.asset.alias("used")
    rows = (
        select(user.c.external_id, used.c.external_id.label("used"))
        .select_from(use)
        .join(user, user.c.pk == use.c.asset_pk)
        .join(used, used.c.pk == use.c.uses_pk)
        .order_by(use.c.asset_pk, use.c.rank)
    )
    for row in await connection.execute(_of_assets(assets, rows, use.c.asset_pk)):
        uses[row.external_id].append(row.used)
    return uses


async def _load_tags(connection: AsyncConnection, assets: PkByExternalId) -> dict[str, set[str]]:
    tags: dict[str, set[str]] = {id_: set() for id_ in assets}
    tag = sql.asset_tag
    rows = select(sql.asset.c.external_id, tag.c.tag).join(sql.asset, sql.asset.c.pk == tag.c.asset_pk)
    for row in await connection.execute(_of_assets(assets, rows, tag.c.asset_pk)):
        tags[row.external_id].add(row.tag)
    return tags


def _of_assets(assets: PkByExternalId, rows: Select[Any], column: Any) -> Select[Any]:
    return rows.where(column.in_(sql.int_list([*assets.values()])))


@dataclass(frozen=True)
class CollectionPlacement:
    """Slugs of a collection's topic and parent, and its name key. No two collections share all three."""

    topic: str
    parent: str | None
    name_key: str


@dataclass(frozen=True)
class ExistingObjects:
    """Objects in the database that lines may refer to or conflict with, by external id or slug."""

    principals: dict[str, PrincipalKind]
    assets: frozenset[str]
    topics: dict[str, str]  # name key by slug
    collections: dict[str, CollectionPlacement]


async def load_existing(connection: AsyncConnection, asset_ids: Iterable[str]) -> ExistingObjects:
    """Return all principals, topics and collections, and the assets with one of the ids. Four statements."""
    topic, collection, parent = sql.topic, sql.collection, sql.collection.alias("parent")
    placements = (
        select(collection.c.slug, topic.c.slug.label("topic"), parent.c.slug.label("parent"), collection.c.name_key)
        .join(topic, topic.c.pk == collection.c.topic_pk)
        .outerjoin(parent, parent.c.pk == collection.c.parent_pk)
    )
    is_named = sql.asset.c.external_id.in_(sql.text_list(list(asset_ids)))
    principals = await connection.execute(select(sql.principal.c.external_id, sql.principal.c.kind))
    assets = await connection.scalars(select(sql.asset.c.external_id).where(is_named))
    topics = await connection.execute(select(topic.c.slug, topic.c.name_key))
    collections = await connection.execute(placements)
    return ExistingObjects(
        principals={row.external_id: PrincipalKind(row.kind) for row in principals},
        assets=frozenset(assets.all()),
        topics={row.slug: row.name_key for row in topics},
        collections={row.slug: CollectionPlacement(row.topic, row.parent, row.name_key) for row in collections},
    )
