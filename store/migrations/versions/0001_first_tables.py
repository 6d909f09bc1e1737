"""Create the first tables."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the change."""
    op.create_table(
        "deployment",
        sa.Column("pk", sa.Integer(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("public_sharing", sa.Boolean(), nullable=False),
        sa.Column("cursor_key", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_deployment")),
    )
    op.create_table(
        "principal",
        sa.Column("pk", sa.Integer(), nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("external_id", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("email", TEXT, nullable=True),
        sa.Column("is_admin", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_principal")),
        sa.UniqueConstraint("external_id", name=op.f("uq_principal_external_id")),
        sa.UniqueConstraint("id", name=op.f("uq_principal_id")),
    )
    op.create_table(
        "api_token",
        sa.Column("pk", sa.Integer(), nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("user_pk", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["user_pk"], ["principal.pk"], name=op.f("fk_api_token_user_pk")),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_api_token")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_token_digest")),
    )
    op.create_table(
        "asset",
        sa.Column("pk", sa.Integer(), nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("external_id", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("name_key", TEXT, nullable=False),
        sa.Column("description", TEXT, nullable=True),
        sa.Column("owner_pk", sa.Integer(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("license", TEXT, nullable=True),
        sa.Column("doi", TEXT, nullable=True),
        sa.Column("version", TEXT, nullable=True),
        sa.Column("url", TEXT, nullable=True),
        sa.Column("language", TEXT, nullable=True),
        sa.Column("step_count", sa.Integer(), nullable=True),
        sa.Column("app_kind", TEXT, nullable=True),
        sa.Column("data_kind", TEXT, nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("file_count", sa.BigInteger(), nullable=True),
        sa.Column("source", TEXT, nullable=True),
        sa.Column("framework", TEXT, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("is_gold", sa.Integer(), nullable=False),
        sa.Column("gold_at", sa.BigInteger(), nullable=True),
        sa.Column("gold_by_pk", sa.Integer(), nullable=True),
        sa.Column("gold_note", TEXT, nullable=True),
        sa.ForeignKeyConstraint(["gold_by_pk"], ["principal.pk"], name=op.f("fk_asset_gold_by_pk")),
        sa.ForeignKeyConstraint(["owner_pk"], ["principal.pk"], name=op.f("fk_asset_owner_pk")),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_asset")),
        sa.UniqueConstraint("external_id", name=op.f("uq_asset_external_id")),
        sa.UniqueConstraint("id", name=op.f("uq_asset_id")),
    )
    with op.batch_alter_table("asset", schema=None) as batch_op:
        batch_op.create_index("ix_asset_created", ["created_at", "id"], unique=False)
        batch_op.create_index("ix_asset_name", ["name_key", "id"], unique=False)
        batch_op.create_index("ix_asset_owner", ["owner_pk"], unique=False)
        batch_op.create_index("ix_asset_relevance", ["is_gold", "updated_at", "id"], unique=False)
        batch_op.create_index("ix_asset_updated", ["updated_at", "id"], unique=False)

    op.create_table(
        "change",
        sa.Column("pk", sa.Integer(), nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor_pk", sa.Integer(), nullable=True),
        sa.Column("action", TEXT, nullable=False),
        sa.Column("subject_id", TEXT, nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("request_id", TEXT, nullable=False),
        sa.ForeignKeyConstraint(["actor_pk"], ["principal.pk"], name=op.f("fk_change_actor_pk")),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_change")),
        sa.UniqueConstraint("id", name=op.f("uq_change_id")),
    )
    with op.batch_alter_table("change", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_change_revision"), ["revision"], unique=False)
        batch_op.create_index("ix_change_subject", ["subject_id", "pk"], unique=False)

    op.create_table(
        "group_member",
        sa.Column("group_pk", sa.Integer(), nullable=False),
        sa.Column("user_pk", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["group_pk"], ["principal.pk"], name=op.f("fk_group_member_group_pk")),
        sa.ForeignKeyConstraint(["user_pk"], ["principal.pk"], name=op.f("fk_group_member_user_pk")),
        sa.PrimaryKeyConstraint("group_pk", "user_pk", name=op.f("pk_group_member")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("group_member", schema=None) as batch_op:
        batch_op.create_index("ix_group_member_user", ["user_pk", "group_pk"], unique=False)

    op.create_table(
        "topic",
        sa.Column("pk", sa.Integer(), nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("slug", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("name_key", TEXT, nullable=False),
        sa.Column("description", TEXT, nullable=False),
        sa.Column("rank", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by_pk", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["created_by_pk"], ["principal.pk"], name=op.f("fk_topic_created_by_pk")),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_topic")),
        sa.UniqueConstraint("id", name=op.f("uq_topic_id")),
        sa.UniqueConstraint("name_key", name=op.f("uq_topic_name_key")),
        sa.UniqueConstraint("rank", name=op.f("uq_topic_rank")),
        sa.UniqueConstraint("slug", name=op.f("uq_topic_slug")),
    )
    op.create_table(
        "access_grant",
        sa.Column("asset_pk", sa.Integer(), nullable=False),
        sa.Column("principal_pk", sa.Integer(), nullable=False),
        sa.Column("access", sa.Integer(), nullable=False),
        sa.CheckConstraint("access between 1 and 4", name=op.f("ck_access_grant_access")),
        sa.ForeignKeyConstraint(["asset_pk"], ["asset.pk"], name=op.f("fk_access_grant_asset_pk")),
        sa.ForeignKeyConstraint(["principal_pk"], ["principal.pk"], name=op.f("fk_access_grant_principal_pk")),
        sa.PrimaryKeyConstraint("asset_pk", "principal_pk", name=op.f("pk_access_grant")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("access_grant", schema=None) as batch_op:
        batch_op.create_index("ix_access_grant_asset", ["asset_pk", "principal_pk", "access"], unique=False)
        batch_op.create_index("ix_access_grant_principal", ["principal_pk", "access", "asset_pk"], unique=False)

    op.create_table(
        "asset_tag",
        sa.Column("asset_pk", sa.Integer(), nullable=False),
        sa.Column("tag", TEXT, nullable=False),
        sa.ForeignKeyConstraint(["asset_pk"], ["asset.pk"], name=op.f("fk_asset_tag_asset_pk")),
        sa.PrimaryKeyConstraint("asset_pk", "tag", name=op.f("pk_asset_tag")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("asset_tag", schema=None) as batch_op:
        batch_op.create_index("ix_asset_tag_tag", ["tag", "asset_pk"], unique=False)

    op.create_table(
        "asset_use",
        sa.Column("asset_pk", sa.Integer(), nullable=False),
        sa.Column("uses_pk", sa.Integer(), nullable=False),
        sa.Column("rank", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["asset_pk"], ["asset.pk"], name=op.f("fk_asset_use_asset_pk")),
        sa.ForeignKeyConstraint(["uses_pk"], ["asset.pk"], name=op.f("fk_asset_use_uses_pk")),
        sa.PrimaryKeyConstraint("asset_pk", "uses_pk", name=op.f("pk_asset_use")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("asset_use", schema=None) as batch_op:
        batch_op.create_index("ix_asset_use_rank", ["asset_pk", "rank", "uses_pk"], unique=True)
        batch_op.create_index("ix_asset_use_used", ["uses_pk", "asset_pk"], unique=False)

    op.create_table(
        "change_asset",
        sa.Column("change_pk", sa.Integer(), nullable=False),
        sa.Column("asset_pk", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["asset_pk"], ["asset.pk"], name=op.f("fk_change_asset_asset_pk")),
        sa.ForeignKeyConstraint(["change_pk"], ["change.pk"], name=op.f("fk_change_asset_change_pk")),
        sa.PrimaryKeyConstraint("change_pk", "asset_pk", name=op.f("pk_change_asset")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("change_asset", schema=None) as batch_op:
        batch_op.create_index("ix_change_asset_asset", ["asset_pk", "change_pk"], unique=False)

    op.create_table(
        "collection",
        sa.Column("pk", sa.Integer(), nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("slug", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("name_key", TEXT, nullable=False),
        sa.Column("description", TEXT, nullable=False),
        sa.Column("visibility", TEXT, nullable=False),
        sa.Column("topic_pk", sa.Integer(), nullable=False),
        sa.Column("parent_pk", sa.Integer(), nullable=True),
        sa.Column("rank", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by_pk", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["created_by_pk"], ["principal.pk"], name=op.f("fk_collection_created_by_pk")),
        sa.ForeignKeyConstraint(["parent_pk"], ["collection.pk"], name=op.f("fk_collection_parent_pk")),
        sa.ForeignKeyConstraint(["topic_pk"], ["topic.pk"], name=op.f("fk_collection_topic_pk")),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_collection")),
        sa.UniqueConstraint("id", name=op.f("uq_collection_id")),
        sa.UniqueConstraint("slug", name=op.f("uq_collection_slug")),
    )
    with op.batch_alter_table("collection", schema=None) as batch_op:
        batch_op.create_index("ix_collection_name", ["name_key", "id"], unique=False)
        batch_op.create_index("ix_collection_parent", ["parent_pk", "rank", "pk"], unique=False)
        batch_op.create_index("uq_collection_rank", ["topic_pk", "rank", "pk"], unique=True)

    op.create_table(
        "membership",
        sa.Column("collection_pk", sa.Integer(), nullable=False),
        sa.Column("asset_pk", sa.Integer(), nullable=False),
        sa.Column("rank", sa.BigInteger(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.Column("added_by_pk", sa.Integer(), nullable=True),
        sa.Column("note", TEXT, nullable=True),
        sa.ForeignKeyConstraint(["added_by_pk"], ["principal.pk"], name=op.f("fk_membership_added_by_pk")),
        sa.ForeignKeyConstraint(["asset_pk"], ["asset.pk"], name=op.f("fk_membership_asset_pk")),
        sa.ForeignKeyConstraint(["collection_pk"], ["collection.pk"], name=op.f("fk_membership_collection_pk")),
        sa.PrimaryKeyConstraint("collection_pk", "asset_pk", name=op.f("pk_membership")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("membership", schema=None) as batch_op:
        batch_op.create_index("ix_membership_asset", ["asset_pk", "collection_pk"], unique=False)
        batch_op.create_index("uq_membership_rank", ["collection_pk", "rank", "asset_pk"], unique=True)
    # A unique index treats NULLs as distinct, so 0 replaces the NULL parent of top-level collections.
    op.execute("create unique index uq_collection_sibling on collection (topic_pk, coalesce(parent_pk, 0), name_key)")
    deployment = sa.table("deployment", sa.column("revision"), sa.column("public_sharing"), sa.column("cursor_key"))
    op.bulk_insert(deployment, [{"revision": 0, "public_sharing": False, "cursor_key": secrets.token_bytes(64)}])
    names = ("id", "external_id", "kind", "name", "is_admin")
    principal = sa.table("principal", *map(sa.column, names))
    # The order matters: code refers to them by their pks, 1 and 2.
    for word in ("everyone", "public"):
        row = {"id": word, "external_id": word, "kind": word.upper(), "name": word.capitalize(), "is_admin": False}
        op.bulk_insert(principal, [row])


def downgrade() -> None:
    """Revert the change."""
    with op.batch_alter_table("membership", schema=None) as batch_op:
        batch_op.drop_index("uq_membership_rank")
        batch_op.drop_index("ix_membership_asset")

    op.drop_table("membership")
    with op.batch_alter_table("collection", schema=None) as batch_op:
        batch_op.drop_index("uq_collection_rank")
        batch_op.drop_index("ix_collection_parent")
        batch_op.drop_index("ix_collection_name")

    op.drop_table("collection")
    with op.batch_alter_table("change_asset", schema=None) as batch_op:
        batch_op.drop_index("ix_change_asset_asset")

    op.drop_table("change_asset")
    with op.batch_alter_table("asset_use", schema=None) as batch_op:
        batch_op.drop_index("ix_asset_use_used")
        batch_op.drop_index("ix_asset_use_rank")

    op.drop_table("asset_use")
    with op.batch_alter_table("asset_tag", schema=None) as batch_op:
        batch_op.drop_index("ix_asset_tag_tag")

    op.drop_table("asset_tag")
    with op.batch_alter_table("access_grant", schema=None) as batch_op:
        batch_op.drop_index("ix_access_grant_principal")
        batch_op.drop_index("ix_access_grant_asset")

    op.drop_table("access_grant")
    op.drop_table("topic")
    with op.batch_alter_table("group_member", schema=None) as batch_op:
        batch_op.drop_index("ix_group_member_user")

    op.drop_table("group_member")
    with op.batch_alter_table("change", schema=None) as batch_op:
        batch_op.drop_index("ix_change_subject")
        batch_op.drop_index(batch_op.f("ix_change_revision"))

    op.drop_table("change")
    with op.batch_alter_table("asset", schema=None) as batch_op:
        batch_op.drop_index("ix_asset_updated")
        batch_op.drop_index("ix_asset_relevance")
        batch_op.drop_index("ix_asset_owner")
        batch_op.drop_index("ix_asset_name")
        batch_op.drop_index("ix_asset_created")

    op.drop_table("asset")
    op.drop_table("api_token")
    op.drop_table("principal")
    op.drop_table("deployment")
