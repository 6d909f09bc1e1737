"""This file is why a database cannot be used, each reason one plain sentence with the way out."""

import inspect
from pathlib import Path

import asyncpg
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

SETTING = "ATOLL_DATABASE_URL"
FORMS = "sqlite+aiosqlite:///atoll.db or postgresql+asyncpg://user:password@host/database"

_DAMAGED = "{name} is damaged. Restore it from a backup, or move it away to begin with an empty one."
_READ_ONLY = "{name} or its folder is read-only for this user, and Atoll writes to both: give it the right to."
_LOCKED = "{name} is being written to by another program. Wait until it is done, or stop it."
_DIALECT_OPTIONS = {"prepared_statement_cache_size"}
_SQLITE = (
    ("not a database", f"{{name}} is not a SQLite database. Name another file in {SETTING}, or move this one away."),
    ("malformed", _DAMAGED),
    ("damaged", _DAMAGED),
    ("readonly", _READ_ONLY),
    ("Read-only file system", _READ_ONLY),
    ("Permission denied", _READ_ONLY),
    ("unable to open", f"{{name}} cannot be opened. May Atoll read and write it? Or name another file in {SETTING}."),
    ("locked", _LOCKED),
    ("disk is full", "The disk that holds {name} is full. Make room: nothing was changed."),
    ("disk I/O error", "The disk that holds {name} cannot be read or written, or is full: nothing was changed."),
)
_UNREACHABLE = "No PostgreSQL server answers at {name}. Is it running, and is its address in " + SETTING + " right?"
_REFUSED = "The PostgreSQL server at {name} refuses the user or the password in " + SETTING + "."
_POSTGRESQL = (
    ("Connect call failed", _UNREACHABLE),
    ("Connection refused", _UNREACHABLE),
    ("Multiple exceptions", _UNREACHABLE),
    ("Name or service not known", _UNREACHABLE),
    ("failure in name resolution", _UNREACHABLE),
    ("authentication failed", _REFUSED),
    ('role "', _REFUSED),
    ("does not exist", "The PostgreSQL server has no such database: {name}. Create it with createdb."),
    ("permission denied", "The user in " + SETTING + " may not make tables in {name}: grant it the right to."),
    ("read-only transaction", "{name} is read-only: a standby? Name the primary in " + SETTING + "."),
    ("SSL", "The PostgreSQL server at {name} speaks no TLS as {setting} asks for: leave out ssl, or turn it on there."),
    ("lock timeout", _LOCKED),
    ("too many clients", "The PostgreSQL server at {name} has no connection left. Close some, or allow it more."),
)


class DatabaseUnusableError(Exception):
    """The database cannot be used; the message is one plain sentence with the way out."""


def explain_driver_error(error: BaseException, url: URL) -> DatabaseUnusableError:
    """Return what the driver's error means for whoever runs the deployment. Nothing in it tells a password."""
    is_sqlite = url.get_backend_name() == "sqlite"
    name = str(url.database) if is_sqlite else f"{url.host or 'localhost'}:{url.port or 5432}/{url.database}"
    if isinstance(error, TimeoutError) and not is_sqlite:
        return DatabaseUnusableError(_UNREACHABLE.format(name=name))
    cause = str(getattr(error, "orig", None) or error)
    for part, sentence in _SQLITE if is_sqlite else _POSTGRESQL:
        if part in cause:
            return DatabaseUnusableError(sentence.format(name=name, setting=SETTING))
    reason = cause.splitlines()[0] if cause else type(error).__name__
    return DatabaseUnusableError(f"The database {name} cannot be used: {reason}")


def parse_database_url(text: str) -> URL:
    """Return the address of a database; raise DatabaseUnusableError unless it is one that Atoll can use."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # what cannot be read is not shown: it may hold a password
        raise DatabaseUnusableError(f"{SETTING} is no address of a database. It looks like {FORMS}.") from None
    if url.drivername not in {"sqlite+aiosqlite", "postgresql+asyncpg"}:
        raise DatabaseUnusableError(f"{SETTING} begins with {url.drivername!r}. It looks like {FORMS}.")
    _refuse_options(url)
    if url.get_backend_name() == "sqlite":
        _refuse_place(url)
    return url


def _refuse_options(url: URL) -> None:
    is_sqlite = url.get_backend_name() == "sqlite"
    known: set[str] = set() if is_sqlite else _DIALECT_OPTIONS | inspect.signature(asyncpg.connect).parameters.keys()
    if unknown := sorted(url.query.keys() - known):
        raise DatabaseUnusableError(f"{SETTING} has an option that is not known: {', '.join(unknown)}. Leave it out.")


def _refuse_place(url: URL) -> None:
    if url.database in {None, "", ":memory:"}:
        raise DatabaseUnusableError(f"{SETTING} names no file: a database in memory is gone with its first connection.")
    path = Path(str(url.database))
    if path.is_dir():
        raise DatabaseUnusableError(f"{path} is a folder. Name a file in {SETTING}, such as {path / 'atoll.db'}.")
    folder = path.resolve().parent
    if not folder.is_dir():
        raise DatabaseUnusableError(f"The folder {folder} does not exist: make it, or name another in {SETTING}.")
