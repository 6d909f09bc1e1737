"""This file is what the graph should tell of lists, edges and objects: the oracle's word in the graph's form."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from tests.oracle import ACCESS, ANONYMOUS, EPOCH, OWNER, TYPES, VIEWER, Line, Model

Told = dict[str, Any]

ROLES = {access: role for role, access in ACCESS.items()}
# Fields of one kind of asset alone.
OWN_FIELDS = {
    "CAPSULE": ("language",),
    "PIPELINE": ("language", "stepCount"),
    "NO_CODE_APP": ("appKind",),
    "DATA_ASSET": ("dataKind", "sizeBytes", "fileCount"),
    "MODEL": ("framework",),
}
PERSON = "{ __typename id name email }"
ASSET = f"""__typename ... on AssetFields {{
  id externalId kind status name about: description owner {PERSON} tags license doi version createdAt updatedAt
  goldStandard {{ awardedAt awardedBy {PERSON} note }} viewerAccess url
  grants {{ access principal {{ __typename ... on User {{ id }} ... on Group {{ id }}
    ... on Everyone {{ label }} ... on Public {{ label }} }} }}
}}
... on Capsule {{ language }} ... on Pipeline {{ language stepCount }}
... on NoCodeApp {{ appKind release {{ ... on AssetFields {{ id }} }} }}
... on DataAsset {{ dataKind sizeBytes fileCount source }} ... on Model {{ framework source }}"""
COLLECTION = """__typename id slug name description visibility topic { slug } parent { slug } ancestors { slug }
updatedAt viewerCan { update delete addAssets reorderAssets moveToTopic }"""
TOPIC = "__typename id slug name description"


def asset(model: Model, who: str, name: str) -> Told | None:
    """Return all that the viewer is told of an asset; None where it does not exist for them."""
    if name not in model.asset or not model.sees_asset(who, name):
        return None
    line, access = model.asset[name], model.access(who, name)
    told = {
        "__typename": TYPES[line["type"]],
        "id": model.ids[name],
        "externalId": name,
        "kind": line["type"],
        "status": model.status(name),
        "owner": person(model, who, line["owner"]),
        "tags": list(dict.fromkeys(line.get("tags", ()))),
        "createdAt": instant(model.created_at(name)),
        "updatedAt": instant(model.updated_at(name)),
        "goldStandard": _award(model, who, name),
        "viewerAccess": ROLES[access],
        "about": line.get("description"),
        "url": line.get("url") if access >= VIEWER else None,
        "grants": _grants(model, name) if access >= OWNER else None,
    }
    told |= {field: line.get(field) for field in ("name", "license", "doi", "version")}
    told |= {field: line.get(field) for field in OWN_FIELDS[line["type"]]}
    if line["type"] in {"DATA_ASSET", "MODEL"}:
        told["source"] = line.get("source") if access >= VIEWER else None
    if line["type"] == "NO_CODE_APP":
        runs = [used for used in model.uses(who, name) if model.asset[used]["type"] in {"CAPSULE", "PIPELINE"}]
        told["release"] = {"id": model.ids[runs[0]]} if runs else None
    return told


def collection(model: Model, who: str, slug: str) -> Told | None:
    """Return all that the viewer is told of a collection; None where it does not exist for them."""
    if slug not in model.collection or not model.sees_collection(who, slug):
        return None
    line, above, is_admin = model.collection[slug], model.parent(who, slug), model.is_admin(who)
    may = dict.fromkeys(("update", "delete", "addAssets", "reorderAssets", "moveToTopic"), is_admin)
    return {
        "__typename": "Collection",
        "id": model.ids[slug],
        **{field: line[field] for field in ("slug", "name", "description", "visibility")},
        "topic": {"slug": line["topic"]},
        "parent": {"slug": above} if above else None,
        "ancestors": [{"slug": each} for each in model.ancestors(who, slug)],
        "updatedAt": instant(model.changed_at[slug]),
        "viewerCan": may | {"addAssets": who != ANONYMOUS},
    }


def topic(model: Model, who: str, slug: str) -> Told | None:
    """Return all that the viewer is told of a topic; None where it does not exist for them."""
    if slug not in model.topic or not model.sees_topic(who, slug):
        return None
    line = model.topic[slug]
    told = {field: line[field] for field in ("slug", "name", "description")}
    return {"__typename": "Topic", "id": model.topic_id(slug), **told}


def person(model: Model, who: str, user: str | None) -> Told | None:
    """Return what the viewer is told of a user: visitors know the owners of what they see, without their addresses."""
    is_member = who != ANONYMOUS
    if user is None or not (is_member or any(model.asset[each]["owner"] == user for each in model.assets(who))):
        return None
    line = model.users[user]
    email = line.get("email") if is_member else None
    return {"__typename": "User", "id": model.ids[user], "name": line["name"], "email": email}


def group(model: Model, who: str, name: str) -> Told | None:
    """Return what the viewer is told of a group: members know them all."""
    if who == ANONYMOUS:
        return None
    return {"__typename": "Group", "id": model.ids[name], "name": model.groups[name]["name"]}


def contains(model: Model, who: str, slug: str, name: str) -> bool | None:
    """Return whether a collection holds an asset; None for one that does not exist for the viewer."""
    return name in model.members[slug] if name in model.asset and model.sees_asset(who, name) else None


def edge(model: Model, who: str, of: tuple[str, str, str], name: str, *, below: bool) -> Told:
    """Return what the edge to an object tells in the list: of a kind of parent, the parent, and the field."""
    kind, parent, field = of
    if (kind, field) == ("collection", "addableAssets"):
        added_at = model.added_at.get((parent, name))
        return {"isMember": added_at is not None, "addedAt": None if added_at is None else instant(added_at)}
    if (kind, field) == ("asset", "collections"):
        return _membership(model, who, name, parent)
    if (kind, field) == ("collection", "assets"):
        where = model.collection_of_asset(who, parent, include_descendants=below)[name]
        may_remove = who != ANONYMOUS and (model.is_admin(who) or model.access(who, name) == OWNER)
        return {**_membership(model, who, where, name), "viewerCanRemove": may_remove}
    return {}


def page_info(cursors: Sequence[str], start: int, end: int, *, asked: Line) -> Told:
    """Return where the page from start to end lies in a list: behind, more is told of where a cursor was given."""
    behind = "after" in asked
    ahead = "before" in asked
    is_backward = "last" in asked
    return {
        "hasNextPage": ahead if is_backward else end < len(cursors),
        "hasPreviousPage": start > 0 if is_backward else behind,
        "startCursor": cursors[start] if start < end else None,
        "endCursor": cursors[end - 1] if start < end else None,
    }


def instant(at: int) -> str:
    """Return an instant as the graph writes it."""
    return (EPOCH + timedelta(milliseconds=at)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _membership(model: Model, who: str, slug: str, name: str) -> Told:
    added_by = person(model, who, model.added_by.get((slug, name)))
    return {
        "addedAt": instant(model.added_at[slug, name]),
        "addedBy": {"id": added_by["id"]} if added_by else None,
        "note": model.notes.get((slug, name)),
    }


def _award(model: Model, who: str, name: str) -> Told | None:
    award: Mapping[str, Any] | None = model.awards.get(name)
    if award is None:
        return None
    return {"awardedAt": instant(award["at"]), "awardedBy": person(model, who, award["by"]), "note": award["note"]}


def _grants(model: Model, name: str) -> list[Told]:
    """Return the grants, the greatest first, then by the holder's name."""
    held = {grant["to"]: ACCESS[grant["role"]] for grant in model.asset[name]["grants"]}
    names = {"everyone": "Everyone", "public": "Public"}
    names |= {id_: line["name"] for id_, line in (model.users | model.groups).items()}
    in_order = sorted(held, key=lambda to: (-held[to], names[to], model.ids[to]))
    return [{"access": ROLES[held[to]], "principal": _principal(model, to)} for to in in_order]


def _principal(model: Model, to: str) -> Told:
    if to in {"everyone", "public"}:
        return {"__typename": to.capitalize(), "label": to.capitalize()}
    return {"__typename": "User" if to in model.users else "Group", "id": model.ids[to]}
