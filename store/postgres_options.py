"""Options of connections to PostgreSQL, directly or through a pooler that shares sessions among clients."""

from typing import Any, Final

from sqlalchemy import Dialect, func, select, true
from sqlalchemy.engine import URL

from store.error import SETTING, DatabaseUrlError

CONNECT_SECONDS: Final = 5
SESSION_SETTINGS: Final = {
    "statement_timeout": "30000",
    "lock_timeout": "5000",
    "idle_in_transaction_session_timeout": "60000",
    "jit": "off",  # compiling a statement would take longer than running it
    "random_page_cost": "1.1",  # for SSDs; the default is for spinning disks and scans whole tables
}
POOLED_WRITE_SETTINGS: Final = (
    "select set_config('lock_timeout', '5000', true), set_config('statement_timeout', '30000', true)"
)
"""Statement of a write transaction through a pooler: its session keeps no settings."""

PLAN_FOR_VALUES: Final = select(func.set_config("plan_cache_mode", "force_custom_plan", true()))
"""Statement of a transaction, all of whose others are planned for the values of their parameters.

A plan for any values expects few grants, and would sort all assets that a viewer sees for each page of them.
"""

PLAN_ONCE: Final = select(func.set_config("plan_cache_mode", "force_generic_plan", true()))
"""Statement of a transaction, all of whose others are planned once in each session, for any values.

To plan a statement with permissions takes a millisecond or two. Left alone, PostgreSQL does so for each execution, as
it expects more rows for other values.
"""

_SHARED_SETTINGS: Final = {"application_name": "atoll", "timezone": "UTC"}
_CACHE_SIZES: Final = ("statement_cache_size", "prepared_statement_cache_size")
_NUMBERS: Final = (*_CACHE_SIZES, "timeout", "command_timeout", "max_cached_statement_lifetime")


class PostgresOptions:
    """Options of a URL, for asyncpg and for SQLAlchemy.

    The URL says by `statement_cache_size=0` that a pooler such as PgBouncer assigns a session to each transaction. No
    statement stays prepared then, and no setting is sent with the start of a session, which such a pooler refuses.
    """

    def __init__(self, url: URL) -> None:
        """Take a URL. Raises DatabaseUrlError for an option that must be a number."""
        numbers = {name: _number(name, str(url.query[name])) for name in _NUMBERS if name in url.query}
        self.url = url.difference_update_query(numbers)
        self.is_pooled = any(numbers.get(name) == 0 for name in _CACHE_SIZES)
        numbers.pop("prepared_statement_cache_size", None)  # SQLAlchemy's name, by which older URLs have it
        settings = _SHARED_SETTINGS if self.is_pooled else _SHARED_SETTINGS | SESSION_SETTINGS
        self.asyncpg: dict[str, Any] = {"timeout": CONNECT_SECONDS, **numbers, "server_settings": settings}
        self.sqlalchemy: dict[str, Any] = self.asyncpg
        if self.is_pooled:
            self.asyncpg = self.asyncpg | {"statement_cache_size": 0}  # then no statement has a name
            self.sqlalchemy = self.asyncpg | {"prepared_statement_cache_size": 0}

    def connect_arguments(self, dialect: Dialect) -> dict[str, Any]:
        """Return the arguments of asyncpg's `connect`, with the address and the other options of the URL."""
        return dict(dialect.create_connect_args(self.url)[1]) | self.asyncpg


def _number(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise DatabaseUrlError(f"{SETTING} has an invalid {name} {text!r}. Use a number.")
    return int(text)
