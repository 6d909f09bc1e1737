"""Oracle of exports: the lines that each viewer gets, computed by plain loops over the lines of a catalogue.

Slow and simple on purpose; it shares no code with the product.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from tests.oracle import ANONYMOUS, EPOCH, OWNER, VIEWER, Line, Model, milliseconds

CONTENT = ("url", "source", "uses")
PLAIN_FIELDS = ("description", "tags", "license", "doi", "version", "language", "stepCount", "appKind", "dataKind")
COUNTED_FIELDS = ("sizeBytes", "fileCount", "framework")
STATUS_FIELDS = ("released", "archived", "withdrawn", "state")
DEFAULTS = (None, [], "")


def exported_lines(model: Model, who: str) -> list[Line]:
    """Return the lines that the viewer gets, in order."""
    parts = (_users, _groups, _topics, _assets, _collections)
    return [_without_defaults(line) for part in parts for line in part(model, who)]


def _without_defaults(line: Line) -> Line:
    required = {"kind", "members", "grants", "assets"}
    return {name: value for name, value in line.items() if name in required or value not in DEFAULTS}


def _user_id(model: Model, who: str, user: str) -> str:
    """Return the id of a user; anonymous visitors get the one in the graph."""
    return model.ids[user] if who == ANONYMOUS else user


def _users(model: Model, who: str) -> list[Line]:
    if who != ANONYMOUS:
        return [
            {"kind": "user", "id": id_, "name": user["name"], "email": user.get("email")}
            | ({"isAdmin": True} if user.get("isAdmin") else {})
            for id_, user in sorted(model.users.items())
        ]
    owners = {model.asset[asset]["owner"] for asset in model.asset if model.sees_asset(who, asset)}
    lines = [{"kind": "user", "id": model.ids[owner], "name": model.users[owner]["name"]} for owner in owners]
    return sorted(lines, key=lambda line: line["id"])


def _groups(model: Model, who: str) -> Iterator[Line]:
    for id_, group in sorted(model.groups.items()) if who != ANONYMOUS else ():
        members = set(group["members"])
        is_shown = model.is_admin(who) or who in members
        yield {"kind": "group", "id": id_, "name": group["name"], "members": sorted(members) if is_shown else []}


def _topics(model: Model, who: str) -> Iterator[Line]:
    for slug in model.topics(who):
        line = model.topic[slug]
        yield {"kind": "topic", "slug": slug, "name": line["name"], "description": line.get("description")}


def _assets(model: Model, who: str) -> Iterator[Line]:
    for id_ in sorted(asset for asset in model.asset if model.sees_asset(who, asset)):
        line, access = model.asset[id_], model.access(who, id_)
        exported: dict[str, Any] = {"kind": "asset", "id": id_, "type": line["type"], "name": line["name"]}
        exported |= {"owner": _user_id(model, who, line["owner"]), "grants": _grants(line) if access == OWNER else []}
        exported |= {name: line.get(name) for name in (*PLAIN_FIELDS, *COUNTED_FIELDS)}
        exported |= {name: line[name] for name in STATUS_FIELDS if name in line}
        exported |= {name: _format_instant(line[name]) for name in ("createdAt", "updatedAt")}
        if access >= VIEWER:
            exported |= {"url": line.get("url"), "source": line.get("source"), "uses": model.uses(who, id_)}
        yield exported


def _grants(line: Line) -> list[Line]:
    return sorted((grant for grant in line["grants"] if grant["to"] != line["owner"]), key=lambda grant: grant["to"])


def _collections(model: Model, who: str) -> Iterator[Line]:
    for slug in model.collections(who, "POSITION"):
        line = model.collection[slug]
        yield {
            "kind": "collection",
            "slug": slug,
            "name": line["name"],
            "topic": line["topic"],
            "parent": model.parent(who, slug),
            "visibility": line["visibility"],
            "description": line.get("description"),
            "assets": model.collection_assets(who, slug),
        }


def _format_instant(text: str) -> str:
    instant = EPOCH + timedelta(milliseconds=milliseconds(text))
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")
