"""Add versions of rows, and triggers that log which objects were written last."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
LOGGED_KEYS = (
    ("topic", "TOPIC", "pk"),
    ("collection", "COLLECTION", "pk"),
    ("membership", "MEMBERS", "collection_pk"),
    ("asset", "ASSET", "pk"),
    ("access_grant", "GRANTS", "asset_pk"),
    ("principal", "PRINCIPAL", "pk"),
)
"""Logged tables: the kind of object that a write to a row changes, and the column with the object's pk."""
SQLITE_EVENTS = {"insert": ("new",), "update": ("new", "old"), "delete": ("old",)}
"""Row values that have the keys to log, by event."""
POSTGRESQL_EVENTS = {
    "insert": ("NEW TABLE AS new_rows", "SELECT {column} FROM new_rows"),
    # Both, because the update may have changed the key.
    "update": (
        "OLD TABLE AS old_rows NEW TABLE AS new_rows",
        "SELECT {column} FROM old_rows UNION ALL SELECT {column} FROM new_rows",
    ),
    "delete": ("OLD TABLE AS old_rows", "SELECT {column} FROM old_rows"),
}
"""Transition tables, and the SELECT of the keys to log, by event."""
UPSERT = "ON CONFLICT (kind, pk) DO UPDATE SET version = excluded.version"
# A transaction increments the version once. If each statement did, a transaction of many statements would become slow:
# PostgreSQL keeps every version of the two rows until the end, and walks through all of them for each update. The
# setting is local to the transaction, and to a savepoint, so it is undone together with the increment.
#
# The UPDATE locks the row of the deployment until the transaction ends. So versions are committed in order: a reader
# that sees a version also sees all lower ones. Writers take this lock first in any case (`open_change_log`), because a
# writer that waits for it while it holds another row could wait for a writer that needs that row.
NEXT_VERSION = """CREATE FUNCTION next_row_version() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE next_version bigint := nullif(current_setting('atoll.row_version', true), '');
BEGIN
    IF next_version IS NULL THEN
        UPDATE deployment SET row_version = row_version + 1 RETURNING row_version INTO next_version;
        PERFORM set_config('atoll.row_version', next_version::text, true);
    END IF;
    RETURN next_version;
END $$"""
LOG_FUNCTION = """CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE next_version bigint;
BEGIN
    IF EXISTS ({keys}) THEN
        next_version := next_row_version();
        INSERT INTO row_version (kind, pk, version)
            SELECT DISTINCT '{kind}', {column}, next_version FROM ({keys}) AS keys
            {upsert} WHERE row_version.version <> excluded.version;
    END IF;
    RETURN NULL;
END $$"""


def upgrade() -> None:
    """Make the change."""
    op.create_table(
        "row_version",
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("pk", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "pk", name=op.f("pk_row_version")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_row_version_version", "row_version", ["version"])
    op.add_column("deployment", sa.Column("row_version", sa.BigInteger(), nullable=False, server_default="0"))
    for statement in _sqlite() if op.get_bind().dialect.name == "sqlite" else _postgresql():
        op.execute(statement)


def downgrade() -> None:
    """Revert the change."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for table, _, _ in LOGGED_KEYS:
        for event in SQLITE_EVENTS:
            name = f"{table}_row_version_{event}"
            op.execute(f"DROP TRIGGER {name}" if is_sqlite else f"DROP TRIGGER {name} ON {table}")
            if not is_sqlite:
                op.execute(f"DROP FUNCTION {name}")
    if not is_sqlite:
        op.execute("DROP FUNCTION next_row_version")
    op.drop_column("deployment", "row_version")
    op.drop_table("row_version")


def _sqlite() -> list[str]:
    """Return a trigger per table and event. SQLite calls it for each row, and each row gets a version of its own."""
    statements = []
    for table, kind, column in LOGGED_KEYS:
        for event, values in SQLITE_EVENTS.items():
            body = "UPDATE deployment SET row_version = row_version + 1;"
            for row in values:
                is_logged = "true" if row == values[0] else f"old.{column} <> new.{column}"
                body += f""" INSERT INTO row_version (kind, pk, version)
                    SELECT '{kind}', {row}.{column}, row_version FROM deployment WHERE {is_logged} {UPSERT};"""
            statements.append(
                f"CREATE TRIGGER {table}_row_version_{event} AFTER {event.upper()} ON {table} BEGIN {body} END"
            )
    return statements


def _postgresql() -> list[str]:
    """Return a trigger per table and event, called once for each statement."""
    statements = [NEXT_VERSION]
    for table, kind, column in LOGGED_KEYS:
        for event, (transition_tables, select_keys) in POSTGRESQL_EVENTS.items():
            name, keys = f"{table}_row_version_{event}", select_keys.format(column=column)
            when = f"AFTER {event.upper()} ON {table} REFERENCING {transition_tables} FOR EACH STATEMENT"
            statements += [
                LOG_FUNCTION.format(name=name, kind=kind, column=column, keys=keys, upsert=UPSERT),
                f"CREATE TRIGGER {name} {when} EXECUTE FUNCTION {name}()",
            ]
    return statements
