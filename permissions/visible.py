"""This file is the rules of sight as SQL: `visible` gives the rows that exist for a viewer; every read starts there.

| who | topics | collections | assets |
|---|---|---|---|
| administrator | all | all | all; the access their grants give, and DISCOVERABLE where they have none |
| member | all | INTERNAL; PUBLIC while the deployment shares | those they hold a grant on |
| anonymous, sharing on | those with a collection they see | PUBLIC | in such a collection, with a grant to public |
| anonymous, sharing off | none | none | none |

ARCHIVED and WITHDRAWN assets exist for their owners and administrators alone. A membership exists where both its ends
do; a use where both its ends do and the viewer may view the content of the one that uses.

A change that touches only what the viewer may not see is not there. Anonymous visitors see none. For a member a change
exists where its subject is a collection that exists for them, and it touched either no asset or at least one that does;
one of the order alone does not, for what was moved may have passed only what is hidden.
For an administrator every change exists, whether its subject still does or not; a change of an asset only where their
access to it is at least the change's `least_access`.

A job and its items exist for whoever started it.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Select,
    and_,
    case,
    false,
    func,
    literal_column,
    or_,
    select,
    true,
)

from permissions.viewer import Viewer
from store import sql
from store.tables import OWNER_BY_GRANT, AssetAccess, AssetStatus, ChangeAction, CollectionVisibility, PrincipalKind

# The asset at the used end of a visible use; the one that uses it is `sql.asset`.
used_asset = sql.asset.alias("used")

OWNERS_ONLY_STATUSES = (AssetStatus.ARCHIVED, AssetStatus.WITHDRAWN)


def visible(source: FromClause, viewer: Viewer) -> Select[Any]:
    """Return a SELECT of the rows of a table (or an alias of one) that exist for the viewer.

    Assets come with `viewer_access`, so that no field has to ask again, and changes with `subject_access`. Memberships
    and uses are joined to the rows at their ends, which may be named in further conditions.
    """
    table: Any = getattr(source, "element", source)  # an alias has what it stands for
    return _SELECT_BY_TABLE[table.name](source, viewer)


def owned_assets(asset: FromClause, viewer: Viewer) -> Select[Any]:
    """Return a SELECT of the assets that the viewer owns, all of which exist for them; a visitor owns none.

    They are found by the viewer's grants, which are few, and not looked for among all assets.
    """
    if not viewer.is_signed_in:
        return select(*asset.c).where(false())
    held = select(sql.grant.c.asset_pk).where(literal_column(OWNER_BY_GRANT, Integer).in_(viewer.principals))
    return select(*asset.c).where(asset.c.pk.in_(held))


def restrict_to_access(rows: Select[Any], asset: FromClause, viewer: Viewer, least: AssetAccess) -> Select[Any]:
    """Return the visible rows narrowed to assets that the viewer has this access to."""
    return rows.where(access(asset, viewer) >= least.value)


def access(asset: FromClause, viewer: Viewer) -> ColumnElement[int]:
    """Return the viewer's access to an asset: the greatest of their grants, 0 for none."""
    greatest = (
        select(func.max(sql.grant.c.access))
        .where(sql.grant.c.asset_pk == asset.c.pk, sql.grant.c.principal_pk.in_(viewer.principals))
        .correlate(asset)
        .scalar_subquery()
    )
    return func.coalesce(greatest, AssetAccess.DISCOVERABLE.value if viewer.is_admin else 0)


def _assets(asset: FromClause, viewer: Viewer) -> Select[Any]:
    return select(*asset.c, access(asset, viewer).label("viewer_access")).where(asset_exists(asset, viewer))


def asset_exists(asset: FromClause, viewer: Viewer) -> ColumnElement[bool]:
    """Return the condition under which an asset exists for the viewer."""
    if viewer.is_admin:
        return true()
    needed = case(
        (asset.c.status.in_(OWNERS_ONLY_STATUSES), AssetAccess.OWNER.value),
        else_=AssetAccess.DISCOVERABLE.value,
    )
    held = access(asset, viewer) >= needed
    return held if viewer.is_signed_in else and_(_is_in_visible_collection(asset, viewer), held)


def _is_in_visible_collection(asset: FromClause, viewer: Viewer) -> ColumnElement[bool]:
    return (
        select(literal_column("1"))
        .select_from(sql.membership.join(sql.collection, sql.collection.c.pk == sql.membership.c.collection_pk))
        .where(sql.membership.c.asset_pk == asset.c.pk, collection_exists(sql.collection, viewer))
        .correlate(asset)
        .exists()
    )


def _collections(collection: FromClause, viewer: Viewer) -> Select[Any]:
    return select(*collection.c).where(collection_exists(collection, viewer))


def collection_exists(collection: FromClause, viewer: Viewer) -> ColumnElement[bool]:
    """Return the condition under which a collection exists for the viewer."""
    if viewer.is_admin:
        return true()
    if not viewer.is_signed_in:
        return collection.c.visibility == CollectionVisibility.PUBLIC if viewer.public_sharing else false()
    return true() if viewer.public_sharing else collection.c.visibility == CollectionVisibility.INTERNAL


def _topics(topic: FromClause, viewer: Viewer) -> Select[Any]:
    if viewer.is_signed_in:
        return select(*topic.c)
    shown: Select[Any] = (
        select(literal_column("1"))
        .where(sql.collection.c.topic_pk == topic.c.pk, collection_exists(sql.collection, viewer))
        .correlate(topic)
    )
    return select(*topic.c).where(shown.exists())


def _principals(principal: FromClause, viewer: Viewer) -> Select[Any]:
    """Members see one another and the groups; an anonymous visitor sees the owners of what they see."""
    if viewer.is_signed_in:
        return select(*principal.c)
    owned: Select[Any] = (
        select(literal_column("1"))
        .where(sql.asset.c.owner_pk == principal.c.pk, asset_exists(sql.asset, viewer))
        .correlate(principal)
    )
    return select(*principal.c).where(principal.c.kind == PrincipalKind.USER, owned.exists())


def _memberships(membership: FromClause, viewer: Viewer) -> Select[Any]:
    both = membership.join(sql.asset, sql.asset.c.pk == membership.c.asset_pk).join(
        sql.collection, sql.collection.c.pk == membership.c.collection_pk
    )
    return (
        select(*membership.c)
        .select_from(both)
        .where(asset_exists(sql.asset, viewer), collection_exists(sql.collection, viewer))
    )


def _uses(use: FromClause, viewer: Viewer) -> Select[Any]:
    both = use.join(sql.asset, sql.asset.c.pk == use.c.asset_pk).join(used_asset, used_asset.c.pk == use.c.uses_pk)
    return (
        select(*use.c)
        .select_from(both)
        .where(
            access(sql.asset, viewer) >= AssetAccess.VIEWER.value,
            asset_exists(sql.asset, viewer),
            asset_exists(used_asset, viewer),
        )
    )


def _grants(grant: FromClause, viewer: Viewer) -> Select[Any]:
    """The grants of an asset are its owners' to see."""
    return (
        select(*grant.c)
        .select_from(grant.join(sql.asset, sql.asset.c.pk == grant.c.asset_pk))
        .where(access(sql.asset, viewer) >= AssetAccess.OWNER.value)
    )


def _changes(change: FromClause, viewer: Viewer) -> Select[Any]:
    """Changes come with the viewer's access to their subject, 0 where that is no asset."""
    return select(*change.c, _subject_access(change, viewer).label("subject_access")).where(
        change_exists(change, viewer)
    )


def change_exists(change: FromClause, viewer: Viewer) -> ColumnElement[bool]:
    """Return the condition under which a change exists for the viewer."""
    if viewer.is_admin:
        return change.c.least_access <= _subject_access(change, viewer)
    if not viewer.is_signed_in:
        return false()
    return and_(
        change.c.action != ChangeAction.REORDERED,
        _is_about_visible_collection(change, viewer),
        _touches_visible_assets(change, viewer),
    )


def _subject_access(change: FromClause, viewer: Viewer) -> ColumnElement[int]:
    held = (
        select(access(sql.asset, viewer))
        .where(sql.asset.c.id == change.c.subject_id)
        .correlate(change)
        .scalar_subquery()
    )
    return func.coalesce(held, 0)


def _is_about_visible_collection(change: FromClause, viewer: Viewer) -> ColumnElement[bool]:
    return (
        select(literal_column("1"))
        .where(sql.collection.c.id == change.c.subject_id, collection_exists(sql.collection, viewer))
        .correlate(change)
        .exists()
    )


def _touches_visible_assets(change: FromClause, viewer: Viewer) -> ColumnElement[bool]:
    touched = sql.change_asset
    touches: Select[Any] = select(literal_column("1")).where(touched.c.change_pk == change.c.pk)
    seen = touches.join(sql.asset, sql.asset.c.pk == touched.c.asset_pk).where(asset_exists(sql.asset, viewer))
    return or_(~touches.correlate(change).exists(), seen.correlate(change).exists())


def _jobs(job: FromClause, viewer: Viewer) -> Select[Any]:
    """A job is seen by whoever started it."""
    return select(*job.c).where(job.c.user_pk == viewer.user_pk if viewer.is_signed_in else false())


def _job_items(item: FromClause, viewer: Viewer) -> Select[Any]:
    return select(*item.c).where(item.c.job_pk.in_(_jobs(sql.job, viewer).with_only_columns(sql.job.c.pk)))


_SELECT_BY_TABLE: dict[str, Callable[[FromClause, Viewer], Select[Any]]] = {
    "asset": _assets,
    "collection": _collections,
    "topic": _topics,
    "principal": _principals,
    "membership": _memberships,
    "asset_use": _uses,
    "access_grant": _grants,
    "change": _changes,
    "job": _jobs,
    "job_item": _job_items,
}
