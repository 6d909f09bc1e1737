"""Expected responses for objects, edges and page info, by the oracle."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from tests.oracle import ACCESS, ANONYMOUS, EPOCH, OWNER, TYPES, VIEWER, Line, Model, sort_key

Expected = dict[str, Any]

ROLE_OF_ACCESS = {access: role for role, access in ACCESS.items()}
# Fields that not every kind of asset has, by kind.
FIELDS_OF_KIND = {
    "CAPSULE": ("language",),
    "PIPELINE": ("language", "stepCount"),
    "NO_CODE_APP": ("appKind",),
    "DATA_ASSET": ("dataKind", "sizeBytes", "fileCount"),
    "MODEL": ("framework",),
}
PERSON = "{ __typename id name email }"
USER = "name email userExternalId: externalId isAdmin isActive provisionedBy"
GROUP = "name groupExternalId: externalId provisionedBy members(first: 100) { nodes { externalId } }"
ASSET = f"""__typename ... on AssetFields {{
  id externalId kind status name about: description owner {PERSON} tags license doi version createdAt updatedAt
  properties {{ name values }}
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


def asset(model: Model, who: str, name: str) -> Expected | None:
    """Return the asset as the viewer sees it; None if it is hidden."""
    if name not in model.asset or not model.sees_asset(who, name):
        return None
    line, access = model.asset[name], model.access(who, name)
    fields = {
        "__typename": TYPES[line["type"]],
        "id": model.ids[name],
        "externalId": name,
        "kind": line["type"],
        "status": model.status(name),
        "owner": person(model, who, line["owner"]),
        "tags": list(dict.fromkeys(line.get("tags", ()))),
        "properties": [
            {"name": name, "values": [values] if isinstance(values, str) else values}
            for name, values in line.get("properties", {}).items()
        ],
        "createdAt": format_instant(model.created_at(name)),
        "updatedAt": format_instant(model.updated_at(name)),
        "goldStandard": _award(model, who, name),
        "viewerAccess": ROLE_OF_ACCESS[access],
        "about": line.get("description"),
        "url": line.get("url") if access >= VIEWER else None,
        "grants": _grants(model, name) if access >= OWNER or model.is_admin(who) else None,
    }
    fields |= {field: line.get(field) for field in ("name", "license", "doi", "version")}
    fields |= {field: line.get(field) for field in FIELDS_OF_KIND[line["type"]]}
    if line["type"] in {"DATA_ASSET", "MODEL"}:
        fields["source"] = line.get("source") if access >= VIEWER else None
    if line["type"] == "NO_CODE_APP":
        releases = [name for name in model.uses(who, name) if model.asset[name]["type"] in {"CAPSULE", "PIPELINE"}]
        fields["release"] = {"id": model.ids[releases[0]]} if releases else None
    return fields


def collection(model: Model, who: str, slug: str) -> Expected | None:
    """Return the collection as the viewer sees it; None if it is hidden."""
    if slug not in model.collection or not model.sees_collection(who, slug):
        return None
    line, parent, is_admin = model.collection[slug], model.parent(who, slug), model.is_admin(who)
    viewer_can = dict.fromkeys(("update", "delete", "addAssets", "reorderAssets", "moveToTopic"), is_admin)
    return {
        "__typename": "Collection",
        "id": model.ids[slug],
        **{field: line[field] for field in ("slug", "name", "description", "visibility")},
        "topic": {"slug": line["topic"]},
        "parent": {"slug": parent} if parent else None,
        "ancestors": [{"slug": slug} for slug in model.ancestors(who, slug)],
        "updatedAt": format_instant(model.changed_at[slug]),
        "viewerCan": viewer_can | {"addAssets": who != ANONYMOUS},
    }


def topic(model: Model, who: str, slug: str) -> Expected | None:
    """Return the topic as the viewer sees it; None if it is hidden."""
    if slug not in model.topic or not model.sees_topic(who, slug):
        return None
    line = model.topic[slug]
    fields = {field: line[field] for field in ("slug", "name", "description")}
    return {"__typename": "Topic", "id": model.topic_id(slug), **fields}


def person(model: Model, who: str, user: str | None) -> Expected | None:
    """Return the user as the viewer sees it. Anonymous visitors see owners of visible assets, without email."""
    is_member = who != ANONYMOUS
    if user is None or not (is_member or any(model.asset[slug]["owner"] == user for slug in model.assets(who))):
        return None
    line = model.users[user]
    email = line.get("email") if is_member else None
    return {"__typename": "User", "id": model.ids[user], "name": line["name"], "email": email}


def user(model: Model, who: str, name: str) -> Expected | None:
    """Return the user with the fields of the directory, which are null for anonymous visitors."""
    fields = person(model, who, name)
    if fields is None:
        return None
    line = model.users[name]
    directory = {
        "userExternalId": name,
        "isAdmin": bool(line.get("isAdmin")),
        "isActive": model.is_active(name),
        "provisionedBy": line.get("provisionedBy", "CATALOGUE"),
    }
    return fields | (dict.fromkeys(directory) if who == ANONYMOUS else directory)


def group(model: Model, who: str, name: str) -> Expected | None:
    """Return the group as the viewer sees it; None for an anonymous visitor."""
    if who == ANONYMOUS:
        return None
    members = {"nodes": [{"externalId": user} for user in model.group_members(who, name)]}
    fields = {
        "groupExternalId": name,
        "provisionedBy": model.groups[name].get("provisionedBy", "CATALOGUE"),
        "members": members if model.sees_members(who, name) else None,
    }
    return {"__typename": "Group", "id": model.ids[name], "name": model.groups[name]["name"], **fields}


def contains(model: Model, who: str, slug: str, name: str) -> bool | None:
    """Return whether the collection contains the asset; None if the asset is hidden."""
    return name in model.members[slug] if name in model.asset and model.sees_asset(who, name) else None


def edge(model: Model, who: str, location: tuple[str, str, str], name: str, *, with_descendants: bool) -> Expected:
    """Return the edge fields of an object in a list. `location` is the list's parent type, parent and field."""
    kind, parent, field = location
    if (kind, field) == ("collection", "addableAssets"):
        added_at = model.added_at.get((parent, name))
        return {"isMember": added_at is not None, "addedAt": None if added_at is None else format_instant(added_at)}
    if (kind, field) == ("asset", "collections"):
        return _membership(model, who, name, parent)
    if (kind, field) == ("collection", "assets"):
        holding_collection = model.collection_of_asset(who, parent, include_descendants=with_descendants)[name]
        can_remove = who != ANONYMOUS and (model.is_admin(who) or model.access(who, name) == OWNER)
        return {**_membership(model, who, holding_collection, name), "viewerCanRemove": can_remove}
    return {}


def page_info(cursors: Sequence[str], start: int, end: int, *, arguments: Line) -> Expected:
    """Return the page info of the items from start to end.

    A cursor in the arguments is that of an item beyond the page. Without it, another page is reported in the direction
    of paging only.
    """
    has_after = "after" in arguments
    has_before = "before" in arguments
    is_backward = "last" in arguments
    return {
        "hasNextPage": has_before or (not is_backward and end < len(cursors)),
        "hasPreviousPage": has_after or (is_backward and start > 0),
        "startCursor": cursors[start] if start < end else None,
        "endCursor": cursors[end - 1] if start < end else None,
    }


def format_instant(at: int) -> str:
    """Format an instant as the API does."""
    return (EPOCH + timedelta(milliseconds=at)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _membership(model: Model, who: str, slug: str, name: str) -> Expected:
    added_by = person(model, who, model.added_by.get((slug, name)))
    return {
        "addedAt": format_instant(model.added_at[slug, name]),
        "addedBy": {"id": added_by["id"]} if added_by else None,
        "note": model.notes.get((slug, name)),
    }


def _award(model: Model, who: str, name: str) -> Expected | None:
    award: Mapping[str, Any] | None = model.awards.get(name)
    if award is None:
        return None
    return {
        "awardedAt": format_instant(award["at"]),
        "awardedBy": person(model, who, award["by"]),
        "note": award["note"],
    }


def _grants(model: Model, name: str) -> list[Expected]:
    """Return the grants, ordered by access descending, then by the holder's name."""
    access_by_holder = {grant["to"]: ACCESS[grant["role"]] for grant in model.asset[name]["grants"]}
    names = {"everyone": "Everyone", "public": "Public"}
    names |= {id_: line["name"] for id_, line in (model.users | model.groups).items()}
    holders = sorted(
        access_by_holder, key=lambda to: (-access_by_holder[to], sort_key({"name": names[to]}), model.ids[to])
    )
    return [{"access": ROLE_OF_ACCESS[access_by_holder[to]], "principal": _principal(model, to)} for to in holders]


def _principal(model: Model, to: str) -> Expected:
    if to in {"everyone", "public"}:
        return {"__typename": to.capitalize(), "label": to.capitalize()}
    return {"__typename": "User" if to in model.users else "Group", "id": model.ids[to]}
