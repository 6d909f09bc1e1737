"""This file is the collections of an asset: its memberships, seen from the asset."""

import strawberry

from resolvers import membership as resolve
from schema.collection import Collection
from schema.connection import Connection, edges_field, nodes_field
from schema.field import field
from schema.scalars import DateTime
from schema.user import User


@strawberry.type(description="A membership: what is true of the asset in this collection, not of the collection.")
class AssetCollectionEdge:
    """A collection that holds an asset."""

    cursor: str = field("Cursor of the collection in the list.")
    node: Collection = field("The collection.")
    added_at: DateTime = field("Timestamp of the asset's addition.")
    added_by: User | None = field(
        "User who added the asset; null when it came with a catalogue.", resolver=resolve.added_by
    )
    note: str | None = field("Note on why the asset is there.")


@strawberry.type(description="A page of collections.")
class AssetCollectionConnection(Connection):
    """A page of collections."""

    edges: list[AssetCollectionEdge] = edges_field("collections")
    nodes: list[Collection] = nodes_field("collections")
