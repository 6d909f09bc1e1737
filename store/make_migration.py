"""Generator of migrations: `make migration MESSAGE="Add the colour of topics"`.

Compares the models in `store/tables.py` with an empty SQLite database migrated to the newest revision. The result is a
draft: CONTRIBUTING.md lists the parts that are written by hand.
"""

import asyncio
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from alembic import command
from sqlalchemy import Connection

from store.database import Database
from store.migrate import alembic_config, head_revision, migrate


class NoModelChangeError(Exception):
    """The models do not differ from the tables of the newest revision."""


async def make_migration(message: str) -> None:
    """Write the migration to `store/migrations/versions`. Raises NoModelChangeError."""
    with tempfile.TemporaryDirectory() as directory:
        database = Database(f"sqlite+aiosqlite:///{Path(directory) / 'head.db'}")
        try:
            await migrate(database)
            async with database.engines[0].connect() as connection:
                await connection.run_sync(_write_revision, message)
        finally:
            await database.close()


def _write_revision(connection: Connection, message: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SQLite cannot reflect indexes over expressions
        command.revision(
            alembic_config(connection),
            message.rstrip("."),
            autogenerate=True,
            rev_id=f"{int(head_revision()[:4]) + 1:04}",
            process_revision_directives=_require_changes,
        )


def _require_changes(_context: object, _revision: object, directives: Sequence[Any]) -> None:
    if directives[0].upgrade_ops.is_empty():
        raise NoModelChangeError


def main() -> None:
    """Generate a migration with the message given on the command line."""
    message = " ".join(sys.argv[1:]).strip()
    if not message:
        raise SystemExit('A migration needs a message. Example: make migration MESSAGE="Add the colour of topics"')
    try:
        asyncio.run(make_migration(message))
    except NoModelChangeError:
        raise SystemExit("The models in store/tables.py have not changed: there is nothing to migrate.") from None


if __name__ == "__main__":
    main()
