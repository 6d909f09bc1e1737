"""Add properties of assets and imported lines; compare names without invisible characters and by NFKC.

Of topics and of collections whose names are the same only by the new rule, all but the first keep their former keys,
because keys are unique. Older versions can use the tables; the keys that they write stay until a name changes.
"""

import unicodedata
from collections.abc import Callable

import regex
import sqlalchemy as sa
from alembic import op

revision = "0012_0009"
down_revision = "0009"

TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")

IGNORABLE = regex.compile(r"\p{Default_Ignorable_Code_Point}")
MAX_KEY_LENGTH = 600
SIBLINGS = {"topic": "0, 0", "collection": "topic_pk, coalesce(parent_pk, 0)"}
"""Columns of which the names of each combination are unique, by table."""


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
    _set_name_keys(_new_key)


def downgrade() -> None:
    """Revert the change."""
    _set_name_keys(_former_key)
    op.drop_table("imported_line")
    op.drop_column("asset", "properties")


def _set_name_keys(fold: Callable[[str], str]) -> None:
    connection = op.get_bind()
    for table, scope in SIBLINGS.items():
        rows = connection.execute(sa.text(f"SELECT pk, {scope}, name, name_key FROM {table} ORDER BY pk")).all()
        keys = {(first, second, key): pk for pk, first, second, _, key in rows}
        for pk, first, second, name, key in rows:
            new = fold(name)
            if keys.setdefault((first, second, new), pk) == pk and new != key:
                update = sa.text(f"UPDATE {table} SET name_key = :key WHERE pk = :pk")
                connection.execute(update, {"key": new, "pk": pk})


def _new_key(name: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return " ".join(unicodedata.normalize("NFKC", IGNORABLE.sub("", folded)).split())[:MAX_KEY_LENGTH]


def _former_key(name: str) -> str:
    return unicodedata.normalize("NFC", name.casefold())
