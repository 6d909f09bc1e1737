"""This file is what the database holds already of what a catalogue file speaks of."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.tables import PrincipalKind


@dataclass(frozen=True)
class Place:
    """Where a collection stands and what it is called: what its siblings may not be called too."""

    topic: str
    parent: str | None
    name_key: str


@dataclass(frozen=True)
class Known:
    """What the database holds, by the platform's ids and by slugs."""

    principals: dict[str, PrincipalKind]
    assets: frozenset[str]
    topics: dict[str, str]  # name key by slug
    collections: dict[str, Place]


async def known(connection: AsyncConnection, asset_ids: Iterable[str]) -> Known:
    """Return what the database holds, of assets only those among the ids. Four statements."""
    topic, collection, parent = sql.topic, sql.collection, sql.collection.alias("parent")
    places = (
        select(collection.c.slug, topic.c.slug.label("topic"), parent.c.slug.label("parent"), collection.c.name_key)
        .join(topic, topic.c.pk == collection.c.topic_pk)
        .outerjoin(parent, parent.c.pk == collection.c.parent_pk)
    )
    among = sql.asset.c.external_id.in_(sql.text_list(list(asset_ids)))
    principals = await connection.execute(select(sql.principal.c.external_id, sql.principal.c.kind))
    assets = await connection.scalars(select(sql.asset.c.external_id).where(among))
    topics = await connection.execute(select(topic.c.slug, topic.c.name_key))
    return Known(
        principals={row.external_id: PrincipalKind(row.kind) for row in principals},
        assets=frozenset(assets.all()),
        topics={row.slug: row.name_key for row in topics},
        collections={row.slug: Place(row.topic, row.parent, row.name_key) for row in await connection.execute(places)},
    )
