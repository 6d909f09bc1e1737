"""Metrics of one process for Prometheus. No label has a client's input."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import cache
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from app.operation import OperationRecord
from store.changes import fetch_revision
from store.database import Database, Snapshot
from store.failure import StorageError
from store.jobs import count_active_by_status

POLL_SECONDS: Final = 15
"""How often each process reads the state of the database."""

_NO_TYPE: Final = "none"
_CANCELLED: Final = "cancelled"
_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_COSTS: Final = (10, 100, 1_000, 5_000, 20_000, 50_000, 150_000)

REQUESTS: Final = Counter("atoll_requests", "GraphQL requests.", ("type", "status"))
SECONDS: Final = Histogram(
    "atoll_request_duration_seconds", "Duration of GraphQL requests.", ("type",), buckets=_SECONDS
)
ERRORS: Final = Counter("atoll_errors", "Errors in responses, by extensions.code.", ("code",))
STATEMENTS: Final = Counter("atoll_statements", "Statements of GraphQL requests.")
DATABASE_SECONDS: Final = Counter("atoll_database_seconds", "Duration of these statements.")
COST: Final = Histogram("atoll_cost", "Static cost of GraphQL requests.", ("part",), buckets=_COSTS)
CONNECTIONS_CLOSED: Final = Counter(
    "atoll_connections_closed", "Connections that were closed for others, or refused, at the limit."
)
# All processes read the same database, so the latest value is the value.
JOBS: Final = Gauge("atoll_jobs", "Jobs that wait or run.", ("status",), multiprocess_mode="mostrecent")
REVISION: Final = Gauge("atoll_revision", "Revision of the change log.", multiprocess_mode="mostrecent")

# To look for a label's values takes longer than to count.
_requests, _seconds = cache(REQUESTS.labels), cache(SECONDS.labels)


def observe(record: OperationRecord) -> None:
    """Count an operation."""
    operation_type = record.operation_type or _NO_TYPE
    _requests(operation_type, record.status or _CANCELLED).inc()
    _seconds(operation_type).observe(record.nanoseconds / 1e9)
    STATEMENTS.inc(record.use.statements)
    DATABASE_SECONDS.inc(record.use.nanoseconds / 1e9)
    for code, count in record.error_counts.items():
        ERRORS.labels(code).inc(count)
    for part, cost in (record.cost or {}).items():
        COST.labels(part).observe(cost)


@asynccontextmanager
async def read_periodically(database: Database) -> AsyncIterator[None]:
    """Read the state of the database every POLL_SECONDS while the block runs."""
    reading = asyncio.create_task(_read_periodically(database))
    try:
        yield
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def _read_periodically(database: Database) -> None:
    while True:
        with suppress(StorageError):  # requests fail too, and their errors are counted
            await database.read(_read)
        await asyncio.sleep(POLL_SECONDS)


async def _read(snapshot: Snapshot) -> None:
    REVISION.set(await fetch_revision(snapshot))
    for status, jobs in (await count_active_by_status(snapshot)).items():
        JOBS.labels(status.lower()).set(jobs)
