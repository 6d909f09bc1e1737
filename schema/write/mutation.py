"""This file is where every change begins."""

import strawberry

from permissions.directive import PermissionScope, permission
from permissions.permission import Permission
from resolvers.write import asset as resolve_asset
from resolvers.write import asset_collections as resolve_asset_collections
from resolvers.write import collection as resolve_collection
from resolvers.write import deployment as resolve_deployment
from resolvers.write import grant as resolve_grant
from resolvers.write import job as resolve_job
from resolvers.write import membership as resolve_membership
from resolvers.write import registration as resolve_registration
from resolvers.write import topic as resolve_topic
from resolvers.write import undo as resolve_undo
from schema.field import mutation
from schema.write import asset, collection, deployment, job, membership, topic

ADMIN = permission(Permission.ADMIN)
MEMBER = permission(Permission.SIGNED_IN)
OWNER = permission(Permission.ASSET_OWN, on=PermissionScope.ITEM)


@strawberry.type(
    description="Where every change begins. What a client can put right is told in `userErrors`, and then nothing was"
    " changed; whatever was acknowledged is on disk."
)
class Mutation:
    """Where every change begins."""

    topic_create: topic.TopicPayload = mutation(
        "Makes a topic.", ADMIN, resolver=resolve_topic.create, of=topic.TopicCreateInput
    )
    topic_update: topic.TopicPayload = mutation(
        "Changes the name, slug or description of a topic.",
        ADMIN,
        resolver=resolve_topic.update_,
        of=topic.TopicUpdateInput,
    )
    topic_reorder: topic.TopicPayload = mutation(
        "Puts a topic beside another.", ADMIN, resolver=resolve_topic.reorder, of=topic.TopicReorderInput
    )
    topic_merge: topic.TopicMergePayload = mutation(
        "Moves all collections of topics into another, and deletes those topics.",
        ADMIN,
        resolver=resolve_topic.merge,
        of=topic.TopicMergeInput,
    )
    topic_delete: topic.TopicDeletePayload = mutation(
        "Deletes a topic. Its collections, if it has any, move to the one that the input names.",
        ADMIN,
        resolver=resolve_topic.delete_,
        of=topic.TopicDeleteInput,
    )
    collection_create: collection.CollectionPayload = mutation(
        "Makes a collection.", ADMIN, resolver=resolve_collection.create, of=collection.CollectionCreateInput
    )
    collection_update: collection.CollectionPayload = mutation(
        "Changes the name, slug, description or visibility of a collection, or moves it, with all that is below it, to"
        " another parent or topic.",
        ADMIN,
        resolver=resolve_collection.update_,
        of=collection.CollectionUpdateInput,
    )
    collection_reorder: collection.CollectionPayload = mutation(
        "Puts a collection beside one of its siblings.",
        ADMIN,
        resolver=resolve_collection.reorder,
        of=collection.CollectionReorderInput,
    )
    collection_delete: collection.CollectionDeletePayload = mutation(
        "Deletes a collection. Its children move up to its parent; no asset is ever deleted.",
        ADMIN,
        resolver=resolve_collection.delete_,
        of=collection.CollectionDeleteInput,
    )
    collection_assets_add: membership.CollectionAssetsPayload = mutation(
        "Puts assets that the viewer owns into a collection.",
        OWNER,
        MEMBER,
        resolver=resolve_membership.add,
        of=membership.CollectionAssetsAddInput,
    )
    collection_assets_remove: membership.CollectionAssetsPayload = mutation(
        "Takes assets that the viewer owns out of a collection; an administrator may take out any.",
        OWNER,
        MEMBER,
        resolver=resolve_membership.remove,
        of=membership.CollectionAssetsRemoveInput,
    )
    collection_assets_move: membership.CollectionAssetsMovePayload = mutation(
        "Takes assets that the viewer owns out of one collection and puts them into another, as one change.",
        OWNER,
        MEMBER,
        resolver=resolve_membership.move,
        of=membership.CollectionAssetsMoveInput,
    )
    collection_assets_reorder: membership.CollectionAssetsPayload = mutation(
        "Puts assets of a collection together at one place.",
        ADMIN,
        resolver=resolve_membership.reorder,
        of=membership.CollectionAssetsReorderInput,
    )
    asset_collections_update: membership.AssetCollectionsPayload = mutation(
        "Puts one asset into many collections and takes it out of others: the «Add to Collection» button.",
        OWNER,
        MEMBER,
        resolver=resolve_asset_collections.update,
        of=membership.AssetCollectionsUpdateInput,
    )
    change_undo: membership.CollectionAssetsPayload = mutation(
        "Takes back one membership change, as far as nobody has changed the same items since.",
        MEMBER,
        resolver=resolve_undo.undo,
        of=membership.ChangeUndoInput,
    )
    asset_gold_standard_set: asset.AssetPayload = mutation(
        "Marks an asset as a gold standard, or takes that back.",
        ADMIN,
        resolver=resolve_asset.set_gold_standard,
        of=asset.AssetGoldStandardSetInput,
    )
    asset_grants_update: asset.AssetPayload = mutation(
        "Shares an asset that the viewer owns, or takes accesses to it back. It holds for every operation that starts"
        " after the answer.",
        OWNER,
        MEMBER,
        resolver=resolve_grant.update_,
        of=asset.AssetGrantsUpdateInput,
    )
    assets_register: asset.AssetsRegisterPayload = mutation(
        "Creates assets, or updates those whose externalId is known: for the platform.",
        ADMIN,
        resolver=resolve_registration.register_,
        of=asset.AssetsRegisterInput,
    )
    deployment_update: deployment.DeploymentPayload = mutation(
        "Changes the settings of the deployment.",
        ADMIN,
        resolver=resolve_deployment.update_,
        of=deployment.DeploymentUpdateInput,
    )
    job_cancel: job.JobPayload = mutation(
        "Keeps a job of the viewer's from going on, between two chunks of a BEST_EFFORT job and before an ATOMIC one"
        " begins. What it has done stays done; one that has ended stays as it is.",
        MEMBER,
        resolver=resolve_job.cancel,
        of=job.JobCancelInput,
    )
