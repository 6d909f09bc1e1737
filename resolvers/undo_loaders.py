"""Data loaders of the checks whether changes can be undone: one statement for all changes of an event loop tick."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from sqlalchemy import BigInteger, ColumnElement, FromClause, Integer, String, and_, bindparam, func, or_
from sqlalchemy import cast as sql_cast

from permissions import Viewer, visible
from permissions.visible import has_access, user_parameter
from resolvers import undoable
from resolvers.collection_tree import descendants_cte, start
from resolvers.loaders import NO_PK, Loader, RowByColumn, group_rows
from store import sql
from store.rows import ChangeRow, CollectionRow, TopicRow
from store.sql import Selection
from store.tables import AssetAccess, ChangeAction
from store.undo_records import (
    LATER,
    ORDER_ACTIONS,
    has_record,
    is_half,
    is_member,
    is_overridden,
    touches_member,
)

if TYPE_CHECKING:
    from store.changes import LoggedFieldChange
    from store.rows import AssetRow

    class TransferredAssetRow(AssetRow):
        """Asset of a transfer, with the fields of one of its changes."""

        whole_pk: int
        fields: list[LoggedFieldChange]


MAX_ITEMS = "max_items"
"""Parameter with the largest number of assets of a change that is undone at once."""


def _max_items() -> ColumnElement[int]:
    return bindparam(MAX_ITEMS, type_=Integer())


def _parameters() -> dict[str, int]:
    return {MAX_ITEMS: undoable.MAX_ITEMS}


class _ChangeLoader(Loader[int, bool]):
    """Whether a change, by its pk, is among the visible changes that `condition` selects."""

    missing = False

    async def fetch(self, keys: list[int]) -> Mapping[int, bool]:
        """Return True for the pk of each selected change. One statement."""
        return {row.pk: True for row in await self.rows_of(keys, **_parameters())}

    def select(self, viewer: Viewer) -> Selection:
        """Return the SELECT of these changes."""
        of_keys = sql.change.c.pk.in_(sql.int_table("keys").select())
        return visible(sql.change, viewer).where(of_keys, self.condition(viewer))

    def condition(self, viewer: Viewer) -> ColumnElement[bool]:
        """Return the condition on `sql.change`."""
        raise NotImplementedError


def _exists_collection(change: FromClause, viewer: Viewer) -> ColumnElement[bool]:
    """Return the condition that the subject of a change is a visible collection."""
    return visible(sql.collection, viewer).where(sql.collection.c.id == change.c.subject_id).correlate(change).exists()


class HasUndoableMember(_ChangeLoader):
    """Whether the undo of a change of members restores or removes at least one of them.

    False for a change of more than MAX_ITEMS visible assets, which is undone with its job only, so that at most
    so many are compared with their later changes.
    """

    def condition(self, viewer: Viewer) -> ColumnElement[bool]:
        """Return the condition that an asset can be undone in both halves of a move."""
        change, asset = sql.change, sql.asset
        half, member = sql.change.alias("half"), sql.change_asset.alias("half_member")
        other, record = sql.change.alias("other_half"), sql.change_asset.alias("record")
        is_owner = has_access(asset, viewer, AssetAccess.OWNER)
        is_own = change.c.actor_pk == user_parameter(viewer)
        may = or_(is_owner, is_own, record.c.rank.is_(None)) if viewer.is_admin else is_owner
        is_undoable = and_(
            is_member(other, record) == record.c.rank.is_(None),
            _exists_collection(other, viewer),
            ~is_overridden(other, touches_member(record), record),
            may,
        )
        items = (
            visible(asset, viewer)
            .join(member, member.c.asset_pk == asset.c.pk)
            .join(half, half.c.pk == member.c.change_pk)
            .where(is_half(half, change))
        )
        distinct = items.with_only_columns(asset.c.pk).distinct().limit(_max_items() + 1)
        counted = (
            distinct.correlate(change).subquery().select().with_only_columns(func.count(), maintain_column_froms=True)
        )
        fails = has_record(change, other, record, (record.c.asset_pk == asset.c.pk) & ~is_undoable, asset)
        return and_(
            _exists_collection(change, viewer),
            counted.correlate(change).scalar_subquery() <= _max_items(),
            items.where(~fails).correlate(change).exists(),
        )


class HasUndoableOrder(_ChangeLoader):
    """Whether the undo of a change of the order of a collection's assets moves at least one of them."""

    def condition(self, viewer: Viewer) -> ColumnElement[bool]:
        """Return the condition that a member is still where the change moved it."""
        change, member = sql.change, sql.change_asset
        with_order = change.c.action.in_(ORDER_ACTIONS)
        is_latest = ~is_overridden(change, touches_member(member, with_order), member)
        moved = visible(sql.asset, viewer).join(member, member.c.asset_pk == sql.asset.c.pk)
        moved = moved.where(member.c.change_pk == change.c.pk, is_member(change, member), is_latest)
        return moved.correlate(change).exists()


class IsMovedAgain(_ChangeLoader):
    """Whether later changes of the place of a topic or collection have an effect together."""

    def condition(self, viewer: Viewer) -> ColumnElement[bool]:
        """Return the condition that a place was changed."""
        del viewer
        has_place = sql_cast(LATER.c.effect, String).contains('"place":')
        # What exists was restored to its place after each deletion.
        return is_overridden(sql.change, has_place & (LATER.c.action != ChangeAction.DELETED))


class KeepsMembers(_ChangeLoader):
    """Whether a created or restored collection has the same members as then."""

    def condition(self, viewer: Viewer) -> ColumnElement[bool]:
        """Return the condition that no member came or left."""
        change, record, membership = sql.change, sql.change_asset, sql.membership
        recorded = sql.change_asset.alias("recorded")
        is_recorded = recorded.select().where(
            recorded.c.change_pk == change.c.pk, recorded.c.asset_pk == membership.c.asset_pk
        )
        others = visible(membership, viewer).where(
            sql.collection.c.id == change.c.subject_id, ~is_recorded.correlate(change, membership).exists()
        )
        left = record.select().where(record.c.change_pk == change.c.pk, ~is_member(change, record))
        return ~others.correlate(change).exists() & ~left.correlate(change).exists()


class PartsByChange(Loader[int, list[ChangeRow]]):
    """Changes of topics that a merge consists of, or the undo of one, the last first, by the pk of its change."""

    missing = []  # noqa: RUF012 - its base declares the type, and nothing changes it

    async def fetch(self, keys: list[int]) -> dict[int, list[ChangeRow]]:
        """Return the changes by the pk of the merge. One statement."""
        return group_rows(cast("Sequence[ChangeRow]", await self.rows_of(keys)), "whole_pk")

    def select(self, viewer: Viewer) -> Selection:
        """Return the SELECT of the changes, each with its `whole_pk`."""
        whole, part = sql.change.alias("whole"), sql.change
        of_whole = (part.c.revision == whole.c.revision) & (part.c.action == whole.c.effect["of"].as_string())
        return (
            visible(part, viewer)
            .join(whole, of_whole & part.c.subject_id.startswith("top_"))
            .add_columns(whole.c.pk.label("whole_pk"))
            .where(whole.c.pk.in_(sql.int_table("keys").select()))
            .order_by(part.c.pk.desc())
        )


class TransferredAssetsByChange(Loader[int, list["TransferredAssetRow"]]):
    """Assets of a transfer, each once for each of its changes, with the `fields` of that.

    None for a transfer of more than MAX_ITEMS assets, which is undone with its job only.
    """

    missing = []  # noqa: RUF012 - its base declares the type, and nothing changes it

    async def fetch(self, keys: list[int]) -> dict[int, list["TransferredAssetRow"]]:
        """Return the assets by the pk of the change. One statement."""
        return group_rows(cast("Sequence[TransferredAssetRow]", await self.rows_of(keys, **_parameters())), "whole_pk")

    def select(self, viewer: Viewer) -> Selection:
        """Return the SELECT of the assets, each with `whole_pk` and `fields`."""
        whole, part, member = sql.change.alias("whole"), sql.change, sql.change_asset
        items = (
            member.select()
            .where(member.c.change_pk == whole.c.pk)
            .with_only_columns(func.count(), maintain_column_froms=True)
        )
        return (
            visible(part, viewer)
            .join(whole, (part.c.revision == whole.c.revision) & (part.c.pk != whole.c.pk))
            .join(sql.asset, sql.asset.c.id == part.c.subject_id)
            .where(
                whole.c.pk.in_(sql.int_table("keys").select()),
                items.correlate(whole).scalar_subquery() <= _max_items(),
            )
            .with_only_columns(*sql.asset.c["pk", "owner_pk"], part.c.fields, whole.c.pk.label("whole_pk"))
        )


class AccessByAsset(Loader[int, Mapping[int, int]]):
    """Grants of an asset: access by the pk of the principal, for viewers who see them."""

    missing: Mapping[int, int] = MappingProxyType({})

    async def fetch(self, keys: list[int]) -> dict[int, Mapping[int, int]]:
        """Return the grants by the asset's pk. One statement."""
        grants: dict[int, dict[int, int]] = defaultdict(dict)
        for row in await self.rows_of(keys):
            grants[row.asset_pk][row.principal_pk] = row.access
        return {**grants}

    def select(self, viewer: Viewer) -> Selection:
        """Return the SELECT of the grants."""
        grant = sql.grant
        return visible(grant, viewer).where(grant.c.asset_pk.in_(sql.int_table("keys").select()))


class TopicByNameKey(RowByColumn[str, TopicRow]):
    """Topic by its folded name."""

    table = sql.topic
    column = "name_key"


class TopicByCurrentSlug(RowByColumn[str, TopicRow]):
    """Topic by the slug that it has now."""

    table = sql.topic
    column = "slug"


class CollectionByCurrentSlug(RowByColumn[str, CollectionRow]):
    """Collection by the slug that it has now."""

    table = sql.collection
    column = "slug"


class ChildrenByCollection(Loader[int, list[CollectionRow]]):
    """Children of a collection, in no order."""

    missing = []  # noqa: RUF012 - its base declares the type, and nothing changes it
    column = "parent_pk"

    async def fetch(self, keys: list[int]) -> dict[int, list[CollectionRow]]:
        """Return the rows by the pk of the parent. One statement."""
        return group_rows(cast("Sequence[CollectionRow]", await self.rows_of(keys)), self.column)

    def select(self, viewer: Viewer) -> Selection:
        """Return the SELECT of the children."""
        rows = visible(sql.collection, viewer)
        return rows.where(sql.collection.c[self.column].in_(sql.int_table("keys").select()))


class TopsByTopic(ChildrenByCollection):
    """Collections at the top of a topic, in no order."""

    column = "topic_pk"

    def select(self, viewer: Viewer) -> Selection:
        """Return the SELECT of the collections at the top."""
        return super().select(viewer).where(sql.collection.c.parent_pk.is_(None))


class HeightByCollection(Loader[int, int]):
    """Number of levels below a collection."""

    missing = 0

    async def fetch(self, keys: list[int]) -> dict[int, int]:
        """Return the levels by the collection's pk. One statement."""
        return {row.start: row.height for row in await self.rows_of(keys)}

    def select(self, viewer: Viewer) -> Selection:
        """Return the SELECT of `(start, height)`."""
        starts = visible(start, viewer).where(start.c.pk.in_(sql.int_table("keys").select()))
        tree = descendants_cte(viewer, starts)
        return (
            tree.select().with_only_columns(tree.c.start, func.max(tree.c.depth).label("height")).group_by(tree.c.start)
        )


SiblingKey = tuple[int, int, str]
"""Topic and parent, by pk, and folded name; NO_PK as parent at the top of a topic."""


class CollectionBySiblingName(Loader[SiblingKey, CollectionRow | None]):
    """Collection by its position and name, which siblings do not share."""

    missing = None

    async def fetch(self, keys: list[SiblingKey]) -> dict[SiblingKey, CollectionRow | None]:
        """Return the collections by position and name. One statement."""
        rows = cast("Sequence[CollectionRow]", await self.rows_of(keys))
        return {(row.topic_pk, row.parent_pk or NO_PK, row.name_key): row for row in rows}

    def select(self, viewer: Viewer) -> Selection:
        """Return the SELECT of the collections."""
        collection = sql.collection
        topic_pk, parent_pk, name_key = sql.json_columns("keys", "bigint", "bigint", "text")
        return visible(collection, viewer).where(
            collection.c.topic_pk == sql_cast(topic_pk, BigInteger),
            func.coalesce(collection.c.parent_pk, NO_PK) == sql_cast(parent_pk, BigInteger),
            collection.c.name_key == name_key,
        )
