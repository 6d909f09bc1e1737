"""Existing data that an import compares with its lines: relations of assets, and objects that lines refer to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.catalogue.deleted import load_deleted
from store.catalogue.imported import StatesByObject, load_states
from store.catalogue.parsed import ParsedCatalogue
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
class ExistingObjects:
    """Objects in the database that lines may refer to or conflict with, and the states of lines at the last import."""

    principals: Mapping[str, PrincipalKind]  # by external id
    assets: frozenset[str]  # external ids
    topics: Mapping[str, Row[Any]]  # by id
    collections: Mapping[str, Row[Any]]  # by id
    topic_states: StatesByObject
    collection_states: StatesByObject

    def places(self) -> dict[str, list[str | None]]:
        """Return the ids of topic and parent of each collection by its id."""
        topics = {row.pk: id_ for id_, row in self.topics.items()}
        ids: dict[int | None, str] = {row.pk: id_ for id_, row in self.collections.items()}
        return {id_: [topics[row.topic_pk], ids.get(row.parent_pk)] for id_, row in self.collections.items()}


async def load_existing(connection: AsyncConnection, source: str, catalogue: ParsedCatalogue) -> ExistingObjects:
    """Return all principals, topics and collections, the assets that lines only refer to, and the source's states.

    Six statements, and two more at the source's first import.
    """
    is_named = sql.asset.c.external_id.in_(sql.text_list(catalogue.missing_assets()))
    principals = await connection.execute(select(sql.principal.c.external_id, sql.principal.c.kind))
    assets = await connection.scalars(select(sql.asset.c.external_id).where(is_named))
    topics = {row.id: row for row in await connection.execute(select(sql.topic))}
    collections = {row.id: row for row in await connection.execute(select(sql.collection))}
    topic_states = await load_states(connection, source, "topic")
    collection_states = await load_states(connection, source, "collection")
    if not (topic_states or collection_states):
        topic_states = await load_deleted(connection, "top", catalogue.topics, topics)
        collection_states = await load_deleted(connection, "col", catalogue.collections, collections)
    return ExistingObjects(
        principals={row.external_id: PrincipalKind(row.kind) for row in principals},
        assets=frozenset(assets.all()),
        topics=topics,
        collections=collections,
        topic_states=topic_states,
        collection_states=collection_states,
    )
