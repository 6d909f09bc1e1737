"""Random mutations of a trial: those of the walks, and those that move nothing in a list."""

from random import Random

from proofs.walks.actions import Input, Write, WriteDrawing
from proofs.walks.world import ADMINISTRATOR, OWNER
from tests.oracle import Model

UNMOVED: frozenset[str] = frozenset()


class MutationDrawing(WriteDrawing):
    """Drawing of one mutation in the current world."""

    def __init__(self, random: Random, model: Model, number: int) -> None:
        """Take the world, and a number for new names."""
        super().__init__(random, model, [], number)

    def draw(self) -> Write:
        """Return a mutation that the world allows."""
        if self._successors() and self._is_so(0.3):
            return self.transfer()  # back to the user who writes
        if self._is_so(0.6):
            return super().draw()
        has_another = len(self._model.topics(ADMINISTRATOR)) > 1
        delete_topic = [self.delete_topic] if has_another else []
        kinds = [self.edit_topic, self.edit_collection, *delete_topic, self.award, self.turn_sharing]
        return self._random.choice([*kinds, self.update_collections, self.grant, self.transfer])()

    def edit_topic(self) -> Write:
        """Change some fields of a topic."""
        slug = self._random.choice(self._model.topics(ADMINISTRATOR))
        return Write(ADMINISTRATOR, "topicUpdate", {"id": self._id(slug), **self._texts()}, UNMOVED)

    def edit_collection(self) -> Write:
        """Change some fields of a collection, and its visibility."""
        slug, _ = self._collection(any_size=True)
        input_ = self._texts() | {"visibility": self._random.choice(("INTERNAL", "PUBLIC"))}
        return Write(ADMINISTRATOR, "collectionUpdate", {"id": self._id(slug), **input_}, UNMOVED)

    def delete_topic(self) -> Write:
        """Delete a topic, and move its collections to another."""
        slug, target = self._random.sample(self._model.topics(ADMINISTRATOR), 2)
        input_ = {"id": self._id(slug), "moveCollectionsTo": self._id(target)}
        return Write(ADMINISTRATOR, "topicDelete", input_, UNMOVED)

    def award(self) -> Write:
        """Award gold standard status, or revoke it."""
        input_: Input = {"assetId": self._id(self._asset()), "awarded": self._is_so(0.6), "note": f"{self._number}"}
        return Write(ADMINISTRATOR, "assetGoldStandardSet", input_, UNMOVED)

    def turn_sharing(self) -> Write:
        """Turn public sharing on or off."""
        return Write(ADMINISTRATOR, "deploymentUpdate", {"publicSharing": self._is_so(0.5)}, UNMOVED)

    def update_collections(self) -> Write:
        """Add an asset to some collections, and remove it from others."""
        asset = self._asset()
        slugs = self._random.sample(list(self._model.collection), 4)
        within = [slug for slug in slugs if asset in self._model.members[slug]]
        to, of = ([self._id(slug) for slug in slugs if (slug in within) is side] for side in (False, True))
        input_ = {"assetId": self._id(asset), "addTo": to, "removeFrom": of}
        return Write(OWNER, "assetCollectionsUpdate", input_, UNMOVED)

    def grant(self) -> Write:
        """Set a user's grant and revoke another's."""
        first, second = self._random.sample(["mei", "lou", "sam", "eve"], 2)
        input_ = {
            "assetId": self._id(self._asset()),
            "set": [{"to": {"userId": self._id(first)}, "access": self._random.choice(("VIEWER", "EDITOR", "OWNER"))}],
            "revoke": [{"userId": self._id(second)}],
        }
        return Write(OWNER, "assetGrantsUpdate", input_, UNMOVED)

    def transfer(self) -> Write:
        """Hand over all assets of the owner, or those of a successor to the owner."""
        successors = self._successors()
        source, target = (successors[0], OWNER) if successors else (OWNER, self._random.choice(("sam", "eve")))
        users = {name: {"userId": self._id(user)} for name, user in (("from", source), ("to", target))}
        return Write(ADMINISTRATOR, "assetsTransfer", {**users, "keepEditor": self._is_so(0.5)}, UNMOVED)

    def _successors(self) -> list[str]:
        return sorted({line["owner"] for line in self._model.asset.values()} - {OWNER})

    def _asset(self) -> str:
        return str(self._random.choice(list(self._model.asset)))

    def _texts(self) -> Input:
        texts = {name: f"{name}-{self._number}" for name in ("name", "slug", "description")}
        return {name: text for name, text in texts.items() if self._is_so(0.5)}
