"""This file is connections: the same four fields for every list that can grow."""

from typing import Any

import strawberry

from resolvers.listing import connection as resolve
from schema.field import field


@strawberry.type(description="Where a page lies in its list.")
class PageInfo:
    """Where a page lies in its list."""

    has_next_page: bool = field("Whether more items come after the page.")
    has_previous_page: bool = field("Whether more items come before the page.")
    start_cursor: str | None = field("Cursor of the first item; null for an empty page.")
    end_cursor: str | None = field("Cursor of the last item; null for an empty page.")


@strawberry.type
class Connection:
    """What pages of any list share; it is in no field, and so not in the schema itself."""

    page_info: PageInfo = field("Where the page lies in the list.", resolver=resolve.page_info)
    total_count: int = field("Number of items in the whole list that the viewer may see.", resolver=resolve.total_count)


def edges_field(what: str) -> Any:
    """Declare the page's edges; `what` names the items, in the plural."""
    return field(f"The {what} of the page, each with its cursor.", resolver=resolve.page_edges)


def nodes_field(what: str) -> Any:
    """Declare the page's nodes; `what` names the items, in the plural."""
    return field(f"The {what} of the page.", resolver=resolve.page_nodes)
