"""Model of the world for mutations: its objects as sets and dicts, and their visibility.

Slow and simple on purpose; it shares no code with the product. Every object has a label: users, groups and assets their
names; topics and collections their first slugs, or `t1`, `c1` if a mutation created them; changes their number: `#1`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ANONYMOUS = "anonymous"
DISCOVERABLE, VIEWER, EDITOR, OWNER = 1, 2, 3, 4
ACCESS = {"DISCOVERABLE": DISCOVERABLE, "VIEWER": VIEWER, "EDITOR": EDITOR, "OWNER": OWNER}
OWNERS_ONLY = {"ARCHIVED", "WITHDRAWN"}

Line = Mapping[str, Any]
Place = tuple[str, str | None]
"""A topic and the parent collection; None at the top level."""


@dataclass
class Asset:
    """An asset with its grants and its gold standard: whether it has one, and its note."""

    owner: str
    status: str
    grants: dict[str, int]
    is_gold: bool = False
    gold_note: str | None = None


@dataclass
class Member:
    """A membership: the user who added the asset, and the note."""

    by: str | None = None
    note: str | None = None


@dataclass
class Topic:
    """A topic; its position is its index in the world's topics."""

    name: str
    slug: str
    description: str = ""
    version: int = 1


@dataclass
class Collection:
    """A collection with its members, in order."""

    name: str
    slug: str
    place: Place
    visibility: str
    description: str = ""
    version: int = 1
    members: dict[str, Member] = field(default_factory=dict)


@dataclass
class Change:
    """Entry of the change log: effect of one mutation on one object, with the order of its members before."""

    label: str
    revision: int
    action: str
    subject: str
    who: str
    # Previous membership of each changed asset; None if it was not a member.
    touched: dict[str, Member | None] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    original: str | None = None  # label of the change that an undo, or the undo of an undo, goes back to
    visibility: str | None = None  # of a deleted collection, unless only administrators saw it


@dataclass
class World:
    """The whole world."""

    admins: set[str]
    groups: dict[str, set[str]]
    people: list[str]
    assets: dict[str, Asset]
    topics: dict[str, Topic] = field(default_factory=dict)
    collections: dict[str, Collection] = field(default_factory=dict)
    children: dict[Place, list[str]] = field(default_factory=dict)
    is_shared: bool = True
    log: list[Change] = field(default_factory=list)
    revision: int = 0
    kept: dict[tuple[str, str], tuple[Any, ...]] = field(default_factory=dict)  # stored results, by viewer and key
    inactive: set[str] = field(default_factory=set)  # deactivated users
    names: dict[str, str] = field(default_factory=dict)  # of renamed users and groups; that of others is the label
    sources: dict[str, str] = field(default_factory=dict)  # of users and groups that are not of the catalogue
    made: int = 0  # number of topics and collections created
    # Assets that the last mutation restored and the change that it undid, by collection.
    put_back: dict[str, tuple[str, list[str], Change]] = field(default_factory=dict)

    def append(self, who: str, action: str, subject: str, touched: Mapping[str, Member | None] | None = None) -> Change:
        """Append a change to the log and return it. Call it before members change: it stores their order."""
        held = self.collections.get(subject)
        order = list(held.members) if held else []
        change = Change(f"#{len(self.log) + 1}", self.revision, action, subject, who, dict(touched or {}), order)
        self.log.append(change)
        return change

    def sisters(self, place: Place) -> list[str]:
        """Return the collections with this topic and parent, in order."""
        return self.children.setdefault(place, [])

    def below(self, label: str) -> list[str]:
        """Return the descendants of a collection, parents first."""
        place = (self.collections[label].place[0], label)
        return [found for child in self.sisters(place) for found in (child, *self.below(child))]

    def in_topic(self, topic: str) -> list[str]:
        """Return the collections of a topic, parents first."""
        return [found for top in self.sisters((topic, None)) for found in (top, *self.below(top))]

    def above(self, label: str | None) -> list[str]:
        """Return a collection and its ancestors, the nearest first; an empty list for None."""
        return [] if label is None else [label, *self.above(self.collections[label].place[1])]

    # Visibility.

    def access(self, who: str, asset: str) -> int:
        """Return the viewer's highest access to the asset; 0 for none."""
        speaks_for = {"public"}
        if who != ANONYMOUS:
            speaks_for |= {who, "everyone"} | {group for group, members in self.groups.items() if who in members}
        held = [access for holder, access in self.assets[asset].grants.items() if holder in speaks_for]
        held += [OWNER] if self.assets[asset].owner == who else []
        held += [DISCOVERABLE] if who in self.admins else []
        return max(held, default=0)

    def owns(self, who: str, asset: str) -> bool:
        """Return whether the viewer owns the asset."""
        return self.access(who, asset) == OWNER

    def sees(self, who: str, asset: str) -> bool:
        """Return whether the asset is visible to the viewer."""
        if asset not in self.assets:
            return False
        if who in self.admins:
            return True
        if self.access(who, asset) < (OWNER if self.assets[asset].status in OWNERS_ONLY else DISCOVERABLE):
            return False
        return who != ANONYMOUS or any(
            self.sees_collection(who, label) for label, held in self.collections.items() if asset in held.members
        )

    def sees_collection(self, who: str, label: str) -> bool:
        """Return whether the collection is visible to the viewer."""
        if label not in self.collections:
            return False
        is_public = self.collections[label].visibility == "PUBLIC"
        if who == ANONYMOUS:
            return is_public and self.is_shared
        return who in self.admins or self.is_shared or not is_public

    def sees_topic(self, who: str, label: str) -> bool:
        """Return whether the topic is visible to the viewer."""
        if label not in self.topics or who != ANONYMOUS:
            return label in self.topics
        return any(self.sees_collection(who, each) for each in self.in_topic(label))

    def sees_change(self, who: str, change: Change) -> bool:
        """Return whether the change is visible to the viewer."""
        if who in self.admins:
            return True
        if who == ANONYMOUS or change.action == "REORDERED":
            return False
        if change.subject in self.assets:
            return self.owns(who, change.subject)
        is_seen = self.sees_collection(who, change.subject) or self._saw_deleted(change.subject)
        is_of_members = change.action.startswith("ASSETS") or change.action == "UNDONE"
        return is_seen and (not is_of_members or any(self.sees(who, asset) for asset in change.touched))

    def _saw_deleted(self, label: str) -> bool:
        """Return whether the label is a deleted collection's that members would see if it existed as it was."""
        visibilities = [each.visibility for each in self.log if (each.action, each.subject) == ("DELETED", label)]
        return (visibilities or [None])[-1] in ({"INTERNAL", "PUBLIC"} if self.is_shared else {"INTERNAL"})

    def sees_person(self, who: str, person: str | None) -> bool:
        """Return whether the user is visible to the viewer: anonymous visitors see the owners of visible assets."""
        if person is None or who != ANONYMOUS:
            return person is not None
        return any(asset.owner == person and self.sees(who, label) for label, asset in self.assets.items())

    # The world as one viewer sees it.

    def view(self, who: str) -> dict[str, Any]:
        """Return the visible topics with their contents in order, and the visible assets, users and groups by name."""
        topics = [label for label in self.topics if self.sees_topic(who, label)]
        assets = [label for label in sorted(self.assets) if self.sees(who, label)]
        contents = {
            "topics": [self._topic(who, label) for label in topics],
            "assets": [self._asset(who, label) for label in assets],
        }
        if who == ANONYMOUS:
            return contents
        users, groups = sorted(self.people, key=self._name_key), sorted(self.groups, key=self._name_key)
        return contents | {
            "users": [self._user(label) for label in users],
            "groups": [self._group(who, label) for label in groups],
        }

    def administrators(self) -> list[str]:
        """Return the active administrators; there is always one."""
        return sorted(self.admins - self.inactive)

    def _name_key(self, label: str) -> str:
        return self.names.get(label, label).casefold()

    def _user(self, label: str) -> dict[str, Any]:
        facts = {"isAdmin": label in self.admins, "isActive": label not in self.inactive}
        return {"id": label, "name": self.names.get(label, label), **facts, **self._source(label)}

    def _group(self, who: str, label: str) -> dict[str, Any]:
        is_seen = who in self.admins or who in self.groups[label]
        members = sorted(self.groups[label], key=self._name_key) if is_seen else None
        return {"id": label, "name": self.names.get(label, label), "members": members, **self._source(label)}

    def _source(self, label: str) -> dict[str, str]:
        return {"provisionedBy": self.sources.get(label, "CATALOGUE")}

    def _topic(self, who: str, label: str) -> dict[str, Any]:
        topic = self.topics[label]
        held = [self._collection(who, each) for each in self.in_topic(label) if self.sees_collection(who, each)]
        return {"id": label, "name": topic.name, "slug": topic.slug, "version": topic.version, "collections": held}

    def _collection(self, who: str, label: str) -> dict[str, Any]:
        collection = self.collections[label]
        parent = collection.place[1]
        members = [asset for asset in collection.members if self.sees(who, asset)]
        return {
            "id": label,
            "name": collection.name,
            "slug": collection.slug,
            "visibility": collection.visibility,
            "version": collection.version,
            "parent": parent if parent and self.sees_collection(who, parent) else None,
            "assetCounts": len(members),
            "assets": [self._member(who, asset, collection.members[asset]) for asset in members],
        }

    def _member(self, who: str, asset: str, member: Member) -> dict[str, Any]:
        return {
            "node": asset,
            "note": member.note,
            "addedBy": member.by if self.sees_person(who, member.by) else None,
            "viewerCanRemove": who in self.admins or self.owns(who, asset),
        }

    def _asset(self, who: str, label: str) -> dict[str, Any]:
        asset = self.assets[label]
        names = {access: name for name, access in ACCESS.items()}
        return {
            "id": label,
            "status": asset.status,
            "viewerAccess": names[self.access(who, label)],
            "goldStandard": {"note": asset.gold_note} if asset.is_gold else None,
        }


def build_world(lines: Iterable[Line]) -> World:
    """Return the world of a catalogue's lines."""
    told = list(lines)
    users = [line for line in told if line["kind"] == "user"]
    world = World(
        admins={line["id"] for line in users if line["isAdmin"]},
        groups={line["id"]: set(line["members"]) for line in told if line["kind"] == "group"},
        people=[line["id"] for line in users],
        assets={line["id"]: _asset(line) for line in told if line["kind"] == "asset"},
        topics={line["slug"]: Topic(line["name"], line["slug"]) for line in told if line["kind"] == "topic"},
    )
    for line in told:
        if line["kind"] == "collection":
            place = (line["topic"], line["parent"])
            members = {asset: Member() for asset in line["assets"]}
            world.sisters(place).append(line["slug"])
            world.collections[line["slug"]] = Collection(
                line["name"], line["slug"], place, line["visibility"], members=members
            )
    return world


def _asset(line: Line) -> Asset:
    status = "RELEASED" if line["released"] else "DRAFT"
    status = "ARCHIVED" if line["archived"] else "WITHDRAWN" if line["withdrawn"] else status
    grants = {grant["to"]: ACCESS[grant["role"]] for grant in line["grants"]}
    return Asset(line["owner"], status, grants | {line["owner"]: OWNER})


def move_block(order: Iterable[str], block: Sequence[str], position: Mapping[str, Any] | None) -> list[str]:
    """Return the order with the block moved to the position; to the end without one."""
    rest = [label for label in order if label not in block]
    ((side, beside),) = (position or {"atEnd": True}).items()
    if side in {"atStart", "atEnd"}:
        at = 0 if side == "atStart" else len(rest)
    else:
        at = rest.index(beside) + (side == "afterId")
    return [*rest[:at], *block, *rest[at:]]
