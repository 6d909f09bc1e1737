"""The commands of those who run a deployment: `atoll backup`, `migrate` and `check`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import MofNCompleteColumn, TaskProgressColumn

from app.application import load_documents
from app.check import Finding, Level, check_database, check_documents, check_settings
from app.commands.database import migrate_and_run, migrate_with_progress, run_with_database
from app.commands.settings import read_settings
from app.commands.terminal import FAILURE, USAGE, exit_on_sigterm, exit_with, progress_bar
from app.descriptors import max_descriptors
from app.settings import Settings
from app.trusted_documents import InvalidDocumentsError
from store.backup import back_up, postgresql_command
from store.database import UNLIMITED_SECONDS, Database
from store.error import parse_database_url
from store.ids import now_ms
from store.inspection import inspect_database
from store.search.index import index_stale_rows, reset_index


def backup(
    file: Annotated[Path, typer.Argument(help="File to write. It appears when the copy is complete.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,  # noqa: FBT002 - typer's form of a flag
) -> None:
    """Back up a SQLite database while servers use it: copy it as of one moment, verify the copy, name it FILE.

    Example: atoll backup /var/backups/atoll.db
    """
    url = parse_database_url(read_settings().database_url)
    if url.get_backend_name() != "sqlite":
        exit_with(
            f"PostgreSQL is backed up by its own tool. Run: {postgresql_command(url, file)} (it asks for the password,"
            " or takes it from PGPASSWORD)",
            USAGE,
        )
    exit_on_sigterm(FAILURE)  # so that the unfinished copy is removed
    with progress_bar(TaskProgressColumn()) as bar:
        task = bar.add_task(f"Copying to {file.name}")
        result = back_up(
            url, file, replace=force, report=lambda left, count: bar.update(task, total=count, completed=count - left)
        )
    sys.stdout.write(
        f"{file}: {result.size_bytes / 1e6:,.1f} MB, database revision {result.schema_revision}, "
        f"revision {result.revision} of the change log.\n"
    )


def migrate() -> None:
    """Migrate the database to this version's tables, and index rows for search that are not indexed yet."""
    sys.stdout.write(f"The database is at revision {run_with_database(read_settings(), migrate_with_progress)}.\n")


def check(
    *,
    rebuild_search: Annotated[
        bool,
        typer.Option("--rebuild-search", help="Migrate, then rebuild the search index. Writes wait until it is done."),
    ] = False,
    processes: Annotated[
        int, typer.Option(help="Number of processes, on all machines, that will serve a PostgreSQL database.", min=1)
    ] = 1,
) -> None:
    """List all settings with value and source, and check the deployment.

    Each line is ok, a notice of something to look at, or an error that keeps Atoll from working; then exit 1.
    """
    settings = read_settings()
    rows = [("setting", "value", "source"), *settings.describe()]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, value, source in rows:
        sys.stdout.write(f"{name:<{widths[0]}}  {value:<{widths[1]}}  {source}\n")
    if rebuild_search:
        count = migrate_and_run(settings, _rebuild_search)
        state = f"rebuilt from {count:,} rows"
        sys.stdout.write(Finding(Level.OK, "search index", state).format() + "\n")
    has_error = False
    for finding in _findings(settings, processes):
        has_error |= finding.level is Level.ERROR
        sys.stdout.write(finding.format() + "\n")
    if has_error:
        raise typer.Exit(FAILURE)


def _findings(settings: Settings, processes: int) -> Iterator[Finding]:
    """Yield the findings about the deployment. Those about settings come first, also if the database cannot be used."""
    yield from check_settings(settings, max_descriptors())
    try:
        yield check_documents(load_documents(settings))
    except InvalidDocumentsError as error:
        yield from (Finding(Level.ERROR, "trusted documents", problem) for problem in error.problems)
    yield from check_database(run_with_database(settings, inspect_database), settings, processes, now_ms())


async def _rebuild_search(database: Database) -> int:
    async with database.write(UNLIMITED_SECONDS) as connection:
        count = await reset_index(connection)
        with progress_bar(MofNCompleteColumn()) as bar:
            task = bar.add_task("Building the search index", total=count)
            await index_stale_rows(connection, lambda done: bar.advance(task, done))
    return count
