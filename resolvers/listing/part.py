"""Loader of lists: pages, counts and facets of one listing, for all parents requested in one tick."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Integer, bindparam

from permissions import OperationError
from resolvers.context import Context
from resolvers.listing.aggregate import Facet, Part, PartKind, select_parts
from resolvers.listing.chain import Chain
from resolvers.listing.count import select_count, select_counts_by_kind
from resolvers.listing.listing import MAX_PAGE_SIZE, Listing
from resolvers.listing.order import Order, RankedRow
from resolvers.listing.page import (
    EMPTY_PAGE,
    KeysetBound,
    KeysetShape,
    Page,
    PageBounds,
    PageEdge,
    build_page,
    select_keys,
    select_neighbours,
    select_page,
)
from resolvers.listing.statement_cache import cached
from resolvers.listing.timeline import Timeline
from resolvers.loaders import Loader
from store import sql
from store.ids import now_ms
from store.place_log import RETENTION_MS
from store.sql import Selection

NO_PARAMETERS: Mapping[str, object] = {}

MAX_ORDER_ROWS = 1_000
"""Longest list whose order is read to resolve a stale cursor, which takes about 0.02 ms for each row."""

MAX_FORMER_ROWS = 1_000
"""Most former places that are read, the newest first."""

# Parameters, because statements are kept: a kept limit would outlast a change of the constants above.
ORDER_ROWS = bindparam("order_rows", type_=Integer)
FORMER_ROWS = bindparam("former_rows", type_=Integer)


class PartKey(NamedTuple):
    """Key of a result: the parent and the requested part of its list."""

    parent: int
    part: Part


class PartByKey(Loader[PartKey, Any]):
    """Loader of the results of one listing. Pages, counts and facets take one statement each for all parents.

    The count of a list with facets shares the statement of the facets, and so does its first page if the list
    collects its matches first. A page with a cursor takes a statement for its parent alone; in a ranked list, two, and
    more if rows around the cursor's row came, left or moved since.
    """

    missing = None

    def __init__(self, context: Context, listing: Listing) -> None:
        """Create the loader of one listing."""
        super().__init__(context)
        self.listing = listing
        self._orders: dict[int, Order] = {}

    async def page(self, parent: int, bounds: PageBounds) -> Page:
        """Return a page of the parent's list.

        Raises OperationError(BAD_CURSOR) if all rows that a ranked cursor contains left the list long ago.
        """
        page: Page = await self.load(PartKey(parent, Part(PartKind.PAGE, bounds)))
        return page

    async def count(self, parent: int) -> int:
        """Return the number of rows of the parent's list."""
        count: int = await self.load(PartKey(parent, Part(PartKind.COUNT)))
        return count

    async def counts_by_kind(self, parent: int) -> Sequence[tuple[str, int, int]]:
        """Return `(kind, count, gold standards)` of each kind in the parent's list of assets."""
        counts: Sequence[tuple[str, int, int]] = await self.load(PartKey(parent, Part(PartKind.COUNTS_BY_KIND)))
        return counts

    async def facets(self, parent: int, kind: PartKind, first: int = MAX_PAGE_SIZE) -> Sequence[Facet]:
        """Return the most frequent values of a facet, the most frequent first."""
        facets: Sequence[Facet] = await self.load(PartKey(parent, Part(kind, first)))
        return facets

    async def fetch(self, keys: list[PartKey]) -> Mapping[PartKey, Any]:
        """Return the results by key."""
        batches: defaultdict[Hashable, list[PartKey]] = defaultdict(list)
        for key in keys:
            batches[self._batch_of(key)].append(key)
        results: dict[PartKey, Any] = {}
        for batch in batches.values():
            parts = tuple(dict.fromkeys(key.part for key in batch))
            parents = list(dict.fromkeys(key.parent for key in batch))
            if len(parts) == 1 and isinstance(parts[0].size, PageBounds):
                results |= await self._fetch_pages(parts[0], parts[0].size, parents)
            elif self._shares_statement(parts[0]):
                shared = await self._fetch_shared(parts, parents)
                results |= {key: shared[key] for key in batch}
            else:
                results |= await self._fetch_counts(parts[0], parents)
        return results

    def _batch_of(self, key: PartKey) -> Hashable:
        """Return a value that is equal for keys answered by the same statement."""
        if self._shares_statement(key.part):
            return None
        bounds = key.part.size
        # A cursor belongs to one parent: in the list of another, the same row has a different rank.
        return key if isinstance(bounds, PageBounds) and not bounds.is_open else key.part

    def _shares_statement(self, part: Part) -> bool:
        """Return whether the part is read together with the facets."""
        if not self.listing.has_facets or part.kind is PartKind.COUNTS_BY_KIND:
            return False
        return not isinstance(part.size, PageBounds) or (self.listing.collects_first and part.size.is_open)

    async def _fetch_pages(
        self, part: Part, bounds: PageBounds, parents: Sequence[int]
    ) -> dict[PartKey, Page | OperationError]:
        try:
            edges = await self._find_edges(bounds, parents)
        except OperationError as error:
            return {PartKey(parent, part): error for parent in parents}
        if any(edge.bound is None and not edge.is_after for edge in edges):  # nothing is before the start of the list
            return {PartKey(parent, part): EMPTY_PAGE for parent in parents}

        keyset = [edge.bound for edge in edges if edge.bound is not None]
        shapes = tuple(bound.shape for bound in keyset)
        statement = self._cached(
            lambda: select_page(self.listing, self.context.viewer, bounds, shapes),
            Part(PartKind.PAGE, replace(bounds, after=None, before=None)),
            *shapes,
        )
        values = {name: value for bound in keyset for name, value in bound.parameters.items()}
        rows = await self._rows_by_parent(statement, parents, values)
        return {PartKey(of, part): build_page(rows[of], self.listing, bounds, edges) for of in rows}

    async def _find_edges(self, bounds: PageBounds, parents: Sequence[int]) -> list[PageEdge]:
        """Return the edges that cursors give to a page. One statement in a ranked list, more if a cursor is stale."""
        cursors = [(values, is_after) for values, is_after in ((bounds.after, True), (bounds.before, False)) if values]
        if not cursors or not self.listing.is_ranked:
            return [
                PageEdge(is_after, KeysetBound(values, KeysetShape(is_after, is_inclusive=False)))
                for values, is_after in cursors
            ]
        (parent,) = parents
        chains = {is_after: values for values, is_after in cursors if isinstance(values, Chain)}
        neighbours = await self.neighbours(parents, [chain.id for chain in chains.values()])
        edges, order = [], None
        for is_after, chain in chains.items():
            row = neighbours.get((parent, chain.id))
            if row is not None and row.chain == chain:
                bound = KeysetBound(row.sort_values, KeysetShape(is_after, is_inclusive=False))
                edges.append(PageEdge(is_after, bound, (chain.id, *(chain.before if is_after else chain.after))))
            else:
                order = order or await self._order(parent, list(chains.values()))
                edges.append(order.find_edge(chain, is_after=is_after))
        return edges

    async def neighbours(self, parents: Sequence[int], ids: Sequence[str]) -> dict[tuple[int, str], RankedRow]:
        """Return rows of ranked lists, each with the chain of its cursor, by parent and id. One statement."""
        statement = self._cached(lambda: select_neighbours(self.listing, self.context.viewer), "neighbours")
        rows = await self._rows_by_parent(statement, parents, {"ids": sql.json_text(ids)})
        return {(of, row[0]): RankedRow.build(self.listing, row) for of in rows for row in rows[of]}

    async def _order(self, parent: int, chains: Sequence[Chain]) -> Order:
        """Return the order of a parent's ranked list, now and before its last changes.

        The number of statements depends on the list: one for the current order, one more if the list is filtered, and
        those of former places. Of a list that is too long for that, only the order of the chains' rows is read.
        """
        if parent in self._orders:
            return self._orders[parent]
        viewer, every_row = self.context.viewer, self.listing.without_filter()
        values = {
            "since": now_ms() - RETENTION_MS,
            "order_rows": MAX_ORDER_ROWS + 1,
            "former_rows": MAX_FORMER_ROWS,
        }

        async def read(key: str, select: Callable[[], Selection]) -> list[Any]:
            return (await self._rows_by_parent(self._cached(select, "order", key), [parent], values))[parent]

        ranked = await read("keys", lambda: select_keys(every_row, viewer, ORDER_ROWS))
        keys = {id_: tuple(key) for id_, *key in ranked}
        if len(keys) > MAX_ORDER_ROWS:
            around = [id_ for chain in chains for id_ in (chain.id, *chain.before, *chain.after)]
            rows = await self.neighbours([parent], list(dict.fromkeys(around)))
            near = {id_: tuple(row.sort_values) for (_, id_), row in rows.items()}
            moved = [each.id for each in chains if not each.is_in_order(near, is_descending=self.listing.descending)]
            staying = {id_: key for id_, key in near.items() if id_ not in moved}
            return Order(Timeline(staying), None, is_descending=self.listing.descending)
        ids = None
        if every_row != self.listing:
            ids = {id_ for id_, *_ in await read("ids", lambda: select_keys(self.listing, viewer, ORDER_ROWS))}
        parents = sql.int_table("parents")
        former = {
            name: await read(
                f"former {name}", partial(sql.per_parent, parents, rows.limit(FORMER_ROWS).correlate(parents))
            )
            for name, rows in every_row.select_former_keys(viewer, parents).items()
        }
        timeline = Timeline(keys, every_row.former_keys(parent, keys, former))
        self._orders[parent] = Order(timeline, ids, is_descending=self.listing.descending)
        return self._orders[parent]

    async def _fetch_counts(self, part: Part, parents: Sequence[int]) -> dict[PartKey, Any]:
        is_total = part.kind is PartKind.COUNT
        select = select_count if is_total else select_counts_by_kind
        statement = self._cached(lambda: select(self.listing, self.context.viewer), part)
        rows = await self._rows_by_parent(statement, parents)
        return {PartKey(of, part): rows[of][0][0] if is_total else rows[of] for of in rows}

    async def _fetch_shared(self, parts: tuple[Part, ...], parents: Sequence[int]) -> dict[PartKey, Any]:
        statement = self._cached(lambda: select_parts(self.listing, self.context.viewer, parts), *parts)
        facets: dict[PartKey, list[Facet]] = {PartKey(of, part): [] for of in parents for part in parts}
        for row in await self.context.snapshot.rows(statement, self._parameters(parents)):
            facets[PartKey(row.parent, parts[row.part])].append(Facet(row.value, row.number))
        return {key: self._build(key.part, rows) for key, rows in facets.items()}

    def _build(self, part: Part, rows: Sequence[Facet]) -> Page | int | Sequence[Facet]:
        if isinstance(part.size, PageBounds):
            return build_page(orjson.loads(rows[0].value), self.listing, part.size)
        if part.kind is PartKind.COUNT:
            return rows[0].count if rows else 0
        return rows

    async def _rows_by_parent(
        self, statement: Selection, parents: Sequence[int], further: Mapping[str, object] = NO_PARAMETERS
    ) -> dict[int, list[Any]]:
        rows = await self.context.snapshot.rows(statement, {**self._parameters(parents), **further})
        return {row.value: row.rows for row in rows}

    def _parameters(self, parents: Sequence[int]) -> Mapping[str, object]:
        return {"parents": sql.json_text(parents), **self.listing.parameters, **self.context.viewer.parameters}

    def _cached(self, build: Callable[[], Selection], *key: Hashable) -> Selection:
        if not self.listing.is_cacheable:
            return build()
        return cached((self.context.viewer.kind, self.listing.cache_key, *key), build)


class ChainByRow(Loader[tuple[int, str], Chain | None]):
    """Loader of the chains of rows of a ranked list, by parent and id; None for a row that is not in the list."""

    missing = None

    def __init__(self, context: Context, listing: Listing) -> None:
        """Create the loader of one listing."""
        super().__init__(context)
        self.listing = listing

    async def fetch(self, keys: list[tuple[int, str]]) -> Mapping[tuple[int, str], Chain]:
        """Return the chains by parent and id. One statement."""
        parents, ids = (list(dict.fromkeys(part)) for part in zip(*keys, strict=True))
        rows = await self.context.loader(PartByKey, self.listing).neighbours(parents, ids)
        return {key: row.chain for key, row in rows.items()}
