"""Assets: the interface of all kinds, and a type for each kind."""

from typing import TYPE_CHECKING, Annotated

import strawberry

from permissions.directive import DeniedResult, PermissionScope, permission
from permissions.permission import Permission
from resolvers import asset as resolve
from schema.connection import edges_field, nodes_field
from schema.enums import AppKind, AssetAccess, AssetKind, AssetStatus, DataAssetKind
from schema.facet import FacetedConnection
from schema.field import argument, field, forward_arguments
from schema.node import Node, match_rows
from schema.scalars import DateTime, Long, Url
from schema.user import Group, User

if TYPE_CHECKING:
    from schema.asset_collection import AssetCollectionConnection

REQUIRES_VIEWER = permission(Permission.ASSET_VIEW, on=PermissionScope.PARENT, denied=DeniedResult.NULL)
REQUIRES_GRANTS_VIEW = permission(Permission.ASSET_GRANTS_VIEW, on=PermissionScope.PARENT, denied=DeniedResult.NULL)

LazyAssetConnection = Annotated["AssetConnection", strawberry.lazy("schema.asset")]


@strawberry.type(description="Gold standard award: an administrator marked the asset as exemplary.")
class GoldStandard:
    """Gold standard award: an administrator marked the asset as exemplary."""

    awarded_at: DateTime = field("The date and time when the award was given.")
    awarded_by: User | None = field("The administrator who gave the award.", resolver=resolve.awarded_by)
    note: str | None = field("The reason for the award.")


@strawberry.type(description="A fact about an asset in the platform that no other field has, such as its creators.")
class AssetProperty:
    """A fact about an asset that no other field has."""

    name: str = field("The property's name.")
    values: list[str] = field("The property's values, in the platform's order.")


@strawberry.type(description="All members of the deployment, as a principal of grants.")
class Everyone:
    """All members, as a principal."""

    is_type_of = match_rows("everyone")
    label: str = field('The display name, "Everyone".', resolver=resolve.label)


@strawberry.type(description="Anyone, including anonymous visitors, as a principal of grants.")
class Public:
    """Anyone, as a principal."""

    is_type_of = match_rows("public")
    label: str = field('The display name, "Public".', resolver=resolve.label)


Principal = Annotated[
    User | Group | Everyone | Public,
    strawberry.union(
        "Principal", description="A holder of grants: a user, a group, everyone (all members) or public (anyone)."
    ),
]


@strawberry.type(
    description="A principal's access to an asset. To share an asset is to grant access; to unshare it is to"
    " revoke the grant."
)
class Grant:
    """A principal's access to an asset."""

    principal: Principal = field("The principal that holds the access.", resolver=resolve.principal)
    access: AssetAccess = field("The access level.")


@strawberry.interface(description="Fields shared by all kinds of asset.")
class AssetFields(Node):
    """Fields shared by all kinds of asset."""

    external_id: str = field("The asset's id in the platform.")
    kind: AssetKind = field("The asset's kind.")
    status: AssetStatus = field("The asset's status.")
    name: str = field("The asset's name. It need not be unique.")
    description: str | None = field("The asset's description.")
    owner: User | None = field("The asset's owner in the platform.", resolver=resolve.owner)
    tags: list[str] = field("The asset's tags, in the platform's order.")
    properties: list[AssetProperty] = field(
        "The asset's properties: facts of the platform that no other field has. They are not searched.",
        resolver=resolve.properties,
    )
    license: str | None = field("The asset's licence.")
    doi: str | None = field("The asset's digital object identifier (DOI), without the prefix https://doi.org/.")
    version: str | None = field("The version of the newest release, as major.minor.")
    created_at: DateTime = field("The date and time when the asset was created.")
    updated_at: DateTime = field("The date and time when the asset was last updated.")
    gold_standard: GoldStandard | None = field(
        "The asset's gold standard award; null if it has none.", resolver=resolve.gold_standard
    )
    viewer_access: AssetAccess = field("The viewer's access to the asset.")
    collections: Annotated["AssetCollectionConnection", strawberry.lazy("schema.asset_collection")] = field(
        "The collections that contain the asset and are visible to the viewer, by name.",
        resolver=resolve.collections,
        arguments=forward_arguments(),
    )
    is_in: bool | None = field(
        "Whether the collection contains the asset; null if the collection does not exist or is hidden from the"
        " viewer.",
        resolver=resolve.is_in,
        arguments={"collection_id": argument(strawberry.ID, "The collection's id.")},
    )
    uses: LazyAssetConnection = field(
        "The assets that this asset was made from or runs (its provenance), in the platform's order."
        " Empty without VIEWER access to this asset; assets hidden from the viewer are omitted.",
        permission(Permission.ASSET_DISCOVER, on=PermissionScope.ITEM, denied=DeniedResult.OMIT),
        permission(Permission.ASSET_VIEW, on=PermissionScope.PARENT, denied=DeniedResult.OMIT),
        resolver=resolve.uses,
        arguments=forward_arguments(),
    )
    used_by: LazyAssetConnection = field(
        "The assets that were made from this asset or run it, by name. Only assets that the viewer has"
        " VIEWER access to are listed.",
        permission(Permission.ASSET_VIEW, on=PermissionScope.ITEM, denied=DeniedResult.OMIT),
        resolver=resolve.used_by,
        arguments=forward_arguments(),
    )
    url: Url | None = field(
        "The address that opens the asset in the platform; null without VIEWER access.", REQUIRES_VIEWER
    )
    grants: list[Grant] | None = field(
        "The grants by which the asset is shared, highest access first, then by name; null for viewers"
        " who are neither owners nor administrators.",
        REQUIRES_GRANTS_VIEW,
        resolver=resolve.grants,
    )


@strawberry.type(description="Code with its environment and data, ready to run.")
class Capsule(AssetFields):
    """Code with its environment and data, ready to run."""

    is_type_of = match_rows("ast", AssetKind.CAPSULE)
    language: str | None = field("The capsule's programming language.")


@strawberry.type(description="A workflow of several steps.")
class Pipeline(AssetFields):
    """A workflow of several steps."""

    is_type_of = match_rows("ast", AssetKind.PIPELINE)
    language: str | None = field("The pipeline's workflow language.")
    step_count: int | None = field("The number of the pipeline's steps.")


@strawberry.type(description="A capsule or pipeline with a user interface, for use without code.")
class NoCodeApp(AssetFields):
    """A capsule or pipeline with a user interface."""

    is_type_of = match_rows("ast", AssetKind.NO_CODE_APP)
    app_kind: AppKind = field("The environment that the app runs in.")
    release: Annotated["Asset", strawberry.lazy("schema.asset")] | None = field(
        "The capsule or pipeline that the app runs: the first one in `uses`.",
        permission(Permission.ASSET_DISCOVER, on=PermissionScope.ITEM, denied=DeniedResult.NULL),
        permission(Permission.ASSET_VIEW, on=PermissionScope.PARENT, denied=DeniedResult.NULL),
        resolver=resolve.release,
    )


@strawberry.type(description="Data: a dataset, a result, or a combination of several.")
class DataAsset(AssetFields):
    """Data: a dataset, a result, or a combination of several."""

    is_type_of = match_rows("ast", AssetKind.DATA_ASSET)
    data_kind: DataAssetKind = field("The kind of data.")
    size_bytes: Long | None = field("The size of the data, in bytes.")
    file_count: Long | None = field("The number of files.")
    source: str | None = field(
        "The bucket and prefix where the data is stored; null without VIEWER access.", REQUIRES_VIEWER
    )


@strawberry.type(description="A trained model.")
class Model(AssetFields):
    """A trained model."""

    is_type_of = match_rows("ast", AssetKind.MODEL)
    framework: str | None = field("The framework that runs the model.")
    source: str | None = field(
        "The bucket and prefix where the model is stored; null without VIEWER access.", REQUIRES_VIEWER
    )


Asset = Annotated[
    Capsule | Pipeline | NoCodeApp | DataAsset | Model,
    strawberry.union(
        "Asset",
        description="An asset of any kind. Every kind implements AssetFields: `... on AssetFields { name }` selects a"
        " shared field.",
    ),
]


@strawberry.type(description="An edge in a list of assets.")
class AssetEdge:
    """An edge in a list of assets."""

    cursor: str = field("The asset's cursor in the list.")
    node: Asset = field("The asset.")


@strawberry.type(description="A page of assets.")
class AssetConnection(FacetedConnection):
    """A page of assets."""

    edges: list[AssetEdge] = edges_field("assets")
    nodes: list[Asset] = nodes_field("assets")
