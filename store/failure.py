"""Failures of the storage: one classification of the errors of all drivers, for reads and writes."""

import errno
import re
import sqlite3
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from store.error import DatabaseUnusableError, explain_driver_error

if TYPE_CHECKING:
    from sqlalchemy.engine import URL


class Failure(Enum):
    """Kind of a failure, by its remedy."""

    LOST = auto()
    """The connection was lost, or cannot be opened. Reads are retried once."""
    BUSY = auto()
    """A lock or a connection was not free in time."""
    SLOW = auto()
    """The time of the operation is over, and its connection was dropped; or that of a statement, on SQLite."""
    FULL = auto()
    """The disk is full or read-only."""
    UNUSABLE = auto()
    """The database is damaged, was replaced, or rejects the login: only an operator can help."""


class StorageError(DatabaseUnusableError):
    """A read or write that the storage failed. The message is for operators, and contains neither SQL nor values."""

    def __init__(self, failure: Failure, message: str) -> None:
        """Take the kind of failure and the message."""
        super().__init__(message)
        self.failure = failure
        self.may_be_committed = False
        """Whether the failed write may have been committed nevertheless: the answer to its COMMIT was lost."""


_BY_SQLITE_CODE: Final = {
    sqlite3.SQLITE_BUSY: Failure.BUSY,
    sqlite3.SQLITE_INTERRUPT: Failure.SLOW,
    sqlite3.SQLITE_LOCKED: Failure.BUSY,
    sqlite3.SQLITE_PROTOCOL: Failure.BUSY,
    sqlite3.SQLITE_FULL: Failure.FULL,
    sqlite3.SQLITE_READONLY: Failure.FULL,
    sqlite3.SQLITE_IOERR_WRITE: Failure.FULL,  # as a limit of the file's size has it
    sqlite3.SQLITE_IOERR_SHMSIZE: Failure.FULL,
    sqlite3.SQLITE_IOERR: Failure.UNUSABLE,
    sqlite3.SQLITE_CANTOPEN: Failure.UNUSABLE,
    sqlite3.SQLITE_CORRUPT: Failure.UNUSABLE,
    sqlite3.SQLITE_NOTADB: Failure.UNUSABLE,
}
_BY_SQLSTATE: Final = {
    "08": Failure.LOST,
    "25006": Failure.LOST,  # read-only: the server became a standby, and the next connection may reach the primary
    "25P03": Failure.LOST,  # idle in a transaction for too long
    "57P": Failure.LOST,  # shut down, crashed or starting
    "40001": Failure.BUSY,
    "40P01": Failure.BUSY,
    "53": Failure.BUSY,
    "53100": Failure.FULL,
    "55P03": Failure.BUSY,
    "57014": Failure.BUSY,  # statement_timeout
    "28": Failure.UNUSABLE,
    "3D": Failure.UNUSABLE,
    "58": Failure.UNUSABLE,
    "XX001": Failure.UNUSABLE,
    "XX002": Failure.UNUSABLE,
}


def classify(error: BaseException) -> Failure | None:
    """Return the kind of failure; None for an error that is not the storage's, such as a violated constraint."""
    if isinstance(error, DBAPIError):
        cause: Any = error.orig
        return Failure.LOST if error.connection_invalidated else classify(cause.__cause__ or cause)
    failure = next((_BY_CLASS[kind] for kind in type(error).__mro__ if kind in _BY_CLASS), None)
    return failure(error) if callable(failure) else failure


def _classify_sqlite(error: sqlite3.Error) -> Failure | None:
    code = getattr(error, "sqlite_errorcode", 0)  # errors of Python's own have none
    return _BY_SQLITE_CODE.get(code) or _BY_SQLITE_CODE.get(code & 0xFF)


def _classify_postgresql(error: asyncpg.PostgresError) -> Failure | None:
    state = error.sqlstate or ""
    return next((_BY_SQLSTATE[state[:length]] for length in (5, 3, 2) if state[:length] in _BY_SQLSTATE), None)


def _classify_interface(error: asyncpg.InterfaceError) -> Failure | None:
    # Others of its class are faults of the caller, such as a wrong number or type of arguments.
    is_lost = not isinstance(error, ValueError) and re.search("clos|connection|another operation", str(error))
    return Failure.LOST if is_lost else None


def _classify_system(error: OSError) -> Failure:
    return Failure.FULL if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EROFS} else Failure.LOST


_BY_CLASS: Final[dict[type, Any]] = {
    PoolTimeoutError: Failure.BUSY,
    TimeoutError: Failure.SLOW,
    sqlite3.Error: _classify_sqlite,
    asyncpg.PostgresError: _classify_postgresql,
    asyncpg.InterfaceError: _classify_interface,
    asyncpg.InternalClientError: Failure.LOST,
    OSError: _classify_system,
}
DRIVER_ERRORS: Final = (DBAPIError, *_BY_CLASS)


class DriverErrors:
    """Reusable context manager that raises a StorageError in place of a driver's error, if the storage failed."""

    def __init__(self, url: "URL") -> None:
        """Take the database."""
        self._url = url

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        """Translate the error."""
        if error is not None and isinstance(error, DRIVER_ERRORS):
            failure = self._classify(error)
            if failure is not None:
                raise StorageError(failure, str(explain_driver_error(error, self._url, is_logged=True))) from error

    def _classify(self, error: BaseException) -> Failure | None:
        return classify(error)
