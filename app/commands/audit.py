"""The command `atoll audit`."""

import sys
from typing import Annotated

import typer

from app.audit import AuditFormat, parse_since, write_audit_log
from app.commands.database import require_usable, run_with_database
from app.commands.settings import read_settings
from store.database import Database


def audit(
    since: Annotated[
        str, typer.Option(help="Start: an age such as 30d, a date, or a time such as 2026-11-01T08:00:00Z.")
    ] = "30d",
    form: Annotated[AuditFormat, typer.Option("--format", help="Form of the output.")] = AuditFormat.JSONL,
) -> None:
    """Print the audit log since a time, the oldest change first, for an archive: all changes of all objects.

    Example: atoll audit --since 2026-11-01 --format csv >audit.csv
    """
    start = parse_since(since)

    async def write(database: Database) -> None:
        await require_usable(database)
        await write_audit_log(database, start, form, sys.stdout.write)

    run_with_database(read_settings(), write)
