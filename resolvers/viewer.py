"""Resolvers of the viewer."""

from dataclasses import dataclass
from typing import Unpack

from sqlalchemy import FromClause, case, null

from permissions import Viewer, visible
from permissions.visible import owned_assets, user_parameter
from resolvers.asset import Assets
from resolvers.collection import CollectionListing
from resolvers.context import Context
from resolvers.filter import AssetFilter, JobFilter, contains_asset
from resolvers.listing.connection import Connection, PageArguments, connect
from resolvers.listing.listing import Listing, OrderInput
from resolvers.loaders import ApiTokenByPk, JobByPk, PrincipalByPk, Reference
from store import sql
from store.sql import Expressions, Selection
from store.tables import AssetAccess, JobStatus


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


@dataclass(frozen=True)
class ViewerAssets(Assets):
    """List of the assets that the viewer owns."""

    name = "viewer.assets"
    row_access = AssetAccess.OWNER

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Selection:
        """Return the viewer's own assets that match the filter."""
        del parents
        return owned_assets(sql.asset, viewer).where(*self.filter.conditions(viewer))


@dataclass(frozen=True)
class ViewerGroups(Listing):
    """List of the groups that the viewer is a member of, by name."""

    order: str = "NAME"
    name = "viewer.groups"
    has_parents = False
    table = sql.principal
    node_loader = PrincipalByPk

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Selection:
        """Return the groups."""
        del parents
        member = sql.group_member
        groups = visible(member, viewer).with_only_columns(member.c.group_pk)
        groups = groups.where(member.c.user_pk == user_parameter(viewer))
        return visible(sql.principal, viewer).where(sql.principal.c.pk.in_(groups))

    def sort_keys(self, viewer: Viewer) -> Expressions:
        """Return the name."""
        del viewer
        return (sql.principal.c.sort_key, sql.principal.c.id)


@dataclass(frozen=True)
class ViewerJobs(Listing):
    """List of the jobs that the viewer started, the newest first."""

    order: str = "CREATED_AT"
    descending: bool = True
    name = "viewer.jobs"
    has_parents = False
    table = sql.job
    node_loader = JobByPk
    filter: JobFilter = JobFilter()

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Selection:
        """Return the jobs that match the filter."""
        del parents
        return visible(sql.job, viewer).where(*self.filter.conditions(viewer))

    def sort_keys(self, viewer: Viewer) -> Expressions:
        """Return the time of creation."""
        del viewer
        return (sql.job.c.created_at, sql.job.c.id)


@dataclass(frozen=True)
class ViewerTokens(Listing):
    """List of the viewer's API tokens, the newest first."""

    order: str = "CREATED_AT"
    descending: bool = True
    name = "viewer.tokens"
    has_parents = False
    table = sql.api_token
    node_loader = ApiTokenByPk

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Selection:
        """Return the tokens."""
        del parents
        return visible(sql.api_token, viewer)

    def sort_keys(self, viewer: Viewer) -> Expressions:
        """Return the time of creation."""
        del viewer
        return (sql.api_token.c.created_at, sql.api_token.c.id)


def viewer(_root: None, context: Context) -> Viewer | None:
    """Return the viewer; None for an anonymous visitor."""
    return context.viewer if context.viewer.is_signed_in else None


user = Reference(PrincipalByPk, "user_pk")
"""The user of the viewer."""


def assets(
    _viewer: Viewer,
    context: Context,
    *,
    order_by: OrderInput | None = None,
    filter: object = None,
    query: str | None = None,
    **page: Unpack[PageArguments],
) -> Connection:
    """Return the assets that the viewer owns, filtered and searched."""
    listing = ViewerAssets.ordered_by(order_by, filter=AssetFilter.from_input(filter))
    return connect(context, listing, query=query, **page)


def groups(_viewer: Viewer, context: Context, **page: Unpack[PageArguments]) -> Connection:
    """Return the groups that the viewer is a member of."""
    return connect(context, ViewerGroups(), **page)


def tokens(_viewer: Viewer, context: Context, **page: Unpack[PageArguments]) -> Connection:
    """Return the viewer's API tokens."""
    return connect(context, ViewerTokens(), **page)


def jobs(
    _viewer: Viewer, context: Context, *, statuses: list[JobStatus] | None = None, **page: Unpack[PageArguments]
) -> Connection:
    """Return the jobs that the viewer started, of these statuses if any are given."""
    listing = ViewerJobs(filter=JobFilter(statuses=None if statuses is None else tuple(statuses)))
    return connect(context, listing, **page)


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
