"""This file is facets: by what a list of assets could be narrowed further, and how many each would leave."""

import strawberry

from resolvers.listing import facet as resolve
from schema.connection import Connection
from schema.enums import AssetKind
from schema.field import argument, field
from schema.user import User

FIRST = "Number of the most frequent, at most 100."


@strawberry.type(description="How many assets of a kind there are.")
class KindFacet:
    """How many assets of a kind there are."""

    kind: AssetKind = field("The kind.")
    count: int = field("Number of assets of the kind.")


@strawberry.type(description="How many assets with a tag there are.")
class TagFacet:
    """How many assets with a tag there are."""

    tag: str = field("The tag, as it is written.")
    count: int = field("Number of assets with the tag.")


@strawberry.type(description="How many assets of an owner there are.")
class OwnerFacet:
    """How many assets of an owner there are."""

    owner: User = field("The owner.")
    count: int = field("Number of assets of the owner.")


@strawberry.type(description="Each facet counts within the other filters, and only what the viewer may see.")
class AssetFacets:
    """Each facet counts within the other filters, and only what the viewer may see."""

    kinds: list[KindFacet] = field("Kinds of the assets, the most frequent first.", resolver=resolve.kinds)
    tags: list[TagFacet] = field(
        "Tags of the assets, the most frequent first, then by tag.",
        resolver=resolve.tags,
        arguments={"first": argument(int | None, FIRST, 20)},
    )
    owners: list[OwnerFacet] = field(
        "Owners of the assets, those of most first, then by name.",
        resolver=resolve.owners,
        arguments={"first": argument(int | None, FIRST, 20)},
    )


@strawberry.type
class FacetedConnection(Connection):
    """What pages of any assets share; it is in no field, and so not in the schema itself."""

    total_count: int = field("Number of items in the whole list that the viewer may see.", resolver=resolve.total_count)
    facets: AssetFacets = field("By what the list could be narrowed further.", resolver=resolve.facets)
