"""Traces by OpenTelemetry: spans of each request, its operation, its batches of loaders, and their statements.

They are made from the record of the operation after its response. No span has variables, SQL or data.
"""

import os
import time
from collections.abc import Mapping
from typing import Final, Self

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app.operation import OperationRecord

_PROPAGATOR: Final = TraceContextTextMapPropagator()
_FAILURE: Final = 500


class Traces:
    """Exporter of the traces of one process."""

    def __init__(self, processor: SpanProcessor) -> None:
        """Take the processor of finished spans."""
        os.environ.setdefault("OTEL_SERVICE_NAME", "atoll")
        provider = TracerProvider()
        provider.add_span_processor(processor)
        self._tracer = provider.get_tracer("atoll")

    @classmethod
    def export_by_otlp(cls) -> Self:
        """Export to the collector that the environment names (`OTEL_EXPORTER_OTLP_ENDPOINT`), in the background."""
        return cls(BatchSpanProcessor(OTLPSpanExporter()))

    def observe(self, record: OperationRecord) -> None:
        """Export the spans of an operation."""
        # Spans have the time of day, records that of a clock which never goes back.
        offset = time.time_ns() - time.perf_counter_ns()
        start, end = record.started + offset, record.started + record.nanoseconds + offset
        parent = _PROPAGATOR.extract({"traceparent": record.trace_parent or ""}, Context())
        request = self._tracer.start_span("/graphql", parent, SpanKind.SERVER, _attributes(record), start_time=start)
        if request.is_recording():
            self._add_operation(record, set_span_in_context(request, Context()), offset, end)
        if record.status is None or record.status >= _FAILURE:
            request.set_status(Status(StatusCode.ERROR))
        request.end(end)

    def _add_operation(self, record: OperationRecord, parent: Context, offset: int, end: int) -> None:
        start = (record.document_read or record.started) + offset
        operation = self._tracer.start_span(record.operation_type or "invalid operation", parent, start_time=start)
        root = set_span_in_context(operation, parent)
        contexts: dict[int, Context] = {}
        for each in record.use.spans or ():
            kind = SpanKind.INTERNAL if each.is_batch else SpanKind.CLIENT
            within = contexts.get(id(each.parent), root)
            span = self._tracer.start_span(each.name, within, kind, start_time=each.started + offset)
            contexts[id(each)] = set_span_in_context(span, within)
            span.end((each.ended or each.started) + offset)
        operation.end(end)


def _attributes(record: OperationRecord) -> Mapping[str, str | int]:
    attributes = {
        "http.response.status_code": record.status,
        "graphql.operation.name": record.operation_name,
        "graphql.operation.type": record.operation_type,
        "atoll.document": record.document_hash,
        "atoll.document_id": record.document_id,
        "atoll.request_id": record.request_id,
        "atoll.viewer": record.viewer_id,
        "atoll.errors": ",".join(record.error_counts) or None,
    }
    return {name: value for name, value in attributes.items() if value is not None}
