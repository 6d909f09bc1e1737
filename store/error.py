"""Errors of an unusable database: messages for operators about driver errors and invalid URLs."""

import errno
import inspect
from pathlib import Path

import asyncpg
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from store.sqlite_limit import STATEMENT_SECONDS

SETTING = "ATOLL_DATABASE_URL"
URL_EXAMPLES = "Examples: sqlite+aiosqlite:///atoll.db, postgresql+asyncpg://user:password@host/database"

_RESTORE = "Restore it from a backup, or move it away to start with an empty database."
_READ_ONLY = "{name} or its directory is not writable. Give this user write permission on both."
_LOCKED = "Another process is writing to {name}. Retry when it has finished, or stop it."
_DIALECT_OPTIONS = {"prepared_statement_cache_size"}
_SQLITE = (
    ("not a database", "{name} is not a SQLite database. Set " + SETTING + " to another file, or move this one away."),
    ("malformed", "{name} is damaged. " + _RESTORE),
    ("damaged", "{name} is damaged. " + _RESTORE),
    ("readonly", _READ_ONLY),
    ("Read-only file system", _READ_ONLY),
    ("Permission denied", _READ_ONLY),
    ("unable to open", "Cannot open {name}. Check its permissions, or set " + SETTING + " to another file."),
    ("locked", _LOCKED),
    ("interrupted", "A statement on {name} took longer than " + f"{STATEMENT_SECONDS} seconds. Ask for less at once."),
    ("disk is full", "The disk of {name} is full. Free some space and retry: nothing was changed."),
    ("disk I/O error", "The disk of {name} is full or cannot be read or written. Check it: nothing was changed."),
)
_UNREACHABLE = "No PostgreSQL server answers at {name}. Check that it is running, and host and port in " + SETTING + "."
_LOGIN_FAILED = "The PostgreSQL server at {name} rejects the user or the password. Check both in " + SETTING + "."
_POOLER = (
    "A pooler such as PgBouncer is at {name}, and keeps no settings. Add ?statement_cache_size=0 to " + SETTING + "."
)
_POSTGRESQL = (
    ("Connect call failed", _UNREACHABLE),
    ("Connection refused", _UNREACHABLE),
    ("Multiple exceptions", _UNREACHABLE),
    ("Name or service not known", _UNREACHABLE),
    ("failure in name resolution", _UNREACHABLE),
    ("authentication failed", _LOGIN_FAILED),
    ('role "', _LOGIN_FAILED),
    ("does not exist", "The PostgreSQL server has no database {name}. Create it with createdb."),
    ("permission denied", "The user in " + SETTING + " may not create tables in {name}. Grant it that permission."),
    ("read-only transaction", "{name} is read-only, for example a standby. Set " + SETTING + " to the primary."),
    ("unsupported startup parameter", _POOLER),
    ("SSL", "The PostgreSQL server at {name} has no TLS. Enable it there, or remove ssl from " + SETTING + "."),
    ("lock timeout", _LOCKED),
    ("too many clients", "The PostgreSQL server at {name} has no free connection. Close some, or allow more."),
)


class DatabaseUnusableError(Exception):
    """The database cannot be used; the message gives the reason and a remedy."""


class DatabaseUrlError(DatabaseUnusableError):
    """ATOLL_DATABASE_URL is not a URL that Atoll can use."""


def explain_driver_error(error: BaseException, url: URL, *, is_logged: bool = False) -> DatabaseUnusableError:
    """Translate a driver's error into one with a message for operators. The message never contains a password.

    With `is_logged`, it contains no data either: an unknown error is named, and its message is left out.
    """
    is_sqlite = url.get_backend_name() == "sqlite"
    name = str(url.database) if is_sqlite else f"{url.host or 'localhost'}:{url.port or 5432}/{url.database}"
    if isinstance(error, PoolTimeoutError):
        return DatabaseUnusableError(f"Too many operations wait for a connection to {name}. Retry when fewer run.")
    if isinstance(error, TimeoutError) and not is_sqlite:
        return DatabaseUnusableError(_UNREACHABLE.format(name=name))
    cause = str(getattr(error, "orig", None) or error)
    for part, message in _SQLITE if is_sqlite else _POSTGRESQL:
        if part in cause:
            return DatabaseUnusableError(message.format(name=name))
    reason = cause.splitlines()[0] if cause and not is_logged else name_error(error)
    return DatabaseUnusableError(f"The database {name} cannot be used: {reason}")


def name_error(error: BaseException) -> str:
    """Return the class of an error and its code (SQLSTATE, SQLite's or the system's), but not its message.

    Messages of drivers contain SQL and values.
    """
    original = getattr(error, "orig", None) or error
    number = original.errno if isinstance(original, OSError) else None
    code = (
        getattr(original, "sqlstate", None)
        or getattr(original, "sqlite_errorname", None)
        or (errno.errorcode.get(number) if number is not None else None)
    )
    name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    return f"{name} ({code})" if code else name


def damaged_file(name: str, verdict: str) -> DatabaseUnusableError:
    """Return the error for a SQLite file that fails its integrity check; `verdict` is SQLite's own report."""
    return DatabaseUnusableError(f"{name} is damaged ({' '.join(verdict.split())}). {_RESTORE}")


def parse_database_url(text: str) -> URL:
    """Parse and check a URL. Raises DatabaseUrlError for an invalid URL, DatabaseUnusableError for an unusable path."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # the message omits the URL, which may contain a password
        raise DatabaseUrlError(f"{SETTING} is not a valid database URL. {URL_EXAMPLES}") from None
    if url.drivername not in {"sqlite+aiosqlite", "postgresql+asyncpg"}:
        raise DatabaseUrlError(f"{SETTING} has the unsupported driver {url.drivername!r}. {URL_EXAMPLES}")
    _check_options(url)
    if url.get_backend_name() == "sqlite":
        _check_path(url)
    return url


def _check_options(url: URL) -> None:
    is_sqlite = url.get_backend_name() == "sqlite"
    known: set[str] = set() if is_sqlite else _DIALECT_OPTIONS | inspect.signature(asyncpg.connect).parameters.keys()
    if unknown := sorted(url.query.keys() - known):
        raise DatabaseUrlError(f"{SETTING} has unknown options: {', '.join(unknown)}. Remove them.")


def _check_path(url: URL) -> None:
    if url.database in {None, "", ":memory:"}:
        raise DatabaseUrlError(
            f"{SETTING} names no file, and a database in memory ends with its first connection. {URL_EXAMPLES}"
        )
    path = Path(str(url.database))
    if path.is_dir():
        raise DatabaseUnusableError(f"{path} is a directory. Set {SETTING} to a file, for example {path / 'atoll.db'}.")
    directory = path.resolve().parent
    if not directory.is_dir():
        raise DatabaseUnusableError(f"The directory {directory} does not exist. Create it, or change {SETTING}.")
