"""Limits of requests, declared once: enforced where they apply, and listed in `deployment.limits`."""

from contextvars import ContextVar
from typing import Final, NamedTuple, Self

from resolvers.listing.listing import MAX_PAGE_SIZE
from store.jobs import RETENTION_DAYS
from store.pulls import SERVED_MINUTES, TOKEN_DAYS
from store.tables import MAX_COLLECTION_DEPTH

VISITOR_SHARE: Final = 4
"""Divisor of the limits of `DIVIDED` for visitors and for mutations, and of rates for visitors."""

DIVIDED: Final = ("objects", "fields", "reads", "response_bytes")

FULL_POINTS: Final = 1_000
"""Points of an operation at a limit of objects, fields or reads of a member."""


class Rate(NamedTuple):
    """Rate limit of a user: points that are added each second, and the most points that add up."""

    points: int
    burst: int

    def of_visitors(self) -> Self:
        """Return the rate limit of an address of visitors."""
        return self._replace(points=max(self.points // VISITOR_SHARE, 1), burst=max(self.burst // VISITOR_SHARE, 1))


class ServerLimits(NamedTuple):
    """Limits of a user that the settings of a server declare; None for a limit that it does not have."""

    rate: Rate | None = None
    live_connections: int | None = None


NO_SERVER_LIMITS: Final = ServerLimits()
current_server_limits: Final[ContextVar[ServerLimits]] = ContextVar("current_server_limits", default=NO_SERVER_LIMITS)
"""Limits of the server that answers here."""


class Limits(NamedTuple):
    """Limits of requests and of objects, for members by default."""

    body_bytes: int = 4 * 1024 * 1024  # the ids of the largest bulk mutation, with room to spare
    query_characters: int = 64 * 1024  # the editor's introspection query has 2,000 characters
    tokens: int = 5_000
    depth: int = 24
    root_fields: int = 20
    root_mutations: int = 5
    selected_fields: int = 2_000
    aliases: int = 60
    alias_characters: int = 100
    directives: int = 50
    objects: int = 20_000
    fields: int = 150_000
    reads: int = 20_000
    response_bytes: int = 16 * 1024 * 1024
    page_size: int = MAX_PAGE_SIZE
    graph_page_size: int = 1_000
    graph_page_minutes: int = SERVED_MINUTES
    sync_token_days: int = TOKEN_DAYS
    list_items: int = 100
    bulk_items: int = 100_000
    inline_bulk_items: int = 1_000
    active_jobs: int = 3  # of one user: all users share the workers
    daily_job_items: int = 1_000_000  # of one user: their results are kept for a week
    daily_exports: int = 10  # of one user: their files are kept for a week
    export_days: int = RETENTION_DAYS
    daily_idempotency_keys: int = 10_000  # of one user: the results are kept for a day
    active_tokens: int = 50  # of one user: so that a list of them stays readable
    token_days: int = 90
    collection_depth: int = MAX_COLLECTION_DEPTH
    live_connections: int | None = None  # the server's setting
    subscriptions: int = 20  # of one socket
    message_bytes: int = 64 * 1024
    rate_points: int | None = None  # the server's setting
    rate_burst: int | None = None

    def of_visitors(self) -> Self:
        """Return the limits of visitors, who only send queries."""
        divided = {name: getattr(self, name) // VISITOR_SHARE for name in DIVIDED}
        return self._replace(body_bytes=256 * 1024, **divided)


LIMITS: Final = Limits()
VISITOR_LIMITS: Final = LIMITS.of_visitors()
