"""Topics, collections and members of a database, as the model of imports compares them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from store import sql
from store.database import Database

Made = tuple[int, int | None]
"""Time and user's pk of a membership, by which an import recognises one that it made."""


@dataclass
class Thing:
    """A topic or a collection: its fields, the ids of topic and parent, and its members in order."""

    fields: dict[str, str]
    place: tuple[str, str | None] | None = None  # None for a topic
    members: dict[str, Made] = field(default_factory=dict)  # by external id of the asset


World = dict[str, Thing]
"""Topics and collections by id."""


async def read_world(database: Database) -> World:
    """Return all topics and collections. Three statements."""
    async with database.snapshot() as snapshot:
        topics = await snapshot.rows(select(sql.topic))
        collections = await snapshot.rows(select(sql.collection))
        membership = sql.membership.c
        members = await snapshot.rows(
            select(membership.collection_pk, membership.added_at, membership.added_by_pk, sql.asset.c.external_id)
            .join(sql.asset, sql.asset.c.pk == membership.asset_pk)
            .order_by(membership.rank, membership.asset_pk)
        )
    world = {row.id: Thing(_fields(row, "slug", "name", "description")) for row in topics}
    topic_ids, ids = {row.pk: row.id for row in topics}, {row.pk: row.id for row in collections}
    for row in collections:
        place = (topic_ids[row.topic_pk], ids.get(row.parent_pk))
        world[row.id] = Thing(_fields(row, "slug", "name", "description", "visibility"), place)
    for row in members:
        world[ids[row.collection_pk]].members[row.external_id] = (row.added_at, row.added_by_pk)
    return world


def _fields(row: Any, *names: str) -> dict[str, str]:
    return {name: str(getattr(row, name)) for name in names}


def describe(world: Mapping[str, Thing]) -> dict[str, Any]:
    """Return the world by slug, without ids and times, which an import draws."""
    slugs: dict[str | None, str] = {id_: thing.fields["slug"] for id_, thing in world.items()}
    return {
        f"{'topic' if thing.place is None else 'collection'} {thing.fields['slug']}": (
            thing.fields,
            thing.place and [slugs.get(id_) for id_ in thing.place],
            list(thing.members),
        )
        for thing in world.values()
    }
