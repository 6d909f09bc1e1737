"""Index grants by owner, so that PostgreSQL can estimate how many assets each principal owns."""

from alembic import op

revision = "0004"
down_revision = "0003"

OWNER = "(CASE WHEN access >= 4 THEN principal_pk END)"


def upgrade() -> None:
    """Make the change."""
    op.drop_index("ix_access_grant_principal", "access_grant")
    op.execute(f"CREATE INDEX ix_access_grant_owner ON access_grant ({OWNER}, asset_pk)")
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "ANALYZE access_grant"
        )  # or it would have no statistics of the new expression until many grants change


def downgrade() -> None:
    """Revert the change."""
    op.drop_index("ix_access_grant_owner", "access_grant")
    op.create_index("ix_access_grant_principal", "access_grant", ["principal_pk", "access", "asset_pk"])
