"""Mutations of people in the model: users, groups and their members, and the transfer of assets."""

from typing import Any

from tests.model import EDITOR, OWNER, World
from tests.model_fault import Answer, Fault, Given, MutationRejectedError, raise_faults


def user_upsert(world: World, who: str, given: Given) -> Answer:
    """Rename a user, make them an administrator or none, and hand them over to another source."""
    label = given["externalId"]
    if label not in world.people:
        raise MutationRejectedError([("TAKEN", "externalId")])
    is_admin = given.get("isAdmin", label in world.admins)
    is_changed = is_admin != (label in world.admins) or _is_written(world, label, given)
    _refuse_last_administrator(world, label, "externalId", is_leaving=not is_admin)
    _refuse_other_source(world, label, given, "externalId", is_changed=is_changed)
    _write(world, who, label, given, is_changed=is_changed)
    world.admins = world.admins | {label} if is_admin else world.admins - {label}
    return {"user": label}


def group_upsert(world: World, who: str, given: Given) -> Answer:
    """Rename a group, and hand it over to another source."""
    label = given["externalId"]
    if label not in world.groups:
        raise MutationRejectedError([("TAKEN", "externalId")])
    is_changed = _is_written(world, label, given)
    _refuse_other_source(world, label, given, "externalId", is_changed=is_changed)
    _write(world, who, label, given, is_changed=is_changed)
    return {"group": label}


def group_members_update(world: World, who: str, given: Given) -> Answer:
    """Add users to a group and remove others."""
    label, faults = given["groupId"], list[Fault]()
    if label not in world.groups:
        faults.append(("NOT_FOUND", "groupId"))
    if not given["add"] and not given["remove"]:
        faults.append(("REQUIRED", "add"))
    added, removed = (
        [_user(world, named, f"{field}.{index}", faults) for index, named in enumerate(given[field])]
        for field in ("add", "remove")
    )
    faults += [("INVALID", f"remove.{index}") for index, user in enumerate(removed) if user and user in added]
    raise_faults(faults)
    members = {user for user in (world.groups[label] | set(added)) - set(removed) if user}
    is_changed = members != world.groups[label]
    _refuse_other_source(world, label, given, "groupId", is_changed=is_changed)
    if is_changed:
        world.groups[label] = members
        world.append(who, "UPDATED", label)
    return {"group": label}


def user_deactivate(world: World, who: str, given: Given) -> Answer:
    """Deactivate a user of any source, whose tokens end; their grants stay."""
    label = _existing_user(world, given)
    _refuse_last_administrator(world, label, "userId", is_leaving=True)
    if label not in world.inactive:
        world.inactive.add(label)
        world.append(who, "UPDATED", label)
    return {"user": label}


def user_reactivate(world: World, who: str, given: Given) -> Answer:
    """Reactivate a user."""
    label = _existing_user(world, given)
    if label in world.inactive:
        world.inactive.remove(label)
        world.append(who, "UPDATED", label)
    return {"user": label}


def assets_transfer(world: World, who: str, given: Given) -> Answer:
    """Hand all assets that a user owns over to another."""
    faults = list[Fault]()
    source, target = (_user(world, given[field], field, faults) for field in ("from", "to"))
    if source and (source == target or target in world.inactive):
        faults.append(("INVALID", "to"))
    raise_faults(faults)
    owned = [label for label, asset in world.assets.items() if asset.grants.get(str(source)) == OWNER]
    known = len(world.log)
    for label in owned:
        _transfer(world, who, label, str(source), str(target), keep_editor=given["keepEditor"])
    if owned:
        world.append(who, "ASSETS_TRANSFERRED", str(source), dict.fromkeys(owned))
    changes = [change.label for change in world.log[known:]]
    return {"results": [(label, "CHANGED", None) for label in owned], "changes": changes}


def _transfer(world: World, who: str, label: str, source: str, target: str, *, keep_editor: bool) -> None:
    asset = world.assets[label]
    if asset.owner == source:
        asset.owner = target
        world.append(who, "UPDATED", label)
    if keep_editor or asset.grants.get(target) != OWNER:
        world.append(who, "SHARED", label)
    if not keep_editor:
        world.append(who, "UNSHARED", label)
    del asset.grants[source]
    asset.grants |= {target: OWNER} | ({source: EDITOR} if keep_editor else {})


def _is_written(world: World, label: str, given: Given) -> bool:
    source = given.get("provisionedBy", world.sources.get(label, "CATALOGUE"))
    return bool(given["name"] != world.names.get(label, label) or source != world.sources.get(label, "CATALOGUE"))


def _write(world: World, who: str, label: str, given: Given, *, is_changed: bool) -> None:
    world.names[label] = given["name"]
    if "provisionedBy" in given:
        world.sources[label] = given["provisionedBy"]
    if is_changed:
        world.append(who, "UPDATED", label)


def _refuse_other_source(world: World, label: str, given: Given, path: str, *, is_changed: bool) -> None:
    is_own = world.sources.get(label, "CATALOGUE") == "MANUAL" or "provisionedBy" in given
    raise_faults([("OTHER_SOURCE", path)] if is_changed and not is_own else [])


def _refuse_last_administrator(world: World, label: str, path: str, *, is_leaving: bool) -> None:
    is_last = world.admins - world.inactive == {label}
    raise_faults([("LAST_ADMINISTRATOR", path)] if is_last and is_leaving else [])


def _existing_user(world: World, given: Given) -> str:
    label: str = given["userId"]
    raise_faults([] if label in world.people else [("NOT_FOUND", "userId")])
    return label


def _user(world: World, named: Any, path: str, faults: list[Fault]) -> str | None:
    ((kind, label),) = named.items()
    if kind not in {"userId", "userExternalId"} or label not in world.people:
        faults.append(("NOT_FOUND", path))
        return None
    return str(label)
