"""This file is one asset put into some collections and taken out of others, all of it or nothing."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from sqlalchemy import Row, and_, delete

from permissions import visible
from permissions.permission import Permission
from resolvers.context import Context
from resolvers.deployment import INLINE_BULK_ITEMS
from resolvers.loaders import where_in
from resolvers.write.bulk import BulkMode, ItemResult, ItemStatus, enforce_mode, failed_item
from resolvers.write.input import Input, InputReader
from resolvers.write.membership_operations import Outcome, may_add, may_remove
from resolvers.write.transaction import MutationTransaction, Payload, Result, run_mutation
from resolvers.write.user_error import UserErrorCode
from store import sql
from store.changes import MemberChange
from store.membership_ranks import next_ranks
from store.tables import ChangeAction

NOT_FOUND = (UserErrorCode.NOT_FOUND, "There is no such collection.")


class _Place:
    """The asset as a member of one collection, or not."""

    def __init__(self, asset: Row[Any], collection: Row[Any]) -> None:
        self.pk, self.status, self.viewer_access = collection.pk, asset.status, asset.viewer_access
        self.rank = collection.rank
        self.touched = MemberChange(
            asset.pk, collection.rank, collection.added_at, collection.added_by_pk, collection.note
        )


async def update(context: Context, given: Input) -> Payload:
    """Put an asset into collections and take it out of others."""
    return await run_mutation(context, Permission.SIGNED_IN, "assetCollectionsUpdate", given, _update)


async def _update(write: MutationTransaction, reading: InputReader) -> Result:
    adding = reading.ids("add_to", "addTo", INLINE_BULK_ITEMS, needs_one=False)
    removing = reading.ids("remove_from", "removeFrom", INLINE_BULK_ITEMS, needs_one=False)
    if not adding and not removing:
        reading.add_error(UserErrorCode.REQUIRED, "Name a collection in addTo or removeFrom.", "addTo")
    for id_ in adding.keys() & removing.keys():
        message = "A collection cannot be in both lists."
        reading.add_error(UserErrorCode.INVALID, message, "removeFrom", str(removing[id_]))
    asset = (await write.visible_by_id(sql.asset, [reading.input["asset_id"]])).get(reading.input["asset_id"])
    if asset is None:
        reading.add_not_found("asset", "assetId")
    reading.raise_errors()
    places = await _places(write, asset, [*adding, *removing])
    items = [
        *_items("addTo", adding, places, partial(may_add, write)),
        *_items("removeFrom", removing, places, partial(may_remove, write)),
    ]
    results = enforce_mode(BulkMode.ATOMIC, items, asset=reading.input["asset_id"])
    changed = [kept["id"] for kept in results if kept["status"] == ItemStatus.CHANGED]
    await _add(write, asset, {id_: places[id_] for id_ in changed if id_ in adding})
    await _remove(write, asset, {id_: places[id_] for id_ in changed if id_ in removing})
    return {"asset": reading.input["asset_id"], "results": results}


async def _places(write: MutationTransaction, asset: Any, ids: list[str]) -> dict[str, _Place]:
    """Return the asset in each collection that exists for the viewer, member or not, by id. One statement."""
    collection, membership = sql.collection, sql.membership
    here = and_(membership.c.collection_pk == collection.c.pk, membership.c.asset_pk == asset.pk)
    columns = (collection.c.id, collection.c.pk, *membership.c["rank", "added_at", "added_by_pk", "note"])
    rows = where_in(visible(collection, write.viewer), collection.c.id, ids).outerjoin(membership, here)
    return {row.id: _Place(asset, row) for row in await write.rows(rows.with_only_columns(*columns))}


def _items(
    field: str, indexes: Mapping[str, int], places: Mapping[str, _Place], verdict: Callable[[Any], Outcome]
) -> Iterator[ItemResult]:
    """Yield what is to become of each collection that a field of the input names."""
    for id_, index in indexes.items():
        said = verdict(places[id_]) if id_ in places else NOT_FOUND
        if isinstance(said, ItemStatus):
            yield ItemResult(id_, said)
        else:
            yield failed_item(id_, *said, ("input", field, str(index)))


async def _add(write: MutationTransaction, asset: Any, places: dict[str, _Place]) -> None:
    ranks = await next_ranks(write.connection, [place.pk for place in places.values()])
    same = {"added_at": write.log.at, "added_by_pk": write.viewer.user_pk, "note": None}
    new = [
        {"collection_pk": place.pk, "asset_pk": asset.pk, "rank": ranks[place.pk], **same} for place in places.values()
    ]
    await write.insert(sql.membership, new)
    added = {id_: [place.touched] for id_, place in places.items()}
    await write.log.append_member_changes(ChangeAction.ASSETS_ADDED, added)


async def _remove(write: MutationTransaction, asset: Any, places: dict[str, _Place]) -> None:
    membership = sql.membership
    if places:
        pks = sql.int_list([place.pk for place in places.values()])
        here = (membership.c.asset_pk == asset.pk, membership.c.collection_pk.in_(pks))
        await write.execute(delete(membership).where(*here))
    removed = {id_: [place.touched] for id_, place in places.items()}
    await write.log.append_member_changes(ChangeAction.ASSETS_REMOVED, removed)
