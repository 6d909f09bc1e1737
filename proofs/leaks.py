"""Planted leaks: faults that the interference proof must find. A harness that finds none of them proves nothing.

Each is a plausible fault of the product. There is at least one for each channel through which well-known systems have
leaked hidden data: lists, counts, cursors, messages, orders, timing, logs.
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

from app import authentication, endpoint, response
from fragments.cache import SelectionKey
from fragments.selection import Selection
from permissions import ErrorCode, OperationError, Viewer, directive, visibility_index, visible
from permissions import viewer as viewer_module
from permissions.permission import Permission, has_asset_permission, has_permission
from permissions.visibility_index import Sight, VisibilityIndex
from permissions.visible import access, asset_exists, change_exists, restrict_to_access, used_asset
from proofs.databases import Databases
from proofs.interference.trial import CaseGenerator
from proofs.interference.world import USERS
from proofs.proof import BrokenPromiseError, Proof
from resolvers import asset, change, collection, context, loaders, membership, node
from resolvers import filter as filters
from resolvers.export import access as export_access
from resolvers.export import asset as export_asset
from resolvers.export import collection as export_collection
from resolvers.export import principal as export_principal
from resolvers.listing import aggregate, count, cursor, listing, page, part, timeline
from resolvers.listing import search as searching
from resolvers.listing.aggregate import select_tags
from resolvers.listing.statement_cache import clear
from resolvers.order import asset_sort_keys
from resolvers.pull import part as pull_part
from resolvers.pull import row_set
from resolvers.subscription import collection as watch_collection
from resolvers.subscription import topic_tree as watch_tree
from resolvers.write import membership as write_membership
from resolvers.write import membership_operations, undo_members
from resolvers.write.former_places import insert_records
from store import changes, sql, undo_records
from store.database import Snapshot
from store.reader_threads import ThreadSnapshot
from store.search.document import SEARCHED_TABLES, Document
from store.search.query import field_token
from store.search.tokens import tokenize
from store.tables import EVERYONE_PK, AssetAccess, ChangeAction, CollectionVisibility
from tests.oracle import ANONYMOUS

PATIENCE = 20_000
"""Number of checks within which a planted leak must be found."""

visibility = import_module("permissions.visible")  # not an import statement: in the package, `visible` is the function
Patch = AbstractContextManager[Any]


@dataclass(frozen=True)
class Leak:
    """Fault of the product, and the channel through which it leaks hidden data."""

    channel: str
    fault: str
    patch: Callable[[], Patch]
    who: str | None = None  # only this viewer's cases are tried; None for any

    @contextmanager
    def plant(self) -> Iterator[None]:
        """Put the fault into the product. Drop cached statements before and after, because the fault may be in them."""
        clear()
        try:
            with self.patch():
                yield
        finally:
            clear()

    def __str__(self) -> str:
        """Format the leak for a message."""
        return f"{self.channel}: {self.fault}"


def unrestricted(viewer: Viewer) -> Viewer:
    """Return a viewer who sees everything."""
    return replace(viewer, is_admin=True, public_sharing=True)


def select_unrestricted(source: FromClause, viewer: Viewer) -> Any:
    """Select all rows, as `visible` would without its conditions."""
    if getattr(source, "element", source) is sql.asset:
        return select(*source.c, access(source, viewer).label("viewer_access"))
    return visible(source, unrestricted(viewer))


def _replace(owner: Any, name: str, replacement: Any) -> Callable[[], Patch]:
    return lambda: patch.object(owner, name, replacement)


def _replace_select(table: str, rows: Callable[[Any, Viewer], Any]) -> Callable[[], Patch]:
    return lambda: patch.dict(visibility._SELECT_BY_TABLE, {table: rows})  # noqa: SLF001 - the fault is planted in it


def _select_uses(*, needs_viewer_access: bool, needs_used_asset: bool) -> Callable[[Any, Viewer], Any]:
    """Return a SELECT of uses with only some of its conditions."""

    def select_uses(use: Any, viewer: Viewer) -> Any:
        joined = use.join(sql.asset, sql.asset.c.pk == use.c.asset_pk).join(
            used_asset, used_asset.c.pk == use.c.uses_pk
        )
        condition = access(sql.asset, viewer) >= (AssetAccess.VIEWER.value if needs_viewer_access else 0)
        visible_ends = (
            asset_exists(sql.asset, viewer),
            asset_exists(used_asset, viewer) if needs_used_asset else true(),
        )
        return select(*use.c).select_from(joined).where(condition, *visible_ends)

    return select_uses


def _unrestricted_select(select_list: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a function that builds the SELECT of a list, so that it is called with an unrestricted viewer."""
    return lambda queried, viewer, *more: select_list(queried, unrestricted(viewer), *more)


def _select_all_assets(self: Any, viewer: Viewer, parents: Any) -> Any:
    del parents
    return select_unrestricted(sql.asset, viewer).where(*self.filter.conditions(viewer))


@contextmanager
def _hide_after_paging() -> Iterator[None]:
    select_page, fetch = page.select_page, part.PartByKey._fetch_pages  # noqa: SLF001 - the fault is planted in it

    def select_unrestricted_page(of: Any, viewer: Viewer, *more: Any) -> Any:
        return select_page(of, unrestricted(viewer) if of.table is sql.asset else viewer, *more)

    async def fetch_visible(self: Any, *arguments: Any) -> Any:
        pages: Any = await fetch(self, *arguments)
        if self.listing.table is not sql.asset:
            return pages
        rows = visible(sql.asset, self.context.viewer).with_only_columns(sql.asset.c.pk)
        visible_pks = {row.pk for row in await self.context.snapshot.rows(rows)}
        return {
            key: fetched._replace(items=[item for item in fetched.items if item.pk in visible_pks])
            for key, fetched in pages.items()
        }

    with (
        patch.object(part, "select_page", select_unrestricted_page),
        patch.object(part.PartByKey, "_fetch_pages", fetch_visible),
    ):
        yield


@contextmanager
def _has_more_of_all() -> Iterator[None]:
    fetch = part.PartByKey._fetch_pages  # noqa: SLF001 - the fault is planted in it

    async def fetch_with_total(self: Any, which: Any, bounds: Any, parents: Any) -> Any:
        pages: Any = await fetch(self, which, bounds, parents)
        statement = count.select_count(self.listing, unrestricted(self.context.viewer))
        rows_by_parent = await self._rows_by_parent(statement, parents)
        return {
            key: fetched._replace(has_more=fetched.has_more or rows_by_parent[key.parent][0][0] > len(fetched.items))
            for key, fetched in pages.items()
        }

    with patch.object(part.PartByKey, "_fetch_pages", fetch_with_total):
        yield


@contextmanager
def _unrestricted_filters(kind: Any) -> Iterator[None]:
    conditions = kind.conditions
    with patch.object(kind, "conditions", lambda self, viewer: conditions(self, unrestricted(viewer))):
        yield


@contextmanager
def _unrestricted_function(module: Any, name: str) -> Iterator[None]:
    """Replace the viewer, the first argument of the function, with an unrestricted one."""
    original = getattr(module, name)
    with patch.object(module, name, lambda viewer, *more: original(unrestricted(viewer), *more)):
        yield


class _ForbiddenAssetById(loaders.AssetById):
    """Loader that raises FORBIDDEN for a hidden asset."""

    async def fetch(self, keys: list[Any]) -> Any:
        assets = await super().fetch(keys)
        existing = select(sql.asset.c.id).where(sql.asset.c.id.in_(keys))
        if any(row.id not in assets for row in await self.context.snapshot.rows(existing)):
            raise OperationError(ErrorCode.FORBIDDEN, "You may not see this.")
        return assets


@contextmanager
def _slow_for_hidden() -> Iterator[None]:
    fetch = loaders.RowByColumn.fetch

    async def fetch_slowly(self: Any, keys: list[Any]) -> Any:
        rows = await fetch(self, keys)
        column = self.table.c[self.column]
        hidden = select(column).where(column.in_([key for key in keys if key not in rows]))
        if await self.context.snapshot.rows(hidden):
            await self.context.snapshot.rows(select(func.count()).select_from(self.table))
        return rows

    with patch.object(loaders.RowByColumn, "fetch", fetch_slowly):
        yield


class _AnyAssetById(loaders.AssetById):
    """Loader of assets without visibility conditions."""

    async def fetch(self, keys: list[Any]) -> dict[Any, Any]:
        rows = select_unrestricted(sql.asset, self.context.viewer).where(sql.asset.c.id.in_(keys))
        return {row.id: row for row in await self.context.snapshot.rows(rows)}


class _ContainsAnyAsset(loaders.ContainsAssetByCollection):
    """Loader of whether collections contain the asset, visible or hidden."""

    async def fetch(self, keys: list[int]) -> dict[int, bool]:
        member, asset = sql.membership, sql.asset
        rows = select(member.c.collection_pk).join(asset, asset.c.pk == member.c.asset_pk)
        containing = await self.context.snapshot.rows(
            rows.where(asset.c.id == self.asset_id, member.c.collection_pk.in_(keys))
        )
        return {row.collection_pk: True for row in containing}


@contextmanager
def _contains_hidden() -> Iterator[None]:
    with (
        patch.object(membership, "AssetById", _AnyAssetById),
        patch.object(membership, "ContainsAssetByCollection", _ContainsAnyAsset),
    ):
        yield


@contextmanager
def _plan_for_hidden() -> Iterator[None]:
    """Plan membership operations on hidden assets as if the assets were visible."""
    with patch.object(membership_operations, "visible", select_unrestricted):
        yield


@contextmanager
def _version_counts_members() -> Iterator[None]:
    """Increment a collection's version when members are added."""
    insert_members = membership_operations.insert_members

    async def insert_and_count(tx: Any, collection: Any, rows: Any, *more: Any, **keywords: Any) -> None:
        await insert_members(tx, collection, rows, *more, **keywords)
        if rows:
            this_collection = update(sql.collection).where(sql.collection.c.pk == collection.pk)
            await tx.execute(this_collection.values(version=sql.collection.c.version + 1))

    with patch.object(membership_operations, "insert_members", insert_and_count):
        yield


def _database_of(context: Any) -> Any:
    """Return an object that stands for the database of a context, whichever executor it is of."""
    snapshot = context.snapshot
    return snapshot._compiler if isinstance(snapshot, ThreadSnapshot) else str(snapshot._connection.engine.url)  # noqa: SLF001 - nobody else asks


@contextmanager
def _share_loaders() -> Iterator[None]:
    """Share loaders between all operations on a database."""
    cache: dict[Any, Any] = {}

    def loader(self: Any, kind: Any, *arguments: Any) -> Any:
        key = (_database_of(self), kind, *arguments)
        cached = cache.setdefault(key, None) or kind(self, *arguments)
        cache[key] = cached
        cached.context = self
        return cached

    with patch.object(context.Context, "loader", loader):
        yield


@contextmanager
def _cache_without_viewer() -> Iterator[None]:
    """Cache the assets that any viewer loaded, and serve them to all."""
    cache: dict[Any, Any] = {}
    fetch = loaders.RowByColumn.fetch

    async def fetch_cached(self: Any, keys: list[Any]) -> Any:
        if self.table is not sql.asset:
            return await fetch(self, keys)
        prefix = (_database_of(self.context), self.column, *self.cache_key)
        rows = await fetch(self, keys)
        cache.update({(*prefix, key): row for key, row in rows.items()})
        return {key: cache[*prefix, key] for key in keys if (*prefix, key) in cache}

    with patch.object(loaders.RowByColumn, "fetch", fetch_cached):
        yield


@contextmanager
def _sequential_ids() -> Iterator[None]:
    """Give changes ids in the order of the log."""
    row = changes.ChangeLog._row  # noqa: SLF001 - the fault is planted in it

    def number_change(self: Any, *arguments: Any) -> dict[str, Any]:
        change_row = row(self, *arguments)
        return change_row | {"id": f"chg_{self.revision:012}{change_row['id'][-12:]}"}

    with patch.object(changes.ChangeLog, "_row", number_change):
        yield


@contextmanager
def _revision_header() -> Iterator[None]:
    """Send the revision of the log as an ETag."""
    original, to_response, latest = viewer_module._fetch_viewer, response.json_response, [0]  # noqa: SLF001 - the fault is planted in them

    async def fetch_viewer_and_revision(snapshot: Snapshot, *arguments: Any) -> Any:
        latest[0] = (await snapshot.rows(select(sql.deployment.c.revision)))[0].revision
        return await original(snapshot, *arguments)

    def respond_with_revision(media_type: str, status: Any, body: Any, headers: Any = None) -> Any:
        return to_response(media_type, status, body, {**(headers or {}), "etag": f'"{latest[0]}"'})

    with (
        patch.object(viewer_module, "_fetch_viewer", fetch_viewer_and_revision),
        patch.object(endpoint, "json_response", respond_with_revision),
    ):
        yield


@contextmanager
def _everyone_includes_anonymous() -> Iterator[None]:
    """Apply grants to everyone to anonymous visitors."""
    original = viewer_module.anonymous_viewer

    async def anonymous(snapshot: Snapshot) -> Viewer:
        viewer = await original(snapshot)
        return replace(viewer, principals=(EVERYONE_PK, *viewer.principals))

    with patch.object(authentication, "anonymous_viewer", anonymous):
        yield


def _ignore_status(asset: FromClause, viewer: Viewer) -> ColumnElement[bool]:
    """Return the visibility condition of assets without its part about the status."""
    if viewer.is_admin:
        return true()
    has_access = access(asset, viewer) >= AssetAccess.DISCOVERABLE.value
    return has_access if viewer.is_signed_in else and_(visibility._is_in_visible_collection(asset, viewer), has_access)  # noqa: SLF001 - a part of the rule


def _ignore_collections(asset: FromClause, viewer: Viewer) -> ColumnElement[bool]:
    """Return the visibility condition without the limit of anonymous visitors to assets in visible collections."""
    return asset_exists(asset, replace(viewer, user_pk=viewer.user_pk or 0))


@contextmanager
def _uses_without_content_access() -> Iterator[None]:
    """Show uses to everyone who sees both assets: neither the SELECT nor the list requires VIEWER access."""

    def restrict(rows: Any, asset: FromClause, viewer: Viewer, required_access: AssetAccess) -> Any:
        return (
            rows if required_access is AssetAccess.VIEWER else restrict_to_access(rows, asset, viewer, required_access)
        )

    with (
        _replace_select("asset_use", _select_uses(needs_viewer_access=False, needs_used_asset=True))(),
        patch.object(listing, "restrict_to_access", restrict),
    ):
        yield


@contextmanager
def _administrators_have_viewer_access() -> Iterator[None]:
    """Give administrators VIEWER access to every asset."""

    def access_with_minimum(asset: FromClause, viewer: Viewer) -> ColumnElement[int]:
        minimum = literal(AssetAccess.VIEWER.value if viewer.is_admin else 0)
        own = access(asset, replace(viewer, is_admin=False))
        return func.coalesce(func.nullif(own, 0), minimum)

    def has_access(asset: FromClause, viewer: Viewer, required: AssetAccess) -> ColumnElement[bool]:
        return access_with_minimum(asset, viewer) >= required.value

    with (
        patch.object(visibility, "access", access_with_minimum),
        patch.object(visibility, "has_access", has_access),
    ):
        yield


def _disable_permission(permission: Permission) -> Callable[[], Patch]:
    """Return a fault that disables the checks of one permission on all fields that require it."""

    @contextmanager
    def disabled() -> Iterator[None]:
        with (
            patch.object(
                directive,
                "has_permission",
                lambda viewer, required: required is permission or has_permission(viewer, required),
            ),
            patch.object(
                directive,
                "has_asset_permission",
                lambda asset, required: required is permission or has_asset_permission(asset, required),
            ),
        ):
            yield

    return disabled


@contextmanager
def _all_grants() -> Iterator[None]:
    with (
        _disable_permission(Permission.ASSET_GRANTS_VIEW)(),
        _replace_select("access_grant", lambda grant, _viewer: select(*grant.c))(),
    ):
        yield


@contextmanager
def _members_of_any_group() -> Iterator[None]:
    """Show the members of all groups to all members of the deployment."""
    with (
        patch.object(directive, "is_group_member", lambda _viewer, _group: True),
        _replace_select("group_member", _select_any_row)(),
    ):
        yield


@contextmanager
def _hidden_parents_count() -> Iterator[None]:
    """Exclude collections with hidden parents from the top level."""
    conditions = filters.CollectionFilter.conditions

    def conditions_with_hidden_parents(self: Any, viewer: Viewer) -> Any:
        result = conditions(replace(self, top_level_only=None), viewer)
        return [*result, sql.collection.c.parent_pk.is_(None)] if self.top_level_only else result

    with patch.object(filters.CollectionFilter, "conditions", conditions_with_hidden_parents):
        yield


@contextmanager
def _show_reorderings() -> Iterator[None]:
    def reorderings_exist(change: Any, viewer: Viewer) -> ColumnElement[bool]:
        if viewer.is_admin or not viewer.is_signed_in:
            return change_exists(change, viewer)
        about_visible = visibility._is_about_visible_collection(change, viewer)  # noqa: SLF001 - a part of the rule
        return and_(about_visible, visibility._touches_visible_assets(change, viewer))  # noqa: SLF001 - a part of the rule

    with patch.object(visibility, "change_exists", reorderings_exist):
        yield


def _show_content_changes(change: Any, viewer: Viewer) -> ColumnElement[bool]:
    return true() if viewer.is_admin else change_exists(change, viewer)


def _select_members_of_any_collection(member: Any, viewer: Viewer) -> Any:
    """Select the memberships of visible assets in any collection."""
    joined = member.join(sql.asset, sql.asset.c.pk == member.c.asset_pk)
    joined = joined.join(sql.collection, sql.collection.c.pk == member.c.collection_pk)
    return select(*member.c).select_from(joined).where(asset_exists(sql.asset, viewer))


@contextmanager
def _hide_deletions_with_hidden_assets() -> Iterator[None]:
    """Hide the deletion of a collection that had assets, all of which are hidden."""
    touches_visible_assets = visibility._touches_visible_assets  # noqa: SLF001 - the fault is planted in it

    def touches_visible_assets_or_none(change: Any, viewer: Viewer) -> ColumnElement[bool]:
        deleted = select(sql.change_asset.c.change_pk).where(sql.change_asset.c.change_pk == change.c.pk)
        seen = deleted.join(sql.asset, sql.asset.c.pk == sql.change_asset.c.asset_pk)
        seen = seen.where(asset_exists(sql.asset, viewer))
        is_hidden = and_(
            change.c.action == ChangeAction.DELETED,
            deleted.correlate(change).exists(),
            ~seen.correlate(change).exists(),
        )
        return and_(touches_visible_assets(change, viewer), ~is_hidden)

    with patch.object(visibility, "_touches_visible_assets", touches_visible_assets_or_none):
        yield


def _is_about_any_deleted_collection(change: Any, _viewer: Viewer) -> ColumnElement[bool]:
    return and_(change.c.subject_id.startswith("col_"), change.c.subject_id.not_in(select(sql.collection.c.id)))


@contextmanager
def _position_at_hidden() -> Iterator[None]:
    """Accept a hidden member as the neighbour of a position."""
    with patch.object(write_membership, "visible", select_unrestricted):
        yield


def _select_any_row(source: Any, viewer: Viewer) -> Any:
    del viewer
    return select(*source.c)


def _select_touched_assets(_self: Any, viewer: Viewer, parents: Any) -> Any:
    asset, touch = sql.asset, sql.change_asset
    rows = select_unrestricted(asset, viewer).join(touch, touch.c.asset_pk == asset.c.pk)
    return rows.where(touch.c.change_pk == parents.c.value)


def _order_by_rarity(order: str, search: Any = None) -> Any:
    """Order matches by the number of assets with the same name, as relevance by rarity would."""
    keys, other = asset_sort_keys(order, search), sql.asset.alias()
    if search is None or order != "RELEVANCE":
        return keys
    namesakes = select(func.count()).where(other.c.name_key == sql.asset.c.name_key).correlate(sql.asset)
    return (namesakes.scalar_subquery(), *keys)


@contextmanager
def _fuzzy_for_unknown_words_only() -> Iterator[None]:
    """Match fuzzily only if the word itself occurs nowhere."""
    fetch = searching.SimilarWordsByWord.fetch

    async def fetch_unknown(self: Any, keys: list[str]) -> Any:
        word = sql.search_word.c.word
        known = {row.word for row in await self.context.snapshot.rows(select(word).where(word.in_(keys)))}
        return {key: words for key, words in (await fetch(self, keys)).items() if key not in known}

    with patch.object(searching.SimilarWordsByWord, "fetch", fetch_unknown):
        yield


@contextmanager
def _one_similar_word() -> Iterator[None]:
    """Match only the first of the similar words."""
    fetch = searching.SimilarWordsByWord.fetch

    async def fetch_first(self: Any, keys: list[str]) -> Any:
        return {key: tuple(sorted(words)[:1]) for key, words in (await fetch(self, keys)).items()}

    with patch.object(searching.SimilarWordsByWord, "fetch", fetch_first):
        yield


@contextmanager
def _search_external_ids_of_owners() -> Iterator[None]:
    """Index assets by their owner's external id."""
    original, owner = SEARCHED_TABLES["asset"], sql.principal.alias()
    rows = original.rows.add_columns(owner.c.external_id.label("owner_external_id"))

    def document_with_external_id(row: Any) -> Document:
        document, tokens = original.document(row), tokenize(row.owner_external_id)
        return document._replace(rest=[*document.rest, *tokens, *(field_token("owner", word) for word in tokens)])

    leaking_table = original._replace(
        rows=rows.join(owner, owner.c.pk == sql.asset.c.owner_pk), document=document_with_external_id
    )
    with patch.dict(SEARCHED_TABLES, asset=leaking_table):
        yield


def _spell_like_all_assets(found: Any, ignored: Any, index: int, first: int) -> Any:
    """Show the spelling of a tag that most of all assets have."""
    facet, shown, tag = (
        select_tags(found, ignored, index, first).subquery(),
        sql.asset_tag.alias(),
        sql.asset_tag.alias(),
    )
    keys = select(shown.c.tag_key).where(shown.c.tag == facet.c.value).correlate(facet)
    spelling = select(tag.c.tag).where(tag.c.tag_key.in_(keys)).group_by(tag.c.tag).correlate(facet)
    most_common = spelling.order_by(func.count().desc(), tag.c.tag).limit(1).scalar_subquery().label("value")
    return facet.select().with_only_columns(*(most_common if each.name == "value" else each for each in facet.c))


@contextmanager
def _index_without_grants() -> Iterator[None]:
    """Show all assets to members in the index."""
    original = Sight.update

    def update_with_all(self: Any, changed: Any) -> None:
        original(self, changed)
        if self.viewer.is_signed_in:
            self.assets |= self._index.assets

    with patch.object(Sight, "update", update_with_all):
        yield


def _all_members(self: Any, collection_pk: int) -> Any:
    return self._index.members.get(collection_pk, ())


def _index_with_hidden_members() -> Patch:
    """Plant a fault: subscribers get hidden assets from the index."""
    members = VisibilityIndex.members_of
    return patch.object(VisibilityIndex, "members_of", lambda self, viewer, pk: members(self, unrestricted(viewer), pk))


def _count_all_members(self: Any, collection_pk: int) -> Any:
    return self._index.count(self._index.member_set(collection_pk))


def _unrestricted_visibilities(_viewer: Viewer) -> set[str]:
    return set(CollectionVisibility)


def _fragments_of_any_access(self: Any, viewer: Viewer, _access: int) -> SelectionKey:
    return SelectionKey(self.identity, self.of, viewer.kind)


@contextmanager
def _count_every_step() -> Iterator[None]:
    undo_step = timeline.ListState.undo
    with patch.object(timeline.ListState, "undo", lambda state, step: undo_step(state, step) or bool(step)):
        yield


async def _restore_ranks(tx: Any, collection: Any, records: Sequence[Any]) -> None:
    """Restore members with their former ranks."""
    await insert_records(tx, collection.pk, records, [record.rank for record in records])


def _export_of_all(table: Any) -> Callable[[FromClause, Viewer], Any]:
    """Return `visible` as it would be if one table had no conditions."""

    def select_all(source: FromClause, viewer: Viewer) -> Any:
        return select(*source.c) if source is table else visible(source, viewer)

    return select_all


def _export_hidden_members() -> Patch:
    """Plant a fault: an export has all members of the collections that the viewer sees."""
    members = export_collection._select_members  # noqa: SLF001 - the fault is planted in it
    return patch.object(export_collection, "_select_members", lambda viewer: members(unrestricted(viewer)))


@contextmanager
def _event_cursors_with_revision() -> Iterator[None]:
    """Seal the revision of the log in the cursors of a collection's events."""
    event = watch_collection.CollectionWatch._event  # noqa: SLF001 - the fault is planted in it

    def event_with_revision(self: Any, viewer: Viewer, now: Any, **difference: Any) -> Any:
        sealed = cursor.seal(viewer, "collectionChanged", b"%d" % now.revision)
        return replace(event(self, viewer, now, **difference), cursor=sealed)

    with patch.object(watch_collection.CollectionWatch, "_event", event_with_revision):
        yield


LEAKS: Sequence[Leak] = (
    Leak(
        "lists",
        "the list of assets has no visibility condition",
        _replace(asset.Assets, "select_rows", _select_all_assets),
    ),
    Leak("lists", "assets are selected without a visibility condition", _replace_select("asset", select_unrestricted)),
    Leak(
        "lists",
        "memberships are selected without the condition on their collections",
        _replace_select("membership", _select_members_of_any_collection),
    ),
    Leak(
        "counts", "totalCount counts all rows", _replace(part, "select_count", _unrestricted_select(count.select_count))
    ),
    Leak(
        "counts",
        "assetCounts counts all assets",
        _replace(part, "select_counts_by_kind", _unrestricted_select(count.select_counts_by_kind)),
    ),
    Leak(
        "facets", "facets count all rows", _replace(part, "select_parts", _unrestricted_select(aggregate.select_parts))
    ),
    Leak("relevance", "search ranks rare names first", _replace(asset, "asset_sort_keys", _order_by_rarity)),
    Leak("relevance", "fuzzy matching applies only to words that occur nowhere", _fuzzy_for_unknown_words_only),
    Leak("relevance", "only one similar word is matched", _one_similar_word),
    Leak("search", "owners are found by their external id", _search_external_ids_of_owners),
    Leak("pages", "hidden rows are removed after paging", _hide_after_paging),
    Leak("hasNextPage", "hasNextPage counts hidden rows", _has_more_of_all),
    Leak("cursors", "a cursor contains a rank", _replace(listing.Listing, "is_ranked", replacement=False)),
    Leak("cursors", "a move past hidden rows changes the place of a cursor", _count_every_step),
    Leak("order", "ASSET_COUNT orders by all assets", lambda: _unrestricted_function(collection, "_asset_count")),
    Leak("versions", "a collection's version counts added members", _version_counts_members),
    Leak(
        "objects",
        "a hidden asset is FORBIDDEN instead of null",
        lambda: patch.dict(node.LOADER_OF_PREFIX, {"ast": _ForbiddenAssetById}),
    ),
    Leak(
        "objects",
        "a hidden asset is found by its id",
        lambda: patch.dict(node.LOADER_OF_PREFIX, {"ast": _AnyAssetById}),
    ),
    Leak("time", "a hidden object takes one statement more than a missing one", _slow_for_hidden),
    Leak("containsAsset", "containsAsset answers for hidden assets", _contains_hidden, ANONYMOUS),
    Leak(
        "filters",
        "filters of assets use hidden collections",
        lambda: _unrestricted_filters(filters.AssetFilter),
        ANONYMOUS,
    ),
    Leak(
        "filters", "filters of collections use hidden assets", lambda: _unrestricted_function(filters, "contains_asset")
    ),
    Leak("filters", "topLevelOnly excludes collections with a hidden parent", _hidden_parents_count, ANONYMOUS),
    Leak("content", "content is shown without VIEWER access", _disable_permission(Permission.ASSET_VIEW)),
    Leak("grants", "grants are shown to everyone", _all_grants),
    Leak("addresses", "anonymous visitors see email addresses", _disable_permission(Permission.SIGNED_IN), ANONYMOUS),
    Leak(
        "people",
        "anonymous visitors see all users and groups",
        _replace_select("principal", _select_any_row),
        ANONYMOUS,
    ),
    Leak("groups", "members of a group are shown to everyone", _members_of_any_group),
    Leak(
        "groups",
        "users are filtered by groups whose members are hidden",
        lambda: _unrestricted_filters(filters.UserFilter),
    ),
    Leak(
        "uses",
        "uses show hidden assets",
        _replace_select("asset_use", _select_uses(needs_viewer_access=True, needs_used_asset=False)),
    ),
    Leak("uses", "uses are shown without VIEWER access", _uses_without_content_access),
    Leak(
        "status",
        "archived assets are shown to every grant holder",
        _replace(visibility, "asset_exists", _ignore_status),
    ),
    Leak(
        "administrators", "administrators see the content of all assets", _administrators_have_viewer_access, USERS[0]
    ),
    Leak("anonymous", "grants to everyone apply to anonymous visitors", _everyone_includes_anonymous, ANONYMOUS),
    Leak(
        "anonymous",
        "a grant to public suffices outside of visible collections",
        _replace(visibility, "asset_exists", _ignore_collections),
        ANONYMOUS,
    ),
    Leak(
        "collections",
        "every collection is visible to everyone",
        _replace(visibility, "collection_exists", lambda _collection, _viewer: true()),
        ANONYMOUS,
    ),
    Leak(
        "collections",
        "lists with descendants use hidden collections",
        lambda: _unrestricted_function(membership, "_tree"),
        ANONYMOUS,
    ),
    Leak(
        "topics", "topics without visible collections are visible", _replace_select("topic", _select_any_row), ANONYMOUS
    ),
    Leak(
        "history",
        "changes of only hidden assets are shown",
        _replace(visibility, "_touches_visible_assets", lambda _change, _viewer: true()),
    ),
    Leak("history", "members see reorderings", _show_reorderings),
    Leak(
        "history", "a change lists hidden assets", _replace(change.ChangeAssets, "select_rows", _select_touched_assets)
    ),
    Leak(
        "history",
        "administrators see the changes of all assets' content",
        _replace(visibility, "change_exists", _show_content_changes),
        USERS[0],
    ),
    Leak("jobs", "jobs are visible to everyone", _replace_select("job", _select_any_row)),
    Leak("tokens", "tokens are visible to everyone", _replace_select("api_token", _select_any_row)),
    Leak("errors", "a hidden asset gets another error than a missing one", _plan_for_hidden),
    Leak("positions", "a position may refer to a hidden member", _position_at_hidden),
    Leak("shared state", "loaders are shared between operations", _share_loaders),
    Leak("shared state", "a cache key lacks the viewer", _cache_without_viewer),
    Leak("ids", "ids of changes are sequential", _sequential_ids),
    Leak("headers", "an ETag contains the revision of the log", _revision_header),
    Leak("undo", "a move past hidden assets prevents an undo", _replace(undo_records, "ORDER_ACTIONS", ())),
    Leak("undo", "an undo restores ranks", _replace(undo_members, "restore_members", _restore_ranks)),
    Leak(
        "deletions",
        "the deletion of a collection is hidden if all its assets are",
        _hide_deletions_with_hidden_assets,
    ),
    Leak(
        "deletions",
        "the names of deleted collections are shown to everyone",
        _replace(visibility, "_is_about_deleted_collection", _is_about_any_deleted_collection),
    ),
    Leak(
        "index",
        "the index shows archived assets to every grant holder",
        _replace(visibility_index, "OWNERS_ONLY_STATUSES", ()),
    ),
    Leak("exports", "an export has hidden members of a collection", _export_hidden_members),
    Leak(
        "exports",
        "an export has grants for viewers who are not owners",
        _replace(export_asset, "visible", _export_of_all(sql.grant)),
    ),
    Leak(
        "exports",
        "an export has the members of every group",
        _replace(export_principal, "visible", _export_of_all(sql.group_member)),
    ),
    Leak(
        "exports",
        "the file of an export ends with an asset that is hidden from the viewer",
        _replace(export_access, "select_assets", lambda viewer, _scope: select_unrestricted(sql.asset, viewer)),
    ),
    Leak(
        "events",
        "an event is sent for a change of hidden assets",
        lambda: _unrestricted_function(watch_collection, "_select_last_change"),
    ),
    Leak(
        "events",
        "an event removes an asset that was never visible",
        lambda: _unrestricted_function(watch_collection, "_select_members"),
    ),
    Leak(
        "events",
        "an event is sent for a hidden collection",
        lambda: _unrestricted_function(watch_tree, "_select_collections"),
    ),
    Leak("events", "the cursor of an event contains the revision of the log", _event_cursors_with_revision),
    Leak("facets", "a tag is spelt as most assets do", _replace(aggregate, "select_tags", _spell_like_all_assets)),
    Leak("index", "the index shows assets without a grant", _index_without_grants),
    Leak("index", "the index has hidden members", _replace(Sight, "members", _all_members)),
    Leak("index", "an event has assets that are hidden", _index_with_hidden_members),
    Leak("index", "the index counts hidden members", _replace(Sight, "count_members", _count_all_members)),
    Leak(
        "index",
        "the index shows every collection to everyone",
        _replace(visibility_index, "_visibilities", _unrestricted_visibilities),
        ANONYMOUS,
    ),
    Leak(
        "index",
        "kept fragments are shared between levels of access",
        _replace(Selection, "key", _fragments_of_any_access),
    ),
    Leak("pulls", "a sync has assets whose hidden content changed", _replace(pull_part, "CONTENT", frozenset[str]())),
    Leak(
        "pulls",
        "the pages of a pull count hidden rows",
        _replace(row_set, "select_part", lambda part, viewer: pull_part.select_part(part, unrestricted(viewer))),
    ),
)


async def trial(databases: Databases, number: int) -> int:
    """Check that the leak of that number is found. Raises BrokenPromiseError if it is not."""
    leak = LEAKS[number % len(LEAKS)]
    checks = await checks_until_found(databases, leak)
    if checks is None:
        raise BrokenPromiseError(
            f"This planted leak was not found in {PATIENCE} checks on {databases.backend}: {leak}."
        )
    return 1


async def checks_until_found(databases: Databases, leak: Leak, first_seed: int = 0) -> int | None:
    """Return the number of checks until the leak is found; None if PATIENCE checks do not find it."""
    checks = 0
    with leak.plant(), disable_logging():
        for seed in itertools.count(first_seed):
            case_generator = CaseGenerator(Random(seed))
            if leak.who not in {None, case_generator.case.who}:
                continue
            if checks >= PATIENCE:
                return None
            try:
                checks += await case_generator.run(databases)
            except BrokenPromiseError:
                return checks + case_generator.checks
    return None


@contextmanager
def disable_logging() -> Iterator[None]:
    """Disable logging, because planted faults cause errors that would fill the log."""
    before = logging.root.manager.disable
    logging.disable()
    try:
        yield
    finally:
        logging.disable(before)


# On SQLite only, because the planted faults do not depend on the backend.
PLANTED = Proof("leaks", "Each planted leak is found.", "planted leaks", len(LEAKS), trial, ("sqlite",))
