"""Command `atoll audit`: the change log as JSON Lines or CSV, for an archive."""

import csv
import io
import re
from collections.abc import Callable, Mapping
from datetime import date
from enum import StrEnum
from typing import Any

import orjson
from sqlalchemy import Row

from store.audit_rows import read_audit_rows
from store.database import Database
from store.date_time import format_rfc_3339, parse_rfc_3339
from store.ids import now_ms
from store.subject_type import SubjectType

DAY_MS = 24 * 3_600 * 1_000
FIELDS = (
    "at",
    "id",
    "action",
    "subjectType",
    "subjectId",
    "subjectName",
    "actorId",
    "actor",
    "origin",
    "requestId",
    "fields",
    "assets",
)


class AuditFormat(StrEnum):
    """Form of the output."""

    JSONL = "jsonl"
    CSV = "csv"


class SinceError(ValueError):
    """A text that is no time; the message names the option."""


def parse_since(text: str) -> int:
    """Return the milliseconds since 1970 of a date, a time or an age such as `30d`. Raises SinceError."""
    if match := re.fullmatch(r"([0-9]{1,5})d", text):
        return now_ms() - int(match[1]) * DAY_MS
    try:
        return parse_rfc_3339(f"{date.fromisoformat(text)}T00:00:00Z" if "T" not in text else text)
    except ValueError:
        message = f"Invalid --since {text!r}. Use for example 30d, 2026-11-01 or 2026-11-01T08:00:00Z."
        raise SinceError(message) from None


async def write_audit_log(database: Database, since: int, form: AuditFormat, write: Callable[[str], object]) -> int:
    """Write all changes since a time, the oldest first, and return their number. Memory does not grow with it."""
    count = 0
    if form is AuditFormat.CSV:
        write(_csv_line(FIELDS))
    async with database.snapshot() as snapshot:
        async for page in read_audit_rows(snapshot, since):
            for row in page:
                write(_format(_change(row), form))
            count += len(page)
    return count


def _change(row: Row[Any]) -> dict[str, Any]:
    values = (
        format_rfc_3339(row.at),
        row.id,
        row.action,
        SubjectType.of(row.subject_id),
        row.subject_id,
        row.subject_name,
        row.actor_id,
        row.actor,
        row.origin,
        row.request_id,
        row.fields,
        sorted(row.assets),
    )
    return dict(zip(FIELDS, values, strict=True))


def _format(change: Mapping[str, Any], form: AuditFormat) -> str:
    if form is AuditFormat.JSONL:
        return orjson.dumps(change).decode() + "\n"
    texts = [orjson.dumps(value).decode() if isinstance(value, list) else value for value in change.values()]
    return _csv_line(texts)


def _csv_line(values: Any) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(values)
    return line.getvalue()
