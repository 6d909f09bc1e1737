"""Add ids, names and last uses of API tokens, claims of sign-ins, and resources of SCIM."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013_0009"

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
    op.create_table(
        "sign_in",
        sa.Column("user_pk", sa.Integer(), nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_pk"], ["principal.pk"], name=op.f("fk_sign_in_user_pk")),
        sa.PrimaryKeyConstraint("user_pk", name=op.f("pk_sign_in")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "scim_resource",
        sa.Column("principal_pk", sa.Integer(), nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("name_key", TEXT, nullable=False),
        sa.Column("external_id", TEXT, nullable=True),
        sa.Column("resource", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["principal_pk"], ["principal.pk"], name=op.f("fk_scim_resource_principal_pk")),
        sa.PrimaryKeyConstraint("principal_pk", name=op.f("pk_scim_resource")),
    )
    op.create_index("ix_scim_resource_external_id", "scim_resource", ["external_id"])
    op.create_index("ix_scim_resource_name", "scim_resource", ["kind", "name_key"])


def downgrade() -> None:
    """Revert the change."""
    op.drop_table("scim_resource")
    op.drop_table("sign_in")
    op.drop_index("ix_api_token_user_pk", "api_token")
    op.drop_index("ix_api_token_id", "api_token")
    for name in ("parent_pk", "last_used_at", "name", "id"):
        op.drop_column("api_token", name)
