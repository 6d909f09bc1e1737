"""Loaders of the rows of a pull that are no objects (memberships and uses), and of the digests of objects."""

from collections.abc import Hashable, Mapping, Sequence
from operator import attrgetter
from typing import Any, ClassVar

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


class RowByPair(Loader[Pair, "Row[Any] | None"]):
    """Visible row by its primary key of two columns; None if there is none."""

    missing = None
    table: ClassVar[Table]

    async def fetch(self, keys: list[Pair]) -> Mapping[Pair, "Row[Any] | None"]:
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


class MembershipByPair(RowByPair):
    """Membership by collection and asset."""

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


class UseByPair(RowByPair):
    """Use by the asset and the one that it uses."""

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


class DigestByPk(Loader[int, int | None]):
    """Digest of all columns of an object that the viewer sees, by primary key; None if it is hidden."""

    missing = None

    def __init__(self, context: Context, part: GraphPart) -> None:
        """Create the loader of a part."""
        super().__init__(context)
        self._part = part

    @property
    def cache_key(self) -> tuple[Hashable, ...]:
        """Key of the SELECT, with the part."""
        return (*super().cache_key, self._part)

    async def fetch(self, keys: list[int]) -> Mapping[int, int | None]:
        """Return the digests by key. One statement."""
        return {row.pk: digest(row.facts) for row in await self.rows_of(keys)}

    def select(self, viewer: Viewer) -> Selection:
        """Return the SELECT of the facts."""
        rows = select_part(self._part, viewer)
        return rows.where(rows.selected_columns["pk"].in_(sql.int_table("keys").select()))
