"""Whether a change can be undone now: the checks of `resolvers/write/undo_*.py`, read for many changes at once.

A test of random sequences holds it equal to a dry run of `changeUndo`. Each check awaits loaders, so the number of
statements does not depend on the number of changes.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from resolvers.context import Context, await_all
from resolvers.loaders import (
    NO_PK,
    AncestorsByCollection,
    AssetById,
    CollectionById,
    CollectionByPk,
    GrantsByAsset,
    PrincipalById,
    TopicById,
    TopicByPk,
)
from resolvers.undo_loaders import (
    AccessByAsset,
    ChildrenByCollection,
    CollectionByCurrentSlug,
    CollectionBySiblingName,
    HasUndoableMember,
    HasUndoableOrder,
    HeightByCollection,
    IsMovedAgain,
    KeepsMembers,
    PartsByChange,
    TopicByCurrentSlug,
    TopicByNameKey,
    TopsByTopic,
    TransferredAssetsByChange,
)
from resolvers.undoable import UndoRight, undo_right
from store.award import NO_AWARD
from store.changes import LoggedFieldChange
from store.grant_changes import grant_field
from store.ids import ID_PREFIX_LENGTH
from store.rows import ChangeRow, CollectionRow
from store.tables import MAX_COLLECTION_DEPTH, AssetAccess, ChangeAction
from store.text import fold_name
from store.transfer import AssetFields, plan_return


class HasFields(Protocol):
    """A row with the fields of a change."""

    @property
    def fields(self) -> Sequence[LoggedFieldChange]:
        """Field, former and new value of each."""


Check = Callable[[ChangeRow, Context], Awaitable[bool]]


class _Position(NamedTuple):
    """Position of a collection: its topic, and its ancestors from the top down, by pk."""

    topic_pk: int
    ancestors: tuple[int, ...] = ()

    @property
    def parent_pk(self) -> int:
        """The parent; NO_PK at the top of the topic."""
        return self.ancestors[-1] if self.ancestors else NO_PK


async def is_undoable_now(change: ChangeRow, context: Context) -> bool:
    """Return whether an undo, by a viewer who has the right to one, would change something."""
    effect = change.effect or {}
    if undo_right(change) is UndoRight.MEMBERS:
        return await context.loader(HasUndoableMember).load(change.pk)
    if "of" in effect:
        return await _check_group(change, context)
    if "members" in effect:
        return await context.loader(HasUndoableOrder).load(change.pk)
    return await CHECK_OF[change.subject_id[:ID_PREFIX_LENGTH], ChangeAction(change.action)](change, context)


async def _check_topic_created(change: ChangeRow, context: Context) -> bool:
    topic = await context.loader(TopicById).load(change.subject_id)
    if topic is None or not _has_values(topic, _after(change)):
        return False
    effect = _effect(change)
    tops = await context.loader(TopsByTopic).load(topic.pk)
    if {row.id for row in tops} != set(effect["collections"]):
        return False
    if not tops:
        return True
    target = await context.loader(TopicById).load(effect.get("to") or "")
    if target is None:
        return False
    taken = await context.loader(TopsByTopic).load(target.pk)
    return not {row.name_key for row in tops} & {row.name_key for row in taken}


async def _check_topic_updated(change: ChangeRow, context: Context) -> bool:
    topic = await context.loader(TopicById).load(change.subject_id)
    if topic is None or not _has_values(topic, _after(change)):
        return False
    before = _before(change)
    if "name" in before:
        named = await context.loader(TopicByNameKey).load(fold_name(str(before["name"])))
        if named is not None and named.pk != topic.pk:
            return False
    same_slug = await context.loader(TopicByCurrentSlug).load(str(before.get("slug") or ""))
    return same_slug is None or same_slug.pk == topic.pk


async def _check_topic_reordered(change: ChangeRow, context: Context) -> bool:
    topic = await context.loader(TopicById).load(change.subject_id)
    return topic is not None and not await context.loader(IsMovedAgain).load(change.pk)


async def _check_topic_deleted(change: ChangeRow, context: Context) -> bool:
    topic = await context.loader(TopicById).load(change.subject_id)
    return topic is None and await context.loader(TopicByNameKey).load(_effect(change)["row"]["name_key"]) is None


async def _check_group(change: ChangeRow, context: Context) -> bool:
    """Return whether all parts of a merge, or of the undo of one, can be undone."""
    if await context.loader(TopicById).load(change.subject_id) is None:
        return False
    parts = await context.loader(PartsByChange).load(change.pk)
    # Read together, because the checks of the parts follow one another.
    topics = await context.loader(TopicById).load_many([part.subject_id for part in parts])
    if _effect(change)["of"] == ChangeAction.DELETED:
        await context.loader(TopicByNameKey).load_many([_effect(part)["row"]["name_key"] for part in parts])
        return all([await _check_topic_deleted(part, context) for part in parts])
    tops = await context.loader(TopsByTopic).load_many([topic.pk for topic in topics if topic is not None])
    names = [row.name_key for rows in tops for row in rows]
    # All move to the same topic.
    return len(names) == len(set(names)) and all([await _check_topic_created(part, context) for part in parts])


async def _check_collection_created(change: ChangeRow, context: Context) -> bool:
    collection = await context.loader(CollectionById).load(change.subject_id)
    after = {"parent": None, **_after(change)}
    if collection is None or not await _has_collection_values(collection, after, context):
        return False
    children = await context.loader(ChildrenByCollection).load(collection.pk)
    is_same = {child.id for child in children} == set(_effect(change)["children"])
    if not is_same or not await context.loader(KeepsMembers).load(change.pk):
        return False
    position = _current_position(collection)
    names = [_find_sibling(context, position, child.name_key) for child in children]
    siblings = await await_all(names)
    return all(sibling is None or sibling.pk == collection.pk for sibling in siblings)


async def _check_collection_updated(change: ChangeRow, context: Context) -> bool:
    collection = await context.loader(CollectionById).load(change.subject_id)
    if collection is None or not await _has_collection_values(collection, _after(change), context):
        return False
    before, place = _before(change), _effect(change).get("place")
    position = _current_position(collection)
    if place is not None:
        former = await _find_position(place, context)
        height = await context.loader(HeightByCollection).load(collection.pk)
        if former is None or collection.pk in former.ancestors:
            return False
        if len(former.ancestors) + 1 + height > MAX_COLLECTION_DEPTH:
            return False
        position = former
    sibling = await _find_sibling(context, position, fold_name(str(before.get("name") or collection.name)))
    same_slug = await context.loader(CollectionByCurrentSlug).load(str(before.get("slug") or ""))
    return all(row is None or row.pk == collection.pk for row in (sibling, same_slug))


async def _check_collection_reordered(change: ChangeRow, context: Context) -> bool:
    collection = await context.loader(CollectionById).load(change.subject_id)
    if collection is None or await context.loader(IsMovedAgain).load(change.pk):
        return False
    place = _effect(change)["place"]
    return await _has_collection_values(collection, {name: place[name] for name in ("topic", "parent")}, context)


async def _check_collection_deleted(change: ChangeRow, context: Context) -> bool:
    effect = _effect(change)
    if await context.loader(CollectionById).load(change.subject_id) is not None:
        return False
    position = await _find_position(effect["place"], context)
    if position is None:
        return False
    rows = await context.loader(CollectionById).load_many(effect["children"])
    at_position = (position.topic_pk, position.parent_pk)
    children = [row for row in rows if row is not None and (row.topic_pk, row.parent_pk or NO_PK) == at_position]
    heights = await context.loader(HeightByCollection).load_many([child.pk for child in children])
    if len(position.ancestors) + max((2 + height for height in heights), default=1) > MAX_COLLECTION_DEPTH:
        return False
    sibling = await _find_sibling(context, position, effect["row"]["name_key"])
    return sibling is None or sibling.pk in {child.pk for child in children}


async def _check_shared(change: ChangeRow, context: Context) -> bool:
    asset = await context.loader(AssetById).load(change.subject_id)
    if asset is None or asset.viewer_access < AssetAccess.OWNER.value:
        return False
    grants = await context.loader(GrantsByAsset).load(asset.pk)
    current = {grant_field(grant): AssetAccess(grant.access).name for grant in grants}
    if any(current.get(field) != value for field, value in _after(change).items()):
        return False
    owner = next((grant_field(grant) for grant in grants if grant.pk == asset.owner_pk), None)
    return _before(change).get(str(owner), AssetAccess.OWNER.name) == AssetAccess.OWNER.name


async def _check_awarded(change: ChangeRow, context: Context) -> bool:
    asset = await context.loader(AssetById).load(change.subject_id)
    return asset is not None and {name: getattr(asset, name) for name in NO_AWARD} == _effect(change)["after"]


async def _check_transferred(change: ChangeRow, context: Context) -> bool:
    """Return whether at least one asset of a transfer can be handed back."""
    ((_, (before, after)),) = _fields(change).items()
    giver, receiver = await context.loader(PrincipalById).load_many([str(after), str(before)])
    assert giver is not None  # noqa: S101 - users are never deleted
    assert receiver is not None  # noqa: S101 - users are never deleted
    parts = await context.loader(TransferredAssetsByChange).load(change.pk)
    assets = {part.pk: part for part in parts}
    fields: dict[int, AssetFields] = {pk: {} for pk in assets}
    for part in parts:
        fields[part.pk] = {**fields[part.pk], **_fields(part)}
    access = await context.loader(AccessByAsset).load_many(assets)
    users = (giver, receiver)
    return any(
        plan_return(asset, {user.pk: held[user.pk] for user in users if user.pk in held}, fields[asset.pk], users)
        for asset, held in zip(assets.values(), access, strict=True)
    )


async def _check_deployment(change: ChangeRow, context: Context) -> bool:
    return list(_after(change).values()) == [str(context.viewer.public_sharing).lower()]


CHECK_OF: dict[tuple[str, ChangeAction], Check] = {
    ("top", ChangeAction.CREATED): _check_topic_created,
    ("top", ChangeAction.UPDATED): _check_topic_updated,
    ("top", ChangeAction.REORDERED): _check_topic_reordered,
    ("top", ChangeAction.DELETED): _check_topic_deleted,
    ("col", ChangeAction.CREATED): _check_collection_created,
    ("col", ChangeAction.UPDATED): _check_collection_updated,
    ("col", ChangeAction.REORDERED): _check_collection_reordered,
    ("col", ChangeAction.DELETED): _check_collection_deleted,
    ("ast", ChangeAction.AWARDED): _check_awarded,
    ("ast", ChangeAction.REVOKED): _check_awarded,
    ("ast", ChangeAction.SHARED): _check_shared,
    ("ast", ChangeAction.UNSHARED): _check_shared,
    ("usr", ChangeAction.ASSETS_TRANSFERRED): _check_transferred,
    ("dep", ChangeAction.UPDATED): _check_deployment,
}
"""Check by the first letters of the subject's id, and the action, like `UNDO_OF` of `resolvers/write/undo.py`."""


def _effect(change: ChangeRow) -> Mapping[str, Any]:
    assert change.effect is not None  # noqa: S101 - see resolvers/undoable.py
    return change.effect


def _fields(change: HasFields) -> dict[str, tuple[str | None, str | None]]:
    return {str(each["field"]): (each["before"], each["after"]) for each in change.fields}


def _before(change: ChangeRow) -> dict[str, str | None]:
    return {field: before for field, (before, _) in _fields(change).items()}


def _after(change: ChangeRow) -> dict[str, str | None]:
    return {field: after for field, (_, after) in _fields(change).items()}


def _has_values(row: object, values: Mapping[str, Any]) -> bool:
    return all(getattr(row, name) == value for name, value in values.items())


async def _has_collection_values(collection: CollectionRow, values: Mapping[str, Any], context: Context) -> bool:
    """Return whether the collection has the values; `topic` and `parent` are ids."""
    topic = await context.loader(TopicByPk).load(collection.topic_pk)
    parent = await context.loader(CollectionByPk).load(collection.parent_pk or NO_PK)
    place = {"topic": topic and topic.id, "parent": parent and parent.id}
    columns = {name: value for name, value in values.items() if name not in place}
    return _has_values(collection, columns) and all(place[name] == values[name] for name in place if name in values)


def _current_position(collection: CollectionRow) -> _Position:
    """Return the position of a collection with its parent as the only ancestor, which finds its siblings."""
    return _Position(collection.topic_pk, (collection.parent_pk,) if collection.parent_pk else ())


async def _find_position(place: Mapping[str, Any], context: Context) -> _Position | None:
    """Return a former position; None if its topic or parent is deleted or elsewhere."""
    topic = await context.loader(TopicById).load(place["topic"])
    if topic is None:
        return None
    if place["parent"] is None:
        return _Position(topic.pk)
    parent = await context.loader(CollectionById).load(place["parent"])
    if parent is None or parent.topic_pk != topic.pk:
        return None
    ancestors = await context.loader(AncestorsByCollection).load(parent.pk)
    return _Position(topic.pk, (*(row.pk for row in ancestors), parent.pk))


def _find_sibling(context: Context, position: _Position, name_key: str) -> Awaitable[CollectionRow | None]:
    return context.loader(CollectionBySiblingName).load((position.topic_pk, position.parent_pk, name_key))
