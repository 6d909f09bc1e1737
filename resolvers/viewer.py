"""This file is what is asked of whoever asks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, FromClause, case, null

from permissions import Viewer, visible
from resolvers.collection import CollectionListing
from resolvers.context import Context
from resolvers.filter import CollectionFilter, contains_asset
from resolvers.listing.connection import Connection, connect
from resolvers.listing.search import Searched, with_search
from resolvers.loaders import PrincipalByPk, load_reference
from store import sql
from store.rows import PrincipalRow
from store.search.query import Search


@dataclass(frozen=True)
class ViewerCollections(CollectionListing):
    """The collections that the viewer may add assets to, by name: all they see."""

    order: str = "NAME"
    name = "viewer.collections"
    edge_columns = ("contains_asset",)
    asset_id: str | None = None

    def select_edge_columns(self, viewer: Viewer, parents: FromClause) -> Sequence[ColumnElement[Any]]:
        """Return whether the collection holds the asset; NULL without one, and for one the viewer cannot see."""
        del parents
        if self.asset_id is None:
            return (null(),)
        asset = sql.asset.alias()
        shown = visible(asset, viewer).where(asset.c.id == self.asset_id).exists()
        return (case((shown, case((contains_asset(viewer, self.asset_id), 1), else_=0)), else_=None),)


def viewer(_root: None, context: Context) -> Viewer | None:
    """Return who asks, None when not signed in."""
    return context.viewer if context.viewer.is_signed_in else None


async def user(viewer: Viewer, context: Context) -> PrincipalRow | None:
    """Return the viewer's user."""
    return await load_reference(context, PrincipalByPk, viewer.user_pk)


def collections(
    _viewer: Viewer, context: Context, *, asset_id: str | None = None, query: str | None = None, **page: Any
) -> Searched:
    """Return the collections that the viewer may add assets to."""

    def listed(search: Search | None) -> Connection:
        return connect(context, ViewerCollections(asset_id=asset_id, filter=CollectionFilter(search=search)), **page)

    return with_search(context, query, listed)
