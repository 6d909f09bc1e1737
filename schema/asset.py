"""This file is assets: what the five kinds share, and what each has of its own."""

from typing import TYPE_CHECKING, Annotated

import strawberry

from permissions.directive import DeniedResult, PermissionScope, permission
from permissions.permission import Permission
from resolvers import asset as resolve
from schema.connection import edges_field, nodes_field
from schema.enums import AppKind, AssetAccess, AssetKind, AssetStatus, DataAssetKind
from schema.facet import FacetedConnection
from schema.field import field, forward_arguments
from schema.node import Node, match_rows
from schema.scalars import DateTime, Long, Url
from schema.user import Group, User

if TYPE_CHECKING:
    from schema.asset_collection import AssetCollectionConnection

IF_VIEWER = permission(Permission.ASSET_VIEW, on=PermissionScope.PARENT, denied=DeniedResult.NULL)
IF_OWNER = permission(Permission.ASSET_OWN, on=PermissionScope.PARENT, denied=DeniedResult.NULL)

Assets = Annotated["AssetConnection", strawberry.lazy("schema.asset")]


@strawberry.type(description="That an administrator marked the asset as one to follow.")
class GoldStandard:
    """That an administrator marked the asset as one to follow."""

    awarded_at: DateTime = field("Timestamp of the award.")
    awarded_by: User | None = field("Administrator who gave the award.", resolver=resolve.awarded_by)
    note: str | None = field("Reason for the award.")


@strawberry.type(description="Every member of the deployment.")
class Everyone:
    """Every member."""

    is_type_of = match_rows("everyone")
    label: str = field("«Everyone».", resolver=resolve.label)


@strawberry.type(description="Anyone, without signing in.")
class Public:
    """Anyone."""

    is_type_of = match_rows("public")
    label: str = field("«Public».", resolver=resolve.label)


Principal = Annotated[
    User | Group | Everyone | Public, strawberry.union("Principal", description="Whoever a grant can name.")
]


@strawberry.type(description="An access to an asset, held by a user, a group, everyone or public.")
class Grant:
    """An access to an asset."""

    principal: Principal = field("Who holds the access.", resolver=resolve.principal)
    access: AssetAccess = field("The access held.")


@strawberry.interface(description="What the five kinds of asset share.")
class AssetFields(Node):
    """What the five kinds of asset share."""

    external_id: str = field("Id that the platform gave the asset.")
    kind: AssetKind = field("Kind of the asset.")
    status: AssetStatus = field("Status of the asset.")
    name: str = field("Name of the asset; need not be unique.")
    description: str | None = field("Description of the asset.")
    owner: User | None = field("Owner of the asset in the platform.", resolver=resolve.owner)
    tags: list[str] = field("Tags of the asset, in the platform's order.")
    license: str | None = field("Licence of the asset.")
    doi: str | None = field("Digital object identifier of the asset, without https://doi.org/.")
    version: str | None = field("Version of the newest release, as major.minor.")
    created_at: DateTime = field("Timestamp of the asset's creation.")
    updated_at: DateTime = field("Timestamp of the asset's last change.")
    gold_standard: GoldStandard | None = field(
        "Set when an administrator marked it a gold standard.", resolver=resolve.gold_standard
    )
    viewer_access: AssetAccess = field("What the viewer may do with the asset.")
    collections: Annotated["AssetCollectionConnection", strawberry.lazy("schema.asset_collection")] = field(
        "Collections that hold the asset and that the viewer may see, by name.",
        resolver=resolve.collections,
        arguments=forward_arguments(),
    )
    uses: Assets = field(
        "Assets it was made from or runs, in the platform's order: an edge shows only when the viewer may see both"
        " ends.",
        permission(Permission.ASSET_DISCOVER, on=PermissionScope.ITEM, denied=DeniedResult.OMIT),
        permission(Permission.ASSET_VIEW, on=PermissionScope.PARENT, denied=DeniedResult.OMIT),
        resolver=resolve.uses,
        arguments=forward_arguments(),
    )
    used_by: Assets = field(
        "Assets made from it or running it, by name, whose content the viewer may see.",
        permission(Permission.ASSET_VIEW, on=PermissionScope.ITEM, denied=DeniedResult.OMIT),
        resolver=resolve.used_by,
        arguments=forward_arguments(),
    )
    url: Url | None = field("Address where the asset opens in the platform.", IF_VIEWER)
    grants: list[Grant] | None = field(
        "With whom it is shared, the greatest access first, then by name; owners see it.",
        IF_OWNER,
        resolver=resolve.grants,
    )


@strawberry.type(description="Code with its environment and data, ready to run.")
class Capsule(AssetFields):
    """Code with its environment and data."""

    is_type_of = match_rows("ast_", AssetKind.CAPSULE)
    language: str | None = field("Programming language of the capsule.")


@strawberry.type(description="A workflow of several steps.")
class Pipeline(AssetFields):
    """A workflow of several steps."""

    is_type_of = match_rows("ast_", AssetKind.PIPELINE)
    language: str | None = field("Workflow language of the pipeline.")
    step_count: int | None = field("Number of steps of the pipeline.")


@strawberry.type(description="A release with a user interface, to use without code.")
class NoCodeApp(AssetFields):
    """A release with a user interface."""

    is_type_of = match_rows("ast_", AssetKind.NO_CODE_APP)
    app_kind: AppKind = field("What the app runs in.")
    release: Annotated["Asset", strawberry.lazy("schema.asset")] | None = field(
        "Capsule or pipeline behind the app: the first of what it uses.",
        permission(Permission.ASSET_DISCOVER, on=PermissionScope.ITEM, denied=DeniedResult.NULL),
        permission(Permission.ASSET_VIEW, on=PermissionScope.PARENT, denied=DeniedResult.NULL),
        resolver=resolve.release,
    )


@strawberry.type(description="Data: a dataset, a result, or several combined.")
class DataAsset(AssetFields):
    """Data."""

    is_type_of = match_rows("ast_", AssetKind.DATA_ASSET)
    data_kind: DataAssetKind = field("What the data asset holds.")
    size_bytes: Long | None = field("Size of the data, in bytes.")
    file_count: Long | None = field("Number of files.")
    source: str | None = field("Bucket and prefix of the data.", IF_VIEWER)


@strawberry.type(description="A trained model.")
class Model(AssetFields):
    """A trained model."""

    is_type_of = match_rows("ast_", AssetKind.MODEL)
    framework: str | None = field("Framework that runs the model.")
    source: str | None = field("Bucket and prefix of the model.", IF_VIEWER)


Asset = Annotated[
    Capsule | Pipeline | NoCodeApp | DataAsset | Model,
    strawberry.union(
        "Asset",
        description="The five kinds of asset. Each implements AssetFields: `... on AssetFields { name }` reads what"
        " they share.",
    ),
]


@strawberry.type(description="An asset in a list.")
class AssetEdge:
    """An asset in a list."""

    cursor: str = field("Cursor of the asset in the list.")
    node: Asset = field("The asset.")


@strawberry.type(description="A page of assets.")
class AssetConnection(FacetedConnection):
    """A page of assets."""

    edges: list[AssetEdge] = edges_field("assets")
    nodes: list[Asset] = nodes_field("assets")
