"""Add the search index, and triggers that mark the search documents of changed rows as stale."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
INDEXED_COLUMNS = {
    "asset": "external_id, kind, name, description, owner_pk, tags, license, doi, language, app_kind, data_kind,"
    " framework",
    "collection": "slug, name, description",
    "topic": "slug, name, description",
}
"""Indexed columns of each table."""
# Atoll inserts tokenized text, so FTS5 must separate tokens at spaces only.
FTS5 = """CREATE VIRTUAL TABLE {table}_search USING fts5(name, labels, rest,
    tokenize = "unicode61 remove_diacritics 0 categories 'L* M* N* P* S* C*'")"""
NAME_UPDATE = "UPDATE OF name"
PG_TRIGGER = """CREATE TRIGGER {table}_search_write AFTER {when} ON {table}
    FOR EACH ROW EXECUTE FUNCTION search_{note}"""
MARK_OWNED = "INSERT INTO search_stale (kind, row_pk) SELECT 'asset', pk FROM asset WHERE owner_pk = new.pk"


def upgrade() -> None:
    """Make the change."""
    op.create_table(
        "search_stale",
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("row_pk", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "row_pk", name=op.f("pk_search_stale")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "search_word",
        sa.Column("word", TEXT, nullable=False),
        sa.Column("backward", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("word", name=op.f("pk_search_word")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_search_word_backward", "search_word", ["backward"])
    for statement in _sqlite() if op.get_bind().dialect.name == "sqlite" else _postgresql():
        op.execute(statement)
    for table in INDEXED_COLUMNS:
        op.execute(f"INSERT INTO search_stale (kind, row_pk) SELECT '{table}', pk FROM {table}")


def downgrade() -> None:
    """Revert the change."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for table in (*INDEXED_COLUMNS, "principal"):
        for event in ("insert", "update", "delete") if is_sqlite else ("write",):
            op.execute(f"DROP TRIGGER IF EXISTS {table}_search_{event}" + ("" if is_sqlite else f" ON {table}"))
    if not is_sqlite:
        op.execute("DROP FUNCTION search_note")
        op.execute("DROP FUNCTION search_note_owned")
    for table in (*(f"{each}_search" for each in INDEXED_COLUMNS), "search_word", "search_stale"):
        op.drop_table(table)


def _sqlite() -> list[str]:
    statements = []
    for table, columns in INDEXED_COLUMNS.items():
        statements.append(FTS5.format(table=table))
        for event, when, which in (
            ("insert", "INSERT", "new"),
            ("update", f"UPDATE OF {columns}", "new"),
            ("delete", "DELETE", "old"),
        ):
            note = f"INSERT OR IGNORE INTO search_stale (kind, row_pk) VALUES ('{table}', {which}.pk)"
            statements.append(f"CREATE TRIGGER {table}_search_{event} AFTER {when} ON {table} BEGIN {note}; END")
    owned = MARK_OWNED.replace("INSERT INTO", "INSERT OR IGNORE INTO")
    when = f"AFTER {NAME_UPDATE} ON principal"
    return [*statements, f"CREATE TRIGGER principal_search_update {when} BEGIN {owned}; END"]


def _postgresql() -> list[str]:
    note = "INSERT INTO search_stale (kind, row_pk) VALUES (TG_ARGV[0], coalesce(new.pk, old.pk))"
    statements = [
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN {body} ON CONFLICT DO NOTHING; RETURN NULL; END $$"
        for name, body in (("search_note", note), ("search_note_owned", MARK_OWNED))
    ]
    for table, columns in INDEXED_COLUMNS.items():
        statements += [
            f"CREATE TABLE {table}_search (rowid integer PRIMARY KEY, words tsvector NOT NULL)",
            f"CREATE INDEX ix_{table}_search_words ON {table}_search USING gin (words) WITH (fastupdate = off)",
            PG_TRIGGER.format(table=table, when=f"INSERT OR DELETE OR UPDATE OF {columns}", note=f"note('{table}')"),
        ]
    return [*statements, PG_TRIGGER.format(table="principal", when=NAME_UPDATE, note="note_owned()")]
