"""Add former places of topics and collections. Older versions can use the tables, but log no places."""

import sqlalchemy as sa
from alembic import op

revision = "0008_0005"
down_revision = "0007_0005"

TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the change."""
    op.create_table(
        "former_place",
        sa.Column("pk", sa.Integer(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("row_pk", sa.Integer(), nullable=False),
        sa.Column("topic_pk", sa.Integer(), nullable=True),
        sa.Column("parent_pk", sa.Integer(), nullable=True),
        sa.Column("rank", sa.BigInteger(), nullable=True),
        sa.Column("visibility", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_former_place")),
    )
    op.create_index("ix_former_place_at", "former_place", ["at"])


def downgrade() -> None:
    """Revert the change."""
    op.drop_table("former_place")
