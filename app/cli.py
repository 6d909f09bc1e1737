"""This file is the command line: `atoll serve | import | token | migrate | schema | check`."""

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer
import uvicorn
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy.exc import DBAPIError

from app import demo, tokens
from app.application import create_application
from app.graphiql import EXAMPLES, Account, Tab, read_examples
from app.oidc import create_issuer
from app.settings import SettingError, Settings
from app.tokens import TokenLifetimeError
from schema.graph import print_schema as schema_text
from store.catalogue.file import CatalogueFile, UnreadableFileError
from store.catalogue.importer import COUNTED_KINDS, ImportResult, import_catalogue
from store.catalogue.parsed import MAX_PROBLEMS, InvalidCatalogueError
from store.database import Database
from store.error import DatabaseUnusableError, explain_driver_error
from store.ids import new_id
from store.migrate import current_revision, head_revision, migrate
from store.search.index import index_stale_rows, reset_index
from store.users import UserNotFoundError

LOOPBACK = ("127.0.0.1", "localhost", "::1")
FAILED = 2

Result = TypeVar("Result")

commands = typer.Typer(
    help="Atoll: collections of research assets, as a graph in which hidden is absent.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console(stderr=True, highlight=False)


def main() -> None:
    """Run the command line; what goes wrong is one plain sentence and exit code 2."""
    try:
        commands(prog_name="atoll")
    except (SettingError, TokenLifetimeError, DatabaseUnusableError, UnreadableFileError, UserNotFoundError) as problem:
        _fail(str(problem))


@commands.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen at.", min=1, max=65_535)] = 8000,
    workers: Annotated[int, typer.Option(help="Processes that serve.", min=1, max=64)] = 1,
    with_demo: Annotated[bool, typer.Option("--demo", help="Fill an empty database with the demo.")] = False,  # noqa: FBT002 - typer's form of a flag
) -> None:
    """Bring the database up to date and serve the graph."""
    settings = _settings()
    _refuse_taken(host, port)
    options: dict[str, Any] = {
        "host": host,
        "port": port,
        "server_header": False,
        "timeout_graceful_shutdown": 20,
        "log_level": "warning",
    }
    # The server passes the signal on once it has stopped: that is how it should end, and no failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if with_demo:
        if host not in LOOPBACK or workers > 1:
            _fail("The demo gives an administrator's token to whoever opens it: it serves 127.0.0.1, with one worker.")
        accounts, tabs = _with_database(settings, _demo)
        _tell_demo(host, port, accounts)
        uvicorn.run(create_application(replace(settings, graphiql=True), accounts=accounts, tabs=tabs), **options)
        return
    _with_database(settings, migrate)
    console.print(f"Atoll serves http://{_shown(host)}:{port}/graphql", soft_wrap=True)
    if workers == 1:
        uvicorn.run(create_application(settings), **options)
    else:
        uvicorn.run("app.cli:create_application_from_environment", factory=True, workers=workers, **options)


@commands.command("import")
def import_(file: Annotated[Path, typer.Argument(help="Catalogue: JSON Lines, UTF-8.", readable=False)]) -> None:
    """Create and update what a catalogue file tells, all of it or nothing."""
    size = CatalogueFile(file).size_bytes
    try:
        outcome = _with_database(_settings(), lambda database: _import(database, file, size))
    except InvalidCatalogueError as bad:
        for problem in bad.problems:
            sys.stderr.write(f"{problem}\n")
        lines = len({problem.line for problem in bad.problems})
        more = " or more" if len(bad.problems) >= MAX_PROBLEMS else ""
        _fail(f"{lines:,}{more} invalid line{'' if lines == 1 else 's'} in {file}: nothing was written.")
    sys.stdout.write(_told(outcome) + "\n")


@commands.command()
def token(
    user: Annotated[str | None, typer.Argument(help="Id of the user in the catalogue file, such as user:nih.")] = None,
    ttl: Annotated[str, typer.Option(help="How long the token is good: 30d, 12h, 15m.")] = "30d",
    revoke: Annotated[str | None, typer.Option(help="A token to take back, instead of making one.")] = None,
) -> None:
    """Print a new bearer token for a user, or take one back."""
    if (user is None) == (revoke is None):
        _fail("Name the user whom the token is for, or the token to take back: atoll token USER | --revoke TOKEN")
    if revoke is not None:
        old = revoke.strip()
        if not _with_database(_settings(), lambda database: tokens.revoke_token(database, old)):
            _fail("No such token is live: nothing was changed.")
        console.print("Revoked.")
        return
    seconds, name = tokens.parse_ttl(ttl), str(user)
    sys.stdout.write(_with_database(_settings(), lambda database: tokens.create_token(database, name, seconds)) + "\n")


@commands.command("migrate")
def migrate_() -> None:
    """Bring the database's tables up to date."""
    sys.stdout.write(f"The database is at revision {_with_database(_settings(), migrate)}.\n")


@commands.command()
def schema(
    check_file: Annotated[
        Path | None, typer.Option("--check", help="Compare with this file instead of printing.")
    ] = None,
) -> None:
    """Print the graph as SDL."""
    if check_file is None:
        sys.stdout.write(schema_text())
    elif not check_file.is_file():
        _fail(f"There is no file {check_file}. Write it: make schema")
    elif check_file.read_bytes() != schema_text().encode():
        _fail(f"{check_file} is not the schema any more. Write it again: make schema")


@commands.command()
def check(
    *,
    rebuild_search: Annotated[
        bool,
        typer.Option("--rebuild-search", help="Look anew at all that searches find: others cannot write meanwhile."),
    ] = False,
) -> None:
    """Show every setting with its source, and whether the database can be used."""
    settings = _settings()
    rows = [("setting", "value", "source"), *settings.describe()]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, value, source in rows:
        sys.stdout.write(f"{name:<{widths[0]}}  {value:<{widths[1]}}  {source}\n")
    revision = asyncio.run(_revision(settings))
    newest = head_revision()
    state = "up to date" if revision == newest else f"this code's is {newest}: run atoll migrate"
    sys.stdout.write(f"database revision {revision or 'none'}: {state}\n")
    if rebuild_search:
        sys.stdout.write(f"search finds {_with_database(settings, _rebuilt):,} topics, collections and assets\n")


def create_application_from_environment() -> object:
    """Return the application as the environment sets it, for a worker process."""
    return create_application(_settings())


def _with_database(settings: Settings, work: Callable[[Database], Coroutine[Any, Any, Result]]) -> Result:
    async def run() -> Result:
        database = Database(settings.database_url)
        try:
            await migrate(database)
            return await work(database)
        except (DBAPIError, OSError) as error:
            raise explain_driver_error(error, database.url) from error
        finally:
            await database.close()

    return asyncio.run(run())


async def _revision(settings: Settings) -> str | None:
    database = Database(settings.database_url)
    try:
        return await current_revision(database)
    except (DBAPIError, OSError) as error:
        raise explain_driver_error(error, database.url) from error
    finally:
        await database.close()


async def _demo(database: Database) -> tuple[list[Account], list[Tab]]:
    await demo.load(database)
    if not await demo.is_loaded(database):
        raise DatabaseUnusableError(
            f"{database.url.database} holds something else than the demo: serve it without --demo,"
            " or name another file in ATOLL_DATABASE_URL."
        )
    return await demo.create_accounts(database), await demo.insert_ids(database, read_examples(EXAMPLES))


async def _rebuilt(database: Database) -> int:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    async with database.write() as connection:
        count = await reset_index(connection)
        with Progress(*columns, console=console, disable=not sys.stderr.isatty(), transient=True) as bar:
            task = bar.add_task("Looking at what searches find", total=count)
            await index_stale_rows(connection, lambda done: bar.advance(task, done))
    return count


async def _import(database: Database, file: Path, size: int) -> ImportResult:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task(f"Importing {file.name}", total=size * 2)  # it is read twice
        return await import_catalogue(database, file, new_id("req"), lambda done: bar.advance(task, done))


def _told(outcome: ImportResult) -> str:
    rows = ((outcome.created, "created"), (outcome.updated, "updated"), (outcome.unchanged, "unchanged"))
    lines = [
        f"{word}: " + ", ".join(f"{counts[kind]:,} {kind}" for kind in COUNTED_KINDS if counts[kind])
        for counts, word in rows
        if counts.total()
    ]
    return "; ".join([*lines, f"memberships added: {outcome.memberships:,}"])


def _tell_demo(host: str, port: int, accounts: list[Account]) -> None:
    console.print(f"Atoll's demo is at [bold]http://{_shown(host)}:{port}/graphql[/bold]", soft_wrap=True)
    console.print("Choose who to be at the top of the page, or send a bearer token:", soft_wrap=True)
    for account in accounts:
        console.print(f"  {account.name:<12} {account.about}", soft_wrap=True)
        if account.token:
            console.print(f"  {'':<12} {account.token}", soft_wrap=True, style="dim")
    console.print("Stop it with Ctrl+C.")


def _settings() -> Settings:
    settings = Settings.from_environment()
    try:
        create_issuer(settings.oidc_issuer, settings.oidc_audience)
    except ValueError as error:
        raise SettingError(str(error)) from error
    return settings


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _refuse_taken(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except socket.gaierror:
            _fail(f"{host} is no address of this machine. Choose another: --host 127.0.0.1")
        except OSError as error:
            _fail(f"Port {port} at {host} cannot be had ({error.strerror}). Choose another: --port {port % 65_535 + 1}")


def _fail(sentence: str) -> NoReturn:
    console.print(sentence, soft_wrap=True, markup=False)
    raise SystemExit(FAILED)
