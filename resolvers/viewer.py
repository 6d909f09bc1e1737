"""Resolvers of the viewer."""

from dataclasses import dataclass
from typing import Unpack

from sqlalchemy import FromClause, case, null

from permissions import Viewer, visible
from resolvers.collection import CollectionListing
from resolvers.context import Context
from resolvers.filter import contains_asset
from resolvers.listing.connection import Connection, PageArguments, connect
from resolvers.loaders import PrincipalByPk, Reference
from store import sql
from store.sql import Expressions


@dataclass(frozen=True)
class ViewerCollections(CollectionListing):
    """List of the collections that the viewer may add assets to (all visible ones), by name."""

    order: str = "NAME"
    name = "viewer.collections"
    edge_columns = ("contains_asset",)
    asset_id: str | None = None

    def select_edge_columns(self, viewer: Viewer, parents: FromClause) -> Expressions:
        """Return whether the collection contains the asset; NULL without an asset and for a hidden one."""
        del parents
        if self.asset_id is None:
            return (null(),)
        asset = sql.asset.alias()
        shown = visible(asset, viewer).where(asset.c.id == self.asset_id).exists()
        return (case((shown, case((contains_asset(viewer, self.asset_id), 1), else_=0)), else_=None),)


def viewer(_root: None, context: Context) -> Viewer | None:
    """Return the viewer; None for an anonymous visitor."""
    return context.viewer if context.viewer.is_signed_in else None


user = Reference(PrincipalByPk, "user_pk")
"""The user of the viewer."""


def collections(
    _viewer: Viewer,
    context: Context,
    *,
    asset_id: str | None = None,
    query: str | None = None,
    **page: Unpack[PageArguments],
) -> Connection:
    """Return the collections that the viewer may add assets to and that match the search query."""
    return connect(context, ViewerCollections(asset_id=asset_id), query=query, **page)
