"""Arguments that list fields of several types share."""

from strawberry.types.arguments import StrawberryArgument

from schema.enums import AssetOrderField, CollectionOrderField, OrderDirection
from schema.field import argument, paging_arguments, query_argument
from schema.filter import AssetFilter, CollectionFilter
from schema.order import AssetOrder, CollectionOrder


def asset_arguments() -> dict[str, StrawberryArgument]:
    """Declare the arguments of a list of assets, which is ordered by relevance by default."""
    return paging_arguments(
        filter=argument(AssetFilter | None, "Filters for the assets."),
        query=query_argument(),
        order_by=argument(
            AssetOrder | None,
            "The sort order of the assets.",
            AssetOrder(field=AssetOrderField.RELEVANCE, direction=OrderDirection.DESC),
        ),
    )


def collection_arguments(order: CollectionOrderField) -> dict[str, StrawberryArgument]:
    """Declare the arguments of a list of collections, which is in the given order by default."""
    return paging_arguments(
        filter=argument(CollectionFilter | None, "Filters for the collections."),
        query=query_argument(),
        order_by=argument(CollectionOrder | None, "The sort order of the collections.", CollectionOrder(field=order)),
    )
