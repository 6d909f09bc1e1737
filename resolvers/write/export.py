"""Mutation that starts an export."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Table

from resolvers.export.file_format import ExportFormat
from resolvers.export.scope import CONTAINED_IN
from resolvers.limits import LIMITS
from resolvers.pull.part import GraphPart
from resolvers.write.input import InputReader, graph_name
from resolvers.write.job import DAY_MS, enqueue
from resolvers.write.transaction import MutationTransaction, Result
from resolvers.write.user_error import UserErrorCode
from store import jobs, sql
from store.ids import now_ms
from store.tables import JobKind


async def create(tx: MutationTransaction, reader: InputReader) -> Result:
    """Queue a job that writes a file of all that the viewer sees, or of some collections."""
    parts = _read_parts(reader)
    topics = await _find_all(tx, reader, sql.topic, "topic_ids")
    collections = await _find_all(tx, reader, sql.collection, "collection_ids")
    assert tx.viewer.user_pk is not None  # noqa: S101 - the mutation requires SIGNED_IN
    if await jobs.count_exports_since(tx.connection, tx.viewer.user_pk, now_ms() - DAY_MS) >= LIMITS.daily_exports:
        message = f"You started {LIMITS.daily_exports} exports within the last 24 hours. Try again later."
        reader.add_error(UserErrorCode.LIMIT_EXCEEDED, message, limit=LIMITS.daily_exports)
    reader.raise_errors()
    job_input: dict[str, Any] = {"format": ExportFormat(reader.input["format"]).value, "parts": parts}
    if topics is not None or collections is not None:
        job_input["scope"] = {"topics": topics or [], "collections": collections or []}
    return {"job": await enqueue(tx, JobKind.EXPORT, job_input, 0, [], field="format")}


def _read_parts(reader: InputReader) -> list[str]:
    """Return the parts; all if omitted."""
    given = reader.input.get("include")
    parts = set(GraphPart) if given is None else {GraphPart(part) for part in given}
    if not parts:
        reader.add_error(UserErrorCode.REQUIRED, "include must contain at least one part.", "include")
    for part, other in CONTAINED_IN.items():
        if part in parts and other not in parts:
            reader.add_error(UserErrorCode.INVALID, f"{part} are a part of {other}. Include {other} too.", "include")
    return sorted(parts)


async def _find_all(tx: MutationTransaction, reader: InputReader, table: Table, field: str) -> Sequence[int] | None:
    """Return the pks of the visible objects whose ids the field has; None if it is omitted. One statement."""
    if reader.input.get(field) is None:
        return None
    ids = reader.ids(field)
    rows = await tx.visible_by_id(table, ids)
    for id_, index in ids.items():
        if id_ not in rows:
            reader.add_not_found(table.name, graph_name(field), str(index))
    return [row.pk for row in rows.values()]
