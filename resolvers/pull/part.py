"""Parts of a pull: kinds of row, and the SELECT of all rows of a part that the viewer sees."""

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import FromClause, String, case, cast

from permissions import Viewer, visible
from permissions.visible import has_access
from store import sql
from store.asset_columns import ASSET_COLUMNS
from store.sql import Expression, Expressions, Selection
from store.tables import AssetAccess, PrincipalKind


class GraphPart(StrEnum):
    """Parts of `collectionGraph`, in the order of its pages."""

    TOPICS = "TOPICS"
    COLLECTIONS = "COLLECTIONS"
    ASSETS = "ASSETS"
    MEMBERSHIPS = "MEMBERSHIPS"
    USES = "USES"
    USERS = "USERS"


INTERNAL: Final = frozenset({"pk", "rank", "name_key", "sort_key", "kind"})
"""Columns of topics, collections and users that clients do not see."""

CONTENT: Final = frozenset(column.name for column in ASSET_COLUMNS if column.access > AssetAccess.DISCOVERABLE)
"""Columns of assets that require VIEWER access."""


def select_part(part: GraphPart, viewer: Viewer) -> Selection:
    """Return the SELECT of all rows of the part that are visible to the viewer, with their keys.

    Rows of objects have `facts`, the text of all columns that the viewer sees. Those of memberships have the `rows` of
    a collection, in its order: asset, time, user and note. Those of uses have all `rows`.
    """
    return _SELECTS[part](viewer)


def _topics(viewer: Viewer) -> Selection:
    topic = sql.topic
    return visible(topic, viewer).with_only_columns(topic.c.pk, topic.c.id, _facts(_shown(topic, viewer)))


def _collections(viewer: Viewer) -> Selection:
    """Return the collections, with the ids of topic and parent among their facts: an undo may create them again."""
    collection, topic, above = sql.collection, sql.topic.alias(), sql.collection.alias()
    references = [
        visible(table, viewer)
        .with_only_columns(table.c.id)
        .where(table.c.pk == pk)
        .correlate(collection)
        .scalar_subquery()
        for table, pk in ((topic, collection.c.topic_pk), (above, collection.c.parent_pk))
    ]
    shown = [column for column in _shown(collection, viewer) if column.key not in {"topic_pk", "parent_pk"}]
    facts = _facts([*shown, *(ids.scalar_subquery() for ids in references)])
    return visible(collection, viewer).with_only_columns(collection.c.pk, collection.c.id, facts)


def _assets(viewer: Viewer) -> Selection:
    asset = sql.asset
    rows = visible(asset, viewer)
    sees_content = has_access(asset, viewer, AssetAccess.VIEWER)
    shown = [
        case((sees_content, column), else_=None) if column.key in CONTENT else column
        for column in [asset.c.kind, *_shown(asset, viewer)]
    ]
    facts = _facts([*shown, rows.selected_columns["viewer_access"]])
    return rows.with_only_columns(asset.c.pk, facts, maintain_column_froms=True)


def _memberships(viewer: Viewer) -> Selection:
    collection, membership = sql.collection.alias("of_members"), sql.membership
    collections = visible(collection, viewer).with_only_columns(collection.c.pk.label("value"), collection.c.id)
    parents = collections.subquery("parents")
    members = (
        visible(membership, viewer)
        .with_only_columns(*membership.c["asset_pk", "added_at", "added_by_pk", "note"])
        .where(membership.c.collection_pk == parents.c.value)
        .order_by(membership.c.rank, membership.c.asset_pk)
    )
    return sql.per_parent(parents, members).add_columns(parents.c.id)


def _uses(viewer: Viewer) -> Selection:
    use = sql.asset_use
    rows = visible(use, viewer).with_only_columns(use.c.asset_pk, use.c.uses_pk)
    ordered = rows.order_by(use.c.asset_pk, use.c.rank, use.c.uses_pk).subquery("ordered")
    return ordered.select().with_only_columns(sql.json_rows_agg(sql.json_row(*ordered.c)).label("rows"))


def _users(viewer: Viewer) -> Selection:
    """Return all users for members, and none for visitors, who see the owners of assets as part of these."""
    principal = sql.principal
    is_listed = principal.c.kind == PrincipalKind.USER if viewer.is_signed_in else principal.c.pk.is_(None)
    users = visible(principal, viewer).where(is_listed)
    return users.with_only_columns(principal.c.pk, _facts(_shown(principal, viewer)))


def _shown(table: FromClause, viewer: Viewer) -> Iterator[Expression]:
    """Yield the columns that the viewer sees; visitors do not see the users who created or awarded something."""
    for column in table.c:
        if column.key not in INTERNAL and (viewer.is_signed_in or not str(column.key).endswith("_by_pk")):
            yield column


def _facts(columns: "Expressions | Iterator[Expression]") -> Expression:
    row: Any = sql.json_row(*columns)
    return cast(row, String).label("facts")


_SELECTS: Final[Mapping[GraphPart, Callable[[Viewer], Selection]]] = {
    GraphPart.TOPICS: _topics,
    GraphPart.COLLECTIONS: _collections,
    GraphPart.ASSETS: _assets,
    GraphPart.MEMBERSHIPS: _memberships,
    GraphPart.USES: _uses,
    GraphPart.USERS: _users,
}
