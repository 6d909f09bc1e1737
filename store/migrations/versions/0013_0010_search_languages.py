"""Add sort keys of names and keys of tags, search versions, and index all rows again.

Older versions can use the tables. They go on marking rows in `search_stale`, and index them in their own way; the marks
in `search_unindexed` remain, so that the next write of this version indexes these rows again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013_0010"
down_revision = "0012_0010"

TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
COLUMNS = {
    "asset": "external_id, kind, name, description, owner_pk, tags, license, doi, language, app_kind, data_kind,"
    " framework",
    "collection": "slug, name, description",
    "principal": "external_id, name, email",
    "topic": "slug, name, description",
}
"""Indexed columns of each table before this migration, which adds the version of an asset."""
NEW_COLUMNS = COLUMNS | {"asset": f"{COLUMNS['asset']}, version"}
OLD_MARKERS, MARKERS = ("search_stale",), ("search_stale", "search_unindexed")
INDEXES = (
    ("ix_asset_name", "asset", "name_key", "ix_asset_sort_key", "sort_key"),
    ("ix_collection_name", "collection", "name_key", "ix_collection_sort_key", "sort_key"),
)
"""Indexes of names: the former index, its table and its first column, and those that replace it."""
POSTPONED = "~"  # rows that `atoll migrate` indexes in steps


def upgrade() -> None:
    """Make the change."""
    op.create_table(
        "search_unindexed",
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("row_pk", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "row_pk", name=op.f("pk_search_unindexed")),
        sqlite_with_rowid=False,
    )
    for former, table, _, index, column in INDEXES:
        op.add_column(table, sa.Column(column, TEXT, nullable=False, server_default=""))
        op.drop_index(former, table)
        op.create_index(index, table, [column, "id"])
    op.add_column("asset_tag", sa.Column("tag_key", TEXT, nullable=True, server_default=""))
    op.drop_index("ix_asset_tag_tag", "asset_tag")
    op.create_index("ix_asset_tag_key", "asset_tag", ["tag_key", "asset_pk"])
    _replace_triggers(MARKERS, NEW_COLUMNS)
    for table in COLUMNS:
        op.execute(f"INSERT INTO search_unindexed (kind, row_pk) SELECT '{POSTPONED}{table}', pk FROM {table}")
    # Markers of rows that no longer exist: their documents are deleted.
    marked = f"SELECT '{POSTPONED}' || replace(kind, '{POSTPONED}', ''), row_pk FROM search_stale WHERE true"
    op.execute(f"INSERT INTO search_unindexed (kind, row_pk) {marked} ON CONFLICT DO NOTHING")
    op.execute("DELETE FROM search_stale")


def downgrade() -> None:
    """Revert the change."""
    _replace_triggers(OLD_MARKERS, COLUMNS)
    for table in COLUMNS:
        rows = f"SELECT '{table}', pk FROM {table} WHERE true"
        op.execute(f"INSERT INTO search_stale (kind, row_pk) {rows} ON CONFLICT DO NOTHING")
    op.drop_index("ix_asset_tag_key", "asset_tag")
    op.drop_column("asset_tag", "tag_key")
    op.create_index("ix_asset_tag_tag", "asset_tag", ["tag", "asset_pk"])
    for former, table, former_column, index, column in INDEXES:
        op.drop_index(index, table)
        op.drop_column(table, column)
        op.create_index(former, table, [former_column, "id"])
    op.drop_table("search_unindexed")


def _replace_triggers(markers: tuple[str, ...], columns_by_table: dict[str, str]) -> None:
    """Let the triggers of searched tables insert into each of the markers."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in (_sqlite if is_sqlite else _postgresql)(markers, columns_by_table):
        op.execute(statement)


def _sqlite(markers: tuple[str, ...], columns_by_table: dict[str, str]) -> list[str]:
    statements = ["DROP TRIGGER principal_search_owned"]
    for table, columns in columns_by_table.items():
        for event, when, row in (
            ("insert", "INSERT", "new"),
            ("update", f"UPDATE OF {columns}", "new"),
            ("delete", "DELETE", "old"),
        ):
            values = f"(kind, row_pk) VALUES ('{table}', {row}.pk)"
            body = "".join(f" INSERT OR IGNORE INTO {into} {values};" for into in markers)
            statements.append(f"DROP TRIGGER {table}_search_{event}")
            statements.append(f"CREATE TRIGGER {table}_search_{event} AFTER {when} ON {table} BEGIN{body} END")
    owned = "(kind, row_pk) SELECT 'asset', pk FROM asset WHERE owner_pk = new.pk"
    body = "".join(f" INSERT OR IGNORE INTO {into} {owned};" for into in markers)
    when = "AFTER UPDATE OF name ON principal"
    return [*statements, f"CREATE TRIGGER principal_search_owned {when} BEGIN{body} END"]


def _postgresql(markers: tuple[str, ...], columns_by_table: dict[str, str]) -> list[str]:
    sources = {
        "search_note": "VALUES (TG_ARGV[0], coalesce(new.pk, old.pk))",
        "search_note_owned": "SELECT 'asset', pk FROM asset WHERE owner_pk = new.pk",
    }
    statements = []
    for function, source in sources.items():
        body = " ".join(f"INSERT INTO {into} (kind, row_pk) {source} ON CONFLICT DO NOTHING;" for into in markers)
        statements.append(
            f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN {body} RETURN NULL; END $$"
        )
    for table, columns in columns_by_table.items():
        when = f"AFTER INSERT OR DELETE OR UPDATE OF {columns} ON {table}"
        function = f"FOR EACH ROW EXECUTE FUNCTION search_note('{table}')"
        statements.append(f"DROP TRIGGER {table}_search_write ON {table}")
        statements.append(f"CREATE TRIGGER {table}_search_write {when} {function}")
    return statements
