"""Oracle of lists: the expected response to each list field, computed by plain loops over a catalogue's lines.

Slow and simple on purpose; it shares no code with the product. Objects are named by external id or slug; public ids are
passed in, to break ties and to read filters.
"""

import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

ANONYMOUS = "anonymous"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DISCOVERABLE, VIEWER, EDITOR, OWNER = 1, 2, 3, 4
ACCESS = {"DISCOVERABLE": DISCOVERABLE, "VIEWER": VIEWER, "EDITOR": EDITOR, "OWNER": OWNER}
TYPES = {  # GraphQL type by kind
    "CAPSULE": "Capsule",
    "PIPELINE": "Pipeline",
    "NO_CODE_APP": "NoCodeApp",
    "DATA_ASSET": "DataAsset",
    "MODEL": "Model",
}
KINDS = tuple(TYPES)
COUNT_FIELDS = {  # field of AssetCounts by kind
    "CAPSULE": "capsules",
    "PIPELINE": "pipelines",
    "NO_CODE_APP": "noCodeApps",
    "DATA_ASSET": "dataAssets",
    "MODEL": "models",
}

Line = Mapping[str, Any]
Names = list[str]


def milliseconds(text: str) -> int:
    """Return a timestamp in milliseconds since 1970 UTC."""
    instant = datetime.fromisoformat(text)
    return (instant.replace(tzinfo=instant.tzinfo or UTC) - EPOCH) // timedelta(milliseconds=1)


def name_key(line: Line) -> str:
    """Return the name by which siblings are compared."""
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", line["name"]).casefold()).split())


# Letters that have no accent in Unicode although they look so, and forms of Arabic letters.
BASE_LETTERS = {"ø": "o", "đ": "d", "ħ": "h", "\u0131": "i", "ł": "l", "ŧ": "t", "æ": "ae", "œ": "oe", "þ": "th"}
BASE_LETTERS |= {"ð": "d", "\u0671": "\u0627", "\u0649": "\u064a", "\u06cc": "\u064a"}
BASE_LETTERS |= {"\u0629": "\u0647", "\u06a9": "\u0643"}
VOWEL_POINTS, FIRST_ACCENT = range(10, 37), 200  # combining classes


def strip_accents(text: str) -> str:
    """Return the text without accents, points of Hebrew and Arabic, tatweel and soft hyphens."""
    if text.isascii():
        return text
    kept = (each for each in unicodedata.normalize("NFKD", text) if not _is_accent(each))
    return unicodedata.normalize("NFC", "".join(kept))


def _is_accent(character: str) -> bool:
    combining = unicodedata.combining(character)
    is_variation = "\ufe00" <= character <= "\ufe0f"
    return character in "\u0640\u00ad" or combining in VOWEL_POINTS or combining >= FIRST_ACCENT or is_variation


def fold(text: str) -> str:
    """Return the text without case and, after `strip_accents`, with base letters."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", "".join(BASE_LETTERS.get(each, each) for each in text.casefold()))


def sort_key(line: Line) -> list[tuple[str, int]]:
    """Return the sort key of a name: its characters one by one, a number by its value."""
    text, parts, at = " ".join(fold(strip_accents(line["name"])).split()), list[tuple[str, int]](), 0
    while at < len(text):
        end = at
        while end < len(text) and text[end].isdecimal():
            end += 1
        # A number has the place of the digits among the characters.
        parts.append(("0", int(text[at:end])) if end > at else (text[at], -1))
        at = max(end, at + 1)
    return parts


def tag_key(tag: str) -> str:
    """Return the text that the spellings of a tag have in common."""
    folded = fold(strip_accents(tag))
    spaced = "".join(" " if each == "_" or unicodedata.category(each) == "Pd" else each for each in folded)
    return " ".join(spaced.split()) or tag


@dataclass
class Model:
    """World: the lines of its catalogue, and facts that lines do not contain."""

    lines: Sequence[Line]
    ids: Mapping[str, str]  # public id by external id or slug; a collection's if a topic has the same slug
    written_at: int = 0  # time of the import
    has_public_sharing: bool = True
    gold: set[str] = field(default_factory=set)
    added_at: dict[tuple[str, str], int] = field(default_factory=dict)  # by collection and asset
    changed_at: dict[str, int] = field(default_factory=dict)  # by collection
    order: Names = field(
        default_factory=list
    )  # administrators' order of collections, and of topics without an order of their own
    topic_order: Names = field(default_factory=list)
    topic_ids: Mapping[str, str] = field(default_factory=dict)  # by slug, for topics that are not in `ids`
    added_by: dict[tuple[str, str], str] = field(default_factory=dict)  # a user, by collection and asset
    notes: dict[tuple[str, str], str] = field(default_factory=dict)  # by collection and asset
    awards: dict[str, Line] = field(default_factory=dict)  # of gold standards: time, administrator and note

    def __post_init__(self) -> None:
        """Group the lines by kind."""
        kinds = ("user", "group", "asset", "topic", "collection")
        by_kind = {kind: [line for line in self.lines if line["kind"] == kind] for kind in kinds}
        self.users = {line["id"]: line for line in by_kind["user"]}
        self.groups = {line["id"]: line for line in by_kind["group"]}
        self.asset = {line["id"]: line for line in by_kind["asset"]}
        self.topic = {line["slug"]: line for line in by_kind["topic"]}
        self.collection = {line["slug"]: line for line in by_kind["collection"]}
        self.members = {slug: list(dict.fromkeys(line["assets"])) for slug, line in self.collection.items()}
        self.holders: dict[str, Names] = {asset: [] for asset in self.asset}
        for slug, held in self.members.items():
            for asset in held:
                self.holders[asset].append(slug)

    # Visibility.

    def is_active(self, who: str) -> bool:
        """Return whether the user may sign in."""
        return self.users[who].get("isActive") is not False

    def is_admin(self, who: str) -> bool:
        """Return whether the viewer is an administrator."""
        return who != ANONYMOUS and bool(self.users[who].get("isAdmin"))

    def access(self, who: str, asset: str) -> int:
        """Return the viewer's highest access to the asset; 0 for none."""
        speaks_for = {"public"}
        if who != ANONYMOUS:
            speaks_for |= {who, "everyone"} | {id_ for id_, group in self.groups.items() if who in group["members"]}
        line = self.asset[asset]
        held = [ACCESS[grant["role"]] for grant in line["grants"] if grant["to"] in speaks_for]
        held += [OWNER] if line["owner"] == who else []
        held += [DISCOVERABLE] if self.is_admin(who) else []
        return max(held, default=0)

    def status(self, asset: str) -> str:
        """Return the asset's status."""
        line = self.asset[asset]
        state = line.get("state", "READY")
        if line.get("withdrawn"):
            return "WITHDRAWN"
        if line.get("archived"):
            return "ARCHIVED"
        if state == "FAILED":
            return "FAILED"
        return "RELEASED" if line.get("released", True) and state == "READY" else "DRAFT"

    def sees_asset(self, who: str, asset: str) -> bool:
        """Return whether the asset is visible to the viewer."""
        if self.is_admin(who):
            return True
        if self.access(who, asset) < (OWNER if self.status(asset) in {"ARCHIVED", "WITHDRAWN"} else DISCOVERABLE):
            return False
        return who != ANONYMOUS or any(self.sees_collection(who, slug) for slug in self.holders[asset])

    def sees_collection(self, who: str, slug: str) -> bool:
        """Return whether the collection is visible to the viewer."""
        is_public = self.collection[slug]["visibility"] == "PUBLIC"
        if who == ANONYMOUS:
            return is_public and self.has_public_sharing
        return self.is_admin(who) or self.has_public_sharing or not is_public

    def sees_topic(self, who: str, slug: str) -> bool:
        """Return whether the topic is visible to the viewer."""
        return who != ANONYMOUS or any(
            line["topic"] == slug and self.sees_collection(who, each) for each, line in self.collection.items()
        )

    def sees_members(self, who: str, group: str) -> bool:
        """Return whether the viewer may see the members of the group."""
        return self.is_admin(who) or who in self.groups[group]["members"]

    # Lists. `descending` reverses the whole order.

    def topics(self, who: str) -> Names:
        """Return the topics in the administrators' order."""
        return sorted((slug for slug in self.topic if self.sees_topic(who, slug)), key=self._topic_place)

    def collections(
        self,
        who: str,
        order: str = "NAME",
        filter: Line | None = None,
        topic: str | None = None,
        *,
        descending: bool = False,
    ) -> Names:
        """Return all visible collections, or only those of one topic."""
        found = [
            slug
            for slug, line in self.collection.items()
            if self.sees_collection(who, slug)
            and topic in {None, line["topic"]}
            and self.collection_matches(who, slug, filter)
        ]
        orders: dict[str, Callable[[str], Any]] = {
            "POSITION": lambda slug: (self._topic_place(self.collection[slug]["topic"]), self._place(slug)),
            "NAME": lambda slug: (sort_key(self.collection[slug]), self.ids[slug]),
            "UPDATED_AT": lambda slug: (self.changed_at.get(slug, self.written_at), self.ids[slug]),
            "ASSET_COUNT": lambda slug: (len(self.collection_assets(who, slug)), self.ids[slug]),
        }
        return sorted(found, key=orders[order], reverse=descending)

    def children(
        self,
        who: str,
        slug: str,
        order: str = "POSITION",
        filter: Line | None = None,
        *,
        descending: bool = False,
    ) -> Names:
        """Return the children of a collection."""
        found = self.collections(who, order, filter, descending=descending)
        return [each for each in found if self.parent(who, each) == slug]

    def parent(self, who: str, slug: str) -> str | None:
        """Return the parent of a collection; None if it has none or if either of them is hidden."""
        above = self.collection[slug].get("parent")
        return above if above and self.sees_collection(who, slug) and self.sees_collection(who, above) else None

    def ancestors(self, who: str, slug: str) -> Names:
        """Return the ancestors of a collection from the root down, only those below the nearest hidden one."""
        above = self.parent(who, slug)
        return [] if above is None else [*self.ancestors(who, above), above]

    def collection_assets(
        self,
        who: str,
        slug: str,
        order: str = "POSITION",
        filter: Line | None = None,
        *,
        descending: bool = False,
        include_descendants: bool = False,
    ) -> Names:
        """Return the distinct members of a collection; with `include_descendants`, also those of its descendants."""
        where = self.collection_of_asset(who, slug, include_descendants=include_descendants)
        found = [asset for asset in where if self.asset_matches(who, asset, filter)]
        places = list(where)
        orders: dict[str, Callable[[str], Any]] = {
            "POSITION": places.index,
            "ADDED_AT": lambda asset: (self.added_at.get((where[asset], asset), self.written_at), self.ids[asset]),
        }
        return sorted(found, key=orders.get(order) or self._asset_key(order), reverse=descending)

    def collection_of_asset(self, who: str, slug: str, *, include_descendants: bool) -> dict[str, str]:
        """Return the members of a collection in order, each with the first collection that contains it."""
        where: dict[str, str] = {}
        level = [slug]
        while level:
            for each in sorted(level, key=self._place):
                for asset in self.members[each]:
                    if self.sees_asset(who, asset):
                        where.setdefault(asset, each)
            level = [child for each in level for child in self.children(who, each)] if include_descendants else []
        return where

    def assets(
        self, who: str, order: str = "RELEVANCE", filter: Line | None = None, *, descending: bool = True
    ) -> Names:
        """Return all visible assets."""
        found = [
            asset for asset in self.asset if self.sees_asset(who, asset) and self.asset_matches(who, asset, filter)
        ]
        return sorted(found, key=self._asset_key(order), reverse=descending)

    def collections_of(self, who: str, asset: str) -> Names:
        """Return the collections that contain an asset, by name."""
        return [slug for slug in self.collections(who) if asset in self.members[slug]]

    def uses(self, who: str, asset: str) -> Names:
        """Return the assets that an asset uses, in the order of the catalogue."""
        if self.access(who, asset) < VIEWER:
            return []
        return [used for used in dict.fromkeys(self.asset[asset].get("uses", ())) if self.sees_asset(who, used)]

    def used_by(self, who: str, asset: str) -> Names:
        """Return the assets that use an asset, by name."""
        return [each for each in self.assets(who, "NAME", descending=False) if asset in self.uses(who, each)]

    def owned_assets(
        self, who: str, order: str = "RELEVANCE", filter: Line | None = None, *, descending: bool = True
    ) -> Names:
        """Return the assets that the viewer owns."""
        found = self.assets(who, order, filter, descending=descending)
        return [asset for asset in found if self.access(who, asset) == OWNER]

    def users_by_name(self, who: str, filter: Line | None = None) -> Names:
        """Return the users, by name."""
        found = [user for user in self.users if self.user_matches(who, user, filter)]
        return sorted(found, key=lambda user: (sort_key(self.users[user]), self.ids[user]))

    def groups_by_name(self, _who: str) -> Names:
        """Return the groups, by name."""
        return sorted(self.groups, key=lambda group: (sort_key(self.groups[group]), self.ids[group]))

    def group_members(self, who: str, group: str) -> Names:
        """Return the members of a group, by name; nobody unless `sees_members`."""
        members = self.groups[group]["members"] if self.sees_members(who, group) else ()
        return [user for user in self.users_by_name(who) if user in members]

    def addable_assets(
        self,
        who: str,
        slug: str,
        order: str = "RELEVANCE",
        filter: Line | None = None,
        *,
        descending: bool = True,
        exclude_members: bool = False,
    ) -> Names:
        """Return the viewer's eligible assets for a collection, without its members if `exclude_members`."""
        found = []
        for asset in self.assets(who, order, filter, descending=descending):
            is_member = asset in self.members[slug]
            is_offered = self.status(asset) == "RELEASED" and not (exclude_members and is_member)
            if self.access(who, asset) == OWNER and (is_offered or (is_member and not exclude_members)):
                found.append(asset)
        return found

    def counts(self, assets: Sequence[str]) -> dict[str, int]:
        """Count the assets of each kind."""
        kinds = [self.asset[asset]["type"] for asset in set(assets)]
        by_kind = {name: kinds.count(kind) for kind, name in COUNT_FIELDS.items()}
        return {"total": len(kinds), **by_kind, "goldStandards": len(self.gold & set(assets))}

    def tag_counts(self, assets: Sequence[str]) -> Counter[str]:
        """Count the assets with each tag. Spellings are one tag, shown as most of these assets write it."""
        spellings: dict[str, Counter[str]] = {}
        for asset in assets:
            first_by_key = {tag_key(tag): tag for tag in sorted(self.asset[asset].get("tags", ()), reverse=True)}
            for key, tag in first_by_key.items():
                spellings.setdefault(key, Counter())[tag] += 1
        return Counter(
            {min(counts, key=lambda tag: (-counts[tag], tag)): counts.total() for counts in spellings.values()}
        )

    def topic_assets(self, who: str, topic: str) -> Names:
        """Return the distinct assets of a topic."""
        slugs = self.collections(who, topic=topic)
        return list(dict.fromkeys(asset for slug in slugs for asset in self.collection_assets(who, slug)))

    # Filters, as GraphQL variables; `ids` resolves the ids in them.

    def asset_matches(self, who: str, asset: str, filter: Line | None) -> bool:
        """Return whether the asset matches an AssetFilter."""
        line, given = self.asset[asset], _given(filter)

        def is_in(ids: Sequence[str]) -> bool:
            return any(self.ids[slug] in ids and asset in self.members[slug] for slug in self.collections(who))

        tests: dict[str, Callable[[Any], bool]] = {
            "ids": lambda ids: self.ids[asset] in ids,
            "externalIds": lambda ids: asset in ids,
            "kinds": lambda kinds: line["type"] in kinds,
            "statuses": lambda statuses: self.status(asset) in statuses,
            "tags": lambda tags: not set(map(tag_key, tags)).isdisjoint(map(tag_key, line.get("tags", ()))),
            "allTags": lambda tags: set(map(tag_key, tags)) <= set(map(tag_key, line.get("tags", ()))),
            "licenses": lambda licenses: line.get("license") in licenses,
            "viewerAccess": lambda access: self.access(who, asset) >= ACCESS[access],
            "ownerIds": lambda ids: self.ids[line["owner"]] in ids,
            "goldStandard": lambda is_gold: (asset in self.gold) == is_gold,
            "createdAt": lambda span: _within(self.created_at(asset), span),
            "updatedAt": lambda span: _within(self.updated_at(asset), span),
            "inCollectionIds": is_in,
            "notInCollectionIds": lambda ids: not is_in(ids),
            "inNoCollection": lambda is_in_none: (not self.collections_of(who, asset)) == is_in_none,
        }
        return all(tests[name](value) for name, value in given.items())

    def collection_matches(self, who: str, slug: str, filter: Line | None) -> bool:
        """Return whether the collection matches a CollectionFilter."""
        line = self.collection[slug]
        tests: dict[str, Callable[[Any], bool]] = {
            "ids": lambda ids: self.ids[slug] in ids,
            "slugs": lambda slugs: slug in slugs,
            "parentIds": lambda ids: self.ids.get(self.parent(who, slug) or "") in ids,
            "visibility": lambda visibility: line["visibility"] == visibility,
            "topicIds": lambda ids: self.topic_id(line["topic"]) in ids,
            "topLevelOnly": lambda is_only: not is_only or self.parent(who, slug) is None,
            "containsAssetId": lambda id_: any(self.ids[asset] == id_ for asset in self.collection_assets(who, slug)),
            "updatedAt": lambda span: _within(self.changed_at.get(slug, self.written_at), span),
        }
        return all(tests[name](value) for name, value in _given(filter).items())

    def user_matches(self, who: str, user: str, filter: Line | None) -> bool:
        """Return whether the user matches a UserFilter."""
        line = self.users[user]
        tests: dict[str, Callable[[Any], bool]] = {
            "isAdmin": lambda is_admin: bool(line.get("isAdmin")) == is_admin,
            "isActive": lambda is_active: self.is_active(user) == is_active,
            "groupIds": lambda ids: any(
                self.ids[group] in ids and user in self.group_members(who, group) for group in self.groups
            ),
        }
        return all(tests[name](value) for name, value in _given(filter).items())

    def created_at(self, asset: str) -> int:
        """Return the time of the asset's creation."""
        line = self.asset[asset]
        told = line.get("createdAt") or line.get("updatedAt")
        return milliseconds(told) if told else self.written_at

    def updated_at(self, asset: str) -> int:
        """Return the time of the asset's last change."""
        told = self.asset[asset].get("updatedAt")
        return milliseconds(told) if told else self.created_at(asset)

    def topic_id(self, slug: str) -> str:
        """Return the public id of a topic."""
        return self.topic_ids.get(slug) or self.ids[slug]

    def _topic_place(self, slug: str) -> int:
        return (self.topic_order or self.order).index(slug)

    def _place(self, slug: str) -> int:
        return self.order.index(slug)

    def _asset_key(self, order: str) -> Callable[[str], Any]:
        orders: dict[str, Callable[[str], Any]] = {
            "NAME": lambda asset: (sort_key(self.asset[asset]), self.ids[asset]),
            "CREATED_AT": lambda asset: (self.created_at(asset), self.ids[asset]),
            "UPDATED_AT": lambda asset: (self.updated_at(asset), self.ids[asset]),
            "RELEVANCE": lambda asset: (asset in self.gold, self.updated_at(asset), self.ids[asset]),
        }
        return orders[order]


def _given(kept: Line | None) -> Line:
    return {name: value for name, value in (kept or {}).items() if value is not None}


def _within(instant: int, span: Line) -> bool:
    from_, until = span.get("from"), span.get("until")
    return (from_ is None or milliseconds(from_) <= instant) and (until is None or instant < milliseconds(until))
