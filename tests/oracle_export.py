"""Oracle of exports: the lines that each viewer gets, computed by plain loops over the lines of a catalogue.

Slow and simple on purpose; it shares no code with the product.
"""

from collections.abc import Iterator
from datetime import timedelta

from tests.oracle import ANONYMOUS, EPOCH, OWNER, VIEWER, Line, Model, milliseconds

CONTENT = ("url", "source", "uses")
DEFAULTS: tuple[object, ...] = (None, [], "", {})


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
            | ({"isActive": False} if user.get("isActive") is False else {})
            for id_, user in sorted(model.users.items())
        ]
    owners = _shown_owners(model)
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
        shown = {name: value for name, value in line.items() if access >= VIEWER or name not in CONTENT}
        yield shown | {
            "owner": _user_id(model, who, line["owner"]),
            "grants": _grants(model, who, id_),
            "uses": model.uses(who, id_),
            "goldStandard": _award(model, id_),
            **{name: _format_instant(line[name]) for name in ("createdAt", "updatedAt")},
        }


def _award(model: Model, asset: str) -> Line | None:
    if asset not in model.awards:
        return None
    return _without_defaults({"awardedAt": _format(model.awards[asset]["at"]), "note": model.awards[asset]["note"]})


def _grants(model: Model, who: str, asset: str) -> list[Line]:
    """Return the grants, for owners and administrators; anonymous visitors see no grants of users and groups."""
    line = model.asset[asset]
    if model.access(who, asset) < OWNER and not model.is_admin(who):
        return []
    shown = [grant for grant in line["grants"] if who != ANONYMOUS or grant["to"] in {"everyone", "public"}]
    return sorted((grant for grant in shown if grant["to"] != line["owner"]), key=lambda grant: str(grant["to"]))


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
            "assets": [_member(model, who, slug, asset) for asset in model.collection_assets(who, slug)],
        }


def _member(model: Model, who: str, slug: str, asset: str) -> Line:
    pair = (slug, asset)
    adder = model.added_by.get(pair)
    is_shown = adder and (who != ANONYMOUS or adder in _shown_owners(model))
    member = {"id": asset, "note": model.notes.get(pair), "addedAt": _format(model.added_at[pair])}
    return _without_defaults(member | {"addedBy": _user_id(model, who, adder) if adder and is_shown else None})


def _shown_owners(model: Model) -> set[str]:
    """Return the owners of the assets that anonymous visitors see: the only users that they see."""
    return {model.asset[asset]["owner"] for asset in model.asset if model.sees_asset(ANONYMOUS, asset)}


def _format_instant(text: str) -> str:
    return _format(milliseconds(text))


def _format(at: int) -> str:
    instant = EPOCH + timedelta(milliseconds=at)
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")
