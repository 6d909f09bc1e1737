"""Model of topic and collection mutations: create, update, reorder, merge and delete."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from tests.model import Collection, Place, Topic, World, move_block
from tests.model_fault import Answer, Fault, Given, MutationRejectedError, index_by_label, neighbour_of, raise_faults

DEPTH = 5


def topic_create(world: World, who: str, given: Given) -> Answer:
    """Create a topic."""
    faults = _named_well(given) + _free(world.topics, given)
    beside, path = neighbour_of(given)
    if beside is not None and beside not in world.topics:
        faults.append(("NOT_FOUND", path))
    raise_faults(faults)
    label = _label(world, "t")
    slug = _slug(given, world.topics, "topic")
    order = move_block(world.topics, [label], given.get("position"))
    world.topics[label] = Topic(_clean(given["name"]), slug, given.get("description") or "")
    _set_topics(world, order)
    world.append(who, "CREATED", label)
    return {"topic": label}


def topic_update(world: World, who: str, given: Given) -> Answer:
    """Change a topic's name, slug or description."""
    label = _topic(world, given, "id", [])
    others = {each: topic for each, topic in world.topics.items() if each != label}
    topic = world.topics[label]
    raise_faults(_named_well(given) + _free(others, given) + _stale(given, topic.version))
    if _change_fields(topic, given):
        topic.version += 1
        world.append(who, "UPDATED", label)
    return {"topic": label}


def topic_reorder(world: World, who: str, given: Given) -> Answer:
    """Move a topic next to another."""
    label = _topic(world, given, "id", [])
    beside, path = neighbour_of(given)
    if beside is not None and beside not in world.topics:
        raise MutationRejectedError([("NOT_FOUND", path)])
    if beside == label:
        raise MutationRejectedError([("INVALID", path)])
    order = move_block(world.topics, [label], given["position"])
    if order != list(world.topics):
        _set_topics(world, order)
        world.append(who, "REORDERED", label)
    return {"topic": label}


def topic_merge(world: World, who: str, given: Given) -> Answer:
    """Move the collections of topics into another, and delete those topics."""
    faults: list[Fault] = [] if given["sourceIds"] else [("REQUIRED", "sourceIds")]
    target, sources = _topic(world, given, "targetId", faults), index_by_label(given["sourceIds"])
    for label, index in sources.items():
        if label not in world.topics:
            faults.append(("NOT_FOUND", f"sourceIds.{index}"))
        elif label == target:
            faults.append(("INVALID", f"sourceIds.{index}"))
    raise_faults(faults)
    raise_faults(_same_names(world, target, {label: f"sourceIds.{index}" for label, index in sources.items()}))
    moved = [label for source in sources for label in _empty_into(world, who, source, target)]
    for label in sources:
        del world.topics[label]
        world.append(who, "DELETED", label)
    world.append(who, "MERGED", target)
    return {"topic": target, "movedCollections": moved, "deletedTopicIds": list(sources)}


def topic_delete(world: World, who: str, given: Given) -> Answer:
    """Delete a topic and move its collections to the topic of the input."""
    label = _topic(world, given, "id", [])
    faults, moved = _stale(given, world.topics[label].version), []
    if given.get("moveCollectionsTo"):
        target = _topic(world, given, "moveCollectionsTo", faults)
        raise_faults(faults + ([("INVALID", "moveCollectionsTo")] if target == label else []))
        raise_faults(_same_names(world, target, {label: "moveCollectionsTo"}))
        moved = _empty_into(world, who, label, target)
    else:
        raise_faults(faults)
        if world.in_topic(label):
            raise MutationRejectedError([("NOT_EMPTY", "moveCollectionsTo")])
    del world.topics[label]
    world.append(who, "DELETED", label)
    return {"deletedTopicId": label, "movedCollections": moved}


def collection_create(world: World, who: str, given: Given) -> Answer:
    """Create a collection."""
    faults = _named_well(given) + _slug_taken(world.collections, given)
    place = _place(world, given, None, faults)
    if len(world.above(place[1])) == DEPTH:
        faults.append(("LIMIT_EXCEEDED", "parentId"))
    if _is_taken(world, place, given["name"]):
        faults.append(("TAKEN", "name"))
    faults += _no_neighbour(world, place, given)
    raise_faults(faults)
    label = _label(world, "c")
    collection = Collection(
        _clean(given["name"]),
        _slug(given, world.collections, "collection"),
        place,
        given["visibility"],
        given.get("description") or "",
    )
    world.children[place] = move_block(world.sisters(place), [label], given.get("position"))
    world.collections[label] = collection
    world.append(who, "CREATED", label)
    return {"collection": label}


def collection_update(world: World, who: str, given: Given) -> Answer:
    """Update a collection, or move it with its descendants."""
    label = _collection(world, given)
    collection = world.collections[label]
    others = {each: other for each, other in world.collections.items() if each != label}
    faults = _named_well(given) + _slug_taken(others, given)
    place = _place(world, given, collection.place, faults)
    faults += _bad_nesting(world, label, place)
    name = given.get("name", collection.name)
    if _is_taken(world, place, name, besides=label):
        cause = "topicId" if given.get("parentId") is None and place[0] != collection.place[0] else "parentId"
        faults.append(("TAKEN", cause if _key(name) == _key(collection.name) else "name"))
    raise_faults(faults + _stale(given, collection.version))
    is_changed, is_moved = _change_fields(collection, given), place != collection.place
    if is_changed or is_moved:
        collection.version += 1
        world.append(who, "UPDATED", label)
    if not is_moved:
        return {"collection": label}
    former = collection.place
    _move(world, who, label, place)
    return {"collection": label, "formerTopic": former[0], "formerParent": former[1]}


def collection_reorder(world: World, who: str, given: Given) -> Answer:
    """Move a collection next to a sibling."""
    label = _collection(world, given)
    place = world.collections[label].place
    faults = _no_neighbour(world, place, given)
    beside, path = neighbour_of(given)
    raise_faults(faults + ([("INVALID", path)] if beside == label else []))
    order = move_block(world.sisters(place), [label], given["position"])
    if order != world.sisters(place):
        world.children[place] = order
        world.append(who, "REORDERED", label)
    return {"collection": label}


def collection_delete(world: World, who: str, given: Given) -> Answer:
    """Delete a collection with its memberships; its children take its position."""
    label = _collection(world, given)
    collection = world.collections[label]
    topic, parent = collection.place
    children, sisters = list(world.sisters((topic, label))), world.sisters(collection.place)
    names = {_key(world.collections[each].name) for each in sisters if each != label}
    faults = _stale(given, collection.version)
    if any(_key(world.collections[child].name) in names for child in children):
        faults.append(("TAKEN", "id"))
    raise_faults(faults)
    at = sisters.index(label)
    world.children[collection.place] = [*sisters[:at], *children, *sisters[at + 1 :]]
    for child in children:
        world.collections[child].place = (topic, parent)
        world.append(who, "REORDERED", child)
    change = world.append(who, "DELETED", label, collection.members)
    change.visibility = collection.visibility if collection.visibility == "INTERNAL" or world.is_shared else None
    del world.children[topic, label]
    del world.collections[label]
    return {"deletedCollectionId": label, "topic": topic, "movedCollections": children, "change": change.label}


def _place(world: World, given: Given, own: Place | None, faults: list[Fault]) -> Place:
    topic, parent = given.get("topicId"), given.get("parentId")
    if topic is not None and topic not in world.topics:
        faults.append(("NOT_FOUND", "topicId"))
    if parent is not None and parent not in world.collections:
        faults.append(("NOT_FOUND", "parentId"))
    elif parent is not None and topic in world.topics and world.collections[parent].place[0] != topic:
        faults.append(("INVALID", "parentId"))
    if faults and faults[-1][1] in {"topicId", "parentId"}:
        raise MutationRejectedError(faults)  # without a position, the rest cannot be validated
    if parent is not None:
        return (world.collections[parent].place[0], parent)
    if own is not None and topic in {None, own[0]}:
        return (own[0], None) if "parentId" in given else own
    assert topic is not None
    return (topic, None)


def _bad_nesting(world: World, label: str, place: Place) -> list[Fault]:
    above = world.above(place[1])
    if label in above:
        return [("CYCLE", "parentId")]
    own = world.above(label)
    levels = max((len(world.above(each)) - len(own) for each in world.below(label)), default=0) + 1
    return [("LIMIT_EXCEEDED", "parentId")] if len(above) + levels > DEPTH else []


def _move(world: World, who: str, label: str, place: Place) -> None:
    """Move a collection with its descendants to the end of its new siblings."""
    collection, below = world.collections[label], world.below(label)
    old = collection.place
    world.sisters(old).remove(label)
    collection.place = place
    world.sisters(place).append(label)
    if place[0] != old[0]:
        for parent in [label, *below]:
            world.children[place[0], parent] = world.children.pop((old[0], parent), [])
        for each in below:
            world.collections[each].place = (place[0], world.collections[each].place[1])
            world.collections[each].version += 1
            world.append(who, "UPDATED", each)


def _empty_into(world: World, who: str, source: str, target: str) -> list[str]:
    """Move all collections of a topic to the end of another; return the moved collections."""
    moved = world.in_topic(source)
    for top in list(world.sisters((source, None))):
        world.collections[top].version += 1
        world.append(who, "UPDATED", top)
        _move(world, who, top, (target, None))
    return moved


def _same_names(world: World, target: str, sources: Mapping[str, str]) -> list[Fault]:
    names = {_key(world.collections[each].name) for each in world.sisters((target, None))}
    faults = []
    for source, path in sources.items():
        for each in world.sisters((source, None)):
            if _key(world.collections[each].name) in names:
                faults.append(("TAKEN", path))
            names.add(_key(world.collections[each].name))
    return faults


def _is_taken(world: World, place: Place, name: str, besides: str | None = None) -> bool:
    sisters = [each for each in world.sisters(place) if each != besides]
    return any(_key(world.collections[each].name) == _key(name) for each in sisters)


def _no_neighbour(world: World, place: Place, given: Given) -> list[Fault]:
    beside, path = neighbour_of(given)
    if beside is None or beside in world.sisters(place):
        return []
    return [("INVALID" if beside in world.collections else "NOT_FOUND", path)]


def _topic(world: World, given: Given, field: str, faults: list[Fault]) -> str:
    label: str = given[field]
    if label not in world.topics:
        raise MutationRejectedError([*faults, ("NOT_FOUND", field)])
    return label


def _collection(world: World, given: Given) -> str:
    label: str = given["id"]
    if label not in world.collections:
        raise MutationRejectedError([("NOT_FOUND", "id")])
    return label


def _stale(given: Given, version: int) -> list[Fault]:
    return [] if given.get("expectedVersion") in {None, version} else [("CONFLICT", "expectedVersion")]


def _set_topics(world: World, order: Iterable[str]) -> None:
    world.topics = {label: world.topics[label] for label in order}


def _change_fields(thing: Any, given: Given) -> bool:
    """Set the input's fields on the object; return whether any of them changed."""
    wanted = {name: given[name] for name in ("name", "slug", "description", "visibility") if name in given}
    wanted |= {"name": _clean(given["name"])} if "name" in given else {}
    wanted |= {"slug": given["slug"].casefold()} if "slug" in given else {}
    differing = {name: value for name, value in wanted.items() if getattr(thing, name) != value}
    for name, value in differing.items():
        setattr(thing, name, value)
    return bool(differing)


def _label(world: World, kind: str) -> str:
    world.made += 1
    return f"{kind}{world.made}"


# Names and slugs.


def _clean(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).split())


def _key(name: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", _clean(name)).casefold())


def _named_well(given: Given) -> list[Fault]:
    faults = [("REQUIRED", "name")] if "name" in given and not _clean(given["name"]) else []
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", given.get("slug", "x").casefold()):
        faults.append(("INVALID", "slug"))
    return faults


def _free(others: Mapping[str, Topic], given: Given) -> list[Fault]:
    name = _key(given.get("name", ""))
    taken = [("TAKEN", "name") for other in others.values() if _key(other.name) == name]
    return taken + _slug_taken(others, given)


def _slug_taken(others: Mapping[str, Topic] | Mapping[str, Collection], given: Given) -> list[Fault]:
    slug = given.get("slug", "").casefold()
    return [("TAKEN", "slug")] if slug in {other.slug for other in others.values()} else []


def _slug(given: Given, others: Mapping[str, Any], otherwise: str) -> str:
    """Return the requested slug, or one derived from the name with the smallest suffix that is free."""
    taken = {other.slug for other in others.values()}
    stem = "-".join(re.findall(r"[a-z0-9]+", _key(given["name"]).replace("🦊", "fox"))) or otherwise
    numbered = (f"{stem}-{number}" for number in range(2, len(taken) + 3))
    free = next(slug for slug in (stem, *numbered) if slug not in taken)
    return str(given.get("slug", free)).casefold()
