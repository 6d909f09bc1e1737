"""This file is leaks planted on purpose: a harness that does not find each of these proves nothing.

A leak is a fault of the product as somebody might make it, one at least for each channel by which the lists, counts,
cursors, texts, orders, times and logs of well-known systems tell of hidden things. While it is planted, two worlds that
differ only in what is hidden have to be told apart.
"""

import itertools
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from random import Random
from typing import Any
from unittest.mock import patch

from sqlalchemy import ColumnElement, FromClause, and_, func, literal, select, true, update

from app import authentication, endpoint
from permissions import ErrorCode, OperationError, Viewer, directive, visible
from permissions import viewer as viewing
from permissions.permission import Permission, has_asset_permission, has_permission
from permissions.visible import access, asset_exists, change_exists, restrict_to_access, used_asset
from proofs.databases import Databases
from proofs.interference.trial import CaseGenerator
from proofs.interference.world import USERS
from proofs.proof import BrokenPromiseError, Proof
from resolvers import asset, change, collection, context, loaders, membership, node
from resolvers import filter as filters
from resolvers.listing import aggregate, count, listing, page, part
from resolvers.listing import search as searching
from resolvers.listing.statement_cache import clear
from resolvers.order import asset_sort_keys
from resolvers.write import membership as write_membership
from resolvers.write import membership_operations
from store import changes, sql
from store.database import Snapshot
from store.search.document import SEARCHED_TABLES, Document
from store.search.query import field_token
from store.search.tokens import tokenize
from store.tables import EVERYONE_PK, AssetAccess
from tests.oracle import ANONYMOUS

PATIENCE = 20_000
"""How many checks may pass before a planted leak has to be found."""

sight = import_module("permissions.visible")  # whose name in the package is its function's
Planted = AbstractContextManager[Any]


@dataclass(frozen=True)
class Leak:
    """A fault, by what tells of hidden things while it is planted."""

    channel: str
    fault: str
    patch: Callable[[], Planted]
    who: str | None = None  # whom it shows to, or shows to most

    @contextmanager
    def plant(self) -> Iterator[None]:
        """Let the fault be in the product, and in every statement that it keeps."""
        clear()
        try:
            with self.patch():
                yield
        finally:
            clear()

    def __str__(self) -> str:
        """Return the leak as a sentence's part."""
        return f"{self.channel}: {self.fault}"


def everything(viewer: Viewer) -> Viewer:
    """Return a viewer to whom all exists: what a read without its condition is."""
    return replace(viewer, is_admin=True, public_sharing=True)


def unseen(source: FromClause, viewer: Viewer) -> Any:
    """Return every row, as `visible` would without its conditions."""
    if getattr(source, "element", source) is sql.asset:
        return select(*source.c, access(source, viewer).label("viewer_access"))
    return visible(source, everything(viewer))


def _object(of: Any, name: str, leaky: Any) -> Callable[[], Planted]:
    return lambda: patch.object(of, name, leaky)


def _reads(table: str, rows: Callable[[Any, Viewer], Any]) -> Callable[[], Planted]:
    return lambda: patch.dict(sight._SELECT_BY_TABLE, {table: rows})  # noqa: SLF001 - the fault is planted in it


def _condition(*, viewing: bool, used_end: bool) -> Callable[[Any, Viewer], Any]:
    """Return the read of uses that asks only some of what it should."""

    def rows(use: Any, viewer: Viewer) -> Any:
        both = use.join(sql.asset, sql.asset.c.pk == use.c.asset_pk).join(used_asset, used_asset.c.pk == use.c.uses_pk)
        least = access(sql.asset, viewer) >= (AssetAccess.VIEWER.value if viewing else 0)
        ends = (asset_exists(sql.asset, viewer), asset_exists(used_asset, viewer) if used_end else true())
        return select(*use.c).select_from(both).where(least, *ends)

    return rows


def _select_for_all(select: Callable[..., Any]) -> Callable[..., Any]:
    """Return the SELECT of a list as for a viewer to whom everything is visible."""
    return lambda of, viewer, *more: select(of, everything(viewer), *more)


def _all_assets(self: Any, viewer: Viewer, parents: Any) -> Any:
    del parents
    return unseen(sql.asset, viewer).where(*self.filter.conditions(viewer))


@contextmanager
def _pages_filtered_late() -> Iterator[None]:
    select, fetch = page.select_page, part.PartByKey._fetch_pages  # noqa: SLF001 - the fault is planted in it

    def of_all(of: Any, viewer: Viewer, *more: Any) -> Any:
        return select(of, everything(viewer) if of.table is sql.asset else viewer, *more)

    async def late(self: Any, *which: Any) -> Any:
        pages: Any = await fetch(self, *which)
        if self.listing.table is not sql.asset:
            return pages
        rows = visible(sql.asset, self.context.viewer).with_only_columns(sql.asset.c.pk)
        seen = {row.pk for row in await self.context.snapshot.rows(rows)}
        return {
            key: each._replace(items=[item for item in each.items if item.pk in seen]) for key, each in pages.items()
        }

    with patch.object(part, "select_page", of_all), patch.object(part.PartByKey, "_fetch_pages", late):
        yield


@contextmanager
def _more_among_all() -> Iterator[None]:
    fetch = part.PartByKey._fetch_pages  # noqa: SLF001 - the fault is planted in it

    async def counted(self: Any, which: Any, bounds: Any, parents: Any) -> Any:
        pages: Any = await fetch(self, which, bounds, parents)
        statement = count.select_count(self.listing, everything(self.context.viewer))
        rows = await self._rows_by_parent(statement, parents)
        return {
            key: each._replace(has_more=each.has_more or rows[key.parent][0][0] > len(each.items))
            for key, each in pages.items()
        }

    with patch.object(part.PartByKey, "_fetch_pages", counted):
        yield


@contextmanager
def _filters_for_all(kind: Any) -> Iterator[None]:
    conditions = kind.conditions
    with patch.object(kind, "conditions", lambda self, viewer: conditions(self, everything(viewer))):
        yield


@contextmanager
def _for_all(of: Any, name: str) -> Iterator[None]:
    """Let a function that takes a viewer first be called with one to whom all exists."""
    honest = getattr(of, name)
    with patch.object(of, name, lambda viewer, *more: honest(everything(viewer), *more)):
        yield


class _Forbidden(loaders.AssetById):
    """Says that an asset is there and may not be seen."""

    async def fetch(self, keys: list[Any]) -> Any:
        found = await super().fetch(keys)
        there = select(sql.asset.c.id).where(sql.asset.c.id.in_(keys))
        if any(row.id not in found for row in await self.context.snapshot.rows(there)):
            raise OperationError(ErrorCode.FORBIDDEN, "You may not see this.")
        return found


@contextmanager
def _looked_for_longer() -> Iterator[None]:
    fetch = loaders.RowByColumn.fetch

    async def slow(self: Any, keys: list[Any]) -> Any:
        found = await fetch(self, keys)
        column = self.table.c[self.column]
        missing = select(column).where(column.in_([key for key in keys if key not in found]))
        if await self.context.snapshot.rows(missing):
            await self.context.snapshot.rows(select(func.count()).select_from(self.table))
        return found

    with patch.object(loaders.RowByColumn, "fetch", slow):
        yield


class _AnyAsset(loaders.AssetById):
    """Finds assets whoever asks."""

    async def fetch(self, keys: list[Any]) -> dict[Any, Any]:
        rows = unseen(sql.asset, self.context.viewer).where(sql.asset.c.id.in_(keys))
        return {row.id: row for row in await self.context.snapshot.rows(rows)}


class _HoldsAny(loaders.ContainsAssetByCollection):
    """Knows what collections hold, seen or not."""

    async def fetch(self, keys: list[int]) -> dict[int, bool]:
        member, asset = sql.membership, sql.asset
        rows = select(member.c.collection_pk).join(asset, asset.c.pk == member.c.asset_pk)
        held = await self.context.snapshot.rows(
            rows.where(asset.c.id == self.asset_id, member.c.collection_pk.in_(keys))
        )
        return {row.collection_pk: True for row in held}


@contextmanager
def _contains_any() -> Iterator[None]:
    with (
        patch.object(membership, "AssetById", _AnyAsset),
        patch.object(membership, "ContainsAssetByCollection", _HoldsAny),
    ):
        yield


@contextmanager
def _members_of_all() -> Iterator[None]:
    """Judge hidden assets as what they are."""
    with patch.object(membership_operations, "visible", unseen):
        yield


@contextmanager
def _versions_of_members() -> Iterator[None]:
    """Let a collection's version count what is put in."""
    insert_members = membership_operations.insert_members

    async def counted(write: Any, to: Any, rows: Any, *more: Any, **named: Any) -> None:
        await insert_members(write, to, rows, *more, **named)
        if rows:
            here = update(sql.collection).where(sql.collection.c.pk == to.pk)
            await write.execute(here.values(version=sql.collection.c.version + 1))

    with patch.object(membership_operations, "insert_members", counted):
        yield


@contextmanager
def _loaders_shared() -> Iterator[None]:
    """Keep loaders for all operations on one database."""
    kept: dict[Any, Any] = {}

    def loader(self: Any, kind: Any, *arguments: Any) -> Any:
        key = (str(self.database.url), kind, *arguments)
        found = kept.setdefault(key, None) or kind(self, *arguments)
        kept[key] = found
        found.context = self
        return found

    with patch.object(context.Context, "loader", loader):
        yield


@contextmanager
def _viewer_left_out_of_cache() -> Iterator[None]:
    """Remember which assets exist by their ids alone."""
    kept: dict[Any, Any] = {}
    fetch = loaders.RowByColumn.fetch

    async def remembered(self: Any, keys: list[Any]) -> Any:
        if self.table is not sql.asset:
            return await fetch(self, keys)
        there = (str(self.context.database.url), self.column)
        found = await fetch(self, keys)
        kept.update({(*there, key): row for key, row in found.items()})
        return {key: kept[*there, key] for key in keys if (*there, key) in kept}

    with patch.object(loaders.RowByColumn, "fetch", remembered):
        yield


@contextmanager
def _counted_ids() -> Iterator[None]:
    """Number changes in the order of the log."""
    row = changes.ChangeLog._row  # noqa: SLF001 - the fault is planted in it

    def numbered(self: Any, *told: Any) -> dict[str, Any]:
        made = row(self, *told)
        return made | {"id": f"chg_{self.revision:012}{made['id'][-12:]}"}

    with patch.object(changes.ChangeLog, "_row", numbered):
        yield


@contextmanager
def _revision_in_header() -> Iterator[None]:
    """Tell how far the log is, as a version for caches."""
    honest, told, latest = viewing._fetch_viewer, endpoint._json, [0]  # noqa: SLF001 - the fault is planted in them

    async def looked(snapshot: Snapshot, *which: Any) -> Any:
        latest[0] = (await snapshot.rows(select(sql.deployment.c.revision)))[0].revision
        return await honest(snapshot, *which)

    def answered(media_type: str, status: Any, answer: Any, headers: Any = None) -> Any:
        return told(media_type, status, answer, {**(headers or {}), "etag": f'"{latest[0]}"'})

    with patch.object(viewing, "_fetch_viewer", looked), patch.object(endpoint, "_json", answered):
        yield


@contextmanager
def _everyone_is_anyone() -> Iterator[None]:
    """Let anonymous visitors hold what everyone holds."""
    honest = viewing.anonymous_viewer

    async def anonymous(snapshot: Snapshot) -> Viewer:
        found = await honest(snapshot)
        return replace(found, principals=(EVERYONE_PK, *found.principals))

    with patch.object(authentication, "anonymous_viewer", anonymous):
        yield


def _any_access_suffices(asset: FromClause, viewer: Viewer) -> ColumnElement[bool]:
    """Return the condition of sight without the status."""
    if viewer.is_admin:
        return true()
    held = access(asset, viewer) >= AssetAccess.DISCOVERABLE.value
    return held if viewer.is_signed_in else and_(sight._is_in_visible_collection(asset, viewer), held)  # noqa: SLF001 - the part of the rule that is kept


def _grants_suffice(asset: FromClause, viewer: Viewer) -> ColumnElement[bool]:
    """Return the condition of sight without the collections that visitors see assets in."""
    return asset_exists(asset, replace(viewer, user_pk=viewer.user_pk or 0))


@contextmanager
def _uses_without_access() -> Iterator[None]:
    """Let what uses an asset be told to whoever knows of both: neither the read nor the list asks for more."""

    def narrowed(rows: Any, asset: FromClause, viewer: Viewer, least: AssetAccess) -> Any:
        return rows if least is AssetAccess.VIEWER else restrict_to_access(rows, asset, viewer, least)

    with (
        _reads("asset_use", _condition(viewing=False, used_end=True))(),
        patch.object(listing, "restrict_to_access", narrowed),
    ):
        yield


@contextmanager
def _administrators_view() -> Iterator[None]:
    """Let administrators view content."""

    def held(asset: FromClause, viewer: Viewer) -> ColumnElement[int]:
        least = literal(AssetAccess.VIEWER.value if viewer.is_admin else 0)
        own = access(asset, replace(viewer, is_admin=False))
        return func.coalesce(func.nullif(own, 0), least)

    with patch.object(sight, "access", held):
        yield


def _unguarded(permission: Permission) -> Callable[[], Planted]:
    """Return the fault of a guard of fields that lets everybody through."""

    @contextmanager
    def planted() -> Iterator[None]:
        with (
            patch.object(
                directive, "has_permission", lambda viewer, asked: asked is permission or has_permission(viewer, asked)
            ),
            patch.object(
                directive,
                "has_asset_permission",
                lambda asset, asked: asked is permission or has_asset_permission(asset, asked),
            ),
        ):
            yield

    return planted


@contextmanager
def _grants_of_all() -> Iterator[None]:
    with _unguarded(Permission.ASSET_OWN)(), _reads("access_grant", lambda grant, _viewer: select(*grant.c))():
        yield


@contextmanager
def _parents_of_all() -> Iterator[None]:
    """Let what is below a hidden collection not be at the top."""
    conditions = filters.CollectionFilter.conditions

    def leaky(self: Any, viewer: Viewer) -> Any:
        found = conditions(replace(self, top_level_only=None), viewer)
        return [*found, sql.collection.c.parent_pk.is_(None)] if self.top_level_only else found

    with patch.object(filters.CollectionFilter, "conditions", leaky):
        yield


@contextmanager
def _orders_told() -> Iterator[None]:
    def told(change: Any, viewer: Viewer) -> ColumnElement[bool]:
        if viewer.is_admin or not viewer.is_signed_in:
            return change_exists(change, viewer)
        return and_(sight._is_about_visible_collection(change, viewer), sight._touches_visible_assets(change, viewer))  # noqa: SLF001 - the parts of the rule that are kept

    with patch.object(sight, "change_exists", told):
        yield


def _shared_told(change: Any, viewer: Viewer) -> ColumnElement[bool]:
    return true() if viewer.is_admin else change_exists(change, viewer)


def _members_anywhere(member: Any, viewer: Viewer) -> Any:
    """Return the memberships of visible assets, whatever collection they are of."""
    both = member.join(sql.asset, sql.asset.c.pk == member.c.asset_pk)
    both = both.join(sql.collection, sql.collection.c.pk == member.c.collection_pk)
    return select(*member.c).select_from(both).where(asset_exists(sql.asset, viewer))


@contextmanager
def _beside_hidden() -> Iterator[None]:
    """Let a place be beside a hidden member."""
    with patch.object(write_membership, "visible", unseen):
        yield


def _any_row(source: Any, viewer: Viewer) -> Any:
    del viewer
    return select(*source.c)


def _touched(_self: Any, viewer: Viewer, parents: Any) -> Any:
    asset, touch = sql.asset, sql.change_asset
    rows = unseen(asset, viewer).join(touch, touch.c.asset_pk == asset.c.pk)
    return rows.where(touch.c.change_pk == parents.c.value)


def _by_namesakes(order: str, search: Any = None) -> Any:
    """Order what is found by how many have the same name, as a rank by rarity does."""
    keys, other = asset_sort_keys(order, search), sql.asset.alias()
    if search is None or order != "RELEVANCE":
        return keys
    namesakes = select(func.count()).where(other.c.name_key == sql.asset.c.name_key).correlate(sql.asset)
    return (namesakes.scalar_subquery(), *keys)


@contextmanager
def _errors_of_unknown_words() -> Iterator[None]:
    """Look past a typing error only where the word itself is nowhere."""
    fetch = searching.SimilarWordsByWord.fetch

    async def unknown(self: Any, keys: list[str]) -> Any:
        word = sql.search_word.c.word
        known = {row.word for row in await self.context.snapshot.rows(select(word).where(word.in_(keys)))}
        return {key: words for key, words in (await fetch(self, keys)).items() if key not in known}

    with patch.object(searching.SimilarWordsByWord, "fetch", unknown):
        yield


@contextmanager
def _one_word_near() -> Iterator[None]:
    """Try the first of the words near, and no other."""
    fetch = searching.SimilarWordsByWord.fetch

    async def first(self: Any, keys: list[str]) -> Any:
        return {key: tuple(sorted(words)[:1]) for key, words in (await fetch(self, keys)).items()}

    with patch.object(searching.SimilarWordsByWord, "fetch", first):
        yield


@contextmanager
def _owners_known() -> Iterator[None]:
    """Let an owner be found by what the platform knows them as."""
    honest, owner = SEARCHED_TABLES["asset"], sql.principal.alias()
    rows = honest.rows.add_columns(owner.c.external_id.label("known_as"))

    def leaky(row: Any) -> Document:
        told, known = honest.document(row), tokenize(row.known_as)
        return told._replace(rest=[*told.rest, *known, *(field_token("owner", word) for word in known)])

    searched = honest._replace(rows=rows.join(owner, owner.c.pk == sql.asset.c.owner_pk), document=leaky)
    with patch.dict(SEARCHED_TABLES, asset=searched):
        yield


LEAKS: Sequence[Leak] = (
    Leak("lists", "the list of assets has no condition", _object(asset.Assets, "select_rows", _all_assets)),
    Leak("lists", "assets are read without a condition", _reads("asset", unseen)),
    Leak("lists", "memberships are read without their collections", _reads("membership", _members_anywhere)),
    Leak("counts", "totalCount counts all rows", _object(part, "select_count", _select_for_all(count.select_count))),
    Leak(
        "counts",
        "assetCounts counts all assets",
        _object(part, "select_counts_by_kind", _select_for_all(count.select_counts_by_kind)),
    ),
    Leak("facets", "facets count all rows", _object(part, "select_parts", _select_for_all(aggregate.select_parts))),
    Leak("relevance", "what has a rare name comes first", _object(asset, "asset_sort_keys", _by_namesakes)),
    Leak("relevance", "errors are looked past in words that nothing has", _errors_of_unknown_words),
    Leak("relevance", "one word near is tried", _one_word_near),
    Leak("search", "owners are found by what the platform knows them as", _owners_known),
    Leak("pages", "pages are cut before what is hidden is left out", _pages_filtered_late),
    Leak("hasNextPage", "more is told by hidden rows", _more_among_all),
    Leak("cursors", "a cursor holds a rank", _object(listing.Listing, "is_ranked", leaky=False)),
    Leak("order", "collections are ordered by all that they hold", lambda: _for_all(collection, "_asset_count")),
    Leak("versions", "a collection's version counts its members", _versions_of_members),
    Leak(
        "objects",
        "a hidden asset is forbidden, not absent",
        lambda: patch.dict(node.LOADER_OF_PREFIX, {"ast": _Forbidden}),
    ),
    Leak("objects", "a hidden asset is found by its id", lambda: patch.dict(node.LOADER_OF_PREFIX, {"ast": _AnyAsset})),
    Leak("time", "hidden things take a statement more than absent ones", _looked_for_longer),
    Leak("containsAsset", "a collection tells of any asset", _contains_any, ANONYMOUS),
    Leak(
        "filters",
        "filters of assets look into all collections",
        lambda: _filters_for_all(filters.AssetFilter),
        ANONYMOUS,
    ),
    Leak("filters", "filters of collections look at all assets", lambda: _for_all(filters, "holds_asset")),
    Leak("filters", "a hidden parent is one", _parents_of_all, ANONYMOUS),
    Leak("content", "content is shown without access to it", _unguarded(Permission.ASSET_VIEW)),
    Leak("grants", "grants are shown to all", _grants_of_all),
    Leak("addresses", "anonymous visitors see addresses", _unguarded(Permission.SIGNED_IN), ANONYMOUS),
    Leak("people", "anonymous visitors know everybody", _reads("principal", _any_row), ANONYMOUS),
    Leak("uses", "uses show hidden assets", _reads("asset_use", _condition(viewing=True, used_end=False))),
    Leak("uses", "uses show without access to content", _uses_without_access),
    Leak(
        "status", "what is put away is shown to all with a grant", _object(sight, "asset_exists", _any_access_suffices)
    ),
    Leak("administrators", "administrators view all content", _administrators_view, USERS[0]),
    Leak("anonymous", "everyone's grants are anyone's", _everyone_is_anyone, ANONYMOUS),
    Leak(
        "anonymous",
        "a public grant suffices, on show or not",
        _object(sight, "asset_exists", _grants_suffice),
        ANONYMOUS,
    ),
    Leak(
        "collections",
        "every collection is seen by all",
        _object(sight, "collection_exists", lambda _collection, _viewer: true()),
        ANONYMOUS,
    ),
    Leak("collections", "what is below tells of hidden collections", lambda: _for_all(membership, "_tree"), ANONYMOUS),
    Leak("topics", "topics are seen with nothing in them", _reads("topic", _any_row), ANONYMOUS),
    Leak(
        "history",
        "changes of hidden assets alone are told",
        _object(sight, "_touches_visible_assets", lambda _change, _viewer: true()),
    ),
    Leak("history", "changes of the order are told to members", _orders_told),
    Leak("history", "a change names all assets that it touched", _object(change.ChangeAssets, "select_rows", _touched)),
    Leak(
        "history", "who shared what is told to administrators", _object(sight, "change_exists", _shared_told), USERS[0]
    ),
    Leak("jobs", "jobs are anybody's", _reads("job", _any_row)),
    Leak("errors", "a hidden asset is refused otherwise than an absent one", _members_of_all),
    Leak("positions", "a place may be beside a hidden member", _beside_hidden),
    Leak("shared state", "loaders serve all operations", _loaders_shared),
    Leak("shared state", "a cache leaves the viewer out of its key", _viewer_left_out_of_cache),
    Leak("ids", "ids of changes count the log", _counted_ids),
    Leak("headers", "a header tells how far the log is", _revision_in_header),
)


async def trial(databases: Databases, number: int) -> int:
    """Return 1 for the leak of that number, which was found; raise BrokenPromiseError for one that stayed hidden."""
    leak = LEAKS[number % len(LEAKS)]
    checks = await checks_until_found(databases, leak)
    if checks is None:
        raise BrokenPromiseError(
            f"This planted leak was not found in {PATIENCE} checks on {databases.backend}: {leak}."
        )
    return 1


async def checks_until_found(databases: Databases, leak: Leak) -> int | None:
    """Return how many answers were the same before the worlds were told apart; None where they never were."""
    checks = 0
    with leak.plant(), disable_logging():
        for seed in itertools.count():
            made = CaseGenerator(Random(seed))
            if leak.who not in {None, made.case.who}:
                continue
            if checks >= PATIENCE:
                return None
            try:
                checks += await made.run(databases)
            except BrokenPromiseError:
                return checks + made.checks
    return None


@contextmanager
def disable_logging() -> Iterator[None]:
    """Log nothing: a planted fault makes failures."""
    before = logging.root.manager.disable
    logging.disable()
    try:
        yield
    finally:
        logging.disable(before)


# What is planted is the same on either backend.
PLANTED = Proof("leaks", "Each planted leak is found.", "planted leaks", len(LEAKS), trial, ("sqlite",))
