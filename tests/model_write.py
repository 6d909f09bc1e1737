"""Mutation runner of the model: permission, idempotency key, rules and the visible payload."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from tests.model import ACCESS, ANONYMOUS, OWNER, VIEWER, World
from tests.model_fault import Answer, Fault, Given, MutationRejectedError, raise_faults
from tests.model_membership import add, move, remove, reorder, undo, update
from tests.model_people import (
    assets_transfer,
    group_members_update,
    group_upsert,
    user_deactivate,
    user_reactivate,
    user_upsert,
)
from tests.model_tree import (
    collection_create,
    collection_delete,
    collection_reorder,
    collection_update,
    topic_create,
    topic_delete,
    topic_merge,
    topic_reorder,
    topic_update,
)

Payload = dict[str, Any]


def gold_standard_set(world: World, who: str, given: Given) -> Answer:
    """Award an asset the gold standard, or revoke it."""
    asset = world.assets.get(given["assetId"])
    if asset is None:
        raise MutationRejectedError([("NOT_FOUND", "assetId")])
    note = (given["note"] or None) if "note" in given else asset.gold_note
    award = (True, note) if given["awarded"] else (False, None)
    if award != (asset.is_gold, asset.gold_note):
        asset.is_gold, asset.gold_note = award
        world.append(who, "AWARDED" if given["awarded"] else "REVOKED", given["assetId"])
    return {"asset": given["assetId"]}


def grants_update(world: World, who: str, given: Given) -> Answer:
    """Add, change and revoke grants on an asset that the viewer owns."""
    raise_faults([] if given["set"] or given["revoke"] else [("REQUIRED", "set")])
    label = given["assetId"]
    is_theirs = world.sees(who, label) and world.owns(who, label)
    faults = [] if is_theirs else [("NOT_OWNER" if world.sees(who, label) else "NOT_FOUND", "assetId")]
    owner = world.assets[label].owner if is_theirs else None
    after: dict[str, int | None] = {}
    for index, grant in enumerate(given["set"]):
        access, path = ACCESS[grant["access"]], f"set.{index}"
        holder = _holder(world, grant["to"], after, f"{path}.to", faults)
        if holder is None:
            continue
        if (holder in {"everyone", "public"} and access > VIEWER) or (holder == owner and access < OWNER):
            faults.append(("INVALID", f"{path}.access"))
        after[holder] = access
    for index, named in enumerate(given["revoke"]):
        holder = _holder(world, named, after, f"revoke.{index}", faults)
        if holder is None:
            continue
        if holder == owner:
            faults.append(("INVALID", f"revoke.{index}"))
        after[holder] = None
    raise_faults(faults)
    _share(world, who, label, after)
    return {"asset": label}


def deployment_update(world: World, who: str, given: Given) -> Answer:
    """Turn public sharing on or off."""
    if world.is_shared != given["publicSharing"]:
        world.is_shared = given["publicSharing"]
        world.append(who, "UPDATED", "deployment")
    return {"deployment": "deployment"}


def _holder(
    world: World, named: Mapping[str, Any], seen: Mapping[str, int | None], path: str, faults: list[Fault]
) -> str | None:
    ((kind, value),) = named.items()
    there: dict[str, list[Any]] = {"userId": world.people, "groupId": list(world.groups)}
    there |= {"everyone": [True], "public": [True]}
    if value not in there[kind]:
        faults.append(("NOT_FOUND", path))
        return None
    holder = kind if value is True else str(value)
    if holder in seen:
        faults.append(("INVALID", path))
        return None
    return holder


def _share(world: World, who: str, label: str, after: Mapping[str, int | None]) -> None:
    grants = world.assets[label].grants
    differing = {holder: access for holder, access in after.items() if grants.get(holder) != access}
    for holder, access in differing.items():
        if access is None:
            del grants[holder]
        else:
            grants[holder] = access
    if any(access is not None for access in differing.values()):
        world.append(who, "SHARED", label)
    if any(access is None for access in differing.values()):
        world.append(who, "UNSHARED", label)


Rule = Callable[[World, str, Given], Answer]
OF_ONE = ("collection", "addedEdges", "removedAssetIds", "change", "results", "summary")
OF_TWO = ("fromCollection", "toCollection", "addedEdges", "removedAssetIds", "change", "results", "summary")
OF_UNDO = ("subjects", "addedEdges", "removedAssetIds", "changes", "results", "summary")
OF_ASSET = ("asset", "addedEdges", "removedCollectionIds", "changes", "results", "summary")
MOVED = ("movedCollections", "movedCollectionCount")

# By mutation: whether it is for administrators only, its function, and the fields of its payload besides `userErrors`.
MUTATIONS: dict[str, tuple[bool, Rule, Sequence[str]]] = {
    "topicCreate": (True, topic_create, ("topic",)),
    "topicUpdate": (True, topic_update, ("topic",)),
    "topicReorder": (True, topic_reorder, ("topic",)),
    "topicMerge": (True, topic_merge, ("topic", *MOVED, "deletedTopicIds")),
    "topicDelete": (True, topic_delete, ("deletedTopicId", *MOVED)),
    "collectionCreate": (True, collection_create, ("collection",)),
    "collectionUpdate": (True, collection_update, ("collection", "formerTopic", "formerParent")),
    "collectionReorder": (True, collection_reorder, ("collection",)),
    "collectionDelete": (True, collection_delete, ("deletedCollectionId", "topic", *MOVED, "change")),
    "collectionAssetsAdd": (False, add, OF_ONE),
    "collectionAssetsRemove": (False, remove, OF_ONE),
    "collectionAssetsReorder": (True, reorder, OF_ONE),
    "collectionAssetsMove": (False, move, OF_TWO),
    "assetCollectionsUpdate": (False, update, OF_ASSET),
    "changeUndo": (False, undo, OF_UNDO),
    "assetGoldStandardSet": (True, gold_standard_set, ("asset",)),
    "assetGrantsUpdate": (False, grants_update, ("asset",)),
    "deploymentUpdate": (True, deployment_update, ("deployment",)),
    "userUpsert": (True, user_upsert, ("user",)),
    "userDeactivate": (True, user_deactivate, ("user",)),
    "userReactivate": (True, user_reactivate, ("user",)),
    "groupUpsert": (True, group_upsert, ("group",)),
    "groupMembersUpdate": (True, group_members_update, ("group",)),
    "assetsTransfer": (True, assets_transfer, ("summary", "changes")),
}


def run_mutation(world: World, who: str, mutation: str, given: Given) -> Payload | str:
    """Run the mutation; return its payload, or an error code if the whole mutation is refused."""
    is_for_admins, rule, _ = MUTATIONS[mutation]
    if who == ANONYMOUS or who in world.inactive:
        return "UNAUTHENTICATED"
    if is_for_admins and who not in world.admins:
        return "FORBIDDEN"
    trial = deepcopy(world)
    trial.revision += 1
    trial.put_back = {}
    try:
        answer = _run_idempotent(trial, who, mutation, given, rule)
    except MutationRejectedError as rejected:
        return _shown(world, who, mutation, given, rejected.answer, faults=rejected.faults)
    if not given.get("dryRun"):
        world.__dict__.update(trial.__dict__)
    return _shown(world, who, mutation, given, answer)


def _run_idempotent(world: World, who: str, mutation: str, given: Given, rule: Rule) -> Answer:
    key = given.get("idempotencyKey")
    if key is None or given.get("dryRun"):
        return rule(world, who, given)
    before = world.kept.get((who, key))
    if before is not None:
        if before[:2] != (mutation, given):
            raise MutationRejectedError([("IDEMPOTENCY_MISMATCH", "idempotencyKey")])
        return dict(before[2])
    answer = rule(world, who, given)
    world.kept[who, key] = (mutation, deepcopy(given), answer)
    return answer


def _shown(
    world: World, who: str, mutation: str, given: Given, answer: Answer, *, faults: Sequence[Fault] = ()
) -> Payload:
    """Return the payload: the part of the result that is visible to the viewer now, and the errors."""
    is_dry = bool(given.get("dryRun"))
    payload = {field: _field(world, who, field, answer, is_dry=is_dry) for field in MUTATIONS[mutation][2]}
    return payload | {"userErrors": sorted(faults)}


def _field(world: World, who: str, field: str, answer: Answer, *, is_dry: bool) -> Any:
    if field in {"results", "summary"}:
        results, sees = answer.get("results", ()), world.sees_collection if "asset" in answer else world.sees
        if field == "summary":
            return _summary(results, is_dry=is_dry)
        return [_result(label, status, fault, is_seen=sees(who, label)) for label, status, fault in results]
    if field == "movedCollectionCount":
        return len(answer.get("movedCollections", ()))
    if field in EFFECTS:
        return _effect(world, who, field, {} if is_dry else answer)
    label = answer.get(STORED_AS.get(field, field))
    return label if label is not None and _is_seen(world, who, field, label, is_dry=is_dry) else None


EFFECTS = {
    "addedEdges": "added",
    "removedAssetIds": "removed",
    "removedCollectionIds": "removedCollections",
    "changes": "changes",
    "subjects": "subjects",
    "movedCollections": "movedCollections",
    "deletedTopicIds": "deletedTopicIds",
    "deletedTopicId": "deletedTopicId",
    "deletedCollectionId": "deletedCollectionId",
}
"""Name in the model's answer of each field that is empty in a dry run."""

STORED_AS = {"fromCollection": "collection", "toCollection": "to"}
"""Name in the model's answer of other fields with another name."""


def _effect(world: World, who: str, field: str, answer: Answer) -> Any:
    if field in {"deletedTopicId", "deletedCollectionId"}:
        return answer.get(field)
    if field == "addedEdges" and "addedCollections" in answer:
        labels, asset = answer["addedCollections"], answer["asset"]
        return sorted(label for label in labels if world.sees_collection(who, label) and world.sees(who, asset))
    labels = answer.get(EFFECTS[field], [])
    if field == "addedEdges":
        there = answer.get("addedTo")
        members = world.collections[there].members if there and world.sees_collection(who, there) else ()
        return sorted(label for label in labels if label in members and world.sees(who, label))
    if field == "changes":
        return sorted(change.label for change in world.log if change.label in labels and world.sees_change(who, change))
    if field in {"subjects", "movedCollections"}:
        seen = [label for label in labels if world.sees_collection(who, label)]
        return sorted(seen) if field == "subjects" else seen
    return list(labels)


def _is_seen(world: World, who: str, field: str, label: str, *, is_dry: bool) -> bool:
    if field in {"topic", "formerTopic"}:
        return world.sees_topic(who, label)
    if field == "asset":
        return world.sees(who, label)
    if field == "change":
        return not is_dry and any(change.label == label and world.sees_change(who, change) for change in world.log)
    return field in {"deployment", "user", "group"} or world.sees_collection(who, label)


def _result(label: str, status: str, fault: Fault | None, *, is_seen: bool) -> dict[str, Any]:
    return {"id": label, "shown": label if is_seen else None, "status": status, "error": fault}


def _summary(results: Sequence[tuple[str, str, Fault | None]], *, is_dry: bool) -> dict[str, Any]:
    counted = Counter(status for _, status, _ in results)
    statuses = {status.lower(): counted[status] for status in ("CHANGED", "UNCHANGED", "FAILED")}
    return {"requested": len(results), **statuses, "dryRun": is_dry}
