"""Loader of lists: pages, counts and facets of one listing, for all parents requested in one tick."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import orjson

from permissions import OperationError
from resolvers.context import Context
from resolvers.listing.aggregate import Facet, Part, PartKind, select_parts
from resolvers.listing.count import select_count, select_counts_by_kind
from resolvers.listing.listing import MAX_PAGE_SIZE, Listing
from resolvers.listing.page import KeysetBound, Page, PageBounds, build_page, resolve_bounds, select_page, select_ranks
from resolvers.listing.statement_cache import cached
from resolvers.loaders import Loader
from store import sql
from store.sql import Selection

NO_PARAMETERS: Mapping[str, object] = {}


class PartKey(NamedTuple):
    """Key of a result: the parent and the requested part of its list."""

    parent: int
    part: Part


class PartByKey(Loader[PartKey, Any]):
    """Loader of the results of one listing. Pages, counts and facets take one statement each for all parents.

    The count of a list with facets shares the statement of the facets, and so does its first page if the list
    collects its matches first. A page with a cursor takes a statement for its parent alone; in a ranked list, two.
    """

    missing = None

    def __init__(self, context: Context, listing: Listing) -> None:
        """Create the loader of one listing."""
        super().__init__(context)
        self.listing = listing

    async def page(self, parent: int, bounds: PageBounds) -> Page:
        """Return a page of the parent's list.

        Raises OperationError(BAD_CURSOR) if all rows that a ranked cursor contains have left the list.
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
            keyset, preceding = await self._resolve_bounds(bounds, parents)
        except OperationError as error:
            return {PartKey(parent, part): error for parent in parents}

        shapes = tuple(bound.shape for bound in keyset)
        statement = self._cached(
            lambda: select_page(self.listing, self.context.viewer, bounds, shapes),
            Part(PartKind.PAGE, replace(bounds, after=None, before=None)),
            *shapes,
        )
        values = {name: value for bound in keyset for name, value in bound.parameters.items()}
        rows = await self._rows_by_parent(statement, parents, values)
        return {PartKey(of, part): build_page(rows[of], self.listing, bounds, preceding) for of in rows}

    async def _resolve_bounds(
        self, bounds: PageBounds, parents: Sequence[int]
    ) -> tuple[list[KeysetBound], Sequence[str]]:
        rank_by_id: dict[str, list[Any]] = {}
        if self.listing.is_ranked and not bounds.is_open:
            ids = dict.fromkeys((*(bounds.after or ()), *(bounds.before or ())))
            statement = self._cached(lambda: select_ranks(self.listing, self.context.viewer), "ranks")
            values = {"ids": sql.json_text(list(ids))}
            for rows in (await self._rows_by_parent(statement, parents, values)).values():
                rank_by_id |= {id_: ranks for id_, *ranks in rows}
        return resolve_bounds(self.listing, bounds, rank_by_id)

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
