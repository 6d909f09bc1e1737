"""Collection graph: pages of flat rows."""

import strawberry

from permissions.directive import DeniedResult, PermissionScope, permission
from permissions.permission import Permission
from resolvers import collection_graph as resolve
from resolvers import membership as resolve_membership
from schema.asset import Asset
from schema.collection import Collection
from schema.connection import PageInfo
from schema.field import field
from schema.scalars import DateTime
from schema.topic import Topic
from schema.user import User

OMITS_HIDDEN_ASSETS = permission(Permission.ASSET_DISCOVER, on=PermissionScope.ITEM, denied=DeniedResult.OMIT)


@strawberry.type(description="A membership: an asset in a collection, by their ids.")
class Membership:
    """A membership: an asset in a collection, by their ids."""

    collection_id: strawberry.ID = field("The collection's id.")
    asset_id: strawberry.ID = field("The asset's id.")
    added_at: DateTime = field("The date and time when the asset was added to the collection.")
    added_by: User | None = field(
        "The user who added the asset; null if a catalogue import added it.", resolver=resolve_membership.added_by
    )
    note: str | None = field("The note on why the asset is in the collection.")


@strawberry.type(description="A use of an asset by another one, which was made from it or runs it, by their ids.")
class AssetUse:
    """A use of an asset by another one, by their ids."""

    asset_id: strawberry.ID = field("The id of the asset that uses the other.")
    uses_asset_id: strawberry.ID = field("The id of the asset that is used.")


@strawberry.type(description="Ids of a membership that was removed.")
class MembershipKey:
    """Ids of a membership that was removed."""

    collection_id: strawberry.ID = field("The collection's id.")
    asset_id: strawberry.ID = field("The asset's id.")


@strawberry.type(description="Ids of a use of an asset that was removed.")
class AssetUseKey:
    """Ids of a use of an asset that was removed."""

    asset_id: strawberry.ID = field("The id of the asset that used the other.")
    uses_asset_id: strawberry.ID = field("The id of the asset that was used.")


@strawberry.type(description="A page of the rows that are visible to the viewer, by kind.")
class CollectionGraph:
    """A page of the rows that are visible to the viewer, by kind."""

    topics: list[Topic] = field("Topics.", resolver=resolve.topics)
    collections: list[Collection] = field("Collections.", resolver=resolve.collections)
    assets: list[Asset] = field("Assets.", OMITS_HIDDEN_ASSETS, resolver=resolve.assets)
    memberships: list[Membership] = field(
        "Memberships, those of a collection in its order. With `since`, all of a collection if one of its memberships"
        " or their order changed.",
        OMITS_HIDDEN_ASSETS,
        resolver=resolve.memberships,
    )
    uses: list[AssetUse] = field(
        "Uses by assets that the viewer has VIEWER access to, of assets that they can see; those of an asset in the"
        " platform's order.",
        permission(Permission.ASSET_VIEW, on=PermissionScope.ITEM, denied=DeniedResult.OMIT),
        resolver=resolve.uses,
    )
    users: list[User] = field(
        "Users. Members only; empty for anonymous visitors.",
        permission(Permission.SIGNED_IN, denied=DeniedResult.OMIT),
        resolver=resolve.users,
    )
    removed_ids: list[strawberry.ID] = field(
        "Ids of topics, collections, assets and users that were visible to the viewer at the time of `since`, and are"
        " deleted or hidden now.",
        resolver=resolve.removed_ids,
    )
    removed_memberships: list[MembershipKey] = field(
        "Memberships that were visible to the viewer at the time of `since`, and are removed or hidden now.",
        resolver=resolve.removed_memberships,
    )
    removed_uses: list[AssetUseKey] = field(
        "Uses that were visible to the viewer at the time of `since`, and are removed or hidden now.",
        resolver=resolve.removed_uses,
    )
    sync_token: str | None = field(
        "The token to pass as `since` the next time; null before the last page. It is valid for 30 days, for the same"
        " viewer.",
        resolver=resolve.sync_token,
    )
    page_info: PageInfo = field(
        "Pagination information: whether there are more pages, and the cursor to request the next one.",
        resolver=resolve.page_info,
    )
