"""Counts of lists without facets: one SELECT for any number of parents."""

from sqlalchemy import func

from permissions import Viewer
from resolvers.listing.listing import Listing, accessible_rows
from store import sql
from store.sql import Selection


def select_count(listing: Listing, viewer: Viewer) -> Selection:
    """Return the SELECT of `[count]` for each parent."""
    parents = sql.int_table("parents")
    count = func.count().label("count")
    rows = accessible_rows(listing, viewer, parents).with_only_columns(count, maintain_column_froms=True)
    return sql.per_parent(parents, rows)


def select_counts_by_kind(listing: Listing, viewer: Viewer) -> Selection:
    """Return the SELECT of `[kind, count, gold standards]` for each parent and each kind in its list of assets."""
    parents, asset = sql.int_table("parents"), sql.asset
    columns = (asset.c.kind, func.count().label("assets"), func.sum(asset.c.is_gold).label("gold"))
    rows = accessible_rows(listing, viewer, parents).with_only_columns(*columns, maintain_column_froms=True)
    return sql.per_parent(parents, rows.group_by(asset.c.kind))
