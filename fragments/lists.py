"""Lists that the visibility index holds in their order, and their pages."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from engine import UnsupportedError
from permissions.visibility_index import NOBODY, Pks, Sight
from resolvers.collection import Children, Collections
from resolvers.filter import CollectionFilter, TopicFilter
from resolvers.listing.listing import Listing
from resolvers.listing.page import RANKED_CURSOR_IDS, Page, PageBounds, PageItem
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
    preceding: Sequence[str] = ()  # see `resolvers.listing.page.Page`


def find_page(sight: Sight, pks: Pks, bounds: PageBounds, of: RowKind) -> PageOfRows:
    """Return the page of a list that is sorted by rank, as `resolvers.listing.page` defines it.

    Raises UnsupportedError if all rows that a cursor contains have left the list.
    """
    low, high, preceding = 0, len(pks), ()
    if bounds.after is not None:
        present = [(id_, place) for id_ in bounds.after if (place := _place(sight, pks, of, id_)) is not None]
        low, preceding = _first(present)[1] + 1, tuple(id_ for id_, _ in present)
    if bounds.before is not None:
        present = [(id_, place) for id_ in bounds.before if (place := _place(sight, pks, of, id_)) is not None]
        id_, place = _first(present)
        high = place if id_ == bounds.before[0] else place + 1  # a row that left the list ended the page
    high = max(low, high)
    if not bounds.is_backward:
        return PageOfRows(low, min(low + bounds.size, high), high - low > bounds.size, preceding)
    start = max(low, high - bounds.size)
    before = pks[max(low, start + 1 - RANKED_CURSOR_IDS) : start]
    ids = ids_of(sight, of)
    return PageOfRows(start, high, start > low, (*(ids[pk] for pk in reversed(before)), *preceding))


def sorted_page(sight: Sight, pks: Pks, page: PageOfRows, of: RowKind, *, ends_only: bool = False) -> Page:
    """Return the page as one that was read from the database, for its cursors.

    `ends_only` leaves out the rows that neither the first cursor nor the last one depends on.
    """
    ids, rows = ids_of(sight, of), pks[page.start : page.end]
    if ends_only and len(rows) > RANKED_CURSOR_IDS:
        rows = [rows[0], *rows[-RANKED_CURSOR_IDS:]]
    items = [PageItem(pk, ids[pk], [], [], None) for pk in rows]
    return Page(items, page.has_more, page.preceding)


def ids_of(sight: Sight, of: RowKind) -> Mapping[int, str]:
    """Return the public ids of the rows that the viewer sees, and maybe others, by pk."""
    return _IDS[of](sight)


def _place(sight: Sight, pks: Pks, of: RowKind, id_: str) -> int | None:
    pk = find_row(sight, of, id_)
    try:
        return None if pk is None else pks.index(pk)
    except ValueError:
        return None


def find_row(sight: Sight, of: RowKind, id_: str) -> int | None:
    """Return the pk of the visible row with this id; None for an unknown or hidden one."""
    if of is RowKind.ASSET:
        pk = sight.asset_by_id.get(id_)
        return None if pk is None or pk not in sight.assets else pk
    outline = sight.outline
    return (outline.topic_by_id if of is RowKind.TOPIC else outline.collection_by_id).get(id_)


def _first(present: Sequence[tuple[str, int]]) -> tuple[str, int]:
    if not present:
        raise UnsupportedError("The rows of a cursor have left the list.")
    return present[0]


_IDS: Mapping[RowKind, Callable[[Sight], Mapping[int, str]]] = {
    RowKind.ASSET: lambda sight: sight.asset_ids,
    RowKind.COLLECTION: lambda sight: sight.outline.collection_ids,
    RowKind.TOPIC: lambda sight: sight.outline.topic_ids,
}
