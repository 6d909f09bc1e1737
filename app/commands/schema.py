"""The command `atoll schema`."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from graphql import GraphQLError

from app.commands.settings import read_settings
from app.commands.terminal import FAILURE, exit_with
from schema.compatibility import breaking_changes
from schema.federation import print_subgraph
from schema.graph import print_schema


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
        sdl = print_subgraph(has_common_fields=read_settings().federation_common_fields)
        command = f"atoll schema --federation >{check_file}"
    else:
        sdl, command = print_schema(), "make schema"
    if released_file is not None:
        _check_compatibility(released_file, sdl)
    elif check_file is None:
        sys.stdout.write(sdl)
    elif not check_file.is_file():
        exit_with(f"{check_file} does not exist. Write it with: {command}", FAILURE)
    elif check_file.read_bytes() != sdl.encode():
        exit_with(f"{check_file} is out of date. Write it again with: {command}", FAILURE)


def _check_compatibility(file: Path, sdl: str) -> None:
    try:
        changes = breaking_changes(file.read_text(encoding="utf-8"), sdl)
    except (OSError, UnicodeDecodeError) as error:
        exit_with(f"{file} cannot be read: {error}", FAILURE)
    except GraphQLError as error:
        exit_with(f"{file} is no schema: {error.message}", FAILURE)
    if changes:
        listed = "\n".join(f"- {change}" for change in changes)
        exit_with(f"The schema breaks clients of {file}:\n{listed}\nSee docs/schema.md.", FAILURE)
