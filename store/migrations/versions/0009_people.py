"""Add the source of users and groups, and whether a user is active.

Older versions cannot use the tables: they would accept the tokens of deactivated users.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008_0005"

TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the change."""
    op.add_column("principal", sa.Column("source", TEXT, nullable=False, server_default="CATALOGUE"))
    op.add_column("principal", sa.Column("is_active", sa.Boolean(), nullable=False, server_default=sa.true()))


def downgrade() -> None:
    """Revert the change."""
    for name in ("is_active", "source"):
        op.drop_column("principal", name)
