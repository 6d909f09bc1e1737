"""Add stored pulls of `collectionGraph`. Older versions can use the tables."""

import sqlalchemy as sa
from alembic import op

revision = "0016_0010"
down_revision = "0015_0010"

TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the change."""
    op.create_table(
        "pull",
        sa.Column("pk", sa.Integer(), nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("user_pk", sa.Integer(), nullable=True),
        sa.Column("parts", TEXT, nullable=False),
        sa.Column("state_id", TEXT, nullable=True),
        sa.Column("torn", sa.JSON(), nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("served_until", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_pk"], ["principal.pk"], name=op.f("fk_pull_user_pk")),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_pull")),
        sa.UniqueConstraint("id", name=op.f("uq_pull_id")),
    )
    op.create_index("ix_pull_expires_at", "pull", ["expires_at"])
    op.create_index("ix_pull_user", "pull", ["user_pk", "digest"])
    op.create_table(
        "pull_chunk",
        sa.Column("pull_pk", sa.Integer(), nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("rows", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["pull_pk"], ["pull.pk"], name=op.f("fk_pull_chunk_pull_pk")),
        sa.PrimaryKeyConstraint("pull_pk", "start", name=op.f("pk_pull_chunk")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Revert the change."""
    op.drop_table("pull_chunk")
    op.drop_table("pull")
