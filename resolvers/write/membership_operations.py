"""This file is what is done to members of collections: judged item by item, then done to all that may change at once.

An asset may be put in by its owner, when it is released; taken out by its owner or an administrator, whatever its
state. What is in already, or out already, is unchanged and never an error; what the viewer may not see is not there.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import Row, and_, delete

from permissions import visible
from permissions.permission import Permission
from permissions.visible import access
from resolvers.loaders import where_in
from resolvers.write.bulk import ItemResult, ItemStatus, failed_item
from resolvers.write.transaction import MutationTransaction, Result
from resolvers.write.user_error import UserErrorCode
from store import sql
from store.changes import FieldChange, MemberChange
from store.membership_ranks import RankedMembers
from store.ranks import RankedList
from store.tables import AssetStatus, ChangeAction

ASSET_IDS = ("input", "assetIds")
NOT_OWNER = (UserErrorCode.NOT_OWNER, "Only owners of the asset may put it in.")
NOT_REMOVER = (UserErrorCode.NOT_OWNER, "Only owners of the asset and administrators may take it out.")
NOT_FOUND = (UserErrorCode.NOT_FOUND, "There is no such asset.")
INELIGIBLE = {
    AssetStatus.DRAFT: "The asset is a draft: release it first.",
    AssetStatus.ARCHIVED: "The asset is archived: bring it back first.",
    AssetStatus.WITHDRAWN: "The asset was withdrawn.",
    AssetStatus.FAILED: "The asset's creation failed.",
}

Outcome = ItemStatus | tuple[UserErrorCode, str]
"""What is to become of an item, or why it cannot be changed."""

Member = Row[Any]
"""An asset with the viewer's access and its membership: `rank`, `added_at`, `added_by_pk`, `note`, NULL if not in."""

IndexById = Mapping[str, int]
"""Ids of assets, each with where it stands in the input."""


class MembershipOperation(Protocol):
    """Something that is done to members."""

    last_put_pk: int | None  # the asset that was put in last

    @property
    def answer(self) -> Result:
        """What the payload tells beside the items."""

    async def judge(self, ids: IndexById) -> list[ItemResult]:
        """Return what is to become of each id, in their order. It may be asked again and again for more."""

    async def do(self, ids: Iterable[str]) -> str | None:
        """Change those of the ids, judged to be changed; return the id of the log's change, None for nothing."""


@dataclass
class AddAssets:
    """Puts assets into a collection, in their order, right after (or before) a neighbour, or at an end."""

    write: MutationTransaction
    collection: Any
    neighbour: int | None = None
    is_after: bool = True
    note: str | None = None
    last_put_pk: int | None = None
    _members: dict[str, Member] = field(default_factory=dict)

    @property
    def answer(self) -> Result:
        """The collection."""
        return {"collection": self.collection.id}

    async def judge(self, ids: IndexById) -> list[ItemResult]:
        """Return what is to become of each id. One statement."""
        self._members |= await members_by_id(self.write, ids, self.collection)
        return plan_items(ids, self._members, lambda row: may_add(self.write, row))

    async def do(self, ids: Iterable[str]) -> str | None:
        """Put them in."""
        rows = [self._members[id_] for id_ in ids]
        await insert_members(self.write, self.collection, rows, self.neighbour, self.note, is_after=self.is_after)
        self.last_put_pk = rows[-1].pk if rows else None
        added = {self.collection.id: [MemberChange(row.pk) for row in rows]}
        change = await self.write.log.append_member_changes(ChangeAction.ASSETS_ADDED, added)
        return change.get(self.collection.id)


@dataclass
class RemoveAssets:
    """Takes assets out of a collection."""

    write: MutationTransaction
    collection: Any
    last_put_pk: int | None = None
    _members: dict[str, Member] = field(default_factory=dict)

    @property
    def answer(self) -> Result:
        """The collection."""
        return {"collection": self.collection.id}

    async def judge(self, ids: IndexById) -> list[ItemResult]:
        """Return what is to become of each id. One statement."""
        self._members |= await members_by_id(self.write, ids, self.collection)
        return plan_items(ids, self._members, lambda row: may_remove(self.write, row))

    async def do(self, ids: Iterable[str]) -> str | None:
        """Take them out."""
        rows = [self._members[id_] for id_ in ids]
        await delete_members(self.write, self.collection, rows)
        removed = {self.collection.id: list(map(member_change, rows))}
        change = await self.write.log.append_member_changes(ChangeAction.ASSETS_REMOVED, removed)
        return change.get(self.collection.id)


@dataclass
class MoveAssets:
    """Takes assets out of one collection and puts them into another; what is not in the first is left alone."""

    write: MutationTransaction
    source: Any
    target: Any
    neighbour: int | None = None
    is_after: bool = True
    last_put_pk: int | None = None
    _here: dict[str, Member] = field(default_factory=dict)
    _there: dict[str, Member] = field(default_factory=dict)

    @property
    def answer(self) -> Result:
        """Both collections."""
        return {"collection": self.source.id, "to": self.target.id}

    async def judge(self, ids: IndexById) -> list[ItemResult]:
        """Return what is to become of each id. Two statements."""
        self._here |= await members_by_id(self.write, ids, self.source)
        self._there |= await members_by_id(self.write, ids, self.target)
        return plan_items(ids, self._here, lambda row: may_move(self.write, row, self._there[row.id]))

    async def do(self, ids: Iterable[str]) -> str | None:
        """Move them. One change on each collection: the target's unless all of them were in it already."""
        leaving = [self._here[id_] for id_ in ids]
        arriving = [row for row in leaving if self._there[row.id].rank is None]
        await delete_members(self.write, self.source, leaving)
        await insert_members(self.write, self.target, arriving, self.neighbour, None, is_after=self.is_after)
        self.last_put_pk = arriving[-1].pk if arriving else None
        moved = {
            self.source.id: list(map(member_change, leaving)),
            self.target.id: [MemberChange(row.pk) for row in arriving],
        }
        whence = {self.source.id: [_told("to", self.target)], self.target.id: [_told("from", self.source)]}
        change = await self.write.log.append_member_changes(ChangeAction.ASSETS_MOVED, moved, whence)
        return change.get(self.target.id) or change.get(self.source.id)


async def members_by_id(write: MutationTransaction, ids: Iterable[str], collection: Any) -> dict[str, Member]:
    """Return the assets that exist for the viewer, members of the collection or not, by id. One statement."""
    asset, membership = sql.asset, sql.membership
    here = and_(membership.c.asset_pk == asset.c.pk, membership.c.collection_pk == collection.pk)
    columns = (asset.c.id, asset.c.pk, asset.c.status, access(asset, write.viewer).label("viewer_access"))
    kept = (membership.c.rank, membership.c.added_at, membership.c.added_by_pk, membership.c.note)
    rows = where_in(visible(asset, write.viewer), asset.c.id, ids).outerjoin(membership, here)
    return {row.id: row for row in await write.rows(rows.with_only_columns(*columns, *kept))}


def plan_items(ids: IndexById, members: Mapping[str, Member], verdict: Callable[[Member], Outcome]) -> list[ItemResult]:
    """Return what is to become of each id, in their order."""
    items = []
    for id_, index in ids.items():
        said = verdict(members[id_]) if id_ in members else NOT_FOUND
        if isinstance(said, ItemStatus):
            items.append(ItemResult(id_, said))
        else:
            items.append(failed_item(id_, *said, (*ASSET_IDS, str(index))))
    return items


def may_add(write: MutationTransaction, row: Any) -> Outcome:
    """Return what becomes of an asset that is to be put in."""
    if row.rank is not None:
        return ItemStatus.UNCHANGED
    if not write.has_permission(row, Permission.ASSET_OWN):
        return NOT_OWNER
    if row.status != AssetStatus.RELEASED:
        return UserErrorCode.NOT_ELIGIBLE, INELIGIBLE[row.status]
    return ItemStatus.CHANGED


def may_remove(write: MutationTransaction, row: Any) -> Outcome:
    """Return what becomes of an asset that is to be taken out."""
    if row.rank is None:
        return ItemStatus.UNCHANGED
    is_theirs = write.has_permission(row, Permission.ASSET_OWN) or write.viewer.is_admin
    return ItemStatus.CHANGED if is_theirs else NOT_REMOVER


def may_move(write: MutationTransaction, here: Any, there: Any) -> Outcome:
    """Return what becomes of an asset that is to go from one collection to another: what is not in the first stays."""
    if here.rank is None:
        return ItemStatus.UNCHANGED
    arriving = may_add(write, there)
    return may_remove(write, here) if arriving is ItemStatus.UNCHANGED else arriving


def member_change(row: Any) -> MemberChange:
    """Return what the log keeps of a membership, so that it can be put back."""
    return MemberChange(row.pk, row.rank, row.added_at, row.added_by_pk, row.note)


async def insert_members(
    write: MutationTransaction,
    collection: Any,
    rows: Sequence[Member],
    neighbour: int | None,
    note: str | None,
    *,
    is_after: bool,
) -> None:
    """Insert memberships, in order, right after (or before) the neighbour, or at an end without one.

    They get the note or, for none, keep the one that their rows bring along.
    """
    if not rows:
        return
    ranks = await member_ranking(write, collection).allocate_ranks(len(rows), next_to=neighbour, is_after=is_after)
    same = {"collection_pk": collection.pk, "added_at": write.log.at, "added_by_pk": write.viewer.user_pk}
    new = [
        {"asset_pk": row.pk, "rank": rank, "note": note or row.note, **same}
        for row, rank in zip(rows, ranks, strict=True)
    ]
    await write.insert(sql.membership, new)


async def delete_members(write: MutationTransaction, collection: Any, rows: Sequence[Member]) -> None:
    """Delete memberships. One statement, and none for no rows."""
    membership = sql.membership
    if rows:
        pks = sql.int_list([row.pk for row in rows])
        here = (membership.c.collection_pk == collection.pk, membership.c.asset_pk.in_(pks))
        await write.execute(delete(membership).where(*here))


def member_ranking(write: MutationTransaction, collection: Any) -> RankedList:
    """Return the order of the collection's members."""
    return RankedMembers(write.connection, sql.membership, "asset_pk", {"collection_pk": collection.pk}, collection.id)


def _told(name: str, collection: Any) -> FieldChange:
    return {"field": name, "before": None, "after": collection.id}
