"""Sort keys of the orders that several lists share."""

from store import sql
from store.search.match import match_rank
from store.search.query import Search
from store.sql import Expressions


def asset_sort_keys(order: str, search: Search | None = None) -> Expressions:
    """Return the sort keys of an `AssetOrderField`, with the id to break ties."""
    asset = sql.asset
    if order == "NAME":
        return (asset.c.sort_key, asset.c.id)
    if order == "CREATED_AT":
        return (asset.c.created_at, asset.c.id)
    if order == "UPDATED_AT":
        return (asset.c.updated_at, asset.c.id)
    # Relevance depends on the asset alone: best match first, then gold standards, then the latest change.
    matched = () if search is None else (match_rank(asset),)
    return (*matched, asset.c.is_gold, asset.c.updated_at, asset.c.id)
