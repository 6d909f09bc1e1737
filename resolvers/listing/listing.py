"""Declarations of lists: rows, orders, columns of edges, and the loader of nodes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol, Self

from sqlalchemy import BigInteger, ColumnElement, FromClause, SelectBase, bindparam

from permissions import Viewer
from permissions.visible import restrict_to_access
from resolvers.filter import Filter
from resolvers.listing.timeline import Key, Step
from resolvers.loaders import RowByColumn
from store.search.query import Search
from store.sql import Expressions, Selection
from store.tables import AssetAccess

DEFAULT_PAGE_SIZE = 20
MAX_PAGE_SIZE = 100
NO_PARENT = 0
"""Parent key of a list at the root, which has no parent."""
SINCE = bindparam("since", type_=BigInteger)
"""Time of the oldest change that a ranked list takes into account; a parameter of its statements."""
MAX_CACHED_FILTER_LENGTH = 4_000
"""Most characters of a filter whose statements are cached; those of a longer one would take too much memory."""


class DefaultPageSize(int):
    """Default page size as a distinct type, so that an omitted `first` differs from an explicit one."""


class OrderInput(Protocol):
    """Order given as an argument; the enum values are strings."""

    field: str
    direction: str


@dataclass(frozen=True)
class Listing:
    """Query of a list field (order, filter), independent of parent and page.

    Hashable: equal queries share one statement and one loader.
    """

    order: str = "POSITION"
    descending: bool = False
    filter: Filter = Filter()
    required_access: AssetAccess = AssetAccess.DISCOVERABLE

    name: ClassVar[str]
    table: ClassVar[Any]  # table of the nodes, or an object with its columns pk and id
    node_loader: ClassVar[type[RowByColumn[int, Any]]]
    row_access: ClassVar[AssetAccess] = AssetAccess.DISCOVERABLE  # least access to any row of `select_rows`
    has_facets: ClassVar[bool] = False  # True for all lists of assets
    has_parents: ClassVar[bool] = True  # False for a list at the root of the graph
    edge_columns: ClassVar[tuple[str, ...]] = ()  # names of the columns that an edge has besides its node
    defer_edge_columns: ClassVar[bool] = False  # select edge columns for the page only: each row costs a lookup
    # Orders that sort by rank. Their cursors contain no ranks, because a rank reveals the number of hidden rows.
    ranked_orders: ClassVar[frozenset[str]] = frozenset({"POSITION"})
    inlines_rows: ClassVar[bool] = False  # select whole rows with the page: for small rows, equal for all viewers

    @property
    def is_ranked(self) -> bool:
        """Whether the list is sorted by a rank."""
        return self.order in self.ranked_orders

    @property
    def collects_first(self) -> bool:
        """Whether to collect all matches before sorting.

        True for selective lists, where walking the sort index would visit mostly non-matching rows.
        """
        return self.required_access is AssetAccess.OWNER or self.search is not None

    @property
    def search(self) -> Search | None:
        """The parsed search query, if there is one."""
        return self.filter.search

    @property
    def is_cacheable(self) -> bool:
        """Whether statements of the list may be cached."""
        return self.filter.text_length <= MAX_CACHED_FILTER_LENGTH

    @property
    def cache_key(self) -> Self:
        """The list without its search terms, which are parameters of its statements."""
        return self if self.search is None else self.with_search(self.search.cache_key)

    @property
    def parameters(self) -> Mapping[str, object]:
        """Values of the search parameters of the statements."""
        return self.search.parameters if self.search else {}

    @classmethod
    def ordered_by(cls, order_by: OrderInput | None, **attributes: Any) -> Self:
        """Create the list in the given order, or in its default order."""
        if order_by is None:
            return cls(**attributes)
        return cls(order=order_by.field, descending=order_by.direction == "DESC", **attributes)

    def without_filter(self) -> Self:
        """Return the list of all rows that the viewer may see."""
        return replace(self, filter=type(self.filter)(), required_access=AssetAccess.DISCOVERABLE)

    def with_search(self, search: Search) -> Self:
        """Return the list of the matches of a search query."""
        return replace(self, filter=replace(self.filter, search=search))

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Selection:
        """Return the SELECT of the list's rows, built on `visible` and correlated with the parent."""
        raise NotImplementedError

    def sort_keys(self, viewer: Viewer) -> Expressions:
        """Return the sort keys: unique together, never NULL."""
        raise NotImplementedError

    def select_former_keys(self, viewer: Viewer, parents: FromClause) -> Mapping[str, Selection]:
        """Return the SELECTs that `former_keys` needs, by name, correlated with the parent.

        They select changes after the time `SINCE`, the newest first. None for a list whose changes are not logged.
        """
        del viewer, parents
        return {}

    def former_keys(self, parent: int, keys: Mapping[str, Key], rows: Mapping[str, Sequence[Any]]) -> list[Step]:
        """Return the sort keys before each of the last changes, given the current ones and the rows of the SELECTs.

        In ascending order of the sort keys, also if the list is in descending order.
        """
        del parent, keys, rows
        return []

    def has_ids(self, ids: SelectBase) -> ColumnElement[bool]:
        """Return the condition that a row has one of the ids in the SELECT."""
        condition: ColumnElement[bool] = self.table.c.id.in_(ids)
        return condition

    def select_edge_columns(self, viewer: Viewer, parents: FromClause) -> Expressions:
        """Return the expressions of `edge_columns`, in the same order."""
        del viewer, parents
        return ()


def accessible_rows(listing: Listing, viewer: Viewer, parents: FromClause) -> Selection:
    """Return the SELECT of the list's rows to which the viewer has the required access."""
    rows = listing.select_rows(viewer, parents)
    if listing.required_access <= listing.row_access:
        return rows
    return restrict_to_access(rows, listing.table, viewer, listing.required_access)
