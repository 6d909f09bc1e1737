"""Add undo data of changes, idempotency keys and jobs."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the change."""
    op.add_column("change", sa.Column("least_access", sa.Integer(), nullable=False, server_default="0"))
    for column in (
        sa.Column("rank", sa.BigInteger(), nullable=True),
        sa.Column("added_at", sa.BigInteger(), nullable=True),
        sa.Column("added_by_pk", sa.Integer(), nullable=True),
        sa.Column("note", TEXT, nullable=True),
    ):
        op.add_column("change_asset", column)
    op.create_table(
        "idempotency",
        sa.Column("user_pk", sa.Integer(), nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_pk"], ["principal.pk"], name=op.f("fk_idempotency_user_pk")),
        sa.PrimaryKeyConstraint("user_pk", "key", name=op.f("pk_idempotency")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_idempotency_at", "idempotency", ["at"])
    op.create_table(
        "job",
        sa.Column("pk", sa.Integer(), nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("user_pk", sa.Integer(), nullable=False),
        sa.Column("request_id", TEXT, nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("last_put_pk", sa.Integer(), nullable=True),
        sa.Column("is_cancelled", sa.Boolean(), nullable=False),
        sa.Column("user_errors", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("leased_until", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_pk"], ["principal.pk"], name=op.f("fk_job_user_pk")),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_job")),
        sa.UniqueConstraint("id", name=op.f("uq_job_id")),
    )
    op.create_index("ix_job_status", "job", ["status", "pk"])
    op.create_table(
        "job_input",
        sa.Column("job_pk", sa.Integer(), nullable=False),
        sa.Column("given", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["job_pk"], ["job.pk"], name=op.f("fk_job_input_job_pk")),
        sa.PrimaryKeyConstraint("job_pk", name=op.f("pk_job_input")),
    )
    op.create_table(
        "job_item",
        sa.Column("job_pk", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("asset_id", TEXT, nullable=False),
        sa.Column("status", TEXT, nullable=True),
        sa.Column("error", TEXT, nullable=True),
        sa.ForeignKeyConstraint(["job_pk"], ["job.pk"], name=op.f("fk_job_item_job_pk")),
        sa.PrimaryKeyConstraint("job_pk", "place", name=op.f("pk_job_item")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Revert the change."""
    op.drop_table("job_item")
    op.drop_table("job_input")
    op.drop_table("job")
    op.drop_table("idempotency")
    for column in ("note", "added_by_pk", "added_at", "rank"):
        op.drop_column("change_asset", column)
    op.drop_column("change", "least_access")
