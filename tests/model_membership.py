"""Model of membership mutations: add, remove, move, reorder and undo."""

from collections.abc import Callable, Iterable, Mapping

from tests.model import Change, Member, World, move_block
from tests.model_fault import Answer, Fault, Given, MutationRejectedError, index_by_label, neighbour_of, raise_faults

UNDOABLE = {"ASSETS_ADDED", "ASSETS_REMOVED", "ASSETS_MOVED", "UNDONE"}
Result = tuple[str, str, Fault | None]
"""The item's label, status and error."""


def add(world: World, who: str, given: Given) -> Answer:
    """Add assets to a collection."""
    faults = _none_named(given)
    here = _collection(world, who, given, "collectionId", faults)
    _refuse_neighbour(world, who, here, given, faults)
    raise_faults(faults)
    results = _judged(given["assetIds"], lambda asset: may_add(world, who, asset, here))
    enforce_mode(given["mode"], results, collection=here)
    new = _changed(results)
    change = insert_members(world, who, here, {asset: Member(who, given.get("note") or None) for asset in new}, given)
    return {"collection": here, "results": results, "change": change, "added": new, "addedTo": here}


def remove(world: World, who: str, given: Given) -> Answer:
    """Remove assets from a collection."""
    faults = _none_named(given)
    here = _collection(world, who, given, "collectionId", faults)
    raise_faults(faults)
    results = _judged(given["assetIds"], lambda asset: may_remove(world, who, asset, here))
    enforce_mode(given["mode"], results, collection=here)
    leaving = _changed(results)
    change = delete_members(world, who, here, leaving)
    return {"collection": here, "results": results, "change": change, "removed": leaving}


def move(world: World, who: str, given: Given) -> Answer:
    """Move assets between collections; a member of both is only removed from the source."""
    faults = _none_named(given)
    here = _collection(world, who, given, "fromCollectionId", faults)
    there = _collection(world, who, given, "toCollectionId", faults)
    if here == there and world.sees_collection(who, here):
        faults.append(("INVALID", "toCollectionId"))
    _refuse_neighbour(world, who, there, given, faults)
    raise_faults(faults)
    results = _judged(given["assetIds"], lambda asset: may_move(world, who, asset, here, there))
    enforce_mode(given["mode"], results, collection=here, to=there)
    leaving = _changed(results)
    members = world.collections[here].members
    arriving = {
        asset: Member(who, members[asset].note) for asset in leaving if asset not in world.collections[there].members
    }
    left = delete_members(world, who, here, leaving, "ASSETS_MOVED")
    arrived = insert_members(world, who, there, arriving, given, action="ASSETS_MOVED")
    return {
        "collection": here,
        "to": there,
        "results": results,
        "change": arrived or left,
        "removed": leaving,
        "added": list(arriving),
        "addedTo": there,
    }


def reorder(world: World, who: str, given: Given) -> Answer:
    """Move members together, in the given order."""
    faults = _none_named(given)
    here = _collection(world, who, given, "collectionId", faults)
    _refuse_neighbour(world, who, here, given, faults)
    raise_faults(faults)
    members = world.collections[here].members
    results = _judged(
        given["assetIds"],
        lambda asset: ("CHANGED" if asset in members else "INVALID") if world.sees(who, asset) else "NOT_FOUND",
    )
    enforce_mode("ATOMIC", results, collection=here)
    block = _changed(results)
    beside, path = neighbour_of(given)
    if beside in block:
        raise MutationRejectedError([("INVALID", path)])
    order = move_block(members, block, given["position"])
    if order == list(members):
        return {"collection": here, "results": [(asset, "UNCHANGED", None) for asset in block], "change": None}
    change = world.append(who, "REORDERED", here, {asset: members[asset] for asset in block})
    _set_order(world, here, order)
    return {"collection": here, "results": results, "change": change.label}


def update(world: World, who: str, given: Given) -> Answer:
    """Add an asset to collections and remove it from others, all or nothing."""
    adding, removing, asset = index_by_label(given["addTo"]), index_by_label(given["removeFrom"]), given["assetId"]
    faults: list[Fault] = [] if adding or removing else [("REQUIRED", "addTo")]
    faults += [("INVALID", f"removeFrom.{index}") for label, index in removing.items() if label in adding]
    faults += [] if world.sees(who, asset) else [("NOT_FOUND", "assetId")]
    raise_faults(faults)

    def verdict(rule: Callable[[World, str, str, str], str], label: str) -> str:
        return rule(world, who, asset, label) if world.sees_collection(who, label) else "NOT_FOUND"

    added = _judged(given["addTo"], lambda label: verdict(may_add, label), "addTo")
    removed = _judged(given["removeFrom"], lambda label: verdict(may_remove, label), "removeFrom")
    enforce_mode("ATOMIC", [*added, *removed], asset=asset)
    changes = [insert_members(world, who, label, {asset: Member(who)}, {}) for label in _changed(added)]
    changes += [delete_members(world, who, label, [asset]) for label in _changed(removed)]
    return {
        "asset": asset,
        "results": [*added, *removed],
        "addedCollections": _changed(added),
        "removedCollections": _changed(removed),
        "changes": changes,
    }


def undo(world: World, who: str, given: Given) -> Answer:
    """Undo a membership change, except for assets changed again since."""
    found = [change for change in world.log if change.label == given["changeId"] and world.sees_change(who, change)]
    if not found:
        raise MutationRejectedError([("NOT_FOUND", "changeId")])
    change = found[0]
    if not world.sees_collection(who, change.subject):
        raise MutationRejectedError([("NOT_FOUND", "changeId")])
    halves = _halves(world, change)
    assets = sorted({asset for half in halves for asset in half.touched if world.sees(who, asset)})
    results: list[Result] = []
    for asset in assets:
        code = _may_undo(world, who, asset, [half for half in halves if asset in half.touched])
        results.append((asset, "CHANGED", None) if code is None else (asset, "FAILED", (code, "changeId")))
    enforce_mode("BEST_EFFORT", results)
    turned_back = [(half, asset) for half in halves for asset in _changed(results) if asset in half.touched]
    removed = [asset for half, asset in turned_back if half.touched[asset] is None]
    restored = {asset: half.subject for half, asset in turned_back if half.touched[asset] is not None}
    undone = {half.subject: _turn_back(world, who, half, _changed(results)) for half in halves}
    made = {subject: label for subject, label in undone.items() if label is not None}
    return {
        "subjects": list(made),
        "changes": list(made.values()),
        "results": results,
        "removed": removed,
        "added": list(restored),
        "addedTo": next(iter(restored.values()), None),
    }


def may_add(world: World, who: str, asset: str, label: str) -> str:
    """Return the status of an asset to add, or an error code."""
    if not world.sees(who, asset):
        return "NOT_FOUND"
    if asset in world.collections[label].members:
        return "UNCHANGED"
    if not world.owns(who, asset):
        return "NOT_OWNER"
    return "CHANGED" if world.assets[asset].status == "RELEASED" else "NOT_ELIGIBLE"


def may_remove(world: World, who: str, asset: str, label: str) -> str:
    """Return the status of an asset to remove, or an error code."""
    if not world.sees(who, asset):
        return "NOT_FOUND"
    if asset not in world.collections[label].members:
        return "UNCHANGED"
    return "CHANGED" if world.owns(who, asset) or who in world.admins else "NOT_OWNER"


def may_move(world: World, who: str, asset: str, here: str, there: str) -> str:
    """Return the status of an asset to move, or an error code; a member of both collections is only removed."""
    leaving = may_remove(world, who, asset, here)
    if leaving in {"NOT_FOUND", "UNCHANGED"}:
        return leaving
    arriving = may_add(world, who, asset, there)
    return leaving if arriving == "UNCHANGED" else arriving


def enforce_mode(mode: str, results: list[Result], **answer: str) -> None:
    """Raise MutationRejectedError if all items failed, or one in ATOMIC mode, with the changed ones as ROLLED_BACK."""
    faults = [fault for _, _, fault in results if fault]
    if faults and (mode == "ATOMIC" or len(faults) == len(results)):
        rolled_back = [
            (label, "ROLLED_BACK" if status == "CHANGED" else status, fault) for label, status, fault in results
        ]
        raise MutationRejectedError(list(dict.fromkeys(faults)), {**answer, "results": rolled_back})


def insert_members(
    world: World, who: str, label: str, new: Mapping[str, Member], given: Given, *, action: str = "ASSETS_ADDED"
) -> str | None:
    """Insert new members as one block at the input's position; return the change's label, None without members."""
    if not new:
        return None
    change = world.append(who, action, label, dict.fromkeys(new))
    members = world.collections[label].members
    order = move_block(members, list(new), given.get("position"))
    members.update(new)
    _set_order(world, label, order)
    return change.label


def delete_members(
    world: World, who: str, label: str, leaving: Iterable[str], action: str = "ASSETS_REMOVED"
) -> str | None:
    """Delete members; return the change's label, None without members."""
    members = world.collections[label].members
    touched = {asset: members[asset] for asset in leaving}
    if not touched:
        return None
    change = world.append(who, action, label, touched)
    for asset in touched:
        del members[asset]
    return change.label


def adopt(world: World, label: str, seen: list[str]) -> None:
    """Adopt Atoll's order of a collection with restored members; fail if that order is not allowed.

    The viewer who restored members sees them where they stood among the other members that they see. Relative to hidden
    members any position is allowed, unless no other was added or reordered since: then it is the former one.
    """
    who, back, change = world.put_back[label]
    members = world.collections[label].members
    remaining = [asset for asset in members if asset not in back]
    assert sorted(seen) == sorted(members), (label, seen, list(members))
    assert [asset for asset in seen if asset not in back] == remaining, label
    visible = [asset for asset in remaining if world.sees(who, asset)]
    expected = _with_restored(visible, back, change.order)
    assert [asset for asset in seen if asset in expected] == expected, (label, who, seen, expected)
    was_reordered = any(
        later.action == "REORDERED" and later.subject == label and later.revision > change.revision
        for later in world.log
    )
    if not was_reordered and set(remaining) <= set(change.order):
        assert seen == [asset for asset in change.order if asset in members], (label, seen, change.order)
    _set_order(world, label, seen)


def _with_restored(visible: list[str], back: Iterable[str], order: list[str]) -> list[str]:
    """Return the members with restored ones: after the nearest that stood before them, or before the nearest behind."""
    after: dict[str | None, list[str]] = {}
    before: dict[str | None, list[str]] = {}
    for asset in sorted(back, key=order.index):
        place = order.index(asset)
        preceding = [other for other in order[:place] if other in visible]
        following = [other for other in order[place:] if other in visible]
        if preceding:
            after.setdefault(preceding[-1], []).append(asset)
        else:
            before.setdefault(following[0] if following else None, []).append(asset)
    result = before.get(None, [])
    for member in visible:
        result = [*result, *before.get(member, ()), member, *after.get(member, ())]
    return result


def _halves(world: World, change: Change) -> list[Change]:
    if change.action not in {"ASSETS_MOVED", "UNDONE"}:
        return [change]
    return [each for each in world.log if (each.revision, each.action) == (change.revision, change.action)]


def _may_undo(world: World, who: str, asset: str, halves: list[Change]) -> str | None:
    if any(not world.sees_collection(who, half.subject) or _touched_since(world, half, asset) for half in halves):
        return "CONFLICT"
    for half in halves:
        may_all = who in world.admins and (half.touched[asset] is None or half.who == who)
        if not (may_all or world.owns(who, asset)):
            return "NOT_OWNER"
    return None


def _turn_back(world: World, who: str, half: Change, undone: list[str]) -> str | None:
    in_order = index_by_label([*half.order, *half.touched])
    theirs = [asset for asset in in_order if asset in undone and asset in half.touched]
    if not theirs:
        return None
    members = world.collections[half.subject].members
    change = world.append(who, "UNDONE", half.subject, {asset: members.get(asset) for asset in theirs})
    change.original = half.original or half.label
    back = []
    for asset in theirs:
        before = half.touched[asset]
        if before is None:
            del members[asset]
        else:
            members[asset] = before
            back.append(asset)
    if back:
        world.put_back[half.subject] = (who, back, half)
    return change.label


def _touched_since(world: World, change: Change, asset: str) -> bool:
    """Return whether the mutations since the change moved the asset in or out, other than by a change and its undo."""
    originals = [
        later.original or later.label
        for later in world.log
        if change.revision < later.revision < world.revision
        and later.action != "REORDERED"
        and later.subject == change.subject
        and asset in later.touched
    ]
    is_elsewhere = (asset in world.collections[change.subject].members) != (change.touched[asset] is None)
    return is_elsewhere or any(originals.count(label) % 2 for label in set(originals))


def _none_named(given: Given) -> list[Fault]:
    return [] if given["assetIds"] else [("REQUIRED", "assetIds")]


def _collection(world: World, who: str, given: Given, field: str, faults: list[Fault]) -> str:
    label: str = given[field]
    if not world.sees_collection(who, label):
        faults.append(("NOT_FOUND", field))
    return label


def _refuse_neighbour(world: World, who: str, label: str, given: Given, faults: list[Fault]) -> None:
    beside, path = neighbour_of(given)
    if beside is None or not world.sees_collection(who, label):
        return
    if not world.sees(who, beside):
        faults.append(("NOT_FOUND", path))
    elif beside not in world.collections[label].members:
        faults.append(("INVALID", path))


def _judged(labels: Iterable[str], verdict: Callable[[str], str], field: str = "assetIds") -> list[Result]:
    results: list[Result] = []
    for label, index in index_by_label(labels).items():
        said = verdict(label)
        is_status = said in {"CHANGED", "UNCHANGED"}
        results.append((label, said, None) if is_status else (label, "FAILED", (said, f"{field}.{index}")))
    return results


def _changed(results: Iterable[Result]) -> list[str]:
    return [label for label, status, _ in results if status == "CHANGED"]


def _set_order(world: World, label: str, order: list[str]) -> None:
    held = world.collections[label]
    held.members = {asset: held.members[asset] for asset in order}
