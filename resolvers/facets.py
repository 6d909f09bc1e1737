"""This file is what a list of assets comes to: how many there are, in all and of each kind, tag and owner."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

from sqlalchemy import (
    CTE,
    FromClause,
    Row,
    Select,
    String,
    and_,
    case,
    cast,
    func,
    literal,
    null,
    true,
    union_all,
)

from permissions import Reason, Refused
from resolvers.connection import Connection
from resolvers.context import Context
from resolvers.filter import AssetFilter
from resolvers.listing import LARGEST_PAGE, Bounds, Listing
from resolvers.loaders import PrincipalByPk
from resolvers.pages import OfListing
from store import sql

DEFAULT_FACETS = 20


class Facet(NamedTuple):
    """A value and how many assets have it."""

    value: str
    number: int


class Part(NamedTuple):
    """What is asked of one parent's list: `count`, `kinds`, `tags` or `owners`, and how many values of it."""

    parent: int
    what: str
    first: int = LARGEST_PAGE


NARROWING = {"kinds": "kinds", "tags": "tags", "owners": "owner_ids"}
"""The filter that each facet does without."""
COUNT = "count"


class SummaryByPart(OfListing):
    """Facets, the most frequent first, and the count as one without a value: one statement for all that is asked."""

    missing: ClassVar[Sequence[Facet]] = ()

    def __init__(self, context: Context, listing: Listing) -> None:
        """Make the loader of one listing, whatever its bounds."""
        given, viewer = listing.filter or AssetFilter(), context.viewer
        alone = {name: AssetFilter(**{name: getattr(given, name)}).conditions(viewer) for name in NARROWING.values()}
        self.kept = {name: case((and_(*conditions), 1), else_=0) for name, conditions in alone.items() if conditions}
        wider = listing.filter and replace(listing.filter, **dict.fromkeys(NARROWING.values()))
        super().__init__(context, replace(listing, filter=wider, bounds=Bounds()))

    async def fetch(self, keys: list[Part]) -> dict[Part, list[Facet]]:
        """Return what there is by part."""
        asked = list(dict.fromkeys(key[1:] for key in keys))
        found = self._found(is_once=len(asked) == 1)
        together = union_all(*(self._part(found, part, *each) for part, each in enumerate(asked))).subquery()
        rows = together.select().order_by(together.c.part, together.c.place)
        parents = sql.json_numbers(list(dict.fromkeys(key.parent for key in keys)))
        summary: dict[Part, list[Facet]] = {}
        for row in await self.context.snapshot.rows(rows, {"parents": parents}):
            summary.setdefault(Part(row.parent, *asked[row.part]), []).append(Facet(row.value, row.number))
        return summary

    def _found(self, *, is_once: bool) -> CTE:
        """Return the list's assets, each with its parent and with what the narrowing filters say of it."""
        item, parents = self.listing.item, sql.numbers("parents")
        columns = (parents.c.value.label("parent"), item.c.pk, item.c.kind, item.c.owner_pk)
        kept = (column.label(name) for name, column in self.kept.items())
        rows = self.rows(parents).join(parents, true())  # what joins them more closely is among the conditions
        found = rows.with_only_columns(*columns, *kept, maintain_column_froms=True).cte("found")
        return found if is_once else found.prefix_with("MATERIALIZED")  # read once for all parts

    def _part(self, found: CTE, part: int, what: str, first: int) -> Select[Any]:
        """Return the SELECT of `(part, parent, value, number, place)`."""
        rows, value, *order = _VALUES[what](found)
        kept = [found.c[name] == 1 for name in self.kept if NARROWING.get(what) != name]
        number = func.count()
        place = func.row_number().over(partition_by=found.c.parent, order_by=(number.desc(), *order)).label("place")
        columns = (literal(part).label("part"), found.c.parent, cast(value, String).label("value"))
        counted = rows.select().with_only_columns(*columns, number.label("number"), place)
        counted = counted.select_from(rows).where(*kept).group_by(found.c.parent, *order)
        if what == COUNT:
            return counted
        best = counted.subquery()
        return best.select().where(best.c.place <= first)


_Values = tuple[FromClause, Any, *tuple[Any, ...]]


def _tags(found: CTE) -> _Values:
    tag = sql.asset_tag.alias()
    return found.join(tag, tag.c.asset_pk == found.c.pk), tag.c.tag, tag.c.tag


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


def facets(connection: Connection, _context: Context) -> Connection:
    """Return what the facets are of: the list."""
    return connection


async def total_count(connection: Connection, context: Context) -> int:
    """Return how many assets of the whole list the viewer may see, whatever the page."""
    found = await _summary(connection, context, COUNT, LARGEST_PAGE)
    return found[0].number if found else 0


async def kinds(connection: Connection, context: Context) -> Sequence[Facet]:
    """Return how many assets of each kind the list has."""
    return await _summary(connection, context, "kinds", LARGEST_PAGE)


async def tags(connection: Connection, context: Context, *, first: int | None = None) -> Sequence[Facet]:
    """Return how many assets of each of the most frequent tags the list has."""
    return await _summary(connection, context, "tags", first)


async def owners(connection: Connection, context: Context, *, first: int | None = None) -> Sequence[Facet]:
    """Return how many assets of each of those who own most of the list it has."""
    return await _summary(connection, context, "owners", first)


def value(facet: Facet, _context: Context) -> str:
    """Return the kind or tag."""
    return facet.value


def count(facet: Facet, _context: Context) -> int:
    """Return how many assets have the value."""
    return facet.number


async def owner(facet: Facet, context: Context) -> Row[Any]:
    """Return who owns the assets."""
    return await context.loader(PrincipalByPk).load(int(facet.value))  # type: ignore[no-any-return]  # a loader's rows


async def _summary(connection: Connection, context: Context, what: str, first: int | None) -> Sequence[Facet]:
    size = DEFAULT_FACETS if first is None else int(first)
    if not 0 <= size <= LARGEST_PAGE:
        raise Refused(Reason.BAD_USER_INPUT, f"first is {size}; it must be from 0 to {LARGEST_PAGE}.")
    if connection.is_empty:
        return ()
    listing = replace(connection.listing, bounds=Bounds())
    return await context.loader(SummaryByPart, listing).load(Part(connection.key, what, size))  # type: ignore[no-any-return]  # a loader's rows
