"""Bulk membership operations: plan each item, then apply all valid ones in one pass.

Adding a member or removing a non-member is UNCHANGED, never an error. A hidden asset is reported as absent.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import and_, delete

from permissions import visible
from permissions.may import may_add, may_remove
from permissions.visible import access
from resolvers.loaders import where_in
from resolvers.write.bulk import ItemResult, ItemStatus, failed_item
from resolvers.write.input import InputReader
from resolvers.write.transaction import MutationTransaction, Result
from resolvers.write.user_error import UserErrorCode, not_found
from store import sql
from store.changes import LoggedFieldChange, MemberChange
from store.membership_ranks import RankedMembers
from store.ranks import RankedList
from store.rows import AssetRow, CollectionRow
from store.tables import AssetStatus, ChangeAction, JobKind

NOT_OWNER = (UserErrorCode.NOT_OWNER, "Only owners of the asset may add it.")
NOT_REMOVER = (UserErrorCode.NOT_OWNER, "Only owners of the asset and administrators may remove it.")
NOT_A_MEMBER = (UserErrorCode.INVALID, "The asset is not in the collection. Add it first.")
INELIGIBLE = {
    AssetStatus.DRAFT: "The asset is a draft. Release it first.",
    AssetStatus.ARCHIVED: "The asset is archived. Restore it first.",
    AssetStatus.WITHDRAWN: "The asset is withdrawn; only RELEASED assets can be added.",
    AssetStatus.FAILED: "The asset's creation failed; only RELEASED assets can be added.",
}
MEMBER_ORDER = {"members": True}
"""Effect of a change in the log that moved members within their collection."""
MEMBERSHIP = ("rank", "added_at", "added_by_pk", "note")

Outcome = ItemStatus | tuple[UserErrorCode, str]
"""Planned status of an item, or the error that prevents it."""

IndexById = Mapping[str, int]
"""Ids of items, each with its index in the input."""


class Member(NamedTuple):
    """An asset and its membership in a collection; `rank` is None if it is not a member.

    `id` is the id of the bulk item: the asset's, or the collection's if one asset's collections are changed.
    """

    id: str
    asset_pk: int
    collection_pk: int
    status: str
    viewer_access: int
    rank: int | None
    added_at: int | None
    added_by_pk: int | None
    note: str | None

    @property
    def change(self) -> MemberChange:
        """The membership as the change log stores it, so that it can be restored."""
        return MemberChange(self.asset_pk, self.rank, self.added_at, self.added_by_pk, self.note)


class Placement(NamedTuple):
    """Place of new members: right after (or before) the asset with this pk, or at an end."""

    next_to: int | None = None
    is_after: bool = True


class OperationKind(NamedTuple):
    """Kind of membership operation: its change, and the input fields of the collections that assets leave and enter."""

    action: ChangeAction
    source: str | None
    target: str | None


OPERATION_KINDS = {
    JobKind.ASSETS_ADD: OperationKind(ChangeAction.ASSETS_ADDED, None, "collection_id"),
    JobKind.ASSETS_REMOVE: OperationKind(ChangeAction.ASSETS_REMOVED, "collection_id", None),
    JobKind.ASSETS_MOVE: OperationKind(ChangeAction.ASSETS_MOVED, "from_collection_id", "to_collection_id"),
}


class Effect(NamedTuple):
    """Effect of an operation, by ids: assets that left and entered a collection, the one entered, logged changes."""

    removed: Sequence[str]
    added: Sequence[str]
    added_to: str | None
    changes: Sequence[str]  # of a move, that of the collection entered comes first


@dataclass
class MembershipOperation:
    """Bulk change: assets leave `source`, enter `target`, or both. An asset already in the target only leaves."""

    tx: MutationTransaction
    action: ChangeAction
    source: CollectionRow | None
    target: CollectionRow | None
    placement: Placement = Placement()
    note: str | None = None
    last_inserted_pk: int | None = None
    _leaving: dict[str, Member] = field(default_factory=dict)
    _entering: dict[str, Member] = field(default_factory=dict)

    @property
    def result(self) -> Result:
        """The collections, as the mutation's result names them."""
        ids = [collection.id for collection in (self.source, self.target) if collection is not None]
        return dict(zip(("collection", "to"), ids, strict=False))

    async def plan(self, indexes: IndexById) -> list[ItemResult]:
        """Return the planned result of each id, in order. A job calls this once for each chunk.

        One statement, two for a move.
        """
        if self.source is not None:
            self._leaving |= await members_by_asset(self.tx, indexes, self.source)
        if self.target is not None:
            self._entering |= await members_by_asset(self.tx, indexes, self.target)
        visible_ids = self._leaving if self.source is not None else self._entering
        outcomes = {id_: self._outcome(id_) for id_ in indexes if id_ in visible_ids}
        return plan_items(indexes, outcomes, "asset", "assetIds")

    def _outcome(self, id_: str) -> Outcome:
        if self.source is not None and self._leaving[id_].rank is None:
            return ItemStatus.UNCHANGED
        if self.target is not None:
            outcome = add_outcome(self.tx, self._entering[id_])
            if self.source is None or outcome is not ItemStatus.UNCHANGED:
                return outcome
        return remove_outcome(self.tx, self._leaving[id_])

    async def apply(self, ids: Sequence[str]) -> Effect:
        """Apply the operation to ids planned as CHANGED, and return its effect."""
        member_changes: dict[str, list[MemberChange]] = {}
        if self.source is not None:
            leaving = [self._leaving[id_] for id_ in ids]
            await delete_members(self.tx, self.source.pk, [member.asset_pk for member in leaving])
            member_changes[self.source.id] = [member.change for member in leaving]
        added = [] if self.target is None else [id_ for id_ in ids if self._entering[id_].rank is None]
        if self.target is not None:
            entering = [self._leaving.get(id_, self._entering[id_]) for id_ in added]
            await insert_members(self.tx, self.target, entering, self.placement, self.note)
            self.last_inserted_pk = entering[-1].asset_pk if entering else None
            member_changes[self.target.id] = [MemberChange(member.asset_pk) for member in entering]
        change_ids = await self.tx.log.append_member_changes(self.action, member_changes, self._fields())
        return Effect(
            removed=ids if self.source is not None else (),
            added=added,
            added_to=None if self.target is None else self.target.id,
            changes=[change_ids[id_] for id_ in reversed(member_changes) if id_ in change_ids],
        )

    def _fields(self) -> dict[str, list[LoggedFieldChange]]:
        if self.source is None or self.target is None:
            return {}
        return {
            self.source.id: [{"field": "to", "before": None, "after": self.target.id}],
            self.target.id: [{"field": "from", "before": None, "after": self.source.id}],
        }


async def find_collections(
    tx: MutationTransaction, reader: InputReader, kind: OperationKind
) -> tuple[CollectionRow | None, CollectionRow | None]:
    """Return the collections that assets leave and enter; add NOT_FOUND for absent or hidden ones. One statement."""
    fields = [name for name in (kind.source, kind.target) if name is not None]
    rows = await tx.visible_by_id(sql.collection, [reader.input[name] for name in fields])
    found: dict[str | None, CollectionRow | None] = {
        name: reader.check_found(rows.get(reader.input[name]), "collection", name) for name in fields
    }
    return found.get(kind.source), found.get(kind.target)


async def members_by_asset(tx: MutationTransaction, ids: Iterable[str], collection: CollectionRow) -> dict[str, Member]:
    """Return the visible assets with these ids, by id; the `rank` of a non-member is None. One statement."""
    asset, membership = sql.asset, sql.membership
    of_asset = and_(membership.c.asset_pk == asset.c.pk, membership.c.collection_pk == collection.pk)
    columns = (asset.c.id, asset.c.pk, asset.c.status, access(asset, tx.viewer), *membership.c[MEMBERSHIP])
    rows = where_in(visible(asset, tx.viewer), asset.c.id, ids).outerjoin(membership, of_asset)
    members = {}
    for id_, pk, *state in await tx.rows(rows.with_only_columns(*columns)):
        members[id_] = Member(id_, pk, collection.pk, *state)
    return members


async def members_by_collection(tx: MutationTransaction, asset: AssetRow, ids: Iterable[str]) -> dict[str, Member]:
    """Return the asset as a `Member` of each visible collection with these ids, by the collection's id.

    `rank` is None if it is not a member. One statement.
    """
    collection, membership = sql.collection, sql.membership
    of_collection = and_(membership.c.collection_pk == collection.c.pk, membership.c.asset_pk == asset.pk)
    columns = (collection.c.id, collection.c.pk, *membership.c[MEMBERSHIP])
    rows = where_in(visible(collection, tx.viewer), collection.c.id, ids).outerjoin(membership, of_collection)
    members = {}
    for id_, pk, *state in await tx.rows(rows.with_only_columns(*columns)):
        members[id_] = Member(id_, asset.pk, pk, asset.status, asset.viewer_access, *state)
    return members


def plan_items(indexes: IndexById, outcomes: Mapping[str, Outcome], noun: str, *path: str) -> list[ItemResult]:
    """Return the planned result of each id, in order; ids without an outcome are absent or hidden."""
    items = []
    for id_, index in indexes.items():
        outcome, item_path = outcomes.get(id_), ("input", *path, str(index))
        if outcome is None:
            items.append(ItemResult(id_, ItemStatus.FAILED, not_found(noun, *item_path)))
        elif isinstance(outcome, ItemStatus):
            items.append(ItemResult(id_, outcome))
        else:
            items.append(failed_item(id_, *outcome, item_path))
    return items


def add_outcome(tx: MutationTransaction, member: Member) -> Outcome:
    """Return the outcome of adding an asset to a collection."""
    if member.rank is not None:
        return ItemStatus.UNCHANGED
    is_owner = tx.is_owner(member)
    if may_add(is_owner=is_owner, status=member.status):
        return ItemStatus.CHANGED
    return (UserErrorCode.NOT_ELIGIBLE, INELIGIBLE[AssetStatus(member.status)]) if is_owner else NOT_OWNER


def remove_outcome(tx: MutationTransaction, member: Member) -> Outcome:
    """Return the outcome of removing an asset from a collection."""
    if member.rank is None:
        return ItemStatus.UNCHANGED
    return ItemStatus.CHANGED if may_remove(tx.viewer, is_owner=tx.is_owner(member)) else NOT_REMOVER


async def insert_members(
    tx: MutationTransaction,
    collection: CollectionRow,
    members: Sequence[Member],
    placement: Placement,
    note: str | None,
) -> None:
    """Insert memberships in order. Without a note, an asset that moves keeps the note from its source collection."""
    if not members:
        return
    ranked = member_ranking(tx, collection)
    ranks = await ranked.allocate_ranks(len(members), next_to=placement.next_to, is_after=placement.is_after)
    rows = [
        membership_row(tx, member.asset_pk, collection.pk, rank, note or member.note)
        for member, rank in zip(members, ranks, strict=True)
    ]
    await tx.insert(sql.membership, rows)


def membership_row(
    tx: MutationTransaction, asset_pk: int, collection_pk: int, rank: int, note: str | None
) -> dict[str, Any]:
    """Return the row of a membership that the viewer creates now."""
    row = {"collection_pk": collection_pk, "asset_pk": asset_pk, "rank": rank, "note": note}
    return row | {"added_at": tx.log.at, "added_by_pk": tx.viewer.user_pk}


async def delete_members(tx: MutationTransaction, collection_pk: int, asset_pks: Sequence[int]) -> None:
    """Delete memberships of one collection. One statement, none without assets."""
    membership = sql.membership
    if asset_pks:
        is_member = (membership.c.collection_pk == collection_pk, membership.c.asset_pk.in_(sql.int_list(asset_pks)))
        await tx.execute(delete(membership).where(*is_member))


def member_ranking(tx: MutationTransaction, collection: CollectionRow) -> RankedList:
    """Return the order of the collection's members."""
    return RankedMembers(tx.connection, sql.membership, "asset_pk", {"collection_pk": collection.pk}, collection.id)
