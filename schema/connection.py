"""Connections: the pagination fields that all lists share."""

from typing import Any

import strawberry

from resolvers.listing import connection as resolve
from schema.field import field


@strawberry.type(description="Pagination information of a page, for the next and the previous page.")
class PageInfo:
    """Pagination information of a page, for the next and the previous page."""

    has_next_page: bool = field("Whether there are items after this page.")
    has_previous_page: bool = field("Whether there are items before this page.")
    start_cursor: str | None = field(
        "The cursor of the page's first item, to pass as `before`; null if the page is empty."
    )
    end_cursor: str | None = field("The cursor of the page's last item, to pass as `after`; null if the page is empty.")


def page_info_field() -> Any:
    """Declare a page's pagination information."""
    return field(
        "Pagination information: whether there are more pages, and the cursors to request them.",
        resolver=resolve.page_info,
    )


@strawberry.type
class Connection:
    """Base of connections that count visible items. No field returns it, so it is not in the schema."""

    page_info: PageInfo = page_info_field()
    total_count: int = field(
        "The number of items in the whole list that are visible to the viewer.", resolver=resolve.total_count
    )


def edges_field(items: str) -> Any:
    """Declare a page's edges; `items` is the plural noun for the description."""
    return field(f"The page's {items}, each as an edge with its cursor.", resolver=resolve.page_edges)


def nodes_field(items: str) -> Any:
    """Declare a page's nodes; `items` is the plural noun for the description."""
    return field(f"The page's {items}.", resolver=resolve.page_nodes)
