"""Facets of asset lists: counts by kind, tag and owner."""

import strawberry

from resolvers.listing import facet as resolve
from resolvers.listing.listing import MAX_PAGE_SIZE
from schema.connection import Connection
from schema.enums import AssetKind
from schema.field import argument, field
from schema.user import User

FIRST = f"The maximum number of facet values to return, most frequent first; at most {MAX_PAGE_SIZE}."


@strawberry.type(description="Facet count of one kind of asset.")
class KindFacet:
    """Facet count of one kind of asset."""

    kind: AssetKind = field("The kind of asset.")
    count: int = field("The number of assets of this kind.")


@strawberry.type(description="Facet count of one tag.")
class TagFacet:
    """Facet count of one tag."""

    tag: str = field("The tag, in the spelling that most of these assets have.")
    count: int = field("The number of assets with this tag in any spelling.")


@strawberry.type(description="Facet count of one owner.")
class OwnerFacet:
    """Facet count of one owner."""

    owner: User = field("The owner.")
    count: int = field("The number of assets of this owner.")


@strawberry.type(
    description="Facet counts of a list of assets. A facet ignores the list's filter on its own field and applies"
    " all others; only assets visible to the viewer are counted."
)
class AssetFacets:
    """Facet counts of a list of assets."""

    kinds: list[KindFacet] = field("Counts by kind, most frequent first.", resolver=resolve.kinds)
    tags: list[TagFacet] = field(
        "Counts by tag, most frequent first, then by tag.",
        resolver=resolve.tags,
        arguments={"first": argument(int | None, FIRST, resolve.DEFAULT_FACETS)},
    )
    owners: list[OwnerFacet] = field(
        "Counts by owner, most frequent first, then by name.",
        resolver=resolve.owners,
        arguments={"first": argument(int | None, FIRST, resolve.DEFAULT_FACETS)},
    )


@strawberry.type
class FacetedConnection(Connection):
    """Base of asset connections, with facets. No field returns it, so it is not in the schema."""

    facets: AssetFacets = field("Facet counts of the list, by kind, tag and owner.", resolver=resolve.facets)
