"""This file is where every change begins."""

import strawberry

from permissions.directive import permission
from permissions.require import Permission
from resolvers.write import topic as resolve_topic
from schema.field import mutation
from schema.write import topic

ADMIN = permission(Permission.ADMIN)


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
        "Deletes a topic. Its collections move to another.",
        ADMIN,
        resolver=resolve_topic.delete_,
        of=topic.TopicDeleteInput,
    )
