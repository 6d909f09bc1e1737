"""Random writes of a trial, each with the names of the objects that it moves."""

from random import Random
from typing import Any, NamedTuple

from proofs.walks.world import ADMINISTRATOR, OWNER
from tests.oracle import Model

TOPICS, COLLECTIONS = range(6, 15), range(10, 23)
"""Numbers of topics and collections between which writes keep the world."""
MAX_MEMBERS = 8
"""Number of members from which only the first collection gets more."""
FIRST = "collection-00"

Input = dict[str, Any]


class Write(NamedTuple):
    """A mutation, and the topics, collections and assets that it moves, removes or renames."""

    who: str
    mutation: str
    input: Input
    moved: frozenset[str]


class WriteDrawing:
    """Drawing of one write in the current world."""

    def __init__(self, random: Random, model: Model, changes: list[tuple[str, frozenset[str]]], number: int) -> None:
        """Take the world, the undoable changes with their assets, and a number for new names."""
        self._random, self._model, self._changes, self._number = random, model, changes, number

    def draw(self) -> Write:
        """Return a write that the world allows."""
        kinds = [self.reorder_assets, self.add, self.remove, self.move_assets, self.undo] * 3
        kinds += [self.reorder_topic, self.create_topic, self.merge_topics, self.rename_topic, self.reorder_collection]
        kinds += [self.move_collection, self.create_collection, self.delete_collection, self.rename_collection]
        kinds += [self.reorder_topic, self.reorder_collection, self.share, self.share]
        while True:
            write = self._random.choice(kinds)()
            if write is not None:
                return write

    def reorder_assets(self) -> Write | None:
        """Move a block of a collection's assets, in any order."""
        slug, members = self._collection()
        block = self._block(members)
        if not block:
            return None
        self._random.shuffle(block) if self._is_so(0.3) else None
        rest = [name for name in members if name not in block]
        input_ = {"collectionId": self._id(slug), "assetIds": self._ids(block), "position": self._position(rest)}
        return Write(ADMINISTRATOR, "collectionAssetsReorder", input_, frozenset(block))

    def add(self) -> Write | None:
        """Add assets to a collection."""
        slug, members = self._collection()
        others = [name for name in self._model.asset if name not in members]
        if not others or (slug != FIRST and len(members) > MAX_MEMBERS):
            return None
        added = self._random.sample(others, min(len(others), self._random.randint(1, 6)))
        input_ = {"collectionId": self._id(slug), "assetIds": self._ids(added), "position": self._position(members)}
        return Write(OWNER, "collectionAssetsAdd", input_, frozenset(added))

    def remove(self) -> Write | None:
        """Remove assets from a collection, often many neighbours."""
        slug, members = self._collection()
        block = self._block(members)
        if not block:
            return None
        input_ = {"collectionId": self._id(slug), "assetIds": self._ids(block)}
        return Write(OWNER, "collectionAssetsRemove", input_, frozenset(block))

    def move_assets(self) -> Write | None:
        """Move assets to another collection."""
        (slug, members), (target, others) = self._collection(), self._collection()
        block = self._block(members)[:4]
        if not block or slug == target:
            return None
        input_: Input = {
            "fromCollectionId": self._id(slug),
            "toCollectionId": self._id(target),
            "assetIds": self._ids(block),
        }
        input_["position"] = self._position([name for name in others if name not in block])
        return Write(OWNER, "collectionAssetsMove", input_, frozenset(block))

    def undo(self) -> Write | None:
        """Undo one of the last changes of members."""
        if not self._changes:
            return None
        id_, assets = self._random.choice(self._changes[-4:])
        return Write(OWNER, "changeUndo", {"changeId": id_}, assets)

    def share(self) -> Write | None:
        """Hide an asset from a holder of grants, or show it."""
        asset, holder = self._random.choice(list(self._model.asset)), self._random.choice(("everyone", "public"))
        is_granted = any(grant["to"] == holder for grant in self._model.asset[asset]["grants"])
        to = {holder: True}
        grants = {"revoke": [to]} if is_granted else {"set": [{"to": to, "access": "VIEWER"}]}
        return Write(OWNER, "assetGrantsUpdate", {"assetId": self._id(asset), **grants}, frozenset())

    def reorder_topic(self) -> Write | None:
        """Move a topic."""
        topics = self._model.topics(ADMINISTRATOR)
        slug = self._random.choice(topics)
        position = self._position([each for each in topics if each != slug])
        return Write(ADMINISTRATOR, "topicReorder", {"id": self._id(slug), "position": position}, frozenset({slug}))

    def create_topic(self) -> Write | None:
        """Create a topic."""
        topics = self._model.topics(ADMINISTRATOR)
        if len(topics) >= TOPICS.stop:
            return None
        name = f"topic-{self._number + 100}"
        return Write(
            ADMINISTRATOR,
            "topicCreate",
            {"name": name, "slug": name, "position": self._position(topics)},
            frozenset({name}),
        )

    def merge_topics(self) -> Write | None:
        """Merge topics, often neighbours."""
        topics = self._model.topics(ADMINISTRATOR)
        if len(topics) < TOPICS.start:
            return None
        sources = self._block(topics)[: len(topics) - 4]
        target = self._random.choice([slug for slug in topics if slug not in sources])
        moved = {*sources, *(slug for slug, line in self._model.collection.items() if line["topic"] in sources)}
        input_ = {"sourceIds": self._ids(sources), "targetId": self._id(target)}
        return Write(ADMINISTRATOR, "topicMerge", input_, frozenset(moved))

    def rename_topic(self) -> Write | None:
        """Rename a topic, which moves it in no list."""
        slug = self._random.choice(self._model.topics(ADMINISTRATOR))
        return Write(ADMINISTRATOR, "topicUpdate", {"id": self._id(slug), "name": f"name {self._number}"}, frozenset())

    def reorder_collection(self) -> Write | None:
        """Move a collection among its siblings."""
        slug, _ = self._collection(any_size=True)
        siblings = [
            each for each in self._model.collections(ADMINISTRATOR, "POSITION") if self._are_siblings(each, slug)
        ]
        others = [each for each in siblings if each != slug]
        if not others:
            return None
        position = self._position(others)
        return Write(
            ADMINISTRATOR, "collectionReorder", {"id": self._id(slug), "position": position}, self._subtree(slug)
        )

    def move_collection(self) -> Write | None:
        """Move a collection to another topic or parent."""
        slug, _ = self._collection(any_size=True)
        if self._is_so(0.5):
            to: Input = {"topicId": self._id(self._random.choice(self._model.topics(ADMINISTRATOR)))}
        else:
            parents = [each for each in self._model.collection if each not in self._subtree(slug)]
            to = {"parentId": self._id(self._random.choice(parents)) if parents else None}
        return Write(ADMINISTRATOR, "collectionUpdate", {"id": self._id(slug), **to}, self._subtree(slug))

    def create_collection(self) -> Write | None:
        """Create a collection among others."""
        if len(self._model.collection) >= COLLECTIONS.stop:
            return None
        topic, name = self._random.choice(self._model.topics(ADMINISTRATOR)), f"collection-{self._number + 100}"
        siblings = [
            slug
            for slug, line in self._model.collection.items()
            if line["topic"] == topic and line.get("parent") is None
        ]
        input_ = {"name": name, "slug": name, "topicId": self._id(topic), "position": self._position(siblings)}
        input_["visibility"] = self._random.choice(("INTERNAL", "PUBLIC"))
        return Write(ADMINISTRATOR, "collectionCreate", input_, frozenset({name}))

    def delete_collection(self) -> Write | None:
        """Delete a collection; its children move up."""
        slug, _ = self._collection(any_size=True)
        if len(self._model.collection) < COLLECTIONS.start or slug == FIRST:
            return None
        return Write(ADMINISTRATOR, "collectionDelete", {"id": self._id(slug)}, self._subtree(slug))

    def rename_collection(self) -> Write | None:
        """Rename a collection, which moves it in lists by name."""
        slug, _ = self._collection(any_size=True)
        input_ = {"id": self._id(slug), "name": self._random.choice("abcxyz") + str(self._number)}
        return Write(ADMINISTRATOR, "collectionUpdate", input_, frozenset({f"name of {slug}"}))

    def _collection(self, *, any_size: bool = False) -> tuple[str, list[str]]:
        slugs = list(self._model.collection)
        slug = FIRST if FIRST in slugs and not any_size and self._is_so(0.7) else self._random.choice(slugs)
        return slug, self._model.members[slug]

    def _are_siblings(self, slug: str, other: str) -> bool:
        lines = self._model.collection[slug], self._model.collection[other]
        return (lines[0]["topic"], lines[0].get("parent")) == (lines[1]["topic"], lines[1].get("parent"))

    def _subtree(self, slug: str) -> frozenset[str]:
        below = [self._subtree(each) for each, line in self._model.collection.items() if line.get("parent") == slug]
        return frozenset({slug}.union(*below))

    def _block(self, names: list[str]) -> list[str]:
        """Return some neighbours, or some of all names."""
        size = min(len(names), self._random.choice((1, 1, 1, 2, 3, 6, 12)))
        if self._is_so(0.3):
            return self._random.sample(names, size)
        start = self._random.randint(0, len(names) - size)
        return names[start : start + size]

    def _position(self, names: list[str]) -> Input:
        side = self._random.choice(("atStart", "atEnd", "afterId", "beforeId", "afterId", "beforeId"))
        if side.startswith("at") or not names:
            return {"atEnd" if side == "atEnd" else "atStart": True}
        return {side: self._id(self._random.choice(names))}

    def _is_so(self, chance: float) -> bool:
        return self._random.random() < chance

    def _id(self, name: str) -> str:
        return self._model.topic_ids.get(name) or self._model.ids[name]

    def _ids(self, names: list[str]) -> list[str]:
        return [self._id(name) for name in names]
