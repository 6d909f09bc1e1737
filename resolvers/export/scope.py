"""Scope of an export: the parts that it has, and the topics and collections that it is restricted to."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import or_

from permissions import Viewer, visible
from resolvers.pull.part import GraphPart
from store import sql
from store.database import Snapshot
from store.sql import Expression, Selection

CONTAINED_IN: Final = {GraphPart.MEMBERSHIPS: GraphPart.COLLECTIONS, GraphPart.USES: GraphPart.ASSETS}
"""Parts whose rows are in the lines of another part."""


@dataclass(frozen=True)
class Scope:
    """Parts, and pks of topics and collections; None for all that the viewer sees.

    An export of some collections has the assets in these, and the uses among these assets.
    """

    parts: frozenset[GraphPart] = frozenset(GraphPart)
    topic_pks: frozenset[int] | None = None
    collection_pks: frozenset[int] | None = None

    def topics(self, rows: Selection) -> Selection:
        """Restrict a SELECT of topics."""
        return _restrict(rows, sql.topic.c.pk, self.topic_pks)

    def collections(self, rows: Selection) -> Selection:
        """Restrict a SELECT of collections."""
        return _restrict(rows, sql.collection.c.pk, self.collection_pks)

    def memberships(self, rows: Selection) -> Selection:
        """Restrict a SELECT of memberships."""
        return _restrict(rows, sql.membership.c.collection_pk, self.collection_pks)

    def assets(self, rows: Selection, viewer: Viewer, asset_pk: Expression = sql.asset.c.pk) -> Selection:
        """Restrict a SELECT with a column of assets' pks to the members of the collections."""
        if self.collection_pks is None:
            return rows
        members = self.memberships(visible(sql.membership, viewer)).with_only_columns(
            sql.membership.c.asset_pk, maintain_column_froms=True
        )
        return rows.where(asset_pk.in_(members.correlate(None)))


WHOLE: Final = Scope()


async def find_scope(
    snapshot: Snapshot, viewer: Viewer, parts: frozenset[GraphPart], topic_pks: set[int], collection_pks: set[int]
) -> Scope:
    """Return the scope of topics, with all their collections, and of collections, with all their descendants.

    The topics of the collections belong to it. A statement for each level of collections, and one more.
    """
    collection = sql.collection
    columns = collection.c.pk, collection.c.topic_pk
    chosen: Expression = or_(
        collection.c.topic_pk.in_(sql.int_list(sorted(topic_pks))),
        collection.c.pk.in_(sql.int_list(sorted(collection_pks))),
    )
    topics, collections = set(topic_pks), set[int]()
    while found := [
        row
        for row in await snapshot.rows(visible(collection, viewer).where(chosen).with_only_columns(*columns))
        if row.pk not in collections
    ]:
        topics |= {row.topic_pk for row in found}
        collections |= {row.pk for row in found}
        chosen = collection.c.parent_pk.in_(sql.int_list([row.pk for row in found]))
    return Scope(parts, frozenset(topics), frozenset(collections))


def _restrict(rows: Selection, pk: Expression, pks: frozenset[int] | None) -> Selection:
    return rows if pks is None else rows.where(pk.in_(sql.int_list(sorted(pks))))
