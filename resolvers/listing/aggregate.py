"""This file is what a list of assets comes to: how many there are, in all and of each kind, tag and owner.

Where a list is gathered, its first page is read along: all of it is there by then.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import orjson
from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    String,
    and_,
    case,
    cast,
    func,
    literal,
    literal_column,
    null,
    true,
    union_all,
)

from resolvers.filter import AssetFilter
from resolvers.listing.listing import MAX_PAGE_SIZE, NO_PARENT, Listing, PageBounds
from resolvers.listing.page import ListingLoader, Page, PageByParent, build_page, fetch_limit
from store import sql


@dataclass(frozen=True, slots=True)
class Facet:
    """A value, a kind or a tag or the pk of an owner, and how many assets have it."""

    value: str
    count: int

    @property
    def kind(self) -> str:
        """The value of a kind's facet."""
        return self.value

    @property
    def tag(self) -> str:
        """The value of a tag's facet."""
        return self.value


class AggregateKey(NamedTuple):
    """What is asked of one parent's list: `count`, `kinds`, `tags` or `owners` and how many values, or a `page`."""

    parent: int
    what: str
    first: int | PageBounds = MAX_PAGE_SIZE


FILTER_OF_FACET = {"kinds": "kinds", "tags": "tags", "owners": "owner_ids"}
"""The filter that each facet does without."""
COUNT, PAGE = "count", "page"


class AggregatesByParent(ListingLoader[AggregateKey, Any]):
    """Facets, the most frequent first, and the count as one without a value: one statement for all that is asked."""

    missing = ()

    async def fetch(self, keys: list[AggregateKey]) -> dict[AggregateKey, Any]:
        """Return what there is by part: facets, or a page."""
        asked = tuple(dict.fromkeys(key[1:] for key in keys))
        parents = list(dict.fromkeys(key.parent for key in keys))
        if len(asked) == 1 and asked[0][0] == PAGE:
            pages = await PageByParent(self.context, self._bounded(asked[0][1])).fetch(parents)
            return {AggregateKey(parent, *asked[0]): page for parent, page in pages.items()}
        found = defaultdict[AggregateKey, list[Facet]](list)  # also what one parent was asked, and another was not
        for row in await self.context.snapshot.rows(self.cached(self._statement, *asked), self.parameters(parents)):
            found[AggregateKey(row.parent, *asked[row.part])].append(Facet(row.value, row.number))
        return {key: self._page(found[key], key.first) if key.what == PAGE else found[key] for key in keys}

    def _bounded(self, bounds: Any) -> Listing:
        return replace(self.listing, bounds=bounds)

    def _page(self, rows: Sequence[Facet], bounds: Any) -> Page:
        return build_page(orjson.loads(rows[0].value), self._bounded(bounds), ())

    def _statement(self, *asked: tuple[str, Any]) -> Select[Any]:
        wider, narrowed = self._narrowing({FILTER_OF_FACET[what] for what, _ in asked if what in FILTER_OF_FACET})
        parents = sql.int_table("parents").select().cte("parents").prefix_with("MATERIALIZED")
        found = self._found(wider, parents, narrowed, with_order=any(what == PAGE for what, _ in asked))
        if len(asked) > 1:
            found = found.prefix_with("MATERIALIZED")  # read once for all parts
        # What is counted by more than one of these is sorted by all of them at once, and the sums are few.
        by_columns = sum(what not in {PAGE, "tags"} for what, _ in asked)
        sums = _sums(found, narrowed) if by_columns > 1 else found
        parts = []
        for part, (what, first) in enumerate(asked):
            if what == PAGE:
                parts.append(self._rows(found, parents, narrowed, part, first))
            else:
                parts.append(_counts(found if what == "tags" else sums, narrowed, part, what, first))
        together = union_all(*parts).subquery()
        return together.select().order_by(together.c.part, together.c.place)

    def _found(self, wider: Listing, parents: CTE, narrowed: Mapping[str, Sequence[Any]], *, with_order: bool) -> CTE:
        """Return the wider list's assets, each with its parent and with what the narrowing filters say of it."""
        item, viewer = self.listing.table, self.context.viewer
        columns = [item.c.pk, item.c.kind, item.c.owner_pk]
        columns += [parents.c.value.label("parent")] if self.listing.has_parents else []
        columns += [case((and_(*conditions), 1), else_=0).label(name) for name, conditions in narrowed.items()]
        if with_order:
            columns += [key.label(f"key{index}") for index, key in enumerate(self.listing.sort_keys(viewer))]
            columns += [] if self.listing.defer_edge_columns else self._extras(parents)
        rows = type(self)(self.context, wider).select_rows(parents)
        rows = rows.join(parents, true()) if self.listing.has_parents else rows
        return rows.with_only_columns(*columns, maintain_column_froms=True).cte("found")

    def _extras(self, parents: CTE) -> list[ColumnElement[Any]]:
        columns = self.listing.select_edge_columns(self.context.viewer, parents)
        return [column.label(f"extra{index}") for index, column in enumerate(columns)]

    def _rows(self, found: CTE, parents: CTE, narrowed: Iterable[str], part: int, bounds: PageBounds) -> Select[Any]:
        """Return the SELECT of `(part, parent, value, number, place)` of first pages: each value all rows as JSON."""
        listing, item = self._bounded(bounds), self.listing.table

        def ordered(of: Any) -> list[ColumnElement[Any]]:
            return [key.desc() if listing.scans_descending else key.asc() for key in _called("key", of)]

        # The sum keeps SQLite from an index of all that is found, made to be looked into once for each parent.
        kept = [found.c[name] == 1 for name in narrowed]
        kept += [parent + 0 == parents.c.value for parent in _parents(found)]
        rows = (
            found.select().with_only_columns(found.c.pk, *_called("key", found), *_called("extra", found)).where(*kept)
        )
        best = rows.order_by(*ordered(found)).limit(fetch_limit(listing)).correlate(parents).subquery()
        keys = () if listing.is_ranked else _called("key", best)
        extras = self._extras(parents) if listing.defer_edge_columns else _called("extra", best)
        told = best.select().with_only_columns(item.c.pk, item.c.id, *keys, *extras)
        told = told.select_from(best.join(item, item.c.pk == best.c.pk)).order_by(*ordered(best))
        page = sql.per_parent(parents, told).subquery()
        columns = (literal(part).label("part"), page.c.value.label("parent"), cast(page.c.rows, String).label("value"))
        return page.select().with_only_columns(*columns, literal(0).label("number"), literal(0).label("place"))

    def _narrowing(self, names: AbstractSet[str]) -> tuple[Listing, Mapping[str, Sequence[Any]]]:
        """Return the list without the filters of those names, and their conditions, if they have any."""
        given, viewer = self.listing.filter, self.context.viewer
        if given is None:
            return self.listing, {}
        wider = replace(self.listing, filter=replace(given, **dict.fromkeys(names)))
        alone = {name: AssetFilter(**{name: getattr(given, name)}).conditions(viewer) for name in sorted(names)}
        return wider, {name: conditions for name, conditions in alone.items() if conditions}


def _sums(found: CTE, narrowed: Iterable[str]) -> CTE:
    """Return how many there are of each kind and owner, by parent and by what the narrowing filters say."""
    columns = (found.c.owner_pk, found.c.kind, *(found.c[name] for name in narrowed), *_parents(found))
    summed = found.select().with_only_columns(*columns, func.count().label("number")).group_by(*columns)
    return summed.cte("sums").prefix_with("MATERIALIZED")


def _counts(of: CTE, narrowed: Iterable[str], part: int, what: str, first: int) -> Select[Any]:
    """Return the SELECT of `(part, parent, value, number, place)` of a facet or the count, of assets or of sums."""
    rows, value, *order = _VALUES[what](of)
    kept = [of.c[name] == 1 for name in narrowed if FILTER_OF_FACET.get(what) != name]
    number = cast(func.coalesce(func.sum(of.c.number), 0), BigInteger) if "number" in of.c else func.count()
    parents = _parents(of)
    place = func.row_number().over(partition_by=parents or None, order_by=(number.desc(), *order)).label("place")
    parent = parents[0] if parents else literal(NO_PARENT).label("parent")
    columns = (literal(part).label("part"), parent, cast(value, String).label("value"), number.label("number"))
    counted = rows.select().with_only_columns(*columns, place if order else literal(0).label("place"))
    counted = counted.select_from(rows).where(*kept).group_by(*order, *parents)  # the fewest last: SQLite compares less
    if not order:
        return counted
    best = counted.subquery()
    return best.select().where(best.c.place <= first)


def _parents(rows: FromClause) -> list[ColumnElement[Any]]:
    """Return the column of the parents, to be grouped by; none of a list without: to group by one more takes long."""
    return _called("parent", rows)


def _called(prefix: str, rows: FromClause) -> list[ColumnElement[Any]]:
    return [column for column in rows.c if column.key.startswith(prefix)]


_Values = tuple[FromClause, Any, *tuple[Any, ...]]


def _tags(found: CTE) -> _Values:
    tag = sql.asset_tag.alias()
    # The sum of texts keeps SQLite from walking through all tags there are, in their order, for a few of them.
    name = tag.c.tag + literal_column("''")
    return found.join(tag, tag.c.asset_pk == found.c.pk), name, name


def _owners(found: CTE) -> _Values:
    owner = sql.principal.alias()
    return found.join(owner, owner.c.pk == found.c.owner_pk), owner.c.pk, owner.c.name, owner.c.id, owner.c.pk


# What is counted, and by what those of one number are ordered.
_VALUES: Mapping[str, Callable[[CTE], _Values]] = {
    COUNT: lambda found: (found, null()),
    "kinds": lambda found: (found, found.c.kind, found.c.kind),
    "tags": _tags,
    "owners": _owners,
}
