"""Lists that the visibility index holds in their order, and their pages."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from engine import UnsupportedError
from permissions.visibility_index import NOBODY, Pks, Sight
from resolvers.collection import Children, Collections
from resolvers.filter import CollectionFilter, TopicFilter
from resolvers.listing.chain import IDS_AFTER, IDS_BEFORE, Chain
from resolvers.listing.listing import Listing
from resolvers.listing.page import CursorValues, Page, PageBounds, PageItem
from resolvers.membership import CollectionAssets
from resolvers.topic import TopicCollections, Topics
from store.tables import AssetAccess, RowKind

Order = Callable[[int], Pks]
"""Function from a parent's pk to the pks of its list, in their order."""

TOP_LEVEL_ONLY = CollectionFilter(top_level_only=True)


def _topics(sight: Sight, _listing: Listing) -> Order:
    return lambda _parent: sight.outline.topics


def _all_collections(sight: Sight, _listing: Listing) -> Order:
    return lambda _parent: sight.outline.collections_by_name


def _topic_collections(sight: Sight, listing: Listing) -> Order:
    outline = sight.outline
    lists = outline.top_level_of_topic if listing.filter == TOP_LEVEL_ONLY else outline.collections_of_topic
    return lambda parent: lists.get(parent, NOBODY)


def _children(sight: Sight, _listing: Listing) -> Order:
    lists = sight.outline.children
    return lambda parent: lists.get(parent, NOBODY)


def _members(sight: Sight, _listing: Listing) -> Order:
    return sight.members


_UNFILTERED = (CollectionFilter(), CollectionFilter(top_level_only=False))
ORDERS: Mapping[tuple[type[Listing], str], tuple[Callable[[Sight, Listing], Order], tuple[Any, ...]]] = {
    (Topics, "POSITION"): (_topics, (TopicFilter(),)),
    (Collections, "NAME"): (_all_collections, _UNFILTERED),
    (TopicCollections, "POSITION"): (_topic_collections, (*_UNFILTERED, TOP_LEVEL_ONLY)),
    (Children, "POSITION"): (_children, _UNFILTERED),
    (CollectionAssets, "POSITION"): (_members, (CollectionAssets().filter,)),
}
"""Function that returns the order of a list, and the filters that it knows, by the list and the name of the order."""


def find_order(sight: Sight, listing: Listing) -> Order:
    """Return the order of a list. Raises UnsupportedError for a list that the index does not hold."""
    find, filters = ORDERS.get((type(listing), listing.order), (None, ()))
    if find is None or listing.filter not in filters or listing.required_access > AssetAccess.DISCOVERABLE:
        raise UnsupportedError("The index does not hold the list.")
    order = find(sight, listing)
    return (lambda parent: order(parent)[::-1]) if listing.descending else order


class PageOfRows(NamedTuple):
    """A page of a list: its rows are those from `start` to `end`."""

    start: int
    end: int
    has_more: bool


def find_page(sight: Sight, pks: Pks, bounds: PageBounds, of: RowKind) -> PageOfRows:
    """Return the page of a list that is sorted by rank, as `resolvers.listing.page` defines it.

    Raises UnsupportedError for a cursor whose row has other neighbours now: its place depends on former ones.
    """
    after = None if bounds.after is None else _place(sight, pks, of, bounds.after)
    before = None if bounds.before is None else _place(sight, pks, of, bounds.before)
    low = 0 if after is None else after + 1
    high = max(low, len(pks) if before is None else before)
    if bounds.is_backward:
        start, end = max(low, high - bounds.size), high
    else:
        start, end = low, min(low + bounds.size, high)
    return PageOfRows(start, end, high - low > bounds.size)


def sorted_page(sight: Sight, pks: Pks, page: PageOfRows, of: RowKind, *, ends_only: bool = False) -> Page:
    """Return the page as one that was read from the database, for its cursors.

    `ends_only` leaves out the rows that neither the first cursor nor the last one depends on.
    """
    ids, rows = ids_of(sight, of), pks[page.start : page.end]
    if ends_only and len(rows) > IDS_BEFORE + IDS_AFTER + 1:
        rows = [*rows[: IDS_AFTER + 1], *rows[-IDS_BEFORE - 1 :]]
    items = [PageItem(pk, ids[pk], [], [], None) for pk in rows]
    preceding = [ids[pk] for pk in reversed(pks[max(0, page.start - IDS_BEFORE) : page.start])]
    return Page(items, page.has_more, preceding, [ids[pk] for pk in pks[page.end : page.end + IDS_AFTER]])


def ids_of(sight: Sight, of: RowKind) -> Mapping[int, str]:
    """Return the public ids of the rows that the viewer sees, and maybe others, by pk."""
    return _IDS[of](sight)


def _place(sight: Sight, pks: Pks, of: RowKind, values: CursorValues) -> int:
    chain = values if isinstance(values, Chain) else None
    pk = None if chain is None else find_row(sight, of, chain.id)
    if chain is not None and pk is not None and pk in pks:
        place, ids = pks.index(pk), ids_of(sight, of)
        before = [ids[each] for each in reversed(pks[max(0, place - IDS_BEFORE) : place])]
        after = [ids[each] for each in pks[place + 1 : place + 1 + IDS_AFTER]]
        if chain == Chain.around(chain.id, before, after):
            return place
    raise UnsupportedError("The rows around the row of a cursor have changed.")


def find_row(sight: Sight, of: RowKind, id_: str) -> int | None:
    """Return the pk of the visible row with this id; None for an unknown or hidden one."""
    if of is RowKind.ASSET:
        pk = sight.asset_by_id.get(id_)
        return None if pk is None or pk not in sight.assets else pk
    outline = sight.outline
    return (outline.topic_by_id if of is RowKind.TOPIC else outline.collection_by_id).get(id_)


_IDS: Mapping[RowKind, Callable[[Sight], Mapping[int, str]]] = {
    RowKind.ASSET: lambda sight: sight.asset_ids,
    RowKind.COLLECTION: lambda sight: sight.outline.collection_ids,
    RowKind.TOPIC: lambda sight: sight.outline.topic_ids,
}
