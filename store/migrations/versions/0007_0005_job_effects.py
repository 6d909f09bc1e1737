"""Add the collections of a job, and the changes that it has logged."""

import sqlalchemy as sa
from alembic import op

revision = "0007_0005"
down_revision = "0006_0005"


def upgrade() -> None:
    """Make the change."""
    for name in ("collection_ids", "change_ids"):
        # Older versions insert jobs without the columns.
        op.add_column("job", sa.Column(name, sa.JSON(), nullable=False, server_default="[]"))


def downgrade() -> None:
    """Revert the change."""
    for name in ("change_ids", "collection_ids"):
        op.drop_column("job", name)
