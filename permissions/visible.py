"""Rules of visibility in SQL: `visible` selects the rows that exist for a viewer, and every read starts there.

| viewer | topics | collections | assets |
|---|---|---|---|
| administrator | all | all | all, with the access of their grants or else DISCOVERABLE |
| member | all | INTERNAL; PUBLIC while sharing is on | those that they hold a grant on |
| anonymous, sharing on | those of visible collections | PUBLIC | those granted to public, in a visible collection |
| anonymous, sharing off | none | none | none |

"Sharing" is the deployment's `public_sharing`. The operator, the viewer of `atoll export`, sees all that administrators
do, with the access OWNER to each asset.

ARCHIVED and WITHDRAWN assets are visible to their owners and administrators only. A membership is visible if its asset
and its collection are. A use is visible if both of its assets are and the viewer has VIEWER access to the asset that
uses the other.

Administrators see all changes, including those of deleted objects and of grants, except changes of an asset's content
if their access to it is below the change's `least_access`. Members see the changes of assets that they own, and those
of visible collections; of a change of members only if it affected at least one visible asset. The changes of a deleted
collection are visible to the members who would see it if it existed as it was then. REORDERED changes are hidden from
members, because a visible asset may have moved past hidden ones only. Anonymous visitors see no changes.

Grants on an asset are visible to its owners and to administrators.

The former place of a topic or collection is visible if the object is. That of a deleted one is visible to those who
would see it if it existed as it was then; a topic, which was empty when it was deleted, to members only.

A job, its items and its file are visible to the user who started it; an API token, unless it is revoked, to its user; a
stored pull to its user, and those of visitors to all visitors. The members of a group are visible to each of them and
to administrators.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    and_,
    bindparam,
    false,
    func,
    literal_column,
    or_,
    select,
    true,
)

from permissions.viewer import PRINCIPALS_PARAMETER, USER_PARAMETER, Viewer
from store import sql
from store.tables import OWNER_BY_GRANT, AssetAccess, AssetStatus, ChangeAction, CollectionVisibility, PrincipalKind

# In a SELECT of uses, the asset that is used; the asset that uses it is `sql.asset`.
used_asset = sql.asset.alias("used")

OWNERS_ONLY_STATUSES = (AssetStatus.ARCHIVED, AssetStatus.WITHDRAWN)


MEMBER_ACTIONS = (
    ChangeAction.ASSETS_ADDED,
    ChangeAction.ASSETS_REMOVED,
    ChangeAction.ASSETS_MOVED,
    ChangeAction.UNDONE,
)
"""Actions of changes of a collection's members."""


def visible(source: FromClause, viewer: Viewer) -> Select[Any]:
    """Return a SELECT of the rows of a table, or of an alias of it, that are visible to the viewer.

    A SELECT of assets has the additional column `viewer_access`, so that no field computes it again; one of changes
    has `subject_access`. Memberships and uses are joined to the tables they refer to, for use in further conditions.
    """
    table: Any = getattr(source, "element", source)  # the table of an alias
    return _SELECT_BY_TABLE[table.name](source, viewer)


def owned_assets(asset: FromClause, viewer: Viewer) -> Select[Any]:
    """Return a SELECT of the assets that the viewer owns, all of which are visible; an anonymous visitor owns none.

    It starts from the viewer's grants, which are few, instead of filtering all assets.
    """
    if not viewer.is_signed_in:
        return select(*asset.c).where(false())
    owned = select(sql.grant.c.asset_pk).where(_is_held(literal_column(OWNER_BY_GRANT, Integer), viewer))
    return select(*asset.c).where(asset.c.pk.in_(owned))


def restrict_to_access(rows: Select[Any], asset: FromClause, viewer: Viewer, required: AssetAccess) -> Select[Any]:
    """Restrict a SELECT of visible rows to assets that the viewer has at least the required access to."""
    return rows.where(has_access(asset, viewer, required))


def access(asset: FromClause, viewer: Viewer) -> ColumnElement[int]:
    """Return the viewer's access to an asset: the highest of their grants, or else 0 (administrators: DISCOVERABLE)."""
    if viewer.is_operator:
        return literal_column(str(AssetAccess.OWNER.value), Integer)
    highest = (
        select(func.max(sql.grant.c.access))
        .where(sql.grant.c.asset_pk == asset.c.pk, _is_held(sql.grant.c.principal_pk, viewer))
        .correlate(asset)
        .scalar_subquery()
    )
    return func.coalesce(highest, AssetAccess.DISCOVERABLE.value if viewer.is_admin else 0)


def has_access(asset: FromClause, viewer: Viewer, required: AssetAccess) -> ColumnElement[bool]:
    """Return the condition that the viewer has at least the required access to a visible asset."""
    if required is AssetAccess.DISCOVERABLE or viewer.is_operator:
        return true()  # every visible asset is discoverable
    return _holds_grant(asset, viewer, sql.grant.c.access >= required.value)


def _holds_grant(asset: FromClause, viewer: Viewer, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the condition that the viewer holds a grant on the asset that meets the conditions: one is enough."""
    return (
        select(literal_column("1"))
        .where(sql.grant.c.asset_pk == asset.c.pk, _is_held(sql.grant.c.principal_pk, viewer), *conditions)
        .correlate(asset)
        .exists()
    )


def _is_held(principal_pk: ColumnElement[int], viewer: Viewer) -> ColumnElement[bool]:
    """Return the condition that the principal is one of those whose grants the viewer has."""
    return sql.is_one_of(principal_pk, PRINCIPALS_PARAMETER, viewer.principals)


def _assets(asset: FromClause, viewer: Viewer) -> Select[Any]:
    return select(*asset.c, access(asset, viewer).label("viewer_access")).where(asset_exists(asset, viewer))


def asset_exists(asset: FromClause, viewer: Viewer) -> ColumnElement[bool]:
    """Return the condition that an asset is visible to the viewer."""
    if viewer.is_admin:
        return true()
    suffices = or_(sql.grant.c.access >= AssetAccess.OWNER.value, asset.c.status.not_in(OWNERS_ONLY_STATUSES))
    is_granted = _holds_grant(asset, viewer, suffices)
    return is_granted if viewer.is_signed_in else and_(_is_in_visible_collection(asset, viewer), is_granted)


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
    """Return the condition that a collection is visible to the viewer."""
    if viewer.is_admin:
        return true()
    if not viewer.is_signed_in:
        return collection.c.visibility == CollectionVisibility.PUBLIC if viewer.public_sharing else false()
    return true() if viewer.public_sharing else collection.c.visibility == CollectionVisibility.INTERNAL


def _topics(topic: FromClause, viewer: Viewer) -> Select[Any]:
    if viewer.is_signed_in:
        return select(*topic.c)
    has_visible_collection: Select[Any] = (
        select(literal_column("1"))
        .where(sql.collection.c.topic_pk == topic.c.pk, collection_exists(sql.collection, viewer))
        .correlate(topic)
    )
    return select(*topic.c).where(has_visible_collection.exists())


def _principals(principal: FromClause, viewer: Viewer) -> Select[Any]:
    """Return all users and groups for members, and the owners of visible assets for an anonymous visitor."""
    if viewer.is_signed_in:
        return select(*principal.c)
    owned: Select[Any] = (
        select(literal_column("1"))
        .where(sql.asset.c.owner_pk == principal.c.pk, asset_exists(sql.asset, viewer))
        .correlate(principal)
    )
    return select(*principal.c).where(principal.c.kind == PrincipalKind.USER, owned.exists())


def _group_members(member: FromClause, viewer: Viewer) -> Select[Any]:
    """Return the members of the groups that the viewer is in; those of all groups for administrators."""
    return select(*member.c).where(true() if viewer.is_admin else _is_held(member.c.group_pk, viewer))


def _memberships(membership: FromClause, viewer: Viewer) -> Select[Any]:
    joined = membership.join(sql.asset, sql.asset.c.pk == membership.c.asset_pk).join(
        sql.collection, sql.collection.c.pk == membership.c.collection_pk
    )
    return (
        select(*membership.c)
        .select_from(joined)
        .where(asset_exists(sql.asset, viewer), collection_exists(sql.collection, viewer))
    )


def _uses(use: FromClause, viewer: Viewer) -> Select[Any]:
    joined = use.join(sql.asset, sql.asset.c.pk == use.c.asset_pk).join(used_asset, used_asset.c.pk == use.c.uses_pk)
    return (
        select(*use.c)
        .select_from(joined)
        .where(
            has_access(sql.asset, viewer, AssetAccess.VIEWER),
            asset_exists(sql.asset, viewer),
            asset_exists(used_asset, viewer),
        )
    )


def _grants(grant: FromClause, viewer: Viewer) -> Select[Any]:
    """Return the grants on the assets that the viewer owns; for an administrator, on all assets."""
    return (
        select(*grant.c)
        .select_from(grant.join(sql.asset, sql.asset.c.pk == grant.c.asset_pk))
        .where(true() if viewer.is_admin else has_access(sql.asset, viewer, AssetAccess.OWNER))
    )


def _changes(change: FromClause, viewer: Viewer) -> Select[Any]:
    """Return changes with the viewer's access to their subject, 0 if it is not an asset, as `subject_access`."""
    return select(*change.c, _subject_access(change, viewer).label("subject_access")).where(
        change_exists(change, viewer)
    )


def change_exists(change: FromClause, viewer: Viewer) -> ColumnElement[bool]:
    """Return the condition that a change is visible to the viewer."""
    if viewer.is_admin:
        is_about_grants = change.c.least_access == AssetAccess.OWNER.value
        return or_(is_about_grants, change.c.least_access <= _subject_access(change, viewer))
    if not viewer.is_signed_in:
        return false()
    return and_(
        change.c.action != ChangeAction.REORDERED,
        or_(
            _is_about_visible_collection(change, viewer),
            _is_about_deleted_collection(change, viewer),
            _is_about_owned_asset(change, viewer),
        ),
        _touches_visible_assets(change, viewer),
    )


def _subject_access(change: FromClause, viewer: Viewer) -> ColumnElement[int]:
    subject_access = (
        select(access(sql.asset, viewer))
        .where(sql.asset.c.id == change.c.subject_id)
        .correlate(change)
        .scalar_subquery()
    )
    return func.coalesce(subject_access, 0)


def _is_about_visible_collection(change: FromClause, viewer: Viewer) -> ColumnElement[bool]:
    return (
        select(literal_column("1"))
        .where(sql.collection.c.id == change.c.subject_id, collection_exists(sql.collection, viewer))
        .correlate(change)
        .exists()
    )


def _is_about_deleted_collection(change: FromClause, viewer: Viewer) -> ColumnElement[bool]:
    """Return the condition that the subject is deleted, and would be visible to the member if it existed as it was."""
    deletion = sql.change.alias("deletion")
    visibility = (
        select(deletion.c.deleted_visibility)
        .where(deletion.c.subject_id == change.c.subject_id, deletion.c.action == ChangeAction.DELETED)
        .order_by(deletion.c.pk.desc())
        .limit(1)
        .correlate(change)
        .scalar_subquery()
    )
    existing: Select[Any] = select(literal_column("1")).where(sql.collection.c.id == change.c.subject_id)
    was_visible = visibility.is_not(None) if viewer.public_sharing else visibility == CollectionVisibility.INTERNAL
    return and_(~existing.correlate(change).exists(), was_visible)


def _is_about_owned_asset(change: FromClause, viewer: Viewer) -> ColumnElement[bool]:
    asset = sql.asset.alias("changed_asset")
    is_owned = has_access(asset, viewer, AssetAccess.OWNER)
    return select(literal_column("1")).where(asset.c.id == change.c.subject_id, is_owned).correlate(change).exists()


def _touches_visible_assets(change: FromClause, viewer: Viewer) -> ColumnElement[bool]:
    """Return the condition that a change is not one of members, or affected a visible one.

    Other changes may have members too: those of a collection that was deleted. A change of these is visible whether or
    not a viewer sees any of them.
    """
    change_asset = sql.change_asset
    visible_ones: Select[Any] = (
        select(literal_column("1"))
        .where(change_asset.c.change_pk == change.c.pk)
        .join(sql.asset, sql.asset.c.pk == change_asset.c.asset_pk)
        .where(asset_exists(sql.asset, viewer))
    )
    return or_(change.c.action.not_in(MEMBER_ACTIONS), visible_ones.correlate(change).exists())


def _former_places(place: FromClause, viewer: Viewer) -> Select[Any]:
    """Return the former places of visible rows, and of deleted ones that the viewer saw."""
    topic, collection, within = sql.topic.alias(), sql.collection.alias(), sql.former_place.alias()
    is_topic = place.c.kind == sql.topic.name
    visible_topics = _topics(topic, viewer).with_only_columns(topic.c.id)
    visible_collections = _collections(collection, viewer).with_only_columns(collection.c.id)
    was_visible = and_(
        place.c.id.not_in(select(sql.collection.c.id)),
        collection_exists(place, viewer),
    )
    had_visible_collection = (
        select(literal_column("1"))
        .where(within.c.topic_pk == place.c.row_pk, collection_exists(within, viewer))
        .correlate(place)
        .exists()
    )
    was_visible_topic = and_(place.c.id.not_in(select(sql.topic.c.id)), had_visible_collection)
    return select(*place.c).where(
        or_(
            and_(is_topic, true() if viewer.is_signed_in else or_(place.c.id.in_(visible_topics), was_visible_topic)),
            and_(~is_topic, or_(place.c.id.in_(visible_collections), was_visible)),
        )
    )


def _jobs(job: FromClause, viewer: Viewer) -> Select[Any]:
    """Return the jobs that the viewer started."""
    return select(*job.c).where(job.c.user_pk == user_parameter(viewer) if viewer.is_signed_in else false())


def user_parameter(viewer: Viewer) -> ColumnElement[int | None]:
    """Return the parameter that has the pk of the viewer's user."""
    return bindparam(USER_PARAMETER, viewer.user_pk, BigInteger())


def _job_items(item: FromClause, viewer: Viewer) -> Select[Any]:
    return select(*item.c).where(item.c.job_pk.in_(_jobs(sql.job, viewer).with_only_columns(sql.job.c.pk)))


def _export_files(file: FromClause, viewer: Viewer) -> Select[Any]:
    """Return the files of the viewer's exports, whether or not they still have the access that these rely on."""
    return select(*file.c).where(file.c.user_pk == user_parameter(viewer) if viewer.is_signed_in else false())


def _api_tokens(token: FromClause, viewer: Viewer) -> Select[Any]:
    """Return the viewer's own tokens, without their digests."""
    columns = [column for column in token.c if column.name != "digest"]
    is_own = token.c.user_pk == user_parameter(viewer) if viewer.is_signed_in else false()
    return select(*columns).where(is_own, token.c.revoked_at.is_(None))


def _pulls(pull: FromClause, viewer: Viewer) -> Select[Any]:
    """Return the viewer's own pulls, or those of all visitors."""
    is_own = pull.c.user_pk == user_parameter(viewer) if viewer.is_signed_in else pull.c.user_pk.is_(None)
    return select(*pull.c).where(is_own)


def _imported_lines(line: FromClause, viewer: Viewer) -> Select[Any]:
    """Return all lines for the operator, who imports the files; none for others."""
    return select(*line.c).where(true() if viewer.is_operator else false())


_SELECT_BY_TABLE: dict[str, Callable[[FromClause, Viewer], Select[Any]]] = {
    "api_token": _api_tokens,
    "asset": _assets,
    "collection": _collections,
    "topic": _topics,
    "principal": _principals,
    "membership": _memberships,
    "asset_use": _uses,
    "access_grant": _grants,
    "group_member": _group_members,
    "change": _changes,
    "export_file": _export_files,
    "former_place": _former_places,
    "job": _jobs,
    "job_item": _job_items,
    "imported_line": _imported_lines,
    "pull": _pulls,
}
