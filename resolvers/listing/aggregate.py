"""Aggregates of asset lists: total and facet counts, batched over parents, in one SELECT.

If a list collects its matches before sorting, its first page comes from the same SELECT.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    FromClause,
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

from permissions import Viewer
from resolvers.listing.listing import MAX_PAGE_SIZE, NO_PARENT, Listing, accessible_rows
from resolvers.listing.page import PageBounds, descends, fetch_limit
from store import sql
from store.sql import Expressions, Selection


class PartKind(StrEnum):
    """Result that a field of a connection can ask for."""

    PAGE = "page"
    COUNT = "count"
    COUNTS_BY_KIND = "counts by kind"
    KINDS = "kinds"
    TAGS = "tags"
    OWNERS = "owners"


class Part(NamedTuple):
    """Requested result of a list. `size` is the bounds of a page or the maximum number of facet values."""

    kind: PartKind
    size: int | PageBounds = MAX_PAGE_SIZE


FILTER_OF_FACET = {PartKind.KINDS: "kinds", PartKind.TAGS: "tags", PartKind.OWNERS: "owner_ids"}
"""Filter field that each facet ignores, so that it also counts the values that are not selected."""


@dataclass(frozen=True, slots=True)
class Facet:
    """One value of a facet (a kind, a tag or an owner's pk) and its number of assets; the value of a total is None."""

    value: str
    count: int

    @property
    def kind(self) -> str:
        """The value, in the facet of kinds."""
        return self.value

    @property
    def tag(self) -> str:
        """The value, in the facet of tags."""
        return self.value


def select_parts(listing: Listing, viewer: Viewer, parts: Sequence[Part]) -> Selection:
    """Return the SELECT of all parts: rows `(part, parent, value, number, place)`, sorted by part and place.

    `part` is the index in `parts`. For each parent, a facet has one row per value, the most frequent first; a count
    has one row (none if a parent's count is 0); a page has one row, whose value is the page's rows as JSON.
    """
    kinds = [kind for kind, _ in parts]
    wider, ignored = _split_filter(
        listing, viewer, {FILTER_OF_FACET[kind] for kind in kinds if kind in FILTER_OF_FACET}
    )
    parents = sql.int_table("parents").select().cte("parents").prefix_with("MATERIALIZED")
    found = _select_matches(wider, viewer, parents, ignored, with_order=PartKind.PAGE in kinds)
    if len(parts) > 1:
        found = found.prefix_with("MATERIALIZED")  # read once for all parts
    # If several parts count by columns of the asset, group once by all of these columns: the groups are few.
    by_columns = sum(kind not in {PartKind.PAGE, PartKind.TAGS} for kind in kinds)
    groups = _select_groups(found, ignored) if by_columns > 1 else found
    selects = []
    for index, (kind, size) in enumerate(parts):
        if isinstance(size, PageBounds):
            selects.append(_select_page(listing, viewer, size, found, parents, ignored, index))
        elif kind is PartKind.TAGS:
            selects.append(select_tags(found, ignored, index, size))
        else:
            selects.append(_select_counts(groups, ignored, index, kind, size))
    union = union_all(*selects).subquery()
    return union.select().order_by(union.c.part, union.c.place)


def _split_filter(
    listing: Listing, viewer: Viewer, ignored: AbstractSet[str]
) -> tuple[Listing, Mapping[str, Sequence[ColumnElement[bool]]]]:
    """Return the list without the `ignored` fields of its filter, and the conditions of each of these that is set."""
    given = listing.filter
    names = sorted(ignored & {field.name for field in fields(given)})
    wider = replace(listing, filter=replace(given, **dict.fromkeys(names)))
    alone = {name: type(given)(**{name: getattr(given, name)}).conditions(viewer) for name in names}
    return wider, {name: conditions for name, conditions in alone.items() if conditions}


def _select_matches(
    wider: Listing, viewer: Viewer, parents: CTE, ignored: Mapping[str, Sequence[Any]], *, with_order: bool
) -> CTE:
    """Return the assets of the wider list, each with its parent and, for each ignored filter, 1 if it matches or 0."""
    asset = wider.table
    columns = [asset.c.pk, asset.c.kind, asset.c.owner_pk]
    columns += [parents.c.value.label("parent")] if wider.has_parents else []
    columns += [case((and_(*conditions), 1), else_=0).label(name) for name, conditions in ignored.items()]
    if with_order:
        columns += [key.label(f"key{index}") for index, key in enumerate(wider.sort_keys(viewer))]
        columns += [] if wider.defer_edge_columns else _edge_columns(wider, viewer, parents)
    rows = accessible_rows(wider, viewer, parents)
    rows = rows.join(parents, true()) if wider.has_parents else rows
    return rows.with_only_columns(*columns, maintain_column_froms=True).cte("found")


def _edge_columns(listing: Listing, viewer: Viewer, parents: CTE) -> list[ColumnElement[Any]]:
    return [column.label(f"extra{index}") for index, column in enumerate(listing.select_edge_columns(viewer, parents))]


def _select_page(  # noqa: PLR0917 - each is another aspect of the statement
    listing: Listing,
    viewer: Viewer,
    bounds: PageBounds,
    found: CTE,
    parents: CTE,
    ignored: Iterable[str],
    index: int,
) -> Selection:
    asset = listing.table

    def sort_order(of: FromClause) -> Expressions:
        return [key.desc() if descends(listing, bounds) else key.asc() for key in _columns("key", of)]

    conditions = [found.c[name] == 1 for name in ignored]
    # `+ 0` keeps SQLite from building an index of all matches for one lookup per parent.
    conditions += [parent + 0 == parents.c.value for parent in _columns("parent", found)]
    columns = (found.c.pk, *_columns("key", found), *_columns("extra", found))
    rows = found.select().with_only_columns(*columns).where(*conditions)
    best = rows.order_by(*sort_order(found)).limit(fetch_limit(listing, bounds)).correlate(parents).subquery()
    keys = () if listing.is_ranked else _columns("key", best)
    edge_columns = _edge_columns(listing, viewer, parents) if listing.defer_edge_columns else _columns("extra", best)
    items = best.select().with_only_columns(asset.c.pk, asset.c.id, *keys, *edge_columns)
    items = items.select_from(best.join(asset, asset.c.pk == best.c.pk)).order_by(*sort_order(best))
    page = sql.per_parent(parents, items).subquery()
    part = (literal(index).label("part"), page.c.value.label("parent"), cast(page.c.rows, String).label("value"))
    return page.select().with_only_columns(*part, literal(0).label("number"), literal(0).label("place"))


def _select_groups(found: CTE, ignored: Iterable[str]) -> CTE:
    """Return the number of assets by kind, owner, parent and the ignored filters."""
    columns = (found.c.owner_pk, found.c.kind, *(found.c[name] for name in ignored), *_columns("parent", found))
    groups = found.select().with_only_columns(*columns, func.count().label("number")).group_by(*columns)
    return groups.cte("sums").prefix_with("MATERIALIZED")


def _select_counts(of: CTE, ignored: Iterable[str], index: int, kind: PartKind, first: int) -> Selection:
    """Return the SELECT of a facet's values or of the count, from assets or from groups of them."""
    rows, value, *order = _VALUES[kind](of)
    conditions = [of.c[name] == 1 for name in ignored if FILTER_OF_FACET.get(kind) != name]
    number = cast(func.coalesce(func.sum(of.c.number), 0), BigInteger) if "number" in of.c else func.count()
    # A list without parents has no parent column, because grouping by one more column is slow.
    parents = _columns("parent", of)
    place = func.row_number().over(partition_by=parents or None, order_by=(number.desc(), *order)).label("place")
    parent = parents[0] if parents else literal(NO_PARENT).label("parent")
    columns = (literal(index).label("part"), parent, cast(value, String).label("value"), number.label("number"))
    counts = rows.select().with_only_columns(*columns, place if order else literal(0).label("place"))
    # The parent comes last: it has the fewest distinct values, and SQLite compares columns from left to right.
    counts = counts.select_from(rows).where(*conditions).group_by(*order, *parents)
    if not order:
        return counts
    ranked = counts.subquery()
    return ranked.select().where(ranked.c.place <= first)


def select_tags(found: CTE, ignored: Iterable[str], index: int, first: int) -> Selection:
    """Return the SELECT of the facet of tags: spellings with the same key are one tag, shown as most of the assets do.

    Only spellings of the list's assets count, so that no hidden asset decides which is shown.
    """
    tag = sql.asset_tag.alias()
    conditions = [found.c[name] == 1 for name in ignored if FILTER_OF_FACET[PartKind.TAGS] != name]
    parents = _columns("parent", found)
    # The concatenation keeps SQLite from walking the index of all tags for the tags of a few assets.
    name = (tag.c.tag + literal_column("''")).label("tag")
    # All rows of a spelling have one key: grouping by one column is faster than by two.
    key = func.min(tag.c.tag_key).label("tag_key")
    spellings = (
        found.join(tag, tag.c.asset_pk == found.c.pk)
        .select()
        .with_only_columns(name, *parents, key, func.count().label("number"))
        .where(tag.c.tag_key.is_not(None), *conditions)
        .group_by(name, *parents)
        .subquery()
    )
    of_key = [spellings.c.tag_key, *_columns("parent", spellings)]
    best_first = (spellings.c.number.desc(), spellings.c.tag)
    number = cast(func.sum(spellings.c.number).over(partition_by=of_key), BigInteger).label("total")
    rank = func.row_number().over(partition_by=of_key, order_by=best_first).label("rank")
    tags = spellings.select().with_only_columns(*spellings.c, number, rank).subquery()
    parents = _columns("parent", tags)
    place = func.row_number().over(partition_by=parents or None, order_by=(tags.c.total.desc(), tags.c.tag))
    parent = parents[0] if parents else literal(NO_PARENT).label("parent")
    part = (literal(index).label("part"), parent, tags.c.tag.label("value"), tags.c.total.label("number"))
    ranked = tags.select().with_only_columns(*part, place.label("place")).where(tags.c.rank == 1).subquery()
    return ranked.select().where(ranked.c.place <= first)


def _columns(prefix: str, rows: FromClause) -> list[ColumnElement[Any]]:
    return [column for column in rows.c if column.key.startswith(prefix)]


_Values = tuple[FromClause, Any, *tuple[Any, ...]]
"""Rows to count, the value to group by, and the order of values with equal counts."""


def _owners(found: CTE) -> _Values:
    owner = sql.principal.alias()
    return found.join(owner, owner.c.pk == found.c.owner_pk), owner.c.pk, owner.c.sort_key, owner.c.id, owner.c.pk


_VALUES: Mapping[PartKind, Callable[[CTE], _Values]] = {
    PartKind.COUNT: lambda found: (found, null()),
    PartKind.KINDS: lambda found: (found, found.c.kind, found.c.kind),
    PartKind.OWNERS: _owners,
}
