"""This file is the batched reads of rows and small sets: `<Value>By<Key>`, one statement for all keys."""

import asyncio
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar, cast

from aiodataloader import DataLoader
from sqlalchemy import Integer, Select, Table, literal

from permissions import visible
from permissions.visible import used_asset
from resolvers.context import Context
from resolvers.listing.statement_cache import cached
from store import sql
from store.rows import AssetRow, ChangeRow, CollectionRow, GrantRow, JobRow, PrincipalRow, TopicRow
from store.tables import AssetKind, Principal

NO_PK = 0
"""A pk that no row has."""


K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
R = TypeVar("R")


class Loader(DataLoader[K, V]):
    """Batched read of a value by key: one statement for all keys of one tick, `missing` for a key without a value."""

    missing: V

    def __init__(self, context: Context) -> None:
        """Create the loader of one operation."""
        super().__init__()
        self.context = context

    def load(self, key: K) -> asyncio.Future[V]:
        """Return a future of the key's value.

        Sibling fields share it; shielded, so that a field cancelled because its sibling failed does not cancel it.
        """
        return asyncio.shield(super().load(key))

    async def batch_load_fn(self, keys: list[K]) -> list[V]:
        """Return a value for each key, in their order."""
        values = await self.fetch(keys)
        return [values.get(key, self.missing) for key in keys]

    async def fetch(self, keys: list[K]) -> Mapping[K, V]:
        """Return the existing values by key. One statement."""
        raise NotImplementedError


class RowByColumn(Loader[K, R | None]):
    """A visible row by a unique column; None where there is none."""

    missing = None
    table: ClassVar[Table]
    column: ClassVar[str] = "pk"

    async def fetch(self, keys: list[K]) -> Mapping[K, R | None]:
        """Return rows by the column's value."""
        statement = cached((self.context.viewer, type(self).__qualname__), self._statement)
        rows = await self.context.snapshot.rows(statement, {"keys": sql.json_text(keys)})
        return {getattr(row, self.column): cast("R", row) for row in rows}

    def _statement(self) -> Select[Any]:
        column = self.table.c[self.column]
        keys = (sql.int_table if isinstance(column.type, Integer) else sql.text_table)("keys")
        return visible(self.table, self.context.viewer).where(column.in_(keys.select()))


async def load_reference(context: Context, kind: type[RowByColumn[int, R]], pk: int | None) -> R | None:
    """Return the row that a pk refers to; None for none, and for one that the viewer may not see.

    What refers to none is looked for as well: a statement less would tell it from what refers to something hidden.
    """
    return await context.loader(kind).load(pk or NO_PK)


def where_in(rows: Select[Any], column: Any, keys: Iterable[Any]) -> Select[Any]:
    """Return the SELECT narrowed to rows whose column is among the keys."""
    listed = list(keys)
    return rows.where(
        column.in_(sql.int_list(listed) if listed and isinstance(listed[0], int) else sql.text_list(listed))
    )


class AssetByPk(RowByColumn[int, AssetRow]):
    """An asset with the viewer's access to it."""

    table = sql.asset


class AssetById(RowByColumn[str, AssetRow]):
    """An asset by its public id."""

    table = sql.asset
    column = "id"


class AssetByExternalId(RowByColumn[str, AssetRow]):
    """An asset by the platform's id."""

    table = sql.asset
    column = "external_id"


class CollectionByPk(RowByColumn[int, CollectionRow]):
    """A collection."""

    table = sql.collection


class CollectionById(RowByColumn[str, CollectionRow]):
    """A collection by its public id."""

    table = sql.collection
    column = "id"


class CollectionBySlug(RowByColumn[str, CollectionRow]):
    """A collection by its slug."""

    table = sql.collection
    column = "slug"


class TopicByPk(RowByColumn[int, TopicRow]):
    """A topic."""

    table = sql.topic


class TopicById(RowByColumn[str, TopicRow]):
    """A topic by its public id."""

    table = sql.topic
    column = "id"


class TopicBySlug(RowByColumn[str, TopicRow]):
    """A topic by its slug."""

    table = sql.topic
    column = "slug"


class PrincipalByPk(RowByColumn[int, PrincipalRow]):
    """A user, a group, everyone or public."""

    table = sql.principal


class PrincipalById(RowByColumn[str, PrincipalRow]):
    """A user or group by its public id."""

    table = sql.principal
    column = "id"


class ChangeByPk(RowByColumn[int, ChangeRow]):
    """A change with the viewer's access to its subject."""

    table = sql.change


class ChangeById(RowByColumn[str, ChangeRow]):
    """A change by its public id."""

    table = sql.change
    column = "id"


class JobById(RowByColumn[str, JobRow]):
    """A job by its public id."""

    table = sql.job
    column = "id"


class GrantsByAsset(Loader[int, list[GrantRow]]):
    """The grants of an asset that the viewer owns: the greatest first, then by name."""

    missing = []  # noqa: RUF012 - typed by its generic base, and never written to

    async def fetch(self, keys: list[int]) -> dict[int, list[GrantRow]]:
        """Return lists of the principals' rows, each with `access`, by the asset's pk."""
        grant, principal = sql.grant, sql.principal
        rows = (
            where_in(visible(grant, self.context.viewer), grant.c.asset_pk, keys)
            .join(principal, principal.c.pk == grant.c.principal_pk)
            .with_only_columns(grant.c.asset_pk, grant.c.access, *_named(principal), maintain_column_froms=True)
            .order_by(grant.c.access.desc(), principal.c.name, principal.c.id)
        )
        return group_rows(cast("Sequence[GrantRow]", await self.context.snapshot.rows(rows)), "asset_pk")


class AncestorsByCollection(Loader[int, list[CollectionRow]]):
    """The collections above one, from the top down, as far up as the viewer can see without a gap."""

    missing = []  # noqa: RUF012 - typed by its generic base, and never written to

    async def fetch(self, keys: list[int]) -> dict[int, list[CollectionRow]]:
        """Return lists of collections' rows by the pk of the one below them all."""
        viewer, below, above = self.context.viewer, sql.collection.alias("below"), sql.collection.alias("above")
        chain = (
            where_in(visible(below, viewer), below.c.pk, keys)
            .with_only_columns(below.c.pk.label("root"), below.c.parent_pk, literal(0).label("height"))
            .cte("chain", recursive=True)
        )
        chain = chain.union_all(
            visible(above, viewer)
            .join(chain, chain.c.parent_pk == above.c.pk)
            .with_only_columns(chain.c.root, above.c.parent_pk, chain.c.height + 1)
        )
        rows = (
            visible(sql.collection, viewer)
            .join(chain, chain.c.parent_pk == sql.collection.c.pk)
            .add_columns(chain.c.root)
            .order_by(chain.c.height.desc())
        )
        return group_rows(cast("Sequence[CollectionRow]", await self.context.snapshot.rows(rows)), "root")


class ReleaseByApp(Loader[int, int | None]):
    """The pk of the capsule or pipeline behind an app: the first among what it uses."""

    missing = None

    async def fetch(self, keys: list[int]) -> dict[int, int | None]:
        """Return pks by the app's pk."""
        use = sql.asset_use
        rows = (
            where_in(visible(use, self.context.viewer), use.c.asset_pk, keys)
            .where(used_asset.c.kind.in_((AssetKind.CAPSULE, AssetKind.PIPELINE)))
            .order_by(use.c.rank.desc())
        )
        return {row.asset_pk: row.uses_pk for row in await self.context.snapshot.rows(rows)}


class ContainsAssetByCollection(Loader[int, bool]):
    """Whether a collection holds an asset, given by its id, that the viewer can see."""

    missing = False

    def __init__(self, context: Context, asset_id: str) -> None:
        """Make the loader for one asset."""
        super().__init__(context)
        self.asset_id = asset_id

    async def fetch(self, keys: list[int]) -> dict[int, bool]:
        """Return True by the collection's pk."""
        membership = sql.membership
        rows = where_in(visible(membership, self.context.viewer), membership.c.collection_pk, keys)
        held = await self.context.snapshot.rows(rows.where(sql.asset.c.id == self.asset_id))
        return {row.collection_pk: True for row in held}


def group_rows(rows: Iterable[R], key: str) -> dict[int, list[R]]:
    """Return the rows in lists by a column, in their order."""
    lists: dict[int, list[R]] = {}
    for row in rows:
        lists.setdefault(getattr(row, key), []).append(row)
    return lists


def _named(principal: Table) -> list[Any]:
    return [principal.c[name] for name in Principal.model_fields]
