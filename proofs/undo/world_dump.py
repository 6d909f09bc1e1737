"""Contents of a world for comparison, with orders instead of ranks, and without keys, versions and times of updates."""

from typing import Any

import orjson
from sqlalchemy import FromClause, select

from app.export import identify
from resolvers.export.catalogue import catalogue_lines
from store import sql
from store.database import Database
from tests.conftest import GraphQLClient
from tests.oracle import ANONYMOUS

WorldDump = dict[str, list[tuple[Any, ...]]]

SIGHT = """{
  topics(first: 100) { nodes { id slug name description collections(first: 100) { nodes {
    id slug name description visibility parent { id } createdAt createdBy { id } assetCounts { total }
    assets(first: 100) { edges { note addedAt addedBy { id } node { ... on AssetFields {
      id viewerAccess goldStandard { awardedAt note } grants { access principal { __typename } }
    } } } }
  } } } }
}"""
VIEWERS = ("mei", ANONYMOUS)
EXPORTS = {"export": None, "export as mei": "mei"}
"""User of each export, as of `atoll export --as`; without one, it has everything."""


async def dump_world(client: GraphQLClient) -> WorldDump:
    """Return all objects by kind, the exports, and the world as other viewers than the administrator see it."""
    dump = await _dump_tables(client.database)
    for name, user in EXPORTS.items():
        dump[name] = await _export(client.database, user)
    for who in VIEWERS:
        dump[f"sight of {who}"] = [((await client.response(who, SIGHT)).text,)]
    return dump


async def _export(database: Database, user: str | None) -> list[tuple[bytes]]:
    """Return the lines of an export, byte for byte."""
    async with database.snapshot() as snapshot:
        viewer = await identify(user, is_anonymous=False)(snapshot)
        return [(orjson.dumps(line),) async for line in catalogue_lines(snapshot, viewer)]


async def _dump_tables(database: Database) -> WorldDump:
    topic, collection, membership, asset, grant = sql.topic, sql.collection, sql.membership, sql.asset, sql.grant
    above, holder = collection.alias("above"), sql.principal.alias("holder")
    text = ("id", "slug", "name", "name_key", "description", "created_at", "created_by_pk")
    of_collection = topic.join(collection, collection.c.topic_pk == topic.c.pk)
    members = of_collection.join(membership, membership.c.collection_pk == collection.c.pk).join(
        asset, asset.c.pk == membership.c.asset_pk
    )
    grants = grant.join(asset, asset.c.pk == grant.c.asset_pk).join(holder, holder.c.pk == grant.c.principal_pk)
    statements: dict[str, tuple[FromClause, tuple[Any, ...], tuple[Any, ...]]] = {
        "topics": (topic, tuple(topic.c[text]), (topic.c.rank,)),
        "collections": (
            of_collection.outerjoin(above, above.c.pk == collection.c.parent_pk),
            (topic.c.id, above.c.id, *collection.c[(*text, "visibility")]),
            (topic.c.rank, collection.c.rank, collection.c.pk),
        ),
        "members": (
            members,
            (collection.c.id, asset.c.id, *membership.c["added_at", "added_by_pk", "note"]),
            (collection.c.id, membership.c.rank, asset.c.pk),
        ),
        "grants": (grants, (asset.c.id, holder.c.id, grant.c.access), (asset.c.id, holder.c.id)),
        "assets": (
            asset,
            tuple(asset.c["id", "name", "updated_at", "is_gold", "gold_at", "gold_by_pk", "gold_note"]),
            (asset.c.id,),
        ),
        "deployment": (sql.deployment, (sql.deployment.c.public_sharing,), ()),
    }
    async with database.snapshot() as snapshot:
        return {
            name: [tuple(row) for row in await snapshot.rows(select(*columns).select_from(source).order_by(*order))]
            for name, (source, columns, order) in statements.items()
        }
