"""The command `atoll token`."""

import sys
from functools import partial
from typing import Annotated

import typer

from app import tokens
from app.commands.database import migrate_and_run
from app.commands.settings import read_settings
from app.commands.terminal import FAILURE, USAGE, console, exit_with


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
        exit_with(
            "Name one thing to do: atoll token USER [--name NAME] [--ttl TTL], atoll token --list USER,"
            " atoll token --revoke ID, or atoll token --revoke-all USER.",
            USAGE,
        )
    if user is not None:
        seconds, title = tokens.parse_ttl(ttl), tokens.parse_name(name)
        create = partial(tokens.create_token, user=user, seconds=seconds, name=title)
        sys.stdout.write(migrate_and_run(read_settings(), create) + "\n")
    elif list_ is not None:
        rows = migrate_and_run(read_settings(), partial(tokens.list_tokens, user=list_))
        sys.stdout.writelines(f"{line}\n" for line in tokens.format_tokens(rows))
    elif revoke is not None:
        if not migrate_and_run(read_settings(), partial(tokens.revoke_token, token=revoke.strip())):
            exit_with("The token is unknown, expired or already revoked: nothing was changed.", FAILURE)
        console.print("Revoked.")
    elif revoke_all is not None:
        count = migrate_and_run(read_settings(), partial(tokens.revoke_all_tokens, user=revoke_all))
        console.print(f"Revoked {count:,} token{'' if count == 1 else 's'}.")
