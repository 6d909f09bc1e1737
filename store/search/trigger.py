"""Search triggers: a function for migrations that add or drop a searched column."""

from alembic import op


def replace_update_trigger(table: str, columns: str) -> None:
    """Replace the trigger that marks a row's search document as stale when one of the columns is updated.

    `columns` lists all searched columns of the table, separated by commas. Call this after adding a column, and in
    `downgrade` before dropping it.
    """
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"DROP TRIGGER {table}_search_update")
        marker = f"(kind, row_pk) VALUES ('{table}', new.pk)"
        marks = f"INSERT OR IGNORE INTO search_stale {marker}; INSERT OR IGNORE INTO search_unindexed {marker};"
        op.execute(f"CREATE TRIGGER {table}_search_update AFTER UPDATE OF {columns} ON {table} BEGIN {marks} END")
    else:
        op.execute(f"DROP TRIGGER {table}_search_write ON {table}")
        op.execute(
            f"CREATE TRIGGER {table}_search_write AFTER INSERT OR DELETE OR UPDATE OF {columns} ON {table}"
            f" FOR EACH ROW EXECUTE FUNCTION search_note('{table}')"
        )
