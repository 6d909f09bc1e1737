"""Resolver of the deployment: version, settings and limits."""

from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

from resolvers.context import Context
from resolvers.listing.listing import MAX_PAGE_SIZE
from store.tables import MAX_COLLECTION_DEPTH

OPERATION_DEPTH = 14
INLINE_BULK_ITEMS = 1_000
BULK_ITEMS = 100_000


class Limits(NamedTuple):
    """Limits of operations and objects."""

    depth: int = OPERATION_DEPTH
    page_size: int = MAX_PAGE_SIZE
    bulk_items: int = BULK_ITEMS
    inline_bulk_items: int = INLINE_BULK_ITEMS
    collection_depth: int = MAX_COLLECTION_DEPTH


class Deployment(NamedTuple):
    """Deployment as its clients see it."""

    version: str
    public_sharing: bool
    limits: Limits = Limits()


def deployment(_root: None, context: Context) -> Deployment:
    """Return the deployment as of the operation's snapshot."""
    return Deployment(installed_version(), context.viewer.public_sharing)


def installed_version() -> str:
    """Return the version of the installed package, or 0 where Atoll runs without being installed."""
    try:
        return version("atoll")
    except PackageNotFoundError:
        return "0"
