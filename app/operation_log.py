"""Line of each operation in the log, and a second one for a slow operation."""

import os
from typing import Any, Final

from app.log import FORMATS, Event, now
from app.operation import OperationRecord
from app.settings import LogFormat, LogLevel

STDERR: Final = 2


class OperationLog:
    """Writer of the lines: in one system call, past `logging`, which takes five times as long."""

    def __init__(self, log: LogFormat, level: LogLevel, slow_ms: int) -> None:
        """Take the format, the lowest level, and the duration from which an operation is slow."""
        self._format, self._slow_ns = FORMATS[log], slow_ms * 1_000_000
        self._has_info, self._has_warning = level is LogLevel.INFO, level is not LogLevel.ERROR

    def write(self, record: OperationRecord) -> None:
        """Write the operation's lines."""
        if self._has_info:
            self._write("info", Event.OPERATION, record)
        if record.nanoseconds >= self._slow_ns and self._has_warning:
            self._write("warning", Event.SLOW_OPERATION, record)

    def _write(self, level: str, event: Event, record: OperationRecord) -> None:
        line = {"time": now(), "level": level, "event": event, **fields_of(record)}
        try:
            os.write(STDERR, self._format(line))
        except OSError:  # nobody reads the log, which must fail no request
            return


def fields_of(record: OperationRecord) -> dict[str, Any]:
    """Return the fields of an operation's line. Those without a value are omitted, except for the viewer."""
    fields: dict[str, Any] = {"requestId": record.request_id, "viewer": record.viewer_id}
    if record.operation_name is not None:
        fields["operationName"] = record.operation_name
    if record.operation_type is not None:
        fields["operationType"] = record.operation_type
    if record.document_hash is not None:
        fields["document"] = record.document_hash
    if record.document_id is not None:
        fields["documentId"] = record.document_id
    if record.cost is not None:
        fields["cost"] = record.cost
    if record.status is not None:
        fields["status"] = record.status
    if record.error_counts:
        fields["errors"] = record.error_counts
    if record.queue_nanoseconds is not None:
        fields["queueMs"] = record.queue_nanoseconds // 1_000 / 1_000
    fields["statements"] = record.use.statements
    fields["databaseMs"] = record.use.nanoseconds // 1_000 / 1_000
    fields["totalMs"] = record.nanoseconds // 1_000 / 1_000
    fields["responseBytes"] = record.response_bytes
    return fields
