"""Command line: `atoll serve | import | export | sync | token | audit | backup | migrate | schema | check`."""

import sys
from typing import Annotated

import typer

from app.audit import SinceError
from app.codeocean.error import SyncError
from app.commands import audit, catalogue, maintenance, schema, serve, sync, token
from app.commands.terminal import FAILURE, USAGE, exit_with
from app.settings import SettingError
from app.tokens import TokenLifetimeError, TokenNameError
from app.trusted_documents import InvalidDocumentsError
from resolvers.deployment import installed_version
from store.catalogue.file import UnreadableFileError
from store.error import DatabaseUnusableError, DatabaseUrlError
from store.new_file import UnwritableFileError
from store.users import UserNotFoundError

command_line = typer.Typer(
    help="Atoll: a GraphQL API for collections of research assets. Settings are environment variables; `atoll check`"
    " lists them.",
    epilog="Exit codes: 0 success, 1 failure, 2 invalid option, argument or setting.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
sync_commands = typer.Typer(help="Import what a platform has.", no_args_is_help=True)
command_line.add_typer(sync_commands, name="sync")


def main() -> None:
    """Run the command line. An expected error is printed as one line, without a traceback."""
    try:
        command_line(prog_name="atoll")
    except (SettingError, SinceError, TokenLifetimeError, TokenNameError, DatabaseUrlError) as error:
        exit_with(str(error), USAGE)
    except (
        DatabaseUnusableError,
        InvalidDocumentsError,
        SyncError,
        UnreadableFileError,
        UnwritableFileError,
        UserNotFoundError,
    ) as error:
        exit_with(str(error), FAILURE)


def _print_version(requested: bool) -> None:  # noqa: FBT001 - the signature of typer's callbacks
    if requested:
        sys.stdout.write(f"atoll {installed_version()}\n")
        raise typer.Exit


@command_line.callback()
def atoll(
    *,
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Accept the options that stand before a command."""


command_line.command()(serve.serve)
command_line.command("import")(catalogue.import_)
command_line.command()(catalogue.export)
sync_commands.command("codeocean")(sync.sync_codeocean)
command_line.command()(token.token)
command_line.command()(maintenance.backup)
command_line.command()(audit.audit)
command_line.command()(maintenance.migrate)
command_line.command()(schema.schema)
command_line.command()(maintenance.check)

if __name__ == "__main__":
    main()
