"""Add the source of users and groups, whether a user is active, and the search of users and groups.

Older versions cannot use the tables: they would accept the tokens of deactivated users.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008_0005"

TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
INDEXED_COLUMNS = "external_id, name, email"
# Atoll inserts tokenized text, so FTS5 must separate tokens at spaces only.
FTS5 = """CREATE VIRTUAL TABLE principal_search USING fts5(name, labels, rest,
    tokenize = "unicode61 remove_diacritics 0 categories 'L* M* N* P* S* C*'")"""
# The trigger of 0003 that marks the assets of a renamed owner: it gets a name of its own.
OWNED = """CREATE TRIGGER {name} AFTER UPDATE OF name ON principal BEGIN
    INSERT OR IGNORE INTO search_stale (kind, row_pk) SELECT 'asset', pk FROM asset WHERE owner_pk = new.pk; END"""

WRITE_TRIGGER = f"""CREATE TRIGGER principal_search_write
    AFTER INSERT OR DELETE OR UPDATE OF {INDEXED_COLUMNS} ON principal
    FOR EACH ROW EXECUTE FUNCTION search_note('principal')"""


def upgrade() -> None:
    """Make the change."""
    op.add_column("principal", sa.Column("source", TEXT, nullable=False, server_default="CATALOGUE"))
    op.add_column("principal", sa.Column("is_active", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.create_index("ix_principal_name", "principal", ["kind", "name", "id"])
    op.execute("CREATE INDEX ix_principal_email ON principal (lower(email))")
    for statement in _sqlite() if op.get_bind().dialect.name == "sqlite" else _postgresql():
        op.execute(statement)
    op.execute("INSERT INTO search_stale (kind, row_pk) SELECT 'principal', pk FROM principal")


def downgrade() -> None:
    """Revert the change."""
    if op.get_bind().dialect.name == "sqlite":
        for event in ("insert", "update", "delete", "owned"):
            op.execute(f"DROP TRIGGER principal_search_{event}")
        op.execute(OWNED.format(name="principal_search_update"))
    else:
        op.execute("DROP TRIGGER principal_search_write ON principal")
        op.execute("ALTER TRIGGER principal_search_owned ON principal RENAME TO principal_search_write")
    op.drop_table("principal_search")
    op.execute("DELETE FROM search_stale WHERE kind LIKE '%principal'")
    op.drop_index("ix_principal_email", "principal")
    op.drop_index("ix_principal_name", "principal")
    for name in ("is_active", "source"):
        op.drop_column("principal", name)


def _sqlite() -> list[str]:
    statements = ["DROP TRIGGER principal_search_update", OWNED.format(name="principal_search_owned"), FTS5]
    for event, when, row in (
        ("insert", "INSERT", "new"),
        ("update", f"UPDATE OF {INDEXED_COLUMNS}", "new"),
        ("delete", "DELETE", "old"),
    ):
        note = f"INSERT OR IGNORE INTO search_stale (kind, row_pk) VALUES ('principal', {row}.pk)"
        statements.append(f"CREATE TRIGGER principal_search_{event} AFTER {when} ON principal BEGIN {note}; END")
    return statements


def _postgresql() -> list[str]:
    return [
        "ALTER TRIGGER principal_search_write ON principal RENAME TO principal_search_owned",
        "CREATE TABLE principal_search (rowid integer PRIMARY KEY, words tsvector NOT NULL)",
        "CREATE INDEX ix_principal_search_words ON principal_search USING gin (words) WITH (fastupdate = off)",
        WRITE_TRIGGER,
    ]
