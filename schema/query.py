"""This file is where every reading begins."""

import strawberry

from permissions.directive import DeniedResult, PermissionScope, permission
from permissions.permission import Permission
from resolvers import asset as resolve_asset
from resolvers import change as resolve_change
from resolvers import collection as resolve_collection
from resolvers import deployment as resolve_deployment
from resolvers import job as resolve_job
from resolvers import node as resolve_node
from resolvers import topic as resolve_topic
from resolvers import viewer as resolve_viewer
from schema.asset import Asset, AssetConnection
from schema.change import ChangeConnection, ChangeFilter
from schema.collection import Collection, CollectionConnection
from schema.deployment import Deployment
from schema.enums import AssetOrderField, CollectionOrderField, OrderDirection
from schema.field import argument, field, forward_arguments, optional, paging_arguments, query_argument
from schema.filter import AssetFilter, CollectionFilter
from schema.job import Job
from schema.node import Node
from schema.order import AssetOrder, CollectionOrder
from schema.topic import Topic, TopicConnection
from schema.user import Viewer


@strawberry.input(one_of=True, description="Reference to a topic, by its id or its slug.")
class TopicRef:
    """Reference to a topic."""

    id: strawberry.ID | None = optional("Id of the topic.")
    slug: str | None = optional("Slug of the topic.")


@strawberry.input(one_of=True, description="Reference to a collection, by its id or its slug.")
class CollectionRef:
    """Reference to a collection."""

    id: strawberry.ID | None = optional("Id of the collection.")
    slug: str | None = optional("Slug of the collection.")


@strawberry.input(one_of=True, description="Reference to an asset, by its id here or the platform's.")
class AssetRef:
    """Reference to an asset."""

    id: strawberry.ID | None = optional("Id of the asset.")
    external_id: str | None = optional("Id that the platform gave the asset.")


@strawberry.type(description="Where every reading begins.")
class Query:
    """Where every reading begins."""

    node: Node | None = field(
        "Any object by its id; null when there is none or the viewer may not see it.",
        resolver=resolve_node.node,
        arguments={"id": argument(strawberry.ID, "Id of the object.")},
    )
    nodes: list[Node | None] = field(
        "Objects in the order asked for; null where there is none or the viewer may not see it.",
        resolver=resolve_node.nodes,
        arguments={"ids": argument(list[strawberry.ID], "Ids of the objects, at most 100.")},
    )
    viewer: Viewer | None = field("Who is asking; null when not signed in.", resolver=resolve_viewer.viewer)
    topic: Topic | None = field(
        "The topic referred to; null when there is none or the viewer may not see it.",
        resolver=resolve_topic.topic,
        arguments={"by": argument(TopicRef, "Which topic.")},
    )
    topics: TopicConnection = field(
        "Topics that the viewer may see, in the administrators' order.",
        resolver=resolve_topic.topics,
        arguments=paging_arguments(query=query_argument()),
    )
    collection: Collection | None = field(
        "The collection referred to; null when there is none or the viewer may not see it.",
        resolver=resolve_collection.collection,
        arguments={"by": argument(CollectionRef, "Which collection.")},
    )
    collections: CollectionConnection = field(
        "Collections that the viewer may see; by name unless asked otherwise.",
        resolver=resolve_collection.collections,
        arguments=paging_arguments(
            filter=argument(CollectionFilter | None, "What collections to keep."),
            query=query_argument(),
            order_by=argument(
                CollectionOrder | None,
                "How to order the collections.",
                CollectionOrder(field=CollectionOrderField.NAME),
            ),
        ),
    )
    asset: Asset | None = field(
        "The asset referred to; null when there is none or the viewer may not see it.",
        permission(Permission.ASSET_DISCOVER, on=PermissionScope.ITEM, denied=DeniedResult.NULL),
        resolver=resolve_asset.asset,
        arguments={"by": argument(AssetRef, "Which asset.")},
    )
    assets: AssetConnection = field(
        "Every asset that the viewer may see; gold standards first, then what changed last, unless asked otherwise.",
        permission(Permission.ASSET_DISCOVER, on=PermissionScope.ITEM, denied=DeniedResult.OMIT),
        resolver=resolve_asset.assets,
        arguments=paging_arguments(
            filter=argument(AssetFilter | None, "What assets to keep."),
            query=query_argument(),
            order_by=argument(
                AssetOrder | None,
                "How to order the assets.",
                AssetOrder(field=AssetOrderField.RELEVANCE, direction=OrderDirection.DESC),
            ),
        ),
    )
    audit_log: ChangeConnection = field(
        "Every change that the administrator may see, the newest first.",
        permission(Permission.ADMIN),
        resolver=resolve_change.audit_log,
        arguments=forward_arguments(filter=argument(ChangeFilter | None, "What changes to keep.")),
    )
    job: Job | None = field(
        "The job of that id; null when there is none or the viewer did not start it.",
        permission(Permission.SIGNED_IN),
        resolver=resolve_job.job,
        arguments={"id": argument(strawberry.ID, "Id of the job.")},
    )
    deployment: Deployment = field("This deployment of Atoll.", resolver=resolve_deployment.deployment)
