"""Add the files of export jobs, and links to them that work once.

Older versions can use the tables: they never read these.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017_0010"
down_revision = "0016_0010"

TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the change."""
    op.create_table(
        "export_file",
        sa.Column("pk", sa.Integer(), nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("user_pk", sa.Integer(), nullable=False),
        sa.Column("format", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("access", sa.JSON(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_pk"], ["principal.pk"], name=op.f("fk_export_file_user_pk_principal")),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_export_file")),
        sa.UniqueConstraint("id", name=op.f("uq_export_file_id")),
    )
    op.create_index(op.f("ix_export_file_expires_at"), "export_file", ["expires_at"])
    op.create_table(
        "export_link",
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("file_pk", sa.Integer(), nullable=False),
        sa.Column("token_pk", sa.Integer(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["file_pk"], ["export_file.pk"], name=op.f("fk_export_link_file_pk_export_file")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_export_link")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_export_link_file_pk"), "export_link", ["file_pk"])


def downgrade() -> None:
    """Revert the change."""
    op.drop_table("export_link")
    op.drop_table("export_file")
