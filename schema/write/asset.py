"""Inputs and payloads of asset mutations: gold standards, grants and registration."""

import strawberry

from resolvers.write import payload as resolve
from schema.asset import Asset
from schema.change import Change
from schema.enums import AppKind, AssetAccess, AssetKind, AssetStatus
from schema.field import field, omittable
from schema.scalars import Long, Url
from schema.write.bulk import AssetResult, BulkMode, BulkSummary, mode
from schema.write.principal import PrincipalRef
from schema.write.shared import NULL_IF_HIDDEN, idempotency_key, logged_changes
from schema.write.user_error import UserError, user_errors


@strawberry.input(description="Input for `assetGoldStandardSet`.")
class AssetGoldStandardSetInput:
    """Input for `assetGoldStandardSet`."""

    asset_id: strawberry.ID = field("Id of the asset.")
    awarded: bool = field("Whether the asset is a gold standard; false revokes the award and deletes its note.")
    note: str | None = omittable(
        "Reason for the award; at most 1,000 characters. Omit it to keep the current note; null or empty deletes it."
    )


@strawberry.input(description="A grant to set: a principal and their access to the asset.")
class GrantInput:
    """A grant to set."""

    to: PrincipalRef = field("Principal to share the asset with.")
    access: AssetAccess = field("Access of the principal; everyone and public can hold VIEWER at most.")


@strawberry.input(description="Input for `assetGrantsUpdate`. Principals that it does not mention keep their grants.")
class AssetGrantsUpdateInput:
    """Input for `assetGrantsUpdate`."""

    asset_id: strawberry.ID = field("Id of the asset, which the viewer must own.")
    set: list[GrantInput] = strawberry.field(
        default_factory=list,
        description="Grants to set, at most 100; each replaces the principal's current one. The owner keeps OWNER.",
    )
    revoke: list[PrincipalRef] = strawberry.field(
        default_factory=list,
        description="Principals whose grants to revoke, at most 100; no error for one without a grant.",
    )
    idempotency_key: str | None = idempotency_key()


@strawberry.type(description="Payload of `assetGoldStandardSet` and `assetGrantsUpdate`.")
class AssetPayload:
    """Payload of mutations of one asset."""

    asset: Asset | None = field(
        "The updated asset; null if the viewer may no longer see it.", NULL_IF_HIDDEN, resolver=resolve.asset
    )
    changes: list[Change] = logged_changes()
    user_errors: list[UserError] = user_errors()


@strawberry.input(
    description="An asset of the platform to register: the fields of an asset line in a catalogue file. For a known"
    " asset, omitted fields keep their value, and null clears those that can be empty."
)
class AssetRegistration:
    """An asset of the platform to register."""

    external_id: str = field("Id of the asset in the platform.")
    kind: AssetKind = field("Kind of the asset; it cannot change.")
    name: str = field("Name of the asset; need not be unique, at most 1,000 characters.")
    owner_id: strawberry.ID | None = omittable("Id of the user who owns the asset. Required, unless `owner` is given.")
    owner: PrincipalRef | None = omittable("The user who owns the asset, instead of `ownerId`.")
    description: str | None = omittable("Description of the asset; at most 20,000 characters.")
    status: AssetStatus | None = omittable("Status of the asset; RELEASED by default for a new one.")
    tags: list[str] | None = omittable("Tags of the asset, at most 1,000, in order.")
    license: str | None = omittable("Licence of the asset.")
    doi: str | None = omittable("Digital object identifier of the asset, without https://doi.org/.")
    version: str | None = omittable("Version of the newest release, as major.minor.")
    url: Url | None = omittable("URL that opens the asset in the platform.")
    uses: list[str] | None = omittable(
        "externalIds of the assets that it was made from or runs, at most 1,000, in order; each is known or registered"
        " in this call."
    )
    size_bytes: Long | None = omittable("Size of the data, in bytes.")
    file_count: Long | None = omittable("Number of files.")
    source: str | None = omittable("Bucket and prefix of the data or the model.")
    language: str | None = omittable("Language of the capsule or pipeline.")
    step_count: int | None = omittable("Number of steps of the pipeline.")
    app_kind: AppKind | None = omittable("Framework that the app runs in; OTHER by default for a new one.")
    framework: str | None = omittable("Framework that runs the model.")
    grants: list[GrantInput] | None = omittable(
        "Grants of the asset, at most 100: they replace all others but the owner's. Omit them to keep the current ones."
    )


@strawberry.input(description="Input for `assetsRegister`.")
class AssetsRegisterInput:
    """Input for `assetsRegister`."""

    assets: list[AssetRegistration] = field("The assets to create or update, at most 1,000.")
    mode: BulkMode = mode()
    idempotency_key: str | None = idempotency_key()


@strawberry.type(description="Payload of `assetsRegister`.")
class AssetsRegisterPayload:
    """Payload of `assetsRegister`."""

    results: list[AssetResult] = field(
        "Result of each asset, in the order of the input. If a new asset is rejected, its `assetId` is the externalId.",
        resolver=resolve.results,
    )
    summary: BulkSummary = field("Number of assets of each status.", resolver=resolve.summary)
    user_errors: list[UserError] = user_errors()
