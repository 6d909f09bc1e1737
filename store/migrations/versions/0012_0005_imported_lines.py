"""Add properties of assets, and the lines of catalogues as they were last imported."""

import sqlalchemy as sa
from alembic import op

revision = "0012_0005"
down_revision = "0008_0005"

TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the change."""
    # Older versions insert assets without the column.
    op.add_column("asset", sa.Column("properties", sa.JSON(), nullable=False, server_default="{}"))
    op.create_table(
        "imported_line",
        sa.Column("source", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("object_id", TEXT, nullable=False),
        sa.Column("external_id", TEXT, nullable=True),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("source", "kind", "object_id", name=op.f("pk_imported_line")),
        sqlite_with_rowid=False,
    )
    op.create_index("uq_imported_line_external_id", "imported_line", ["source", "kind", "external_id"], unique=True)
    op.create_index("ix_imported_line_object", "imported_line", ["object_id"])


def downgrade() -> None:
    """Revert the change."""
    op.drop_table("imported_line")
    op.drop_column("asset", "properties")
