"""Record of the operation that a request asks for: source of its line in the log and of the metrics."""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from hashlib import sha256
from time import perf_counter_ns
from typing import Any, Final

from graphql import OperationDefinitionNode

from store.database_use import DatabaseUse

MAX_NAME_CHARACTERS: Final = 64
HASH_CHARACTERS: Final = 16


class OperationRecord:
    """One operation, however it is answered. It has no variables, no text of the document, and no data."""

    __slots__ = (
        "cost",
        "document_hash",
        "document_id",
        "document_read",
        "error_counts",
        "is_page",
        "nanoseconds",
        "operation_name",
        "operation_type",
        "parsed_characters",
        "points",
        "queue_nanoseconds",
        "request_id",
        "response_bytes",
        "started",
        "status",
        "token_digest",
        "trace_parent",
        "use",
        "viewer_id",
    )

    def __init__(self, request_id: str) -> None:
        """Start the clock."""
        self.started = perf_counter_ns()
        self.request_id = request_id
        self.use = DatabaseUse()
        self.viewer_id: str | None = None
        self.token_digest: str | None = None
        """Digest of the API token, if the operation has a valid one."""
        self.operation_name: str | None = None
        self.operation_type: str | None = None
        self.document_hash: str | None = None
        self.document_id: str | None = None
        """Id of a trusted document, as its manifest has it; None if the client sent the text."""
        self.document_read: int | None = None
        """When the request was read, by `perf_counter_ns`."""
        self.cost: Mapping[str, int] | None = None
        """Static cost by part (`objects`, `fields`, `reads`); None until it is computed."""
        self.points: int | None = None
        """Points for the cost; None until it is computed, and for a request that is refused."""
        self.parsed_characters = 0
        """Length of the document if it was parsed, not found in a cache."""
        self.queue_nanoseconds: int | None = None
        """Time in the queue of operations; None if the operation did not have to queue."""
        self.status: int | None = None
        """HTTP status; None if the request was cancelled before it was answered."""
        self.error_counts: dict[str, int] = {}
        self.response_bytes = 0
        self.nanoseconds = 0
        self.trace_parent: str | None = None
        """The request's header `traceparent` (W3C Trace Context); None if traces are off."""
        self.is_page = False
        """Whether the response is none of an operation: the page of GraphiQL, or an event stream.

        Each event of a stream is an operation with a record of its own.
        """

    def trace(self, trace_parent: str) -> None:
        """Record spans from now on."""
        self.trace_parent, self.use.spans = trace_parent, []

    def set_document(self, text: str, document_id: str | None = None) -> None:
        """Take the document, and its id if it is trusted: keep its short hash, the id, and the time."""
        self.document_read, self.document_id = perf_counter_ns(), document_id
        self.document_hash = sha256(text.encode()).hexdigest()[:HASH_CHARACTERS]

    def set_operation(self, definition: OperationDefinitionNode) -> None:
        """Set type and name of an operation of a parsed document, so that the name is one by GraphQL's grammar."""
        self.operation_type = definition.operation.value
        if definition.name is not None:
            self.operation_name = definition.name.value[:MAX_NAME_CHARACTERS]

    def count_errors(self, body: Mapping[str, Any]) -> None:
        """Count the errors of a response by their code."""
        for error in body.get("errors", ()):
            code = str(error["extensions"]["code"])
            self.error_counts[code] = self.error_counts.get(code, 0) + 1

    def finish(self) -> None:
        """Stop the clock."""
        self.nanoseconds = perf_counter_ns() - self.started


ObserveOperation = Callable[[OperationRecord], None]

current_operation: Final[ContextVar[OperationRecord | None]] = ContextVar("current_operation", default=None)
"""Operation of the request that is answered here. Tasks and reader threads inherit it."""
