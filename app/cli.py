"""Command line: `atoll serve | import | export | sync | token | audit | backup | migrate | schema | check`."""

import asyncio
import errno
import os
import re
import signal
import socket
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn, TypeVar

import typer
import uvicorn
from graphql import GraphQLError
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from sqlalchemy.exc import DBAPIError

from app import demo, metrics, tokens
from app.application import create_application, load_documents
from app.audit import AuditFormat, SinceError, parse_since, write_audit_log
from app.check import Finding, Level, check_database, check_documents, check_settings
from app.codeocean.error import SyncError
from app.connections import Connections
from app.descriptors import max_descriptors
from app.drain import GRACEFUL_SECONDS, DrainingSupervisor
from app.export import STANDARD_OUTPUT, ExportFormat, Identify, OutputClosedError, export_catalogue, identify
from app.graphiql import Account
from app.http_protocol import GuardedProtocol
from app.import_report import format_counts, format_import
from app.log import log_config, log_unraisable, log_warning
from app.metrics_server import parse_address, serve_metrics
from app.oidc import create_issuer
from app.operation import ObserveOperation
from app.operation_log import OperationLog
from app.scim.token import read_token
from app.settings import LogFormat, SettingError, Settings
from app.tokens import TokenLifetimeError, TokenNameError
from app.trusted_documents import InvalidDocumentsError
from resolvers.deployment import installed_version
from schema.compatibility import breaking_changes
from schema.federation import print_subgraph
from schema.graph import print_schema
from store.backup import back_up, postgresql_command
from store.catalogue.file import CatalogueFile, UnreadableFileError
from store.catalogue.importer import DEFAULT_SOURCE, ImportOptions, ImportResult, import_catalogue
from store.catalogue.parsed import MAX_PROBLEMS, InvalidCatalogueError
from store.catalogue.prune import MAX_SHARE, TooManyWithdrawalsError
from store.database import OPERATION_SECONDS, UNLIMITED_SECONDS, Database
from store.error import DatabaseUnusableError, DatabaseUrlError, explain_driver_error, parse_database_url
from store.ids import new_id, now_ms
from store.inspection import inspect_database
from store.migrate import current_revision, head_revision, is_newer, is_usable, migrate
from store.new_file import UnwritableFileError
from store.search.index import BATCH, index_stale_rows, reset_index
from store.users import Directory, UserNotFoundError, load_directory

if TYPE_CHECKING:
    from app.codeocean.sync import Sync

LOOPBACK = ("127.0.0.1", "localhost", "::1")
LOCAL = "--host 127.0.0.1"

FAILURE: Final = 1
"""Exit code of a command that failed, and of a check that found something out of date."""
USAGE: Final = 2
"""Exit code of an invalid command line or setting, recognised without reading a file or the database."""

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print each change that the import would make, and change nothing.")
]
MayPruneMany = Annotated[
    bool, typer.Option("--yes", help=f"Withdraw them even if they are more than {MAX_SHARE} % of the source's assets.")
]

Result = TypeVar("Result")

commands = typer.Typer(
    help="Atoll: a GraphQL API for collections of research assets. Settings are environment variables; `atoll check`"
    " lists them.",
    epilog="Exit codes: 0 success, 1 failure, 2 invalid option, argument or setting.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
sync = typer.Typer(help="Import what a platform has.", no_args_is_help=True)
commands.add_typer(sync, name="sync")
console = Console(stderr=True, highlight=False)


def main() -> None:
    """Run the command line. An expected error is printed as one line, without a traceback."""
    try:
        commands(prog_name="atoll")
    except (SettingError, SinceError, TokenLifetimeError, TokenNameError, DatabaseUrlError) as error:
        _exit(str(error), USAGE)
    except (
        DatabaseUnusableError,
        InvalidDocumentsError,
        SyncError,
        UnreadableFileError,
        UnwritableFileError,
        UserNotFoundError,
    ) as error:
        _exit(str(error), FAILURE)


def _print_version(requested: bool) -> None:  # noqa: FBT001 - the signature of typer's callbacks
    if requested:
        sys.stdout.write(f"atoll {installed_version()}\n")
        raise typer.Exit


@commands.callback()
def atoll(
    *,
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Accept the options that stand before a command."""


@commands.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65_535)] = 8000,
    workers: Annotated[int, typer.Option(help="Number of server processes.", min=1, max=64)] = 1,
    with_demo: Annotated[  # noqa: FBT002 - typer's form of a flag
        bool,
        typer.Option(
            "--demo",
            help="Load the demo catalogue into an empty database, and serve GraphiQL with a demo account for each role."
            " Only with a loopback --host and --workers 1.",
        ),
    ] = False,
) -> None:
    """Migrate the database if necessary, then serve the API at /graphql.

    Example: atoll serve --host 0.0.0.0 --port 9000 --workers 4
    """
    settings = _settings()
    if with_demo and (host not in LOOPBACK or workers > 1):
        _exit(
            "--demo gives an administrator's token to anyone who opens the page: use it with --host 127.0.0.1 and"
            " --workers 1.",
            USAGE,
        )
    documents = load_documents(settings)  # before migrations, and before a parent starts workers, which would end
    _require_free_port(host, port)
    options = server_options(settings, host, port)
    # uvicorn raises SIGTERM again after its shutdown, which would end the process as failed. A requested stop is not.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if with_demo:
        accounts = _with_database(settings, _load_demo)
        _print_demo(host, port, accounts)
        # A page of another site whose name resolves to this machine must not get the accounts' tokens.
        demo_settings = replace(settings, graphiql=True, allowed_hosts=tuple(map(_url_host, LOOPBACK)), drain_seconds=0)
        with _serve_metrics(settings, workers):
            application = create_application(
                demo_settings, accounts=accounts, documents=documents, observe=_observers(settings)
            )
            uvicorn.run(application, **options)
        return
    if settings.migrate:
        _run(settings, _migrate)
    else:
        _run(settings, _require_usable)
    with _serve_metrics(settings, workers):
        if settings.log is LogFormat.TEXT:  # every line of the other format is JSON
            console.print(f"Atoll is serving http://{_url_host(host)}:{port}/graphql", soft_wrap=True)
        if workers == 1:
            uvicorn.run(create_application(settings, documents=documents, observe=_observers(settings)), **options)
        else:
            factory = "app.cli:create_application_from_environment"
            config = uvicorn.Config(factory, factory=True, workers=workers, **options)
            DrainingSupervisor(config, [config.bind_socket()]).run()


@commands.command("import")
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
        _exit("--prune needs the name of the source whose assets to withdraw: --source NAME.", USAGE)
    options = ImportOptions(source, is_dry_run=dry_run, prunes=prune, may_prune_many=yes)
    _import_file(_settings(), file, options, str(file))


@commands.command()
def export(
    file: Annotated[Path, typer.Argument(help="File to write, or - for the standard output.")],
    user: Annotated[str | None, typer.Option("--as", help="Export what this user sees, for example user:nih.")] = None,
    *,
    anonymous: Annotated[bool, typer.Option("--anonymous", help="Export what anonymous visitors see.")] = False,
    format_: Annotated[ExportFormat, typer.Option("--format", help="Format of the file.")] = ExportFormat.JSONL,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
) -> None:
    """Export the catalogue as of one moment: by default all of it, as `atoll import` accepts it.

    Example: atoll export catalogue.jsonl --as user:nih
    """
    if user is not None and anonymous:
        _exit("Choose one of --as and --anonymous.", USAGE)
    del format_  # there is one format
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(FAILURE))  # so that the unfinished file is removed
    viewer = identify(user, is_anonymous=anonymous)
    try:
        counts = _run(_settings(), lambda database: _export(database, file, viewer, replace=force), UNLIMITED_SECONDS)
    except OutputClosedError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would fail again at its end
        raise SystemExit(FAILURE) from None
    summary = f"{format_counts(counts)}; memberships: {counts['memberships']:,}" if counts else "nothing"
    (sys.stderr if file == STANDARD_OUTPUT else sys.stdout).write(f"exported: {summary}\n")


@sync.command("codeocean")
def sync_codeocean(
    url: Annotated[str, typer.Argument(help="Address of the deployment.", envvar="CODEOCEAN_DOMAIN", metavar="URL")],
    *,
    state: Annotated[
        Path, typer.Option(help="File that keeps the permissions that were read, for the next run.")
    ] = Path("codeocean-sync.jsonl"),
    refresh: Annotated[
        int, typer.Option(help="Read the permissions of an asset again after so many minutes.", min=0)
    ] = 60,
    dry_run: DryRun = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Withdraw the assets that the platform no longer lists.")
    ] = False,
    yes: MayPruneMany = False,
) -> None:
    """Import the capsules, pipelines, data assets and models of a Code Ocean deployment, all or nothing.

    CODEOCEAN_TOKEN is an access token of a user who may read them. Needs: pip install 'atoll[codeocean]'

    Example: CODEOCEAN_TOKEN=cop_… atoll sync codeocean https://codeocean.example.org
    """
    token = os.environ.get("CODEOCEAN_TOKEN", "")
    if not token:
        _exit("Set CODEOCEAN_TOKEN to an access token of Code Ocean that may read all assets.", USAGE)
    if not re.fullmatch(r"https?://[^/?#\s]+/?", url):
        _exit(f"Invalid address {url!r}. Use for example https://codeocean.example.org", USAGE)
    if find_spec("codeocean") is None:
        _exit("atoll sync codeocean needs the SDK of Code Ocean. Run: pip install 'atoll[codeocean]'", FAILURE)
    from app.codeocean.sync import Sync  # noqa: PLC0415 - an optional dependency

    settings = _settings()
    sync_run = Sync(url, token, state, refresh_seconds=refresh * 60)
    directory = _with_database(settings, _load_directory)
    with TemporaryDirectory(prefix="atoll-sync-") as folder:
        file = Path(folder) / "codeocean.jsonl"
        _read_codeocean(sync_run, directory, file)
        options = ImportOptions(sync_run.source, is_dry_run=dry_run, prunes=prune, may_prune_many=yes)
        _import_file(settings, file, options, f"The catalogue of {url}")


@commands.command()
def token(
    user: Annotated[str | None, typer.Argument(help="The user's id in the catalogue, for example user:nih.")] = None,
    *,
    name: Annotated[str, typer.Option(help="Name of the token in lists.")] = tokens.DEFAULT_NAME,
    ttl: Annotated[str, typer.Option(help="Lifetime of the token, for example 30d, 12h or 15m; at most 366d.")] = "30d",
    list_: Annotated[
        str | None, typer.Option("--list", metavar="USER", help="List the user's tokens instead of creating one.")
    ] = None,
    revoke: Annotated[
        str | None, typer.Option(metavar="ID", help="Revoke the token with this id, or this token itself.")
    ] = None,
    revoke_all: Annotated[str | None, typer.Option(metavar="USER", help="Revoke all tokens of the user.")] = None,
) -> None:
    """Create an API token for a user and print it; or list or revoke tokens.

    Examples: atoll token user:nih --name Notebook --ttl 12h, atoll token --list user:nih, atoll token --revoke tok_…
    """
    if sum(value is not None for value in (user, list_, revoke, revoke_all)) != 1:
        _exit(
            "Name one thing to do: atoll token USER [--name NAME] [--ttl TTL], atoll token --list USER,"
            " atoll token --revoke ID, or atoll token --revoke-all USER.",
            USAGE,
        )
    if user is not None:
        seconds, title = tokens.parse_ttl(ttl), tokens.parse_name(name)
        create = partial(tokens.create_token, user=user, seconds=seconds, name=title)
        sys.stdout.write(_with_database(_settings(), create) + "\n")
    elif list_ is not None:
        rows = _with_database(_settings(), partial(tokens.list_tokens, user=list_))
        sys.stdout.writelines(f"{line}\n" for line in tokens.format_tokens(rows))
    elif revoke is not None:
        if not _with_database(_settings(), partial(tokens.revoke_token, token=revoke.strip())):
            _exit("The token is unknown, expired or already revoked: nothing was changed.", FAILURE)
        console.print("Revoked.")
    elif revoke_all is not None:
        count = _with_database(_settings(), partial(tokens.revoke_all_tokens, user=revoke_all))
        console.print(f"Revoked {count:,} token{'' if count == 1 else 's'}.")


@commands.command()
def backup(
    file: Annotated[Path, typer.Argument(help="File to write. It appears when the copy is complete.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,  # noqa: FBT002 - typer's form of a flag
) -> None:
    """Back up a SQLite database while servers use it: copy it as of one moment, verify the copy, name it FILE.

    Example: atoll backup /var/backups/atoll.db
    """
    url = parse_database_url(_settings().database_url)
    if url.get_backend_name() != "sqlite":
        _exit(
            f"PostgreSQL is backed up by its own tool. Run: {postgresql_command(url, file)} (it asks for the password,"
            " or takes it from PGPASSWORD)",
            USAGE,
        )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(FAILURE))  # so that the unfinished copy is removed
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task(f"Copying to {file.name}")
        result = back_up(
            url, file, replace=force, report=lambda left, count: bar.update(task, total=count, completed=count - left)
        )
    sys.stdout.write(
        f"{file}: {result.size_bytes / 1e6:,.1f} MB, database revision {result.schema_revision}, "
        f"revision {result.revision} of the change log.\n"
    )


@commands.command()
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
        await _require_usable(database)
        await write_audit_log(database, start, form, sys.stdout.write)

    _run(_settings(), write)


@commands.command("migrate")
def migrate_() -> None:
    """Migrate the database to this version's tables, and index rows for search that are not indexed yet."""
    sys.stdout.write(f"The database is at revision {_run(_settings(), _migrate)}.\n")


@commands.command()
def schema(
    *,
    check_file: Annotated[
        Path | None,
        typer.Option("--check", help="Compare the schema with this file instead of printing it; exit 1 if it differs."),
    ] = None,
    released_file: Annotated[
        Path | None,
        typer.Option(
            "--compatible-with",
            help="Compare the schema with that of a release in this file instead of printing it; exit 1 and list the"
            " changes that break its clients, if there are any.",
        ),
    ] = None,
    federation: Annotated[
        bool,
        typer.Option(
            "--federation",
            help="Take the schema that ATOLL_FEDERATION=1 serves, from which supergraphs are composed.",
        ),
    ] = False,
) -> None:
    """Print the GraphQL schema as SDL."""
    if federation:
        sdl = print_subgraph(has_common_fields=_settings().federation_common_fields)
        command = f"atoll schema --federation >{check_file}"
    else:
        sdl, command = print_schema(), "make schema"
    if released_file is not None:
        _check_compatibility(released_file, sdl)
    elif check_file is None:
        sys.stdout.write(sdl)
    elif not check_file.is_file():
        _exit(f"{check_file} does not exist. Write it with: {command}", FAILURE)
    elif check_file.read_bytes() != sdl.encode():
        _exit(f"{check_file} is out of date. Write it again with: {command}", FAILURE)


def _check_compatibility(file: Path, sdl: str) -> None:
    try:
        changes = breaking_changes(file.read_text(encoding="utf-8"), sdl)
    except (OSError, UnicodeDecodeError) as error:
        _exit(f"{file} cannot be read: {error}", FAILURE)
    except GraphQLError as error:
        _exit(f"{file} is no schema: {error.message}", FAILURE)
    if changes:
        listed = "\n".join(f"- {change}" for change in changes)
        _exit(f"The schema breaks clients of {file}:\n{listed}\nSee docs/schema.md.", FAILURE)


@commands.command()
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
    settings = _settings()
    rows = [("setting", "value", "source"), *settings.describe()]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, value, source in rows:
        sys.stdout.write(f"{name:<{widths[0]}}  {value:<{widths[1]}}  {source}\n")
    if rebuild_search:
        count = _with_database(settings, _rebuild_search)
        state = f"rebuilt from {count:,} rows"
        sys.stdout.write(Finding(Level.OK, "search index", state).format() + "\n")
    has_error = False
    for finding in _findings(settings, processes):
        has_error |= finding.level is Level.ERROR
        sys.stdout.write(finding.format() + "\n")
    if has_error:
        raise typer.Exit(FAILURE)


def server_options(settings: Settings, host: str, port: int) -> dict[str, Any]:
    """Return the options of uvicorn."""
    return {
        "host": host,
        "port": port,
        "server_header": False,
        "http": partial(GuardedProtocol, open_connections=Connections(settings.max_connections)),
        "timeout_keep_alive": settings.idle_seconds,
        "timeout_graceful_shutdown": GRACEFUL_SECONDS,
        # A worker that imports for longer is killed. The default of 5 seconds is too short for a busy machine.
        "timeout_worker_healthcheck": 60,
        "log_config": log_config(settings.log, settings.log_level),
        "access_log": False,  # each operation has a line
        # Without these, a variable that is none of Atoll's settings would say whose headers name a client's address.
        "proxy_headers": bool(settings.trusted_proxies),
        "forwarded_allow_ips": list(settings.trusted_proxies),
    }


def create_application_from_environment() -> object:
    """Return the application with the environment's settings, for a worker process."""
    settings = _settings()
    return create_application(settings, observe=_observers(settings))


def _observers(settings: Settings) -> list[ObserveOperation]:
    """Return the functions that are called with the record of each operation of this process."""
    sys.unraisablehook = log_unraisable
    warnings.showwarning = log_warning
    log = OperationLog(settings.log, settings.log_level, settings.slow_ms)
    observers: list[ObserveOperation] = [log.write]
    if settings.metrics is not None:
        observers.append(metrics.observe)
    if settings.traces:
        from app.traces import Traces  # noqa: PLC0415 - an optional dependency

        observers.append(Traces.export_by_otlp().observe)
    return observers


def _serve_metrics(settings: Settings, workers: int) -> AbstractContextManager[None]:
    """Serve the metrics until the end of the block, if the settings say where."""
    if settings.metrics is None:
        return nullcontext()
    return serve_metrics(parse_address(settings.metrics), workers=workers)


def _with_database(settings: Settings, work: Callable[[Database], Coroutine[Any, Any, Result]]) -> Result:
    """Migrate the database, then return the result of `work` on it."""

    async def migrate_and_work(database: Database) -> Result:
        await _migrate(database)
        return await work(database)

    return _run(settings, migrate_and_work)


def _run(
    settings: Settings,
    work: Callable[[Database], Coroutine[Any, Any, Result]],
    read_seconds: float = OPERATION_SECONDS,
) -> Result:
    """Return the result of `work` on the database, each of whose snapshots lasts at most so many seconds.

    Raises DatabaseUnusableError for a driver's error.
    """

    async def run() -> Result:
        database = Database(settings.database_url, operation_seconds=read_seconds)
        try:
            return await work(database)
        except (DBAPIError, OSError) as error:
            raise explain_driver_error(error, database.url) from error
        finally:
            await database.close()

    return asyncio.run(run())


async def _migrate(database: Database) -> str:
    """Migrate the database, and print how far the indexing of many rows is."""
    return await migrate(database, _report_indexing)


def _report_indexing(rows: int, count: int) -> None:
    if count > BATCH:
        console.print(f"Indexing for search: {rows:,} of {count:,} rows left", soft_wrap=True)


async def _require_usable(database: Database) -> None:
    """Raise DatabaseUnusableError unless this version can use the database as it is."""
    revision = await current_revision(database)
    if not is_usable(revision):
        remedy = "Run a newer version of Atoll." if is_newer(revision) else "Run: atoll migrate"
        raise DatabaseUnusableError(
            f"The database is at revision {revision or 'none'}; this version needs {head_revision()}. {remedy}"
        )


def _findings(settings: Settings, processes: int) -> Iterator[Finding]:
    """Yield the findings about the deployment. Those about settings come first, also if the database cannot be used."""
    yield from check_settings(settings, max_descriptors())
    try:
        yield check_documents(load_documents(settings))
    except InvalidDocumentsError as error:
        yield from (Finding(Level.ERROR, "trusted documents", problem) for problem in error.problems)
    yield from check_database(_run(settings, inspect_database), settings, processes, now_ms())


async def _load_demo(database: Database) -> list[Account]:
    await demo.load(database)
    if not await demo.is_loaded(database):
        raise DatabaseUnusableError(
            f"{database.url.database} has other data than the demo. Serve it without --demo, or name another file in"
            " ATOLL_DATABASE_URL."
        )
    return await demo.create_accounts(database)


async def _rebuild_search(database: Database) -> int:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    async with database.write(UNLIMITED_SECONDS) as connection:
        count = await reset_index(connection)
        with Progress(*columns, console=console, disable=not sys.stderr.isatty(), transient=True) as bar:
            task = bar.add_task("Building the search index", total=count)
            await index_stale_rows(connection, lambda done: bar.advance(task, done))
    return count


def _read_codeocean(sync_run: "Sync", directory: Directory, file: Path) -> None:
    """Write the catalogue of a Code Ocean deployment to a file."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task("Reading Code Ocean", total=None)
        sync_run.write_catalogue(
            directory, file, now_ms() // 1_000, lambda count, total: bar.update(task, completed=count, total=total)
        )


async def _load_directory(database: Database) -> Directory:
    async with database.snapshot() as snapshot:
        return await load_directory(snapshot)


def _import_file(settings: Settings, file: Path, options: ImportOptions, name: str) -> None:
    """Import a catalogue file and print the result; exit with a message about the name if nothing can be imported."""
    size_bytes = CatalogueFile(file).size_bytes
    try:
        result = _with_database(settings, lambda database: _import(database, file, size_bytes, options))
    except KeyboardInterrupt:
        _exit("Interrupted: nothing was imported.", FAILURE)
    except TooManyWithdrawalsError as error:
        _exit(str(error), FAILURE)
    except InvalidCatalogueError as error:
        for problem in error.problems:
            sys.stderr.write(f"{problem}\n")
        count = len({problem.line for problem in error.problems})
        more = " or more" if len(error.problems) >= MAX_PROBLEMS else ""
        _exit(f"{name} has {count:,}{more} invalid line{'' if count == 1 else 's'}: nothing was imported.", FAILURE)
    sys.stdout.write("".join(f"{line}\n" for line in format_import(result, is_dry_run=options.is_dry_run)))


async def _import(database: Database, file: Path, size_bytes: int, options: ImportOptions) -> ImportResult:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not sys.stderr.isatty(), transient=True) as bar:
        checking = bar.add_task(f"Checking {file.name}", total=size_bytes)
        importing = bar.add_task(f"Importing {file.name}", total=size_bytes)
        read = 0

        def advance(done: int) -> None:
            """Advance the first task until the file was read once, then the second."""
            nonlocal read
            bar.advance(checking if read < size_bytes else importing, done)
            read += done

        return await import_catalogue(database, file, new_id("req"), advance, options)


async def _export(database: Database, file: Path, viewer: Identify, *, replace: bool) -> Counter[str]:
    await _require_usable(database)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task(f"Exporting to {file.name}")

        def report(written: int, total: int) -> None:
            bar.update(task, completed=written, total=total)

        report_line = report if sys.stderr.isatty() else None
        return await export_catalogue(database, file, viewer, replace=replace, report=report_line)


def _print_demo(host: str, port: int, accounts: list[Account]) -> None:
    console.print(f"Atoll is serving its demo at [bold]http://{_url_host(host)}:{port}/graphql[/bold]", soft_wrap=True)
    console.print("Choose an account at the top of the page, or send its bearer token:", soft_wrap=True)
    for account in accounts:
        console.print(f"  {account.name:<12} {account.about}", soft_wrap=True)
        if account.token:
            console.print(f"  {'':<12} {account.token}", soft_wrap=True, style="dim")
    console.print("Press Ctrl+C to stop.")


def _settings() -> Settings:
    """Return the environment's settings; raise SettingError for any that cannot be used."""
    settings = Settings.from_environment()
    try:
        read_token(settings)
        create_issuer(settings.oidc_issuer, settings.oidc_audience, settings.claim_names)
        if settings.metrics is not None:
            parse_address(settings.metrics)
    except ValueError as error:
        raise SettingError(str(error)) from error
    if settings.traces and find_spec("opentelemetry") is None:
        raise SettingError("ATOLL_TRACES needs OpenTelemetry. Run: pip install 'atoll[otel]'")
    return settings


def _url_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _require_free_port(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except socket.gaierror:
            _exit(f"Cannot listen on {host}: not an address of this machine. Use for example {LOCAL}.", FAILURE)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            is_other_machine = error.errno == errno.EADDRNOTAVAIL
            option = LOCAL if is_other_machine else f"--port {port % 65_535 + 1}"
            _exit(f"Cannot listen on {_url_host(host)}:{port}: {reason}. Use for example {option}.", FAILURE)


def _exit(message: str, code: int) -> NoReturn:
    """Print the message to stderr and exit."""
    console.print(message, soft_wrap=True, markup=False)
    raise SystemExit(code)
