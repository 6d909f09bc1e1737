"""This file is assets being changed: gold standards, grants and what the platform registers; inputs and payloads."""

import strawberry

from permissions.directive import DeniedResult, PermissionScope, permission
from permissions.permission import Permission
from resolvers.write import payload as resolve
from schema.asset import Asset
from schema.enums import AppKind, AssetAccess, AssetKind, AssetStatus
from schema.field import field, omittable
from schema.scalars import Long, Url
from schema.write.bulk import AssetResult, BulkMode, BulkSummary, mode
from schema.write.shared import idempotency_key
from schema.write.user_error import UserError, user_errors

SEEN = permission(Permission.ASSET_DISCOVER, on=PermissionScope.ITEM, denied=DeniedResult.NULL)


@strawberry.input(description="Whether an asset is a gold standard.")
class AssetGoldStandardSetInput:
    """Whether an asset is a gold standard."""

    asset_id: strawberry.ID = field("Id of the asset.")
    awarded: bool = field("Whether the asset is a gold standard; false takes the award and its note away.")
    note: str | None = omittable(
        "Reason for the award; at most 1,000 characters. Left out, the note that there is stays; empty, it goes."
    )


@strawberry.input(one_of=True, description="Whoever a grant can name.")
class PrincipalInput:
    """Whoever a grant can name."""

    user_id: strawberry.ID | None = omittable("Id of a user.")
    group_id: strawberry.ID | None = omittable("Id of a group.")
    everyone: bool | None = omittable("True: every member.")
    public: bool | None = omittable("True: anyone, without signing in.")


@strawberry.input(description="An access to an asset, to be held by someone.")
class GrantInput:
    """An access to an asset."""

    to: PrincipalInput = field("Who is to hold the access.")
    access: AssetAccess = field("Access to be held; everyone and public can hold VIEWER at most.")


@strawberry.input(description="What to change of an asset's grants. Whoever is not named keeps theirs.")
class AssetGrantsUpdateInput:
    """What to change of an asset's grants."""

    asset_id: strawberry.ID = field("Id of the asset, which the viewer must own.")
    set: list[GrantInput] = strawberry.field(
        default_factory=list,
        description="Accesses to be held, at most 100, in place of those held before. The asset's owner stays OWNER.",
    )
    revoke: list[PrincipalInput] = strawberry.field(
        default_factory=list,
        description="Whose access to take back, at most 100; none for whoever holds none. The asset's owner stays.",
    )
    idempotency_key: str | None = idempotency_key()


@strawberry.type(description="What became of an asset.")
class AssetPayload:
    """What became of an asset."""

    asset: Asset | None = field(
        "The asset as it is now; null when the viewer may not see it any more.", SEEN, resolver=resolve.asset
    )
    user_errors: list[UserError] = user_errors()


@strawberry.input(
    description="An asset as the platform tells of it: the fields of a catalogue file's asset line. Of a known asset,"
    " a field left out is kept, and null takes away what can be empty."
)
class AssetRegistration:
    """An asset as the platform tells of it."""

    external_id: str = field("Id that the platform gave the asset.")
    kind: AssetKind = field("Kind of the asset, which it keeps.")
    name: str = field("Name of the asset; need not be unique, at most 200 characters.")
    owner_id: strawberry.ID = field("Id of the user who owns the asset.")
    description: str | None = omittable("Description of the asset; at most 20,000 characters.")
    status: AssetStatus | None = omittable("Status of the asset; RELEASED for a new one when left out.")
    tags: list[str] | None = omittable("Tags of the asset, in order.")
    license: str | None = omittable("Licence of the asset.")
    doi: str | None = omittable("Digital object identifier of the asset, without https://doi.org/.")
    version: str | None = omittable("Version of the newest release, as major.minor.")
    url: Url | None = omittable("Address where the asset opens in the platform.")
    uses: list[str] | None = omittable(
        "externalIds of what the asset was made from or runs, in order: known, or of this call."
    )
    size_bytes: Long | None = omittable("Size of the data, in bytes.")
    file_count: Long | None = omittable("Number of files.")
    source: str | None = omittable("Bucket and prefix of the data or the model.")
    language: str | None = omittable("Language of the capsule or pipeline.")
    step_count: int | None = omittable("Number of steps of the pipeline.")
    app_kind: AppKind | None = omittable("What the app runs in; OTHER for a new one when left out.")
    framework: str | None = omittable("Framework that runs the model.")
    grants: list[GrantInput] | None = omittable(
        "With whom the asset is shared, at most 100: its grants become these and the owner's. Left out, they stay."
    )


@strawberry.input(description="Assets to be created, or updated where their externalId is known.")
class AssetsRegisterInput:
    """Assets to be created or updated."""

    assets: list[AssetRegistration] = field("The assets, at most 1,000.")
    mode: BulkMode = mode()
    idempotency_key: str | None = idempotency_key()


@strawberry.type(description="What became of registered assets.")
class AssetsRegisterPayload:
    """What became of registered assets."""

    results: list[AssetResult] = field(
        "What became of each asset, in the order of the input. One that failed and is not known has its externalId for"
        " its id.",
        resolver=resolve.results,
    )
    summary: BulkSummary = field("How many were asked for, and what became of them.", resolver=resolve.summary)
    user_errors: list[UserError] = user_errors()
