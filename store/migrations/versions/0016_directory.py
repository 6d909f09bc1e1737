"""Index users and groups by name and e-mail address, and for search.

Older versions cannot use the tables: they do not know how to index users and groups for search.
"""

from alembic import op

revision = "0016"
down_revision = "0013_0009"

INDEXED_COLUMNS = "external_id, name, email"
# Atoll inserts tokenized text, so FTS5 must separate tokens at spaces only.
FTS5 = """CREATE VIRTUAL TABLE principal_search USING fts5(name, labels, rest,
    tokenize = "unicode61 remove_diacritics 0 categories 'L* M* N* P* S* C*'")"""
EVENTS = {"insert": ("INSERT", "new"), "update": (f"UPDATE OF {INDEXED_COLUMNS}", "new"), "delete": ("DELETE", "old")}
"""Event and row of each trigger. The trigger `principal_search_update` marks the assets of a renamed owner."""
POSTGRESQL = (
    "CREATE TABLE principal_search (rowid integer PRIMARY KEY, words tsvector NOT NULL)",
    "CREATE INDEX ix_principal_search_words ON principal_search USING gin (words) WITH (fastupdate = off)",
    """CREATE FUNCTION note_principal() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO search_unindexed (kind, row_pk) VALUES ('principal', coalesce(new.pk, old.pk)) ON CONFLICT DO NOTHING;
    RETURN NULL; END $$""",
)
POSTPONED = "~principal"  # rows that `atoll migrate` indexes in steps


def upgrade() -> None:
    """Make the change."""
    op.create_index("ix_principal_name", "principal", ["kind", "name", "id"])
    op.execute("CREATE INDEX ix_principal_email ON principal (lower(email))")
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in (FTS5,) if is_sqlite else POSTGRESQL:
        op.execute(statement)
    for event, (when, row) in EVENTS.items():
        note = f"INSERT OR IGNORE INTO search_unindexed (kind, row_pk) VALUES ('principal', {row}.pk)"
        body = f"BEGIN {note}; END" if is_sqlite else "FOR EACH ROW EXECUTE FUNCTION note_principal()"
        op.execute(f"CREATE TRIGGER principal_directory_{event} AFTER {when} ON principal {body}")
    op.execute(f"INSERT INTO search_unindexed (kind, row_pk) SELECT '{POSTPONED}', pk FROM principal")


def downgrade() -> None:
    """Revert the change."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for event in EVENTS:
        op.execute(f"DROP TRIGGER principal_directory_{event}" + ("" if is_sqlite else " ON principal"))
    if not is_sqlite:
        op.execute("DROP FUNCTION note_principal")
    op.drop_table("principal_search")
    op.execute(f"DELETE FROM search_unindexed WHERE kind IN ('principal', '{POSTPONED}')")
    op.drop_index("ix_principal_email", "principal")
    op.drop_index("ix_principal_name", "principal")
