"""Resolvers of users and groups: the directory."""

from dataclasses import dataclass
from typing import Protocol, Unpack

from sqlalchemy import FromClause

from permissions import Viewer, visible
from resolvers.context import Context
from resolvers.filter import UserFilter
from resolvers.listing.connection import Connection, PageArguments, connect
from resolvers.listing.listing import Listing
from resolvers.loaders import PrincipalByExternalId, PrincipalById, PrincipalByPk, UserByEmail
from store import sql
from store.rows import PrincipalRow
from store.sql import Expressions, Selection
from store.tables import PrincipalKind


class GroupReference(Protocol):
    """One-of input that names a group by its id or its id in the platform."""

    id: str | None
    external_id: str  # set if the id is not


class UserReference(Protocol):
    """One-of input that names a user by one of three fields; the others are unset."""

    id: str | None
    external_id: str | None
    email: str


@dataclass(frozen=True)
class PrincipalListing(Listing):
    """Base class of the lists of users and of groups, by name."""

    order: str = "NAME"
    table = sql.principal
    node_loader = PrincipalByPk
    filter: UserFilter = UserFilter()

    def sort_keys(self, viewer: Viewer) -> Expressions:
        """Return the name."""
        del viewer
        return (sql.principal.c.sort_key, sql.principal.c.id)

    def select_kind(self, viewer: Viewer, kind: PrincipalKind) -> Selection:
        """Return the visible principals of a kind that match the filter."""
        principals = visible(sql.principal, viewer).where(sql.principal.c.kind == kind)
        return principals.where(*self.filter.conditions(viewer))


@dataclass(frozen=True)
class Users(PrincipalListing):
    """List of all users."""

    name = "users"
    has_parents = False

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Selection:
        """Return the users."""
        del parents
        return self.select_kind(viewer, PrincipalKind.USER)


@dataclass(frozen=True)
class Groups(PrincipalListing):
    """List of all groups."""

    name = "groups"
    has_parents = False

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Selection:
        """Return the groups."""
        del parents
        return self.select_kind(viewer, PrincipalKind.GROUP)


@dataclass(frozen=True)
class GroupMembers(PrincipalListing):
    """List of the members of a group."""

    name = "group.members"

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Selection:
        """Return the users who are members of the group."""
        member = sql.group_member
        in_group = visible(member, viewer).where(member.c.group_pk == parents.c.value).correlate(parents)
        users = self.select_kind(viewer, PrincipalKind.USER)
        return users.where(sql.principal.c.pk.in_(in_group.with_only_columns(member.c.user_pk)))


def users(
    _root: None,
    context: Context,
    *,
    filter: object = None,
    query: str | None = None,
    **page: Unpack[PageArguments],
) -> Connection:
    """Return the users, filtered and searched."""
    return connect(context, Users(filter=UserFilter.from_input(filter)), query=query, **page)


def groups(_root: None, context: Context, *, query: str | None = None, **page: Unpack[PageArguments]) -> Connection:
    """Return the groups that match the search query."""
    return connect(context, Groups(), query=query, **page)


def members(group: PrincipalRow, context: Context, **page: Unpack[PageArguments]) -> Connection:
    """Return the members of the group."""
    return connect(context, GroupMembers(), group, **page)


async def user(_root: None, context: Context, by: UserReference) -> PrincipalRow | None:
    """Return the user; None for an unknown one, and for an e-mail address that several users have."""
    if isinstance(by.id, str):
        return _of_kind(PrincipalKind.USER, await context.loader(PrincipalById).load(by.id))
    if isinstance(by.external_id, str):
        return _of_kind(PrincipalKind.USER, await context.loader(PrincipalByExternalId).load(by.external_id))
    return await context.loader(UserByEmail).load(by.email)


async def group(_root: None, context: Context, by: GroupReference) -> PrincipalRow | None:
    """Return the group; None for an unknown one."""
    if isinstance(by.id, str):
        return _of_kind(PrincipalKind.GROUP, await context.loader(PrincipalById).load(by.id))
    return _of_kind(PrincipalKind.GROUP, await context.loader(PrincipalByExternalId).load(by.external_id))


def _of_kind(kind: PrincipalKind, principal: PrincipalRow | None) -> PrincipalRow | None:
    return principal if principal is not None and principal.kind == kind else None


def provisioned_by(principal: PrincipalRow, _context: Context) -> str:
    """Return the source that owns the user or group."""
    return principal.source
