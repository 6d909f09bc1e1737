"""Rank imported collections in the order of their tree, as mutations rank them. Older versions can use the tables."""

import sqlalchemy as sa
from alembic import op

from store.ranks import GAP, tree_order

revision = "0006_0005"
down_revision = "0005"

COLLECTION = sa.table("collection", sa.column("pk"), sa.column("topic_pk"), sa.column("parent_pk"), sa.column("rank"))


def upgrade() -> None:
    """Make the change."""
    table, connection = COLLECTION.c, op.get_bind()
    by_topic: dict[int, dict[int, int | None]] = {}
    for row in connection.execute(sa.select(COLLECTION).order_by(table.topic_pk, table.rank, table.pk)):
        by_topic.setdefault(row.topic_pk, {})[row.pk] = row.parent_pk
    ranks = [
        {"of_pk": pk, "to_rank": index * GAP}
        for parents in by_topic.values()
        if (order := tree_order(parents)) != list(parents)
        for index, pk in enumerate(order)
    ]
    if ranks:
        update = sa.update(COLLECTION).where(table.pk == sa.bindparam("of_pk"))
        connection.execute(update.values(rank=sa.bindparam("to_rank")), ranks)


def downgrade() -> None:
    """Keep the ranks, which the version before can use."""
