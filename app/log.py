"""Log on stderr: one line of JSON or text for each event, without data of the deployment or its clients.

Messages of Atoll's own loggers hold no names, ids of things, variables, SQL or search words. Of other loggers, only the
constant part of a message is printed, and of exceptions only that which `format_error` lets through.
"""

import logging
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, TextIO

import orjson

from app.error_format import format_error
from app.operation import current_operation
from app.settings import LogFormat, LogLevel

if TYPE_CHECKING:
    import sys

PAUSE_SECONDS: Final = 60
"""Shortest time between two lines of a warning of a state that lasts."""

OWN_LOGGERS: Final = ("app", "engine", "fragments", "permissions", "resolvers", "schema", "store")

_CONSTANT_PART: Final = re.compile(r"[^(<\n]*")
_PLAIN: Final = re.compile(r'[^\s"=]+')

_log = logging.getLogger(__name__)

FormatLine = Callable[[Mapping[str, Any]], bytes]


class Event(StrEnum):
    """Kind of a line."""

    DOWNLOAD = "download"
    ERROR = "error"
    MESSAGE = "message"
    OPERATION = "operation"
    OUT_OF_DESCRIPTORS = "outOfDescriptors"
    RATE_LIMITED = "rateLimited"
    SCIM = "scim"
    SLOW_OPERATION = "slowOperation"
    TOKEN_REFUSED = "tokenRefused"  # noqa: S105 - a name, not a token
    TOO_MANY_CONNECTIONS = "tooManyConnections"
    TOO_MANY_OPERATIONS = "tooManyOperations"
    UNAVAILABLE = "unavailable"


def format_json(line: Mapping[str, Any]) -> bytes:
    """Format a line as JSON (RFC 8259), ended by a line feed."""
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)


def format_text(line: Mapping[str, Any]) -> bytes:
    """Format a line as time, level, event and `name=value`; a traceback follows on lines of its own."""
    rest = dict(line)
    time, level, event = rest.pop("time"), rest.pop("level"), rest.pop("event")
    traceback = rest.pop("traceback", None)
    words = [f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03}Z", level.upper(), event]
    words += [f"{name}={_text(value)}" for name, value in rest.items()]
    return ("\n".join([" ".join(words), *([traceback] if traceback else [])]) + "\n").encode()


FORMATS: Final[Mapping[LogFormat, FormatLine]] = {LogFormat.JSON: format_json, LogFormat.TEXT: format_text}


def now() -> datetime:
    """Return the time of a line, in UTC."""
    return datetime.now(UTC)


class LogFormatter(logging.Formatter):
    """Formatter of records of the standard library's loggers."""

    def __init__(self, log: LogFormat) -> None:
        """Take the format of lines."""
        super().__init__()
        self._format = FORMATS[log]

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a line, without the line feed, which the handler adds."""
        error = record.exc_info[1] if record.exc_info else None
        event = getattr(record, "event", Event.MESSAGE if error is None else Event.ERROR)
        line = {"time": datetime.fromtimestamp(record.created, UTC), "level": record.levelname.lower(), "event": event}
        operation = current_operation.get()
        if operation is not None:
            line["requestId"] = operation.request_id
        line |= {"logger": record.name, "message": _message(record)}
        if error is not None:
            line["traceback"] = format_error(error)
        return self._format(line).decode().removesuffix("\n")


class RareWarning:
    """Warning of a state that may last: it is logged at most once in PAUSE_SECONDS."""

    def __init__(self, message: str, event: Event) -> None:
        """Take the message and the event of its line."""
        self._message, self._event = message, event
        self._next = 0.0

    def log(self) -> None:
        """Log the warning, unless that happened just now."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + PAUSE_SECONDS
            _log.warning("%s", self._message, extra={"event": self._event})


class LogHandler(logging.StreamHandler[TextIO]):
    """Handler that drops a line which cannot be written. The standard library's prints the message's arguments."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the standard library's name
        """Do nothing."""


def log_unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
    """Log an exception that cannot be raised, for `sys.unraisablehook`. Python's own hook prints its message."""
    error = unraisable.exc_value
    exc_info = None if error is None else (type(error), error, unraisable.exc_traceback)
    _log.error("An exception was ignored.", exc_info=exc_info)


def log_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object, **__: object
) -> None:
    """Log the class and the place of a warning, for `warnings.showwarning`. Python's own prints its text."""
    del message
    _log.warning("%s at %s:%d.", category.__name__, filename, lineno)


def log_config(log: LogFormat, level: LogLevel) -> dict[str, Any]:
    """Return the configuration of all loggers, for `logging.config.dictConfig` and uvicorn, for each process."""
    own = level.upper()
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": LogFormatter, "log": log}},
        "filters": {"accept": {"()": "app.descriptors.AcceptFilter"}},
        "handlers": {"stderr": {"()": LogHandler, "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": "WARNING" if level is LogLevel.INFO else own},
        "loggers": {name: {"level": own} for name in OWN_LOGGERS} | {"asyncio": {"filters": ["accept"]}},
    }


def _message(record: logging.LogRecord) -> str:
    if record.name.partition(".")[0] in OWN_LOGGERS:
        return record.getMessage()
    match = _CONSTANT_PART.match(record.msg) if isinstance(record.msg, str) else None
    return match[0].strip() if match else ""


def _text(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return value
    return orjson.dumps(value).decode()
