"""The command `atoll serve`."""

import sys
import warnings
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
import uvicorn

from app import demo, metrics
from app.application import create_application, load_documents
from app.commands.address import LOOPBACK, require_free_port, url_host
from app.commands.database import migrate_and_run, migrate_with_progress, require_usable, run_with_database
from app.commands.settings import read_settings
from app.commands.terminal import USAGE, console, exit_on_sigterm, exit_with
from app.connections import Connections
from app.drain import GRACEFUL_SECONDS, DrainingSupervisor
from app.graphiql import Account
from app.http_protocol import GuardedProtocol
from app.log import log_config, log_unraisable, log_warning
from app.metrics_server import parse_address, serve_metrics
from app.operation import ObserveOperation
from app.operation_log import OperationLog
from app.settings import LogFormat, Settings
from app.websocket_protocol import GuardedWebSocketProtocol
from resolvers.limits import LIMITS
from store.database import Database
from store.error import DatabaseUnusableError


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
    settings = read_settings()
    if with_demo and (host not in LOOPBACK or workers > 1):
        exit_with(
            "--demo gives an administrator's token to anyone who opens the page: use it with --host 127.0.0.1 and"
            " --workers 1.",
            USAGE,
        )
    documents = load_documents(settings)  # before migrations, and before a parent starts workers, which would end
    require_free_port(host, port)
    options = server_options(settings, host, port)
    # uvicorn raises SIGTERM again after its shutdown, which would end the process as failed. A requested stop is not.
    exit_on_sigterm(0)
    if with_demo:
        accounts = migrate_and_run(settings, _load_demo)
        _print_demo(host, port, accounts)
        # A page of another site whose name resolves to this machine must not get the accounts' tokens.
        demo_settings = replace(settings, graphiql=True, allowed_hosts=tuple(map(url_host, LOOPBACK)), drain_seconds=0)
        with _serve_metrics(settings, workers), TemporaryDirectory() as folder:
            demo_settings = replace(demo_settings, export_folder=settings.export_folder or folder)
            application = create_application(
                demo_settings, accounts=accounts, documents=documents, observe=_observers(settings)
            )
            uvicorn.run(application, **options)
        return
    if settings.migrate:
        run_with_database(settings, migrate_with_progress)
    else:
        run_with_database(settings, require_usable)
    with _serve_metrics(settings, workers):
        if settings.log is LogFormat.TEXT:  # every line of the other format is JSON
            console.print(f"Atoll is serving http://{url_host(host)}:{port}/graphql", soft_wrap=True)
        if workers == 1:
            uvicorn.run(create_application(settings, documents=documents, observe=_observers(settings)), **options)
        else:
            factory = "app.commands.serve:create_application_from_environment"
            config = uvicorn.Config(factory, factory=True, workers=workers, **options)
            DrainingSupervisor(config, [config.bind_socket()]).run()


def server_options(settings: Settings, host: str, port: int) -> dict[str, Any]:
    """Return the options of uvicorn."""
    return {
        "host": host,
        "port": port,
        "server_header": False,
        "http": partial(GuardedProtocol, open_connections=Connections(settings.max_connections)),
        "ws": GuardedWebSocketProtocol,
        "ws_max_size": LIMITS.message_bytes,  # a larger message ends the connection with the code 1009
        "ws_per_message_deflate": False,  # a compression context takes more memory than the rest of a connection
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
    settings = read_settings()
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


async def _load_demo(database: Database) -> list[Account]:
    await demo.load(database)
    if not await demo.is_loaded(database):
        raise DatabaseUnusableError(
            f"{database.url.database} has other data than the demo. Serve it without --demo, or name another file in"
            " ATOLL_DATABASE_URL."
        )
    return await demo.create_accounts(database)


def _print_demo(host: str, port: int, accounts: list[Account]) -> None:
    console.print(f"Atoll is serving its demo at [bold]http://{url_host(host)}:{port}/graphql[/bold]", soft_wrap=True)
    console.print("Choose an account at the top of the page, or send its bearer token:", soft_wrap=True)
    for account in accounts:
        console.print(f"  {account.name:<12} {account.about}", soft_wrap=True)
        if account.token:
            console.print(f"  {'':<12} {account.token}", soft_wrap=True, style="dim")
    console.print("Press Ctrl+C to stop.")
