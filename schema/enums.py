"""This file is the enums of the graph, each value described."""

from enum import EnumMeta, StrEnum

import strawberry

from permissions.directive import DeniedResult, PermissionScope
from permissions.permission import Permission
from resolvers.write.bulk import BulkMode, ItemStatus
from resolvers.write.user_error import UserErrorCode
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
)


class OrderDirection(StrEnum):
    """Which end of an order comes first."""

    ASC = "ASC"
    DESC = "DESC"


class CollectionOrderField(StrEnum):
    """What collections are ordered by."""

    POSITION = "POSITION"
    NAME = "NAME"
    UPDATED_AT = "UPDATED_AT"
    ASSET_COUNT = "ASSET_COUNT"


class AssetOrderField(StrEnum):
    """What assets are ordered by."""

    RELEVANCE = "RELEVANCE"
    NAME = "NAME"
    CREATED_AT = "CREATED_AT"
    UPDATED_AT = "UPDATED_AT"


class MembershipOrderField(StrEnum):
    """What a collection's assets are ordered by."""

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
    "What a viewer can be required to hold.",
    SIGNED_IN="The viewer is a member of the deployment.",
    ADMIN="The viewer is an administrator.",
    ASSET_DISCOVER="The asset exists for the viewer: name, description, owner, tags, kind. Held by DISCOVERABLE and"
    " above, and by administrators.",
    ASSET_VIEW="The asset's content: where it lies, how to launch it, its provenance. Held by VIEWER and above.",
    ASSET_OWN="Held by owners alone.",
)
_describe(
    PermissionScope,
    "On what a permission is checked.",
    VIEWER="The viewer, site-wide.",
    PARENT="The object that holds the field.",
    ITEM="Each item that the field returns.",
)
_describe(
    DeniedResult,
    "What a viewer without the permission gets.",
    ERROR="A top-level error, extensions.code FORBIDDEN (UNAUTHENTICATED when not signed in); the field is null.",
    NULL="null and no error: not to be told apart from «there is none».",
    OMIT="The item is absent: from the list, its counts, cursors and order.",
)
_describe(
    AssetKind,
    "The five kinds of asset.",
    CAPSULE="Code with its environment and data, ready to run.",
    PIPELINE="A workflow of several steps.",
    NO_CODE_APP="A release with a user interface, to use without code.",
    DATA_ASSET="Data: a dataset, a result, or several combined.",
    MODEL="A trained model.",
)
_describe(
    AssetStatus,
    "Where an asset is in its life.",
    RELEASED="Released, or ready: may be added to collections.",
    DRAFT="Not yet released, or not ready.",
    ARCHIVED="Put away: shown to its owners and administrators alone.",
    WITHDRAWN="Taken back: shown to its owners and administrators alone.",
    FAILED="Its creation failed.",
)
_describe(
    AssetAccess,
    "An access to an asset, from least to most: each holds all that stand before it.",
    DISCOVERABLE="Existence and metadata.",
    VIEWER="Content as well.",
    EDITOR="May change the asset in the platform.",
    OWNER="May share it, and add it to collections.",
)
_describe(
    AppKind,
    "What a no-code app runs in.",
    APP_PANEL="A panel of parameters.",
    SHINY="Shiny.",
    STREAMLIT="Streamlit.",
    DASH="Dash.",
    UBUNTU="An Ubuntu desktop.",
    IGV="The Integrative Genomics Viewer.",
    OTHER="Anything else.",
)
_describe(
    DataAssetKind,
    "What a data asset holds.",
    DATASET="Data brought in.",
    RESULT="What a run gave.",
    COMBINED="Several data assets in one.",
)
_describe(
    CollectionVisibility,
    "Who sees a collection. It rules the collection, never the assets in it.",
    INTERNAL="For members.",
    PUBLIC="For anyone, once the deployment shares.",
)
_describe(
    ChangeAction,
    "What a change did to its subject.",
    CREATED="It was made.",
    UPDATED="Its fields were changed.",
    DELETED="It was deleted.",
    MERGED="Others were merged into it, and are gone.",
    REORDERED="Its place, or the order of what it holds, was changed.",
    ASSETS_ADDED="Assets were added to it.",
    ASSETS_REMOVED="Assets were taken out of it.",
    ASSETS_MOVED="Assets were taken from one collection to another.",
    SHARED="It was shared with someone, or with a greater or lesser access than before.",
    UNSHARED="It is no longer shared with someone.",
    AWARDED="It was marked a gold standard.",
    REVOKED="It is no longer a gold standard.",
    UNDONE="An earlier change of what it holds was taken back.",
)
_describe(OrderDirection, "Which end of an order comes first.", ASC="The least first.", DESC="The greatest first.")
_describe(
    CollectionOrderField,
    "What collections are ordered by.",
    POSITION="The administrators' order; across topics, topic after topic.",
    NAME="The name, whatever its case.",
    UPDATED_AT="When the collection itself last changed.",
    ASSET_COUNT="How many assets it holds that the viewer may see.",
)
_describe(
    AssetOrderField,
    "What assets are ordered by.",
    RELEVANCE="What matches a query best, then gold standards, then what changed last.",
    NAME="The name, whatever its case.",
    CREATED_AT="When the asset was made.",
    UPDATED_AT="When the asset last changed.",
)
_describe(
    MembershipOrderField,
    "What a collection's assets are ordered by.",
    POSITION="The administrators' order; with descendants, the nearest collection first.",
    ADDED_AT="When the asset was added.",
    NAME="The asset's name, whatever its case.",
    UPDATED_AT="When the asset last changed.",
)
_describe(
    UserErrorCode,
    "What kind of mistake a client can put right.",
    INVALID="The value is not of the form it must have, or makes no sense here.",
    REQUIRED="Something must be given.",
    TOO_LONG="A text is longer than allowed.",
    TAKEN="Another has this name or slug.",
    NOT_FOUND="There is no such object, or the viewer may not see it.",
    FORBIDDEN="The viewer may see it, but not do this.",
    NOT_OWNER="Only owners of the asset may do this.",
    NOT_ELIGIBLE="The asset is in no state to be added.",
    CONFLICT="It was changed meanwhile.",
    NOT_EMPTY="It still holds something.",
    CYCLE="A collection cannot be below itself.",
    LIMIT_EXCEEDED="More than is allowed at once.",
    IDEMPOTENCY_MISMATCH="The key was used for something else within the last day.",
)
_describe(
    BulkMode,
    "What a failed item means for the others.",
    ATOMIC="One failed item and nothing is changed.",
    BEST_EFFORT="Each item stands for itself.",
)
_describe(
    ItemStatus,
    "What became of an item.",
    CHANGED="It was changed.",
    UNCHANGED="It was already as asked for.",
    FAILED="It could not be changed; its error tells why.",
    ROLLED_BACK="It could have been changed, but another item failed and the mode is ATOMIC.",
)
_describe(
    JobKind,
    "What a job does.",
    ASSETS_ADD="Puts assets into a collection.",
    ASSETS_REMOVE="Takes assets out of a collection.",
    ASSETS_MOVE="Moves assets from one collection to another.",
)
_describe(
    JobStatus,
    "Where a job is.",
    QUEUED="It has not begun.",
    RUNNING="It is under way.",
    SUCCEEDED="It has ended, and no item failed.",
    PARTIALLY_FAILED="It has ended, and some items failed.",
    FAILED="It has ended and changed nothing, or could not go on.",
    CANCELLED="It was cancelled; what it had done stays done.",
)

__all__ = [
    "AppKind",
    "AssetAccess",
    "AssetKind",
    "AssetOrderField",
    "AssetStatus",
    "BulkMode",
    "ChangeAction",
    "CollectionOrderField",
    "CollectionVisibility",
    "DataAssetKind",
    "DeniedResult",
    "ItemStatus",
    "JobKind",
    "JobStatus",
    "MembershipOrderField",
    "OrderDirection",
    "Permission",
    "PermissionScope",
    "UserErrorCode",
]
