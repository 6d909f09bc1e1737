"""This file is the batched reads of rows and small sets: `<Value>By<Key>`, one statement for all keys."""

import asyncio
from collections.abc import Iterable
from typing import Any, ClassVar

from aiodataloader import DataLoader
from sqlalchemy import Integer, Row, Select, Table, literal

from permissions import visible
from permissions.visible import used_asset
from resolvers.context import Context
from resolvers.listing.statement_cache import cached
from store import sql
from store.tables import AssetKind, Principal

NO_PK = 0
"""A pk that no row has."""


class Loader(DataLoader[Any, Any]):
    """Batches the keys that one tick asks for; a key that nothing answers gives `missing`."""

    missing: ClassVar[Any] = None

    def __init__(self, context: Context) -> None:
        """Make the loader of one operation."""
        super().__init__()
        self.context = context

    def load(self, key: Any) -> asyncio.Future[Any]:
        """Return the value of the key, once it is read.

        Fields share it: one that is given up, because another beside it is refused, does not take it from the others.
        """
        return asyncio.shield(super().load(key))

    async def batch_load_fn(self, keys: list[Any]) -> list[Any]:
        """Return a value for each key, in their order."""
        found = await self.fetch(keys)
        return [found.get(key, self.missing) for key in keys]

    async def fetch(self, keys: list[Any]) -> dict[Any, Any]:
        """Return the values found by key: one statement."""
        raise NotImplementedError


class RowByColumn(Loader):
    """A row that the viewer may see, by one of its columns; None for any other."""

    table: ClassVar[Table]
    column: ClassVar[str] = "pk"

    async def fetch(self, keys: list[Any]) -> dict[Any, Any]:
        """Return rows by the column's value."""
        statement = cached((self.context.viewer, type(self).__qualname__), self._statement)
        rows = await self.context.snapshot.rows(statement, {"keys": sql.json_text(keys)})
        return {getattr(row, self.column): row for row in rows}

    def _statement(self) -> Select[Any]:
        column = self.table.c[self.column]
        keys = (sql.int_table if isinstance(column.type, Integer) else sql.text_table)("keys")
        return visible(self.table, self.context.viewer).where(column.in_(keys.select()))


async def load_reference(context: Context, kind: type[RowByColumn], pk: int | None) -> Row[Any] | None:
    """Return the row that a pk refers to; None for none, and for one that the viewer may not see.

    What refers to none is looked for as well: a statement less would tell it from what refers to something hidden.
    """
    return await context.loader(kind).load(pk or NO_PK)  # type: ignore[no-any-return]  # a loader's rows


def where_in(rows: Select[Any], column: Any, keys: Iterable[Any]) -> Select[Any]:
    """Return the SELECT narrowed to rows whose column is among the keys."""
    listed = list(keys)
    return rows.where(
        column.in_(sql.int_list(listed) if listed and isinstance(listed[0], int) else sql.text_list(listed))
    )


class AssetByPk(RowByColumn):
    """An asset with the viewer's access to it."""

    table = sql.asset


class AssetById(AssetByPk):
    """An asset by its public id."""

    column = "id"


class AssetByExternalId(AssetByPk):
    """An asset by the platform's id."""

    column = "external_id"


class CollectionByPk(RowByColumn):
    """A collection."""

    table = sql.collection


class CollectionById(CollectionByPk):
    """A collection by its public id."""

    column = "id"


class CollectionBySlug(CollectionByPk):
    """A collection by its slug."""

    column = "slug"


class TopicByPk(RowByColumn):
    """A topic."""

    table = sql.topic


class TopicById(TopicByPk):
    """A topic by its public id."""

    column = "id"


class TopicBySlug(TopicByPk):
    """A topic by its slug."""

    column = "slug"


class PrincipalByPk(RowByColumn):
    """A user, a group, everyone or public."""

    table = sql.principal


class PrincipalById(PrincipalByPk):
    """A user or group by its public id."""

    column = "id"


class ChangeByPk(RowByColumn):
    """A change with the viewer's access to its subject."""

    table = sql.change


class ChangeById(ChangeByPk):
    """A change by its public id."""

    column = "id"


class JobById(RowByColumn):
    """A job by its public id."""

    table = sql.job
    column = "id"


class GrantsByAsset(Loader):
    """The grants of an asset that the viewer owns: the greatest first, then by name."""

    missing: ClassVar[list[Any]] = []

    async def fetch(self, keys: list[int]) -> dict[int, list[Row[Any]]]:
        """Return lists of the principals' rows, each with `access`, by the asset's pk."""
        grant, principal = sql.grant, sql.principal
        rows = (
            where_in(visible(grant, self.context.viewer), grant.c.asset_pk, keys)
            .join(principal, principal.c.pk == grant.c.principal_pk)
            .with_only_columns(grant.c.asset_pk, grant.c.access, *_named(principal), maintain_column_froms=True)
            .order_by(grant.c.access.desc(), principal.c.name, principal.c.id)
        )
        return group_rows(await self.context.snapshot.rows(rows), "asset_pk")


class AncestorsByCollection(Loader):
    """The collections above one, from the top down, as far up as the viewer can see without a gap."""

    missing: ClassVar[list[Any]] = []

    async def fetch(self, keys: list[int]) -> dict[int, list[Row[Any]]]:
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
        return group_rows(await self.context.snapshot.rows(rows), "root")


class ReleaseByApp(Loader):
    """The pk of the capsule or pipeline behind an app: the first among what it uses."""

    async def fetch(self, keys: list[int]) -> dict[int, int]:
        """Return pks by the app's pk."""
        use = sql.asset_use
        rows = (
            where_in(visible(use, self.context.viewer), use.c.asset_pk, keys)
            .where(used_asset.c.kind.in_((AssetKind.CAPSULE, AssetKind.PIPELINE)))
            .order_by(use.c.rank.desc())
        )
        return {row.asset_pk: row.uses_pk for row in await self.context.snapshot.rows(rows)}


class ContainsAssetByCollection(Loader):
    """Whether a collection holds an asset, given by its id, that the viewer can see."""

    missing: ClassVar[bool] = False

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


def group_rows(rows: Iterable[Row[Any]], key: str) -> dict[Any, list[Row[Any]]]:
    """Return the rows in lists by a column, in their order."""
    lists: dict[Any, list[Row[Any]]] = {}
    for row in rows:
        lists.setdefault(getattr(row, key), []).append(row)
    return lists


def _named(principal: Table) -> list[Any]:
    return [principal.c[name] for name in Principal.model_fields]
