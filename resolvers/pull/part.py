"""Parts of a pull: kinds of row, and the SELECT of the keys of all rows that the viewer sees."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

from permissions import Viewer, visible
from store import sql
from store.sql import Selection
from store.tables import PrincipalKind


class GraphPart(StrEnum):
    """Parts of `collectionGraph`, in the order of its pages."""

    TOPICS = "TOPICS"
    COLLECTIONS = "COLLECTIONS"
    ASSETS = "ASSETS"
    MEMBERSHIPS = "MEMBERSHIPS"
    USES = "USES"
    USERS = "USERS"


def select_keys(part: GraphPart, viewer: Viewer) -> Selection:
    """Return a SELECT of one row, whose `rows` are the keys of all rows of the part that are visible to the viewer.

    Each key is a list of numbers and texts: the primary key, and for rows that can be deleted their id, because SQLite
    may give the primary key to another row afterwards.
    """
    ordered = _SELECTS[part](viewer).subquery("ordered")
    return ordered.select().with_only_columns(sql.json_rows_agg(sql.json_row(*ordered.c)).label("rows"))


def _topics(viewer: Viewer) -> Selection:
    topic = sql.topic
    return visible(topic, viewer).with_only_columns(topic.c.pk, topic.c.id).order_by(topic.c.pk)


def _collections(viewer: Viewer) -> Selection:
    collection = sql.collection
    rows = visible(collection, viewer).with_only_columns(collection.c.pk, collection.c.id)
    return rows.order_by(collection.c.pk)


def _assets(viewer: Viewer) -> Selection:
    asset = sql.asset
    return visible(asset, viewer).with_only_columns(asset.c.pk, maintain_column_froms=True).order_by(asset.c.pk)


def _memberships(viewer: Viewer) -> Selection:
    """Return the memberships, those of a collection in its order."""
    membership = sql.membership
    rows = visible(membership, viewer).with_only_columns(membership.c.collection_pk, membership.c.asset_pk)
    return rows.order_by(membership.c.collection_pk, membership.c.rank, membership.c.asset_pk)


def _uses(viewer: Viewer) -> Selection:
    """Return the uses, those of an asset in the platform's order."""
    use = sql.asset_use
    rows = visible(use, viewer).with_only_columns(use.c.asset_pk, use.c.uses_pk)
    return rows.order_by(use.c.asset_pk, use.c.rank, use.c.uses_pk)


def _users(viewer: Viewer) -> Selection:
    """Return all users for members, and none for visitors, who see the owners of assets as part of these."""
    principal = sql.principal
    is_listed = principal.c.kind == PrincipalKind.USER if viewer.is_signed_in else principal.c.pk.is_(None)
    return visible(principal, viewer).with_only_columns(principal.c.pk).where(is_listed).order_by(principal.c.pk)


_SELECTS: Final[Mapping[GraphPart, Callable[[Viewer], Selection]]] = {
    GraphPart.TOPICS: _topics,
    GraphPart.COLLECTIONS: _collections,
    GraphPart.ASSETS: _assets,
    GraphPart.MEMBERSHIPS: _memberships,
    GraphPart.USES: _uses,
    GraphPart.USERS: _users,
}
