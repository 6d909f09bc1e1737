"""Loaders of the rows of a page that are no objects (memberships and uses), and of the digests of objects."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any, ClassVar, TypeVar

from sqlalchemy import Row, Table, tuple_

from permissions import Viewer, visible
from permissions.visible import access, used_asset
from resolvers.context import Context
from resolvers.loaders import Loader
from resolvers.pull.part import GraphPart, select_part
from resolvers.pull.row_set import USE, digest, membership_rows
from store import sql
from store.pulls import Row as PullRow
from store.sql import Expression, Selection

Pair = tuple[int, int]
"""Primary key of a membership (collection, asset) or of a use (asset, used asset)."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class PageLoader(Loader[tuple[K, ...], Sequence[V | None]], ABC):
    """Values of the keys of a page, in their order; None for a key without one.

    A page is one key of the loader: a load for each of its thousand keys took five to ten percent of a pull's time.
    """

    missing = ()  # no page is without values

    async def fetch(self, keys: list[tuple[K, ...]]) -> Mapping[tuple[K, ...], Sequence[V | None]]:
        """Return the values by page. One statement."""
        found = await self.fetch_values(list(dict.fromkeys(chain.from_iterable(keys))))
        return {page: [found.get(key) for key in page] for page in keys}

    @abstractmethod
    async def fetch_values(self, keys: list[K]) -> Mapping[K, V]:
        """Return the existing values by key. One statement."""


class RowsByPairs(PageLoader[Pair, "Row[Any]"]):
    """Visible rows by their primary keys of two columns."""

    table: ClassVar[Table]

    async def fetch_values(self, keys: list[Pair]) -> Mapping[Pair, "Row[Any]"]:
        """Return the rows by key. One statement."""
        return {(row.first_pk, row.second_pk): row for row in await self.rows_of(keys)}

    def select(self, viewer: Viewer) -> Selection:
        """Return the SELECT of the rows."""
        pair = list(self.table.primary_key.columns)
        columns = [pair[0].label("first_pk"), pair[1].label("second_pk"), *self.columns(viewer)]
        rows = visible(self.table, viewer).with_only_columns(*columns, maintain_column_froms=True)
        return rows.where(tuple_(*pair).in_(sql.int_pairs("keys")))

    def columns(self, viewer: Viewer) -> list[Expression]:
        """Return the further columns of the rows."""
        raise NotImplementedError

    @staticmethod
    def rows_of_pull(viewer: Viewer, pairs: Sequence[Any]) -> list[PullRow]:
        """Return the rows as they are in pulls."""
        raise NotImplementedError


class MembershipsByPairs(RowsByPairs):
    """Memberships by collection and asset."""

    table = sql.membership

    def columns(self, viewer: Viewer) -> list[Expression]:
        """Return the ids of both, and the columns of the membership."""
        del viewer
        ids = [sql.collection.c.id.label("collection_id"), sql.asset.c.id.label("asset_id")]
        return [*ids, *sql.membership.c["added_at", "added_by_pk", "note"]]

    @staticmethod
    def rows_of_pull(viewer: Viewer, pairs: Sequence[Any]) -> list[PullRow]:
        """Return the rows as they are in pulls."""
        columns = attrgetter("first_pk", "second_pk", "added_at", "added_by_pk", "note")
        return membership_rows(viewer, map(columns, pairs))


class UsesByPairs(RowsByPairs):
    """Uses by the asset and the one that it uses."""

    table = sql.asset_use

    def columns(self, viewer: Viewer) -> list[Expression]:
        """Return the ids of both, and the viewer's access to the first."""
        ids = [sql.asset.c.id.label("asset_id"), used_asset.c.id.label("uses_asset_id")]
        return [*ids, access(sql.asset, viewer).label("viewer_access")]

    @staticmethod
    def rows_of_pull(viewer: Viewer, pairs: Sequence[Any]) -> list[PullRow]:
        """Return the rows as they are in pulls."""
        del viewer
        return [[USE, pair.first_pk, pair.second_pk] for pair in pairs]


class DigestsByPks(PageLoader[int, int]):
    """Digests of all columns of objects that the viewer sees, by primary key; None for a hidden one."""

    def __init__(self, context: Context, part: GraphPart) -> None:
        """Create the loader of a part."""
        super().__init__(context)
        self._part = part

    @property
    def cache_key(self) -> tuple[Hashable, ...]:
        """Key of the SELECT, with the part."""
        return (*super().cache_key, self._part)

    async def fetch_values(self, keys: list[int]) -> Mapping[int, int]:
        """Return the digests by key. One statement."""
        return {row.pk: digest(row.facts) for row in await self.rows_of(keys)}

    def select(self, viewer: Viewer) -> Selection:
        """Return the SELECT of the facts."""
        rows = select_part(self._part, viewer)
        return rows.where(rows.selected_columns["pk"].in_(sql.int_table("keys").select()))
