"""This file is lists that can grow, declared as data: which rows, in which orders, told by which loader."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from sqlalchemy import ColumnElement, FromClause, Select

from permissions import Viewer
from resolvers.loaders import RowByColumn
from store.search.query import Search
from store.tables import AssetAccess

DEFAULT_PAGE_SIZE = 20
MAX_PAGE_SIZE = 100
MAX_CACHED_FILTER_LENGTH = 4_000  # letters of a filter
NO_PARENT = 0  # the parent of a list that has none


@dataclass(frozen=True)
class PageBounds:
    """How much of a list, from where: forward from the start or after a cursor, or backward."""

    size: int = DEFAULT_PAGE_SIZE
    is_backward: bool = False
    after: tuple[Any, ...] | None = None
    before: tuple[Any, ...] | None = None
    parent: int | None = None  # whose cursor it is: in lists of others the same rows stand elsewhere

    @property
    def is_open(self) -> bool:
        """Whether the page is at an end of the list."""
        return self.after is None and self.before is None


@dataclass(frozen=True)
class Listing:
    """What is asked of a list, whoever's it is: order, filter and bounds. Equal ones share a statement."""

    order: str = "POSITION"
    descending: bool = False
    filter: Any = None
    required_access: AssetAccess = AssetAccess.DISCOVERABLE
    bounds: PageBounds = PageBounds()

    name: ClassVar[str]
    row_access: ClassVar[AssetAccess] = AssetAccess.DISCOVERABLE  # the access that the viewer has to every row at least
    has_facets: ClassVar[bool] = False
    has_parents: ClassVar[bool] = True  # whether there is one of each of something
    table: ClassVar[Any]  # the table whose rows the list is of
    node_loader: ClassVar[type[RowByColumn[int, Any]]]
    edge_columns: ClassVar[tuple[str, ...]] = ()  # what an edge tells beyond its node
    defer_edge_columns: ClassVar[bool] = False  # whether they are looked up for a row, and so for those of a page alone
    # Orders that are the administrators': their keys are ranks, which no cursor may hold.
    ranked_orders: ClassVar[frozenset[str]] = frozenset({"POSITION"})
    inlines_rows: ClassVar[bool] = (
        False  # whether a page brings its rows along: small ones that every viewer sees alike
    )

    @property
    def is_ranked(self) -> bool:
        """Whether the list is in the administrators' order."""
        return self.order in self.ranked_orders

    @property
    def scans_descending(self) -> bool:
        """Whether a page is read from the greatest key on."""
        return self.descending != self.bounds.is_backward

    @property
    def collects_first(self) -> bool:
        """Whether all rows are found before they are ordered: a few, far apart in an index of the order."""
        return self.required_access is AssetAccess.OWNER or self.search is not None

    @property
    def search(self) -> Search | None:
        """What is looked for, if anything is."""
        return getattr(self.filter, "search", None)

    @property
    def is_cacheable(self) -> bool:
        """Whether its statements may be: those with long lists in a filter would take more room than they are worth."""
        return self.filter is None or self.filter.text_length <= MAX_CACHED_FILTER_LENGTH

    @property
    def cache_key(self) -> Self:
        """The list as its statements tell it: whatever is looked for, these are the same."""
        return self if self.search is None else replace(self, filter=replace(self.filter, search=self.search.cache_key))

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The values of what its statements leave open."""
        return {} if self.search is None else self.search.parameters

    @classmethod
    def ordered_by(cls, order_by: Any, **asked: Any) -> Self:
        """Return the list in the order that an input asks for; in its own for none."""
        if order_by is None:
            return cls(**asked)
        return cls(order=order_by.field, descending=order_by.direction == "DESC", **asked)

    def select_rows(self, viewer: Viewer, parents: FromClause) -> Select[Any]:
        """Return the SELECT of the list's rows, from `visible`, for the parent at hand."""
        raise NotImplementedError

    def sort_keys(self, viewer: Viewer) -> Sequence[ColumnElement[Any]]:
        """Return what the list is ordered by, unique in it and never NULL."""
        raise NotImplementedError

    def select_edge_columns(self, viewer: Viewer, parents: FromClause) -> Sequence[ColumnElement[Any]]:
        """Return the columns of `extras`, in their order."""
        del viewer, parents
        return ()


class DefaultPageSize(int):
    """The size of a page when none was asked for, to be told from the same size asked for."""
