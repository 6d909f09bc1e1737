"""Root of all mutations."""

import strawberry

from permissions.directive import PermissionScope, permission
from permissions.permission import Permission
from resolvers.write import asset as resolve_asset
from resolvers.write import asset_collections as resolve_asset_collections
from resolvers.write import collection as resolve_collection
from resolvers.write import deployment as resolve_deployment
from resolvers.write import export as resolve_export
from resolvers.write import grant as resolve_grant
from resolvers.write import job as resolve_job
from resolvers.write import membership as resolve_membership
from resolvers.write import registration as resolve_registration
from resolvers.write import token as resolve_token
from resolvers.write import topic as resolve_topic
from resolvers.write import transfer as resolve_transfer
from resolvers.write import undo as resolve_undo
from resolvers.write import user as resolve_user
from schema.field import mutation
from schema.write import asset, collection, deployment, export, job, membership, token, topic, transfer, user

ADMIN = permission(Permission.ADMIN)
MEMBER = permission(Permission.SIGNED_IN)
OWNER = permission(Permission.ASSET_OWN, on=PermissionScope.ITEM)


@strawberry.type(
    description="Root of all mutations. Errors that the client can fix are reported in `userErrors`; nothing is changed"
    " then, except by bulk mutations in BEST_EFFORT mode. Every successful mutation is durable."
)
class Mutation:
    """Root of all mutations."""

    topic_create: topic.TopicPayload | None = mutation(
        "Creates a topic. Administrators only.", ADMIN, resolver=resolve_topic.create, of=topic.TopicCreateInput
    )
    topic_update: topic.TopicPayload | None = mutation(
        "Renames a topic, or changes its slug or description. Administrators only.",
        ADMIN,
        resolver=resolve_topic.update_topic,
        of=topic.TopicUpdateInput,
    )
    topic_reorder: topic.TopicPayload | None = mutation(
        "Moves a topic to another position in the order of topics. Administrators only.",
        ADMIN,
        resolver=resolve_topic.reorder,
        of=topic.TopicReorderInput,
    )
    topic_merge: topic.TopicMergePayload | None = mutation(
        "Merges topics into another: moves all their collections there, then deletes them. Administrators only.",
        ADMIN,
        resolver=resolve_topic.merge,
        of=topic.TopicMergeInput,
    )
    topic_delete: topic.TopicDeletePayload | None = mutation(
        "Deletes a topic. Its collections, if any, move to the topic in `moveCollectionsTo`. Administrators only.",
        ADMIN,
        resolver=resolve_topic.delete_topic,
        of=topic.TopicDeleteInput,
    )
    collection_create: collection.CollectionPayload | None = mutation(
        "Creates a collection in a topic, at its top or below another collection. Administrators only.",
        ADMIN,
        resolver=resolve_collection.create,
        of=collection.CollectionCreateInput,
    )
    collection_update: collection.CollectionPayload | None = mutation(
        "Renames a collection, changes its slug or description, publishes or unpublishes it (`visibility`), or moves it"
        " with its descendants to another parent or topic. Administrators only.",
        ADMIN,
        resolver=resolve_collection.update_collection,
        of=collection.CollectionUpdateInput,
    )
    collection_reorder: collection.CollectionPayload | None = mutation(
        "Moves a collection to another position among its siblings. Administrators only.",
        ADMIN,
        resolver=resolve_collection.reorder,
        of=collection.CollectionReorderInput,
    )
    collection_delete: collection.CollectionDeletePayload | None = mutation(
        "Deletes a collection. Its children move up to its parent; no asset is deleted. Administrators only.",
        ADMIN,
        resolver=resolve_collection.delete_collection,
        of=collection.CollectionDeleteInput,
    )
    collection_assets_add: membership.CollectionAssetsPayload | None = mutation(
        "Adds RELEASED assets to a collection. Owners of each asset only.",
        OWNER,
        MEMBER,
        resolver=resolve_membership.add,
        of=membership.CollectionAssetsAddInput,
    )
    collection_assets_remove: membership.CollectionAssetsPayload | None = mutation(
        "Removes assets from a collection. Owners of each asset and administrators only.",
        OWNER,
        MEMBER,
        resolver=resolve_membership.remove,
        of=membership.CollectionAssetsRemoveInput,
    )
    collection_assets_move: membership.CollectionAssetsMovePayload | None = mutation(
        "Moves assets from one collection to another, as one change. Owners of each asset only; an asset that is"
        " already in the other collection is only removed, which administrators may do as well.",
        OWNER,
        MEMBER,
        resolver=resolve_membership.move,
        of=membership.CollectionAssetsMoveInput,
    )
    collection_assets_reorder: membership.CollectionAssetsPayload | None = mutation(
        "Moves assets, as one block, to another position in their collection. Administrators only.",
        ADMIN,
        resolver=resolve_membership.reorder,
        of=membership.CollectionAssetsReorderInput,
    )
    asset_collections_update: membership.AssetCollectionsPayload | None = mutation(
        "Adds an asset to collections and removes it from others, all or nothing; behind the"
        ' "Add to Collection" button. Owners of the asset only; administrators may remove it as well.',
        OWNER,
        MEMBER,
        resolver=resolve_asset_collections.update,
        of=membership.AssetCollectionsUpdateInput,
    )
    change_undo: membership.ChangeUndoPayload | None = mutation(
        "Undoes (reverts) a change of the last 30 days: of topics and collections (created, updated, moved, reordered,"
        " merged, deleted), of a collection's assets, of sharing, transfers, gold standards and settings, or another"
        " undo. If something was changed again afterwards, it stays: such assets are skipped, anything else is a"
        " CONFLICT. Imports and registrations cannot be undone. Members who may make the opposite change:"
        " administrators; owners of the asset for its sharing; for assets of a collection, owners of each, while"
        " administrators may remove any added asset, and restore those that they removed themselves.",
        MEMBER,
        resolver=resolve_undo.undo,
        of=membership.ChangeUndoInput,
    )
    asset_gold_standard_set: asset.AssetPayload | None = mutation(
        "Awards gold standard status to an asset, or revokes it. Administrators only.",
        ADMIN,
        resolver=resolve_asset.set_gold_standard,
        of=asset.AssetGoldStandardSetInput,
    )
    asset_grants_update: asset.AssetPayload | None = mutation(
        "Shares an asset with users, groups, everyone or the public, changes their access, or revokes it. Owners of the"
        " asset only. Takes effect for every operation that starts after the response.",
        OWNER,
        MEMBER,
        resolver=resolve_grant.update,
        of=asset.AssetGrantsUpdateInput,
    )
    assets_register: asset.AssetsRegisterPayload | None = mutation(
        "Registers assets of the platform: creates them, or updates those with a known `externalId`. Administrators"
        " only.",
        ADMIN,
        resolver=resolve_registration.register,
        of=asset.AssetsRegisterInput,
    )
    assets_transfer: transfer.AssetsTransferPayload | None = mutation(
        "Hands all assets that one user owns over to another, as when somebody leaves (change of owner, departure)."
        " More than 1,000 assets become a job. Administrators only.",
        ADMIN,
        resolver=resolve_transfer.transfer,
        of=transfer.AssetsTransferInput,
    )
    user_upsert: user.UserPayload | None = mutation(
        "Creates a user, or updates the one with this `externalId`. Administrators only.",
        ADMIN,
        resolver=resolve_user.upsert_user,
        of=user.UserUpsertInput,
    )
    user_deactivate: user.UserPayload | None = mutation(
        "Deactivates (blocks) a user of any source: all their tokens are revoked, their jobs end, their grants stay."
        " Administrators only.",
        ADMIN,
        resolver=resolve_user.deactivate_user,
        of=user.UserDeactivateInput,
    )
    user_reactivate: user.UserPayload | None = mutation(
        "Reactivates (unblocks) a user of any source, who needs new tokens. Administrators only.",
        ADMIN,
        resolver=resolve_user.reactivate_user,
        of=user.UserReactivateInput,
    )
    group_upsert: user.GroupPayload | None = mutation(
        "Creates a group, or updates the one with this `externalId`. Administrators only.",
        ADMIN,
        resolver=resolve_user.upsert_group,
        of=user.GroupUpsertInput,
    )
    group_members_update: user.GroupPayload | None = mutation(
        "Adds users to a group, and removes others. Takes effect for every operation that starts after the response."
        " Administrators only.",
        ADMIN,
        resolver=resolve_user.update_members,
        of=user.GroupMembersUpdateInput,
    )
    deployment_update: deployment.DeploymentPayload | None = mutation(
        "Changes the settings of the deployment, such as public sharing. Administrators only.",
        ADMIN,
        resolver=resolve_deployment.update_deployment,
        of=deployment.DeploymentUpdateInput,
    )
    export_create: job.JobPayload | None = mutation(
        "Starts an export (download) of topics, collections, assets, memberships, uses and users that the viewer sees,"
        " as a job. Its `downloadUrl` is the file. Members.",
        MEMBER,
        resolver=resolve_export.create,
        of=export.ExportCreateInput,
    )
    job_cancel: job.JobPayload | None = mutation(
        "Cancels a job that the viewer started: a BEST_EFFORT job between two chunks, an ATOMIC one before it begins."
        " Changes already made stay; a job that has ended is unaffected. Members, for their own jobs.",
        MEMBER,
        resolver=resolve_job.cancel,
        of=job.JobCancelInput,
    )
    token_create: token.TokenCreatePayload | None = mutation(
        "Creates an API token of the viewer, whose secret is shown once. Created with another token, it expires with"
        " that one at the latest, and is revoked with it. Members, for themselves.",
        MEMBER,
        resolver=resolve_token.create,
        of=token.TokenCreateInput,
    )
    token_revoke: token.TokenRevokePayload | None = mutation(
        "Revokes an API token of the viewer, and the tokens that were created with it. Takes effect for every operation"
        " that starts after the response. Members, for their own tokens.",
        MEMBER,
        resolver=resolve_token.revoke,
        of=token.TokenRevokeInput,
    )
    tokens_revoke_all: token.TokensRevokeAllPayload | None = mutation(
        "Revokes all API tokens of a user. Takes effect for every operation that starts after the response."
        " Administrators only.",
        ADMIN,
        resolver=resolve_token.revoke_all,
        of=token.TokensRevokeAllInput,
    )
