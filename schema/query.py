"""Query: the root of all reads."""

import strawberry

from permissions.directive import DeniedResult, PermissionScope, permission
from permissions.permission import Permission
from resolvers import asset as resolve_asset
from resolvers import change as resolve_change
from resolvers import collection as resolve_collection
from resolvers import collection_graph as resolve_collection_graph
from resolvers import deployment as resolve_deployment
from resolvers import job as resolve_job
from resolvers import node as resolve_node
from resolvers import topic as resolve_topic
from resolvers import user as resolve_user
from resolvers import viewer as resolve_viewer
from resolvers.limits import LIMITS
from schema.arguments import asset_arguments, collection_arguments
from schema.asset import Asset, AssetConnection
from schema.change import ChangeConnection, ChangeFilter
from schema.collection import Collection, CollectionConnection
from schema.collection_graph import CollectionGraph
from schema.deployment import Deployment
from schema.enums import CollectionOrderField, GraphPart
from schema.field import argument, field, forward_arguments, optional, paging_arguments, query_argument
from schema.job import Job
from schema.node import Node
from schema.topic import Topic, TopicConnection
from schema.user import Group, GroupConnection, GroupRef, User, UserConnection, UserFilter, UserRef
from schema.viewer import Viewer

DESCRIPTION = "Root of all queries."


@strawberry.input(one_of=True, description="Reference to a topic, by its id or its slug.")
class TopicRef:
    """Reference to a topic."""

    id: strawberry.ID | None = optional("The topic's id.")
    slug: str | None = optional("The topic's slug.")


@strawberry.input(one_of=True, description="Reference to a collection, by its id or its slug.")
class CollectionRef:
    """Reference to a collection."""

    id: strawberry.ID | None = optional("The collection's id.")
    slug: str | None = optional("The collection's slug.")


@strawberry.input(one_of=True, description="Reference to an asset, by its id or by its id in the platform.")
class AssetRef:
    """Reference to an asset."""

    id: strawberry.ID | None = optional("The asset's id.")
    external_id: str | None = optional("The asset's id in the platform.")


@strawberry.type
class CommonFields:
    """Fields of the root that are common in GraphQL APIs, so that other subgraphs of a supergraph may have them."""

    node: Node | None = field(
        "The object with this id; null if it does not exist or is hidden from the viewer.",
        resolver=resolve_node.node,
        arguments={"id": argument(strawberry.ID, "The object's id.")},
    )
    nodes: list[Node | None] | None = field(
        "The objects with these ids, in the same order; null where an object does not exist or is hidden"
        " from the viewer.",
        resolver=resolve_node.nodes,
        arguments={"ids": argument(list[strawberry.ID], "The objects' ids, at most 100.")},
    )
    viewer: Viewer | None = field("The signed-in user; null for an anonymous visitor.", resolver=resolve_viewer.viewer)


@strawberry.type(name="Query", description=DESCRIPTION)
class OwnQuery:
    """Root of the queries for Atoll's own objects."""

    topic: Topic | None = field(
        "A topic by its id or slug; null if it does not exist or is hidden from the viewer.",
        resolver=resolve_topic.topic,
        arguments={"by": argument(TopicRef, "Reference to the topic.")},
    )
    topics: TopicConnection | None = field(
        "The topics that are visible to the viewer, in the administrators' order.",
        resolver=resolve_topic.topics,
        arguments=paging_arguments(query=query_argument()),
    )
    collection: Collection | None = field(
        "A collection by its id or slug; null if it does not exist or is hidden from the viewer.",
        resolver=resolve_collection.collection,
        arguments={"by": argument(CollectionRef, "Reference to the collection.")},
    )
    collections: CollectionConnection | None = field(
        "The collections that are visible to the viewer; by default ordered by name.",
        resolver=resolve_collection.collections,
        arguments=collection_arguments(CollectionOrderField.NAME),
    )
    collection_graph: CollectionGraph | None = field(
        "All rows that are visible to the viewer, member or visitor, in flat pages for analysts; or those that changed"
        " since a sync token, with the keys of those that were removed or hidden. They are fixed at the first page, and"
        " the pages are served for an hour. Rows that are deleted or hidden from the viewer meanwhile are omitted.",
        resolver=resolve_collection_graph.collection_graph,
        arguments={
            "first": argument(
                int | None,
                f"Page size: the number of rows of all parts together, at most {LIMITS.graph_page_size:,}.",
                LIMITS.graph_page_size,
            ),
            "after": argument(str | None, "The `endCursor` of the page before; without it, a new pull begins."),
            "since": argument(
                str | None,
                "The `syncToken` of an earlier pull, to get the changes since. The same on each page of a pull.",
            ),
            "include": argument(
                list[GraphPart] | None,
                "Parts to return, by default all, or those of `since`. The same on each page of a pull.",
            ),
        },
    )
    asset: Asset | None = field(
        "An asset by its id or its id in the platform; null if it does not exist or is hidden from the viewer.",
        permission(Permission.ASSET_DISCOVER, on=PermissionScope.ITEM, denied=DeniedResult.NULL),
        resolver=resolve_asset.asset,
        arguments={"by": argument(AssetRef, "Reference to the asset.")},
    )
    assets: AssetConnection | None = field(
        "The assets that are visible to the viewer. By default ordered by relevance: best matches of"
        " `query` first, then gold standards, then the most recently updated.",
        permission(Permission.ASSET_DISCOVER, on=PermissionScope.ITEM, denied=DeniedResult.OMIT),
        resolver=resolve_asset.assets,
        arguments=asset_arguments(),
    )
    user: User | None = field(
        "A user by id, id in the platform or e-mail address; null if there is none, or if several users have the e-mail"
        " address. Members only.",
        permission(Permission.SIGNED_IN),
        resolver=resolve_user.user,
        arguments={"by": argument(UserRef, "Reference to the user.")},
    )
    users: UserConnection | None = field(
        "All users, by name; `query` matches name, e-mail address and externalId. Members only.",
        permission(Permission.SIGNED_IN),
        resolver=resolve_user.users,
        arguments=forward_arguments(
            query=query_argument(), filter=argument(UserFilter | None, "Filters for the users.")
        ),
    )
    group: Group | None = field(
        "A group by its id or its id in the platform; null if there is none. Members only.",
        permission(Permission.SIGNED_IN),
        resolver=resolve_user.group,
        arguments={"by": argument(GroupRef, "Reference to the group.")},
    )
    groups: GroupConnection | None = field(
        "All groups, by name; `query` matches name and externalId. Members only.",
        permission(Permission.SIGNED_IN),
        resolver=resolve_user.groups,
        arguments=forward_arguments(query=query_argument()),
    )
    audit_log: ChangeConnection | None = field(
        "The audit log: all changes that are visible to the viewer, newest first. Administrators only.",
        permission(Permission.ADMIN),
        resolver=resolve_change.audit_log,
        arguments=forward_arguments(filter=argument(ChangeFilter | None, "Filters for the changes.")),
    )
    job: Job | None = field(
        "A job by its id; null if it does not exist or was started by another viewer.",
        permission(Permission.SIGNED_IN),
        resolver=resolve_job.job,
        arguments={"id": argument(strawberry.ID, "The job's id.")},
    )
    deployment: Deployment | None = field(
        "This deployment of Atoll: its version, settings and limits.", resolver=resolve_deployment.deployment
    )


@strawberry.type(description=DESCRIPTION)
class Query(CommonFields, OwnQuery):
    """Root of all queries."""
