"""Enums of the schema, with a description for each value."""

from enum import EnumMeta, StrEnum

import strawberry

from permissions.directive import DeniedResult, PermissionScope
from permissions.permission import Permission
from resolvers.export.file_format import ExportFormat
from resolvers.pull.part import GraphPart
from resolvers.write.bulk import BulkMode, ItemStatus
from resolvers.write.sharing_effect import Audience
from resolvers.write.user_error import UserErrorCode
from store.subject_type import SubjectType
from store.tables import (
    AppKind,
    AssetAccess,
    AssetKind,
    AssetStatus,
    ChangeAction,
    CollectionVisibility,
    DataAssetKind,
    JobKind,
    JobStatus,
    PrincipalSource,
)


class OrderDirection(StrEnum):
    """Direction of a sort order."""

    ASC = "ASC"
    DESC = "DESC"


class CollectionOrderField(StrEnum):
    """Field that a list of collections is sorted by."""

    POSITION = "POSITION"
    NAME = "NAME"
    UPDATED_AT = "UPDATED_AT"
    ASSET_COUNT = "ASSET_COUNT"


class AssetOrderField(StrEnum):
    """Field that a list of assets is sorted by."""

    RELEVANCE = "RELEVANCE"
    NAME = "NAME"
    CREATED_AT = "CREATED_AT"
    UPDATED_AT = "UPDATED_AT"


class MembershipOrderField(StrEnum):
    """Field that a collection's assets are sorted by."""

    POSITION = "POSITION"
    ADDED_AT = "ADDED_AT"
    NAME = "NAME"
    UPDATED_AT = "UPDATED_AT"


def _describe(enum: EnumMeta, description: str, **values: str) -> None:
    strawberry.enum(enum, description=description)
    for value in enum.__strawberry_definition__.values:  # type: ignore[attr-defined]  # set by the line above
        value.description = values[value.name]


_describe(
    Permission,
    "Permission that a field or mutation requires of the viewer.",
    SIGNED_IN="The viewer is signed in as a member.",
    ADMIN="The viewer is an administrator.",
    ASSET_DISCOVER="The viewer may see that the asset exists, and its metadata: name, description, owner, tags,"
    " kind. Held with DISCOVERABLE access or higher, and by administrators.",
    ASSET_VIEW="The viewer may see the asset's content: where it is stored, how to launch it, its provenance."
    " Held with VIEWER access or higher.",
    ASSET_OWN="The viewer owns the asset: OWNER access.",
    ASSET_GRANTS_VIEW="The viewer may see by which grants the asset is shared, and the changes of these. Held by owners"
    " of the asset and by administrators.",
    GROUP_MEMBER="The viewer is a member of the group, or an administrator.",
)
_describe(
    PermissionScope,
    "Object that a permission is checked on.",
    VIEWER="The viewer, independent of any object.",
    PARENT="The object that has the field.",
    ITEM="Each object that the field returns, or that the mutation changes.",
)
_describe(
    DeniedResult,
    "Result for a viewer without the permission.",
    ERROR="An error with `extensions.code` FORBIDDEN (UNAUTHENTICATED if not signed in); the field is null.",
    NULL="Null without an error, indistinguishable from a missing value.",
    OMIT="The item is omitted: from the list, its counts, cursors and order.",
)
_describe(
    AssetKind,
    "Kind of an asset.",
    CAPSULE="Code with its environment and data, ready to run.",
    PIPELINE="A workflow of several steps.",
    NO_CODE_APP="A capsule or pipeline with a user interface, for use without code.",
    DATA_ASSET="Data: a dataset, a result, or a combination of several.",
    MODEL="A trained model.",
)
_describe(
    AssetStatus,
    "Status of an asset.",
    RELEASED="Released, or ready for use. The asset can be added to collections.",
    DRAFT="Not released, or not ready for use.",
    ARCHIVED="Archived: visible only to its owners and administrators.",
    WITHDRAWN="Withdrawn: visible only to its owners and administrators.",
    FAILED="The asset's creation failed.",
)
_describe(
    AssetAccess,
    "Access level to an asset, in ascending order. Each level includes those before it.",
    DISCOVERABLE="See that the asset exists, and its metadata.",
    VIEWER="See the asset's content.",
    EDITOR="Edit the asset in the platform.",
    OWNER="Share the asset, and add it to collections.",
)
_describe(
    AppKind,
    "Environment that a no-code app runs in.",
    APP_PANEL="A panel of parameters.",
    SHINY="A Shiny app.",
    STREAMLIT="A Streamlit app.",
    DASH="A Dash app.",
    UBUNTU="An Ubuntu desktop.",
    IGV="The Integrative Genomics Viewer.",
    OTHER="Another environment.",
)
_describe(
    DataAssetKind,
    "Kind of a data asset.",
    DATASET="Imported data.",
    RESULT="The result of a run.",
    COMBINED="A combination of several data assets.",
)
_describe(
    CollectionVisibility,
    "Visibility of a collection. It does not change access to the collection's assets.",
    INTERNAL="Visible to members.",
    PUBLIC="Published: visible to anyone while public sharing is on, and only to administrators while it is off.",
)
_describe(
    ChangeAction,
    "Kind of a change.",
    CREATED="The object was created.",
    UPDATED="Fields of the object were changed: it was renamed, edited or published, for example.",
    DELETED="The object was deleted.",
    MERGED="Other topics were merged into the topic, and deleted.",
    REORDERED="The object was moved among its siblings, or its assets were reordered.",
    ASSETS_ADDED="Assets were added to the collection.",
    ASSETS_REMOVED="Assets were removed from the collection.",
    ASSETS_MOVED="Assets were moved from one collection to another.",
    ASSETS_TRANSFERRED="All assets of the user were handed over to another user, or handed back by an undo.",
    SHARED="The asset was shared with a principal, or the principal's access was changed.",
    UNSHARED="The asset was unshared: a principal's grant was revoked.",
    AWARDED="The asset was marked as a gold standard.",
    REVOKED="The asset's gold standard award was revoked.",
    UNDONE="An earlier change of the collection's assets was undone.",
)
_describe(
    PrincipalSource,
    "Source of a user or group: the only one that writes it.",
    CATALOGUE="A catalogue file that was imported.",
    OIDC="Sign-in by OpenID Connect: the claims of the user's tokens.",
    SCIM="Provisioning by an identity provider (SCIM 2.0).",
    MANUAL="Administrators, by mutations.",
)
_describe(
    OrderDirection,
    "Direction of a sort order.",
    ASC="Ascending: the lowest value first.",
    DESC="Descending: the highest value first.",
)
_describe(
    CollectionOrderField,
    "Field that a list of collections is sorted by.",
    POSITION="The administrators' order; across topics, by topic first.",
    NAME="The name: numbers by their value, ignoring case and accents.",
    UPDATED_AT="When the collection itself was last updated.",
    ASSET_COUNT="The number of its assets that are visible to the viewer.",
)
_describe(
    AssetOrderField,
    "Field that a list of assets is sorted by.",
    RELEVANCE="The best matches of a search query, then gold standards, then the most recently updated.",
    NAME="The name: numbers by their value, ignoring case and accents.",
    CREATED_AT="When the asset was created.",
    UPDATED_AT="When the asset was last updated.",
)
_describe(
    MembershipOrderField,
    "Field that a collection's assets are sorted by.",
    POSITION="The administrators' order; with descendants, the nearest collection first.",
    ADDED_AT="When the asset was added to the collection.",
    NAME="The asset's name: numbers by their value, ignoring case and accents.",
    UPDATED_AT="When the asset was last updated.",
)
_describe(
    GraphPart,
    "Part of `collectionGraph`.",
    TOPICS="The topics.",
    COLLECTIONS="The collections.",
    ASSETS="The assets.",
    MEMBERSHIPS="The memberships: which collection contains which assets.",
    USES="The uses of assets by other assets (provenance, dependencies).",
    USERS="The users; none for anonymous visitors.",
)
_describe(
    SubjectType,
    "Type of the object that a change is of.",
    TOPIC="A topic.",
    COLLECTION="A collection.",
    ASSET="An asset of any kind.",
    USER="A user.",
    GROUP="A group of users.",
    DEPLOYMENT="The deployment and its settings.",
)
_describe(
    UserErrorCode,
    "Code of an error in the input that the client can correct.",
    INVALID="The value is malformed, or not applicable here.",
    REQUIRED="A required value is missing.",
    TOO_LONG="A text is longer than allowed.",
    TAKEN="The name, slug or id is already in use.",
    NOT_FOUND="The object does not exist, or is hidden from the viewer.",
    NOT_OWNER="Only owners of the asset are allowed to do this.",
    NOT_ELIGIBLE="The asset's status does not allow it to be added to a collection.",
    CONFLICT="The object was changed in the meantime.",
    NOT_EMPTY="The topic still has collections.",
    CYCLE="A collection cannot be its own ancestor.",
    LIMIT_EXCEEDED="A limit is exceeded.",
    IDEMPOTENCY_MISMATCH="The idempotency key was used with a different input within the last 24 hours.",
    OTHER_SOURCE="The user or group belongs to another source, which alone may write it.",
    LAST_ADMINISTRATOR="The last active administrator can neither be demoted nor deactivated.",
    UNAVAILABLE="The server is not set up for it, or its disk is full. Only in jobs.",
)
_describe(
    BulkMode,
    "Effect of a failed item on the others.",
    ATOMIC="All or nothing: if one item fails, nothing is changed.",
    BEST_EFFORT="Each item is applied on its own, whether or not others fail.",
)
_describe(
    ItemStatus,
    "Status of an item of a bulk mutation.",
    CHANGED="The item was changed.",
    UNCHANGED="The item was already in the requested state: a success.",
    FAILED="The item could not be changed; see its error.",
    ROLLED_BACK="The item was not changed, because another item failed in ATOMIC mode.",
)
_describe(
    JobKind,
    "Bulk mutation that a job runs.",
    ASSETS_ADD="Adds assets to a collection.",
    ASSETS_REMOVE="Removes assets from a collection.",
    ASSETS_MOVE="Moves assets from one collection to another.",
    CHANGES_UNDO="Undoes the changes of another job.",
    EXPORT="Writes a file of all that the viewer sees, or of some collections.",
    ASSETS_TRANSFER="Hands all assets of one user over to another.",
)
_describe(
    JobStatus,
    "Status of a job.",
    QUEUED="Waiting to start.",
    RUNNING="In progress.",
    SUCCEEDED="Finished, and no item failed.",
    PARTIALLY_FAILED="Finished, and some items failed.",
    FAILED="Finished without any change, or stopped by an error.",
    CANCELLED="Cancelled. Changes that were already made are kept.",
)
_describe(
    ExportFormat,
    "Format of an export.",
    JSONL="JSON Lines, a catalogue file that can be imported.",
    CSV="A ZIP file with a CSV file for each table, for spreadsheets: a text that begins like a formula has an"
    " apostrophe in front.",
    PARQUET="A ZIP file with a Parquet file for each table, with typed columns.",
    GRAPHML="A GraphML file with nodes and edges, for NetworkX and Gephi.",
)
_describe(
    GraphPart,
    "Part of the graph of topics, collections and assets.",
    TOPICS="Topics.",
    COLLECTIONS="Collections.",
    ASSETS="Assets.",
    MEMBERSHIPS="Assets in collections, in order.",
    USES="Uses of assets by other assets.",
    USERS="Users. In an export, groups as well.",
)
_describe(
    Audience,
    "Viewers affected by public sharing.",
    ANONYMOUS="Anonymous visitors.",
    MEMBERS="Members who are not administrators.",
)

__all__ = [
    "AppKind",
    "AssetAccess",
    "AssetKind",
    "AssetOrderField",
    "AssetStatus",
    "Audience",
    "BulkMode",
    "ChangeAction",
    "CollectionOrderField",
    "CollectionVisibility",
    "DataAssetKind",
    "DeniedResult",
    "ExportFormat",
    "GraphPart",
    "ItemStatus",
    "JobKind",
    "JobStatus",
    "MembershipOrderField",
    "OrderDirection",
    "Permission",
    "PermissionScope",
    "PrincipalSource",
    "SubjectType",
    "UserErrorCode",
]
