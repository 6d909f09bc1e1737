"""Add public ids, names, last uses and parents of API tokens."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
RANDOM_ID = {
    "sqlite": "'tok_' || lower(hex(randomblob(12)))",
    "postgresql": "'tok_' || substr(replace(gen_random_uuid()::text, '-', ''), 1, 12)"
    " || substr(replace(gen_random_uuid()::text, '-', ''), 1, 12)",
}


def upgrade() -> None:
    """Make the change."""
    op.add_column("api_token", sa.Column("id", TEXT, nullable=False, server_default=""))
    op.add_column("api_token", sa.Column("name", TEXT, nullable=False, server_default=""))
    op.add_column("api_token", sa.Column("last_used_at", sa.BigInteger(), nullable=True))
    op.add_column("api_token", sa.Column("parent_pk", sa.Integer(), nullable=True))
    op.execute(f"UPDATE api_token SET id = {RANDOM_ID[op.get_bind().dialect.name]}")
    op.create_index("ix_api_token_id", "api_token", ["id"], unique=True)
    op.create_index("ix_api_token_user_pk", "api_token", ["user_pk"])


def downgrade() -> None:
    """Revert the change."""
    op.drop_index("ix_api_token_user_pk", "api_token")
    op.drop_index("ix_api_token_id", "api_token")
    for name in ("parent_pk", "last_used_at", "name", "id"):
        op.drop_column("api_token", name)
