"""Collections of an asset: its memberships, seen from the asset."""

import strawberry

from resolvers import membership as resolve
from schema.collection import Collection
from schema.connection import Connection, edges_field, nodes_field
from schema.field import field
from schema.scalars import DateTime
from schema.user import User


@strawberry.type(
    description="A membership seen from the asset: a collection that contains it, with the date and the"
    " user who added it."
)
class AssetCollectionEdge:
    """A membership seen from the asset."""

    cursor: str = field("The collection's cursor in the list.")
    node: Collection = field("The collection.")
    added_at: DateTime = field("The date and time when the asset was added to the collection.")
    added_by: User | None = field(
        "The user who added the asset; null if a catalogue import added it.", resolver=resolve.added_by
    )
    note: str | None = field("The note on why the asset is in the collection.")


@strawberry.type(description="A page of collections that contain an asset.")
class AssetCollectionConnection(Connection):
    """A page of collections that contain an asset."""

    edges: list[AssetCollectionEdge] = edges_field("collections")
    nodes: list[Collection] = nodes_field("collections")
