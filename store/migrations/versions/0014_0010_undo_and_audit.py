"""Add names of subjects, origins and undo records to the change log, and former slugs.

Older versions can use the tables, but log no names, and most of their changes cannot be undone.
"""

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0014_0010"
down_revision = "0013_0010"

TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
NEW_COLUMNS = ("subject_name", "subject_key", "deleted_visibility", "origin")
BATCH = 5_000


def upgrade() -> None:
    """Make the change."""
    for name in NEW_COLUMNS:
        op.add_column("change", sa.Column(name, TEXT, nullable=True))
    for name in ("undoes_pk", "original_pk"):
        op.add_column("change", sa.Column(name, sa.Integer(), nullable=True))
    op.add_column("change", sa.Column("effect", sa.JSON(), nullable=True))
    op.create_index("ix_change_original_pk", "change", ["original_pk"])
    op.create_index("ix_change_undoes_pk", "change", ["undoes_pk"])
    op.create_table(
        "former_slug",
        sa.Column("pk", sa.Integer(), nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("slug", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_former_slug")),
    )
    op.create_index("ix_former_slug_slug", "former_slug", ["slug", "kind"])
    _name_subjects()


def _name_subjects() -> None:
    """Name the subjects of existing changes as they are named now, or were when they were deleted."""
    connection = op.get_bind()
    change = sa.table("change", *map(sa.column, ("pk", "subject_id", "action", "subject_name", "subject_key")))
    deletions = sa.table("change", sa.column("subject_id"), sa.column("action"), sa.column("fields", sa.JSON()))
    deleted = sa.select(deletions.c.subject_id, deletions.c.fields).where(deletions.c.action == "DELETED")
    names: dict[str, str] = {}
    for id_, fields in connection.execute(deleted):
        names |= dict.fromkeys([id_], next((each["before"] for each in fields if each["field"] == "name"), ""))
    for name in ("topic", "collection", "asset", "principal"):
        table = sa.table(name, sa.column("id"), sa.column("name"))
        logged = sa.select(change.c.subject_id)
        existing = sa.select(table.c.id, table.c.name).where(table.c.id.in_(logged))
        names |= {row.id: row.name for row in connection.execute(existing)}
    named = sa.update(change).where(change.c.subject_id == sa.bindparam("of_id"))
    named = named.values(subject_name=sa.bindparam("to_name"), subject_key=sa.bindparam("to_key"))
    rows = [{"of_id": id_, "to_name": name, "to_key": _fold(name)} for id_, name in names.items()]
    for start in range(0, len(rows), BATCH):
        connection.execute(named, rows[start : start + BATCH])


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", name.casefold())


def downgrade() -> None:
    """Revert the change."""
    op.drop_table("former_slug")
    op.drop_index("ix_change_undoes_pk", "change")
    op.drop_index("ix_change_original_pk", "change")
    for name in ("effect", "original_pk", "undoes_pk", *reversed(NEW_COLUMNS)):
        op.drop_column("change", name)
