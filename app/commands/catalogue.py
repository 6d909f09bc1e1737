"""The commands `atoll import` and `atoll export`, and the import of the file that a sync writes."""

import getpass
import os
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import DownloadColumn, MofNCompleteColumn

from app.commands.database import migrate_and_run, require_usable, run_with_database
from app.commands.settings import read_settings
from app.commands.terminal import FAILURE, USAGE, exit_on_sigterm, exit_with, progress_bar
from app.export import STANDARD_OUTPUT, Identify, OutputClosedError, export_catalogue, identify
from app.garbage import collect_garbage_seldom
from app.import_report import format_counts, format_import
from app.settings import Settings
from resolvers.export import parquet_file
from resolvers.export.file_format import ExportFormat
from store.catalogue.file import CatalogueFile
from store.catalogue.importer import DEFAULT_SOURCE, ImportOptions, ImportResult, import_catalogue
from store.catalogue.parsed import MAX_PROBLEMS, InvalidCatalogueError
from store.catalogue.prune import MAX_SHARE, TooManyWithdrawalsError
from store.database import UNLIMITED_SECONDS, Database
from store.ids import new_id

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print each change that the import would make, and change nothing.")
]
MayPruneMany = Annotated[
    bool, typer.Option("--yes", help=f"Withdraw them even if they are more than {MAX_SHARE} % of the source's assets.")
]


def import_(
    file: Annotated[Path, typer.Argument(help="Catalogue file: JSON Lines, UTF-8.", readable=False)],
    *,
    source: Annotated[
        str,
        typer.Option(
            help="Name of the file's source. Ids of topics and collections are those of the source, and what changed in"
            " the file is found by comparing it with the source's last import."
        ),
    ] = DEFAULT_SOURCE,
    dry_run: DryRun = False,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune", help="Withdraw the assets that the source had earlier and has no longer. Needs --source."
        ),
    ] = False,
    yes: MayPruneMany = False,
) -> None:
    """Import a catalogue file, all or nothing: create its objects, and apply its changes since its last import.

    Edits of people stay, unless the file changed at that point.

    Examples: atoll import catalogue.jsonl, and atoll import nightly.jsonl --source platform --prune --dry-run
    """
    if prune and source == DEFAULT_SOURCE:
        exit_with("--prune needs the name of the source whose assets to withdraw: --source NAME.", USAGE)
    options = ImportOptions(source, is_dry_run=dry_run, prunes=prune, may_prune_many=yes, person=account_name())
    import_file(read_settings(), file, options, str(file))


def export(
    file: Annotated[Path, typer.Argument(help="File to write, or - for the standard output.")],
    user: Annotated[str | None, typer.Option("--as", help="Export what this user sees, for example user:nih.")] = None,
    *,
    anonymous: Annotated[bool, typer.Option("--anonymous", help="Export what anonymous visitors see.")] = False,
    format_: Annotated[
        ExportFormat,
        typer.Option(
            "--format",
            help="Format of the file. jsonl can be imported; csv and parquet are ZIP files with a file for each table.",
        ),
    ] = ExportFormat.JSONL,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
) -> None:
    """Export the catalogue as of one moment: by default all of it, as `atoll import` accepts it.

    Examples: atoll export catalogue.jsonl --as user:nih, and atoll export tables.zip --format parquet
    """
    if user is not None and anonymous:
        exit_with("Choose one of --as and --anonymous.", USAGE)
    if format_ is ExportFormat.PARQUET and not parquet_file.is_available():
        exit_with("--format parquet needs PyArrow. Run: pip install 'atoll[parquet]'", FAILURE)
    exit_on_sigterm(FAILURE)  # so that the unfinished file is removed
    viewer = identify(user, is_anonymous=anonymous)
    try:
        counts = run_with_database(
            read_settings(), lambda database: _export(database, file, viewer, format_, replace=force), UNLIMITED_SECONDS
        )
    except OutputClosedError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would fail again at its end
        raise SystemExit(FAILURE) from None
    summary = f"{format_counts(counts)}; memberships: {counts['memberships']:,}" if counts else "nothing"
    (sys.stderr if file == STANDARD_OUTPUT else sys.stdout).write(f"exported: {summary}\n")


def import_file(settings: Settings, file: Path, options: ImportOptions, name: str) -> None:
    """Import a catalogue file and print the result; exit with a message about the name if nothing can be imported."""
    size_bytes = CatalogueFile(file).size_bytes
    options = replace(options, url_schemes=settings.url_schemes)
    try:
        result = migrate_and_run(settings, lambda database: _import(database, file, size_bytes, options))
    except KeyboardInterrupt:
        exit_with("Interrupted: nothing was imported.", FAILURE)
    except TooManyWithdrawalsError as error:
        exit_with(str(error), FAILURE)
    except InvalidCatalogueError as error:
        for problem in error.problems:
            sys.stderr.write(f"{problem}\n")
        count = len({problem.line for problem in error.problems})
        more = " or more" if len(error.problems) >= MAX_PROBLEMS else ""
        exit_with(f"{name} has {count:,}{more} invalid line{'' if count == 1 else 's'}: nothing was imported.", FAILURE)
    sys.stdout.write("".join(f"{line}\n" for line in format_import(result, is_dry_run=options.is_dry_run)))


def account_name() -> str | None:
    """Return the name of the account that runs the command; None if it has none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # an account without a name, as in some containers
        return None


async def _import(database: Database, file: Path, size_bytes: int, options: ImportOptions) -> ImportResult:
    with progress_bar(DownloadColumn()) as bar:
        checking = bar.add_task(f"Checking {file.name}", total=size_bytes)
        importing = bar.add_task(f"Importing {file.name}", total=size_bytes)
        read = 0

        def advance(done: int) -> None:
            """Advance the first task until the file was read once, then the second."""
            nonlocal read
            bar.advance(checking if read < size_bytes else importing, done)
            read += done

        return await import_catalogue(database, file, new_id("req"), advance, options)


async def _export(
    database: Database, file: Path, viewer: Identify, format_: ExportFormat, *, replace: bool
) -> Counter[str]:
    await require_usable(database)
    collect_garbage_seldom()
    with progress_bar(MofNCompleteColumn()) as bar:
        task = bar.add_task(f"Exporting to {file.name}")

        def report(written: int, total: int) -> None:
            bar.update(task, completed=written, total=total)

        report_line = report if sys.stderr.isatty() else None
        return await export_catalogue(database, file, viewer, format_=format_, replace=replace, report=report_line)
