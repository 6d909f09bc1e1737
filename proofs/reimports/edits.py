"""Edits between imports, drawn at random: of the file by its source, and of the database by people."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, NamedTuple

from proofs.reimports.model import FileLine
from proofs.reimports.world import World

ASSETS = tuple(f"a{number}" for number in range(8))
VISIBILITIES = ("INTERNAL", "PUBLIC")
MAX_LINES = 14
MAX_FILE_DEPTH = 3


@dataclass
class CatalogueFile:
    """The file: its lines by key. Lines with an even number have an id, so that their slugs may change."""

    random: Random
    lines: dict[str, FileLine] = field(default_factory=dict)
    dropped: dict[str, FileLine] = field(default_factory=dict)
    _serial: int = 0

    def edit(self) -> None:
        """Change one thing in the file."""
        collections = [line for line in self.lines.values() if line.topic is not None]
        topics = [line for line in self.lines.values() if line.topic is None]
        edits = [self._add_topic] if len(topics) < 3 else []  # noqa: PLR2004 - enough to move between
        edits += [self._add_collection] * 3 if topics and len(self.lines) < MAX_LINES else []
        edits += [lambda: self._change(self.random.choice([*self.lines.values()]))] * 3 if self.lines else []
        if collections:
            edits += [lambda: self._change_assets(self.random.choice(collections))] * 4
            edits += [lambda: self._move(self.random.choice(collections))] * 3
        edits += [self._drop, self._restore]
        self.random.choice(edits)()

    def render(self) -> list[dict[str, Any]]:
        """Return the lines of the catalogue, with people and assets."""
        rendered: list[dict[str, Any]] = [
            {"kind": "user", "id": "ada", "name": "ada", "isAdmin": True},
            {"kind": "user", "id": "olu", "name": "olu"},
        ]
        rendered += [
            {"kind": "asset", "id": id_, "type": "MODEL", "name": id_, "owner": "olu", "grants": []} for id_ in ASSETS
        ]
        return rendered + [self._render(line) for line in self.lines.values()]

    def _render(self, line: FileLine) -> dict[str, Any]:
        own_id = {"id": line.key} if _has_id(line) else {}
        if line.topic is None:
            return {"kind": "topic", **own_id, **line.fields}
        parent = self.lines[line.parent].fields["slug"] if line.parent else None
        place = {"topic": self.lines[line.topic].fields["slug"], "parent": parent}
        return {"kind": "collection", **own_id, **line.fields, **place, "assets": list(line.assets)}

    def _add_topic(self) -> None:
        number = self._next()
        fields = {"slug": f"f{number}", "name": f"name {number}", "description": ""}
        self.lines[f"key-{number}"] = FileLine(f"key-{number}", fields)

    def _add_collection(self) -> None:
        number, (topic, parent) = self._next(), self._draw_place(set())
        fields = {"slug": f"f{number}", "name": f"name {number}", "description": ""}
        fields["visibility"] = self.random.choice(VISIBILITIES)
        self.lines[f"key-{number}"] = FileLine(f"key-{number}", fields, topic, parent, self._draw_assets())

    def _change(self, line: FileLine) -> None:
        number = self._next()
        changes = [{"name": f"name {number}"}, {"description": f"text {number}"}]
        changes += [{"slug": f"f{number}"}] if _has_id(line) else []
        changes += [{"visibility": self.random.choice(VISIBILITIES)}] * 2 if line.topic is not None else []
        self.lines[line.key] = replace(line, fields={**line.fields, **self.random.choice(changes)})

    def _change_assets(self, line: FileLine) -> None:
        self.lines[line.key] = replace(line, assets=self._draw_assets())

    def _move(self, line: FileLine) -> None:
        below = set(self._keys_below(line.key))
        topic, parent = self._draw_place(below)
        self.lines[line.key] = replace(line, topic=topic, parent=parent)
        for key in below - {line.key}:
            self.lines[key] = replace(self.lines[key], topic=topic)

    def _drop(self) -> None:
        referred = {key for line in self.lines.values() for key in (line.topic, line.parent)}
        leaves = [key for key in self.lines if key not in referred]
        if leaves:
            key = self.random.choice(leaves)
            self.dropped[key] = self.lines.pop(key)

    def _restore(self) -> None:
        ready = [
            line
            for line in self.dropped.values()
            if line.topic is None or (line.topic in self.lines and (line.parent is None or line.parent in self.lines))
        ]
        if ready:
            line = self.dropped.pop(self.random.choice(ready).key)
            topic = self.lines[line.parent].topic if line.parent else line.topic
            self.lines[line.key] = replace(line, topic=topic)

    def _draw_place(self, excluded: set[str]) -> tuple[str, str | None]:
        """Return the keys of a topic, and of one of its collections or None."""
        parents = [
            line
            for key, line in self.lines.items()
            if line.topic is not None and key not in excluded and self._depth(line) < MAX_FILE_DEPTH
        ]
        if parents and self.random.random() < 0.5:  # noqa: PLR2004 - an even chance
            parent = self.random.choice(parents)
            return str(parent.topic), parent.key
        return self.random.choice([key for key, line in self.lines.items() if line.topic is None]), None

    def _depth(self, line: FileLine) -> int:
        return 1 + (self._depth(self.lines[line.parent]) if line.parent else 0)

    def _keys_below(self, key: str) -> Iterator[str]:
        yield key
        for line in list(self.lines.values()):
            if line.parent == key:
                yield from self._keys_below(line.key)

    def _draw_assets(self) -> tuple[str, ...]:
        return tuple(self.random.sample(ASSETS, self.random.randint(0, 4)))

    def _next(self) -> int:
        self._serial += 1
        return self._serial


def _has_id(line: FileLine) -> bool:
    return int(line.key.removeprefix("key-")) % 2 == 0


class PersonalEdit(NamedTuple):
    """A mutation of a person."""

    who: str
    mutation: str
    input: dict[str, Any]


def draw_edit(
    random: Random, world: World, assets: dict[str, str], serial: int, deleted: Sequence[FileLine]
) -> PersonalEdit | None:
    """Return an edit of a random object; None if there is nothing to edit.

    `assets` has the ids by external id, `deleted` the lines of deleted objects, whose slugs are free.
    """
    topics = [id_ for id_, thing in world.items() if thing.place is None]
    collections = [id_ for id_, thing in world.items() if thing.place is not None]
    if not topics:
        return None
    own = {"name": f"own {serial}", "slug": f"p{serial}", "description": f"by hand {serial}"}
    name = random.choice([*own])
    topic = random.choice(topics)
    edits = [
        PersonalEdit("ada", "topicUpdate", {"id": topic, name: own[name]}),
        PersonalEdit("ada", "topicDelete", {"id": topic, "moveCollectionsTo": random.choice(topics)}),
        PersonalEdit("ada", "collectionCreate", {"topicId": topic, "name": own["name"], "slug": own["slug"]}),
    ]
    for line in deleted:
        again = {"name": own["name"], "slug": line.fields["slug"]}
        made = ("topicCreate", again) if line.topic is None else ("collectionCreate", {"topicId": topic, **again})
        edits += [PersonalEdit("ada", *made)] * 6  # else seldom, because few objects are deleted
    if collections:
        id_, other = random.choice(collections), random.choice(collections)
        few = [assets[each] for each in random.sample(ASSETS, 2)]
        places: list[dict[str, Any]] = [{"parentId": other}, {"parentId": None, "topicId": topic}]
        edits += [PersonalEdit("ada", "collectionUpdate", {"id": id_, name: own[name]})] * 2
        edits += [PersonalEdit("ada", "collectionUpdate", {"id": id_, "visibility": random.choice(VISIBILITIES)})] * 2
        edits += [PersonalEdit("ada", "collectionUpdate", {"id": id_, **random.choice(places)})] * 2
        edits.append(PersonalEdit("ada", "collectionDelete", {"id": id_}))
        edits += [PersonalEdit("olu", "collectionAssetsAdd", {"collectionId": id_, "assetIds": few})] * 2
        edits += [PersonalEdit("ada", "collectionAssetsRemove", {"collectionId": id_, "assetIds": few})] * 3
        edits.append(
            PersonalEdit(
                "olu",
                "collectionAssetsMove",
                {"fromCollectionId": id_, "toCollectionId": other, "assetIds": few},
            )
        )
    return random.choice(edits)
