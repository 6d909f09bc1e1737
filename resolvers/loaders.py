"""Data loaders of rows and small sets, named `<Value>By<Key>`: one statement for all keys of an event loop tick."""

from collections.abc import Awaitable, Hashable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeVar, cast

from sqlalchemy import Integer, String, Table, bindparam, func, or_

from permissions import Viewer, visible
from permissions.visible import used_asset
from resolvers.collection_tree import ancestors_cte, start
from resolvers.context import Context, LoadBatch
from resolvers.listing.statement_cache import cached
from store import sql
from store.database_use import trace_batch
from store.former_slugs import former_slugs, has_former_slug
from store.rows import ApiTokenRow, AssetRow, ChangeRow, CollectionRow, GrantRow, JobRow, PrincipalRow, TopicRow
from store.sql import Expression, Selection
from store.tables import AssetKind, Principal, PrincipalKind

NO_PK = 0
"""A pk that no row has."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
R = TypeVar("R")


class Loader(Generic[K, V]):
    """Loader of values by key: one statement for all keys of one tick, and `missing` for a key without a value."""

    missing: V

    def __init__(self, context: Context) -> None:
        """Create the loader of one operation."""
        self.context = context
        self._batch: LoadBatch[K, V] = context.make_batch(self._fetch_all)

    def load(self, key: K) -> Awaitable[V]:
        """Return an awaitable of the key's value; fields share the value."""
        return self._batch.load(key)

    def load_many(self, keys: Iterable[K]) -> Awaitable[list[V]]:
        """Return an awaitable of the keys' values, in their order."""
        return self._batch.load_many(keys)

    def loaded(self, key: K) -> V | None:
        """Return the value of a key that was read; None for any other key."""
        return self._batch.loaded(key)

    async def _fetch_all(self, keys: list[K]) -> list[V]:
        """Return a value for each key, in the order of the keys."""
        with trace_batch(type(self).__name__):
            values = await self.fetch(keys)
        return [values.get(key, self.missing) for key in keys]

    async def fetch(self, keys: list[K]) -> Mapping[K, V]:
        """Return the existing values by key. One statement."""
        raise NotImplementedError

    @property
    def cache_key(self) -> tuple[Hashable, ...]:
        """Key of the SELECT among those of all loaders."""
        return (type(self).__qualname__,)

    def select(self, viewer: Viewer) -> Selection:
        """Return the SELECT of the rows of the keys, which are the parameter `keys`."""
        raise NotImplementedError

    async def rows_of(self, keys: Sequence[object], **parameters: object) -> Sequence[Any]:
        """Return the rows that `select` selects for the keys."""
        viewer = self.context.viewer
        statement = cached((viewer.kind, *self.cache_key), lambda: self.select(viewer))
        return await self.context.snapshot.rows(
            statement, {"keys": sql.json_text(keys), **viewer.parameters, **parameters}
        )


class RowByColumn(Loader[K, R | None]):
    """Loader of a visible row by a unique column; None if there is no such row."""

    missing = None
    table: ClassVar[Table]
    column: ClassVar[str] = "pk"

    def __init__(self, context: Context, *columns: str) -> None:
        """Create the loader of one operation. Its rows have these columns; without any, all columns."""
        super().__init__(context)
        self._columns = columns

    @property
    def cache_key(self) -> tuple[Hashable, ...]:
        """Key of the SELECT, with the columns."""
        return (*super().cache_key, *self._columns)

    async def fetch(self, keys: list[K]) -> Mapping[K, R | None]:
        """Return rows by the column's value."""
        return {getattr(row, self.column): cast("R", row) for row in await self.rows_of(keys)}

    def select(self, viewer: Viewer) -> Selection:
        """Return the SELECT of visible rows."""
        column = self.table.c[self.column]
        keys = (sql.int_table if isinstance(column.type, Integer) else sql.text_table)("keys")
        rows = visible(self.table, viewer).where(column.in_(keys.select()))
        if not self._columns:
            return rows
        selected = rows.selected_columns
        return rows.with_only_columns(*(selected[name] for name in self._columns), maintain_column_froms=True)


class RowBySlug(RowByColumn[str, R]):
    """Visible row by its slug. A slug that no visible row has finds the visible row that had it last."""

    column = "slug"

    async def fetch(self, keys: list[str]) -> Mapping[str, R | None]:
        """Return rows by slug. One statement."""
        rows = await self.rows_of(keys)
        former = sorted((pk, slug, row) for row in rows for pk, slug in row.former_slugs)
        return {slug: row for _, slug, row in former} | {row.slug: row for row in rows}

    def select(self, viewer: Viewer) -> Selection:
        """Return the SELECT of visible rows, each with its `former_slugs` among the keys: pairs of pk and slug."""
        keys = sql.text_table("keys").select()
        has_slug = or_(self.table.c.slug.in_(keys), has_former_slug(self.table, keys))
        return visible(self.table, viewer).where(has_slug).add_columns(former_slugs(self.table, keys))


class Reference(Generic[R]):
    """Resolver of the row that a foreign key of its source refers to; None for a null key and for a hidden row."""

    def __init__(self, loader: type[RowByColumn[int, R]], column: str, *, is_visible_with_source: bool = False) -> None:
        """Take the loader of rows by pk and the column of the source.

        `is_visible_with_source` means that each viewer who sees the source sees the row, too.
        """
        self.loader, self.column, self.is_visible_with_source = loader, column, is_visible_with_source

    def __call__(self, source: object, context: Context) -> Awaitable[R | None]:
        """Return an awaitable of the row.

        A null key is queried too, so that the statement count does not distinguish null from hidden.
        """
        return context.loader(self.loader).load(getattr(source, self.column) or NO_PK)


class SlugReference(Protocol):
    """One-of input that names a topic or a collection by its id or slug."""

    id: str | None
    slug: str  # set if the id is not


def where_in(rows: Selection, column: Expression, keys: Iterable[int] | Iterable[str]) -> Selection:
    """Restrict the SELECT to rows whose column is one of the keys, which are all numbers or all texts."""
    values: list[Any] = list(keys)
    is_text = not values or isinstance(values[0], str)
    return rows.where(column.in_(sql.text_list(values) if is_text else sql.int_list(values)))


class AssetByPk(RowByColumn[int, AssetRow]):
    """Asset by pk, with the viewer's access to it."""

    table = sql.asset


class AssetById(RowByColumn[str, AssetRow]):
    """Asset by public id."""

    table = sql.asset
    column = "id"


class AssetByExternalId(RowByColumn[str, AssetRow]):
    """Asset by the platform's id."""

    table = sql.asset
    column = "external_id"


class CollectionByPk(RowByColumn[int, CollectionRow]):
    """Collection by pk."""

    table = sql.collection


class CollectionById(RowByColumn[str, CollectionRow]):
    """Collection by public id."""

    table = sql.collection
    column = "id"


class CollectionBySlug(RowBySlug[CollectionRow]):
    """Collection by slug, or by a former one."""

    table = sql.collection


class TopicByPk(RowByColumn[int, TopicRow]):
    """Topic by pk."""

    table = sql.topic


class TopicById(RowByColumn[str, TopicRow]):
    """Topic by public id."""

    table = sql.topic
    column = "id"


class TopicBySlug(RowBySlug[TopicRow]):
    """Topic by slug, or by a former one."""

    table = sql.topic


class PrincipalByPk(RowByColumn[int, PrincipalRow]):
    """Principal by pk: a user, a group, everyone or public."""

    table = sql.principal


class PrincipalById(RowByColumn[str, PrincipalRow]):
    """User or group by public id."""

    table = sql.principal
    column = "id"


class PrincipalByExternalId(RowByColumn[str, PrincipalRow]):
    """Principal by the platform's id."""

    table = sql.principal
    column = "external_id"


class UserByEmail(Loader[str, PrincipalRow | None]):
    """User by e-mail address, ignoring the case of a-z; None if several users have it."""

    missing = None

    async def fetch(self, keys: list[str]) -> dict[str, PrincipalRow | None]:
        """Return the users by e-mail address. One statement."""
        rows = await self.rows_of([_fold_ascii(key) for key in keys])
        users = group_rows(cast("Sequence[PrincipalRow]", rows), "email_key")
        return {key: found[0] for key in keys if len(found := users.get(_fold_ascii(key), [])) == 1}

    def select(self, viewer: Viewer) -> Selection:
        """Return the SELECT of users, each with the `email_key`."""
        email_key = func.lower(sql.principal.c.email)
        users = visible(sql.principal, viewer).where(sql.principal.c.kind == PrincipalKind.USER)
        return users.add_columns(email_key.label("email_key")).where(email_key.in_(sql.text_table("keys").select()))


def _fold_ascii(text: str) -> str:
    """Return the text in lower case as both databases do it, which fold a-z only."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)


class ChangeByPk(RowByColumn[int, ChangeRow]):
    """Change by pk, with the viewer's access to its subject."""

    table = sql.change


class ChangeById(RowByColumn[str, ChangeRow]):
    """Change by public id."""

    table = sql.change
    column = "id"


class UndoByChange(RowByColumn[int, ChangeRow]):
    """The last change that undid a change, by the pk of that."""

    table = sql.change
    column = "undoes_pk"

    def select(self, viewer: Viewer) -> Selection:
        """Return the SELECT of the undos, the last of each change last."""
        return super().select(viewer).order_by(sql.change.c.pk)


class JobById(RowByColumn[str, JobRow]):
    """Job by public id."""

    table = sql.job
    column = "id"


class JobByPk(RowByColumn[int, JobRow]):
    """Job by pk."""

    table = sql.job


class ApiTokenById(RowByColumn[str, ApiTokenRow]):
    """API token by public id."""

    table = sql.api_token
    column = "id"


class ApiTokenByPk(RowByColumn[int, ApiTokenRow]):
    """API token by pk."""

    table = sql.api_token


class GrantsByAsset(Loader[int, list[GrantRow]]):
    """Grants of an asset that the viewer owns: greatest access first, then by name."""

    missing = []  # noqa: RUF012 - its base declares the type, and nothing changes it

    async def fetch(self, keys: list[int]) -> dict[int, list[GrantRow]]:
        """Return the principals' rows, each with `access`, by the asset's pk. One statement."""
        return group_rows(cast("Sequence[GrantRow]", await self.rows_of(keys)), "asset_pk")

    def select(self, viewer: Viewer) -> Selection:
        """Return the SELECT of the principals with their grants."""
        grant, principal = sql.grant, sql.principal
        columns = [principal.c[name] for name in Principal.model_fields]
        return (
            visible(grant, viewer)
            .where(grant.c.asset_pk.in_(sql.int_table("keys").select()))
            .join(principal, principal.c.pk == grant.c.principal_pk)
            .with_only_columns(grant.c.asset_pk, grant.c.access, *columns, maintain_column_froms=True)
            .order_by(grant.c.access.desc(), principal.c.sort_key, principal.c.id)
        )


class AncestorsByCollection(Loader[int, list[CollectionRow]]):
    """Ancestors of a collection from the top down; a hidden one and all above it are left out."""

    missing = []  # noqa: RUF012 - its base declares the type, and nothing changes it

    async def fetch(self, keys: list[int]) -> dict[int, list[CollectionRow]]:
        """Return the ancestors' rows by the collection's pk. One statement."""
        return group_rows(cast("Sequence[CollectionRow]", await self.rows_of(keys)), "start")

    def select(self, viewer: Viewer) -> Selection:
        """Return the SELECT of the ancestors, each with its `start`."""
        starts = visible(start, viewer).where(start.c.pk.in_(sql.int_table("keys").select()))
        path = ancestors_cte(viewer, starts)
        return (
            visible(sql.collection, viewer)
            .join(path, path.c.pk == sql.collection.c.pk)
            .add_columns(path.c.start)
            .where(path.c.height > 0)
            .order_by(path.c.height.desc())
        )


class ReleaseByApp(Loader[int, int | None]):
    """Pk of the capsule or pipeline that an app runs: the first of these that it uses."""

    missing = None

    async def fetch(self, keys: list[int]) -> dict[int, int | None]:
        """Return the pk of each app's capsule or pipeline, by the pk of the app. One statement."""
        return {row.asset_pk: row.uses_pk for row in await self.rows_of(keys)}

    def select(self, viewer: Viewer) -> Selection:
        """Return the SELECT of the uses."""
        use = sql.asset_use
        return (
            visible(use, viewer)
            .where(use.c.asset_pk.in_(sql.int_table("keys").select()))
            .where(used_asset.c.kind.in_((AssetKind.CAPSULE, AssetKind.PIPELINE)))
            .order_by(use.c.rank.desc())  # the first use comes last, so that it overwrites the others above
        )


class ContainsAssetByCollection(Loader[int, bool]):
    """Whether a collection contains a given asset that is visible to the viewer."""

    missing = False

    def __init__(self, context: Context, asset_id: str) -> None:
        """Create the loader of one asset."""
        super().__init__(context)
        self.asset_id = asset_id

    async def fetch(self, keys: list[int]) -> dict[int, bool]:
        """Return True for the pk of each collection that contains the asset. One statement."""
        return {row.collection_pk: True for row in await self.rows_of(keys, asset_id=self.asset_id)}

    def select(self, viewer: Viewer) -> Selection:
        """Return the SELECT of the asset's memberships."""
        membership = sql.membership
        rows = visible(membership, viewer).where(membership.c.collection_pk.in_(sql.int_table("keys").select()))
        return rows.where(sql.asset.c.id == bindparam("asset_id", type_=String()))


class IsInCollectionByAsset(Loader[int, bool]):
    """Whether a given collection, visible to the viewer, contains an asset."""

    missing = False

    def __init__(self, context: Context, collection_id: str) -> None:
        """Create the loader of one collection."""
        super().__init__(context)
        self.collection_id = collection_id

    async def fetch(self, keys: list[int]) -> dict[int, bool]:
        """Return True for the pk of each asset that the collection contains. One statement."""
        return {row.asset_pk: True for row in await self.rows_of(keys, collection_id=self.collection_id)}

    def select(self, viewer: Viewer) -> Selection:
        """Return the SELECT of the collection's memberships."""
        membership = sql.membership
        rows = visible(membership, viewer).where(membership.c.asset_pk.in_(sql.int_table("keys").select()))
        return rows.where(sql.collection.c.id == bindparam("collection_id", type_=String()))


async def load_visible(context: Context, kind: type[RowByColumn[str, R]], ids: Iterable[str]) -> list[R]:
    """Return the rows that the viewer may see, in the order of the ids. One statement."""
    return [row for row in await context.loader(kind).load_many(ids) if row is not None]


def group_rows(rows: Iterable[R], column: str) -> dict[Any, list[R]]:
    """Group the rows by the value of a column, keeping their order."""
    lists: dict[Any, list[R]] = {}
    for row in rows:
        lists.setdefault(getattr(row, column), []).append(row)
    return lists
