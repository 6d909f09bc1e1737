"""Add sort keys of users and groups, and index these again, which sets the keys.

Older versions can use the tables. A row that a released one writes stays in `search_unindexed`, and the next write of
this version sets its key.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015_0010"
down_revision = "0014_0010"

TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
POSTPONED = "~principal"  # rows that `atoll migrate` indexes in steps


def upgrade() -> None:
    """Make the change."""
    op.add_column("principal", sa.Column("sort_key", TEXT, nullable=False, server_default=""))
    op.drop_index("ix_principal_name", "principal")
    op.create_index("ix_principal_sort_key", "principal", ["kind", "sort_key", "id"])
    # The migration of the search index may have marked them.
    rows = f"SELECT '{POSTPONED}', pk FROM principal WHERE true"
    op.execute(f"INSERT INTO search_unindexed (kind, row_pk) {rows} ON CONFLICT DO NOTHING")


def downgrade() -> None:
    """Revert the change."""
    op.drop_index("ix_principal_sort_key", "principal")
    op.drop_column("principal", "sort_key")
    op.create_index("ix_principal_name", "principal", ["kind", "name", "id"])
