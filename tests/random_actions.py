"""Random mutations with the model's labels in place of ids; most of them are valid in the current world."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, TypeVar

from hypothesis import strategies as st

from tests.model import World
from tests.model_membership import UNDOABLE

T = TypeVar("T")
Input = dict[str, Any]
Action = tuple[str, str, Input]
"""Viewer, mutation (or `status`, for a change by the platform) and input."""

IDLE: Action = ("ada", "idle", {})
PEOPLE = ("ada", "olu", "lou", "sam", "mei", "eve")
NAMES = (
    "Alpha",
    "alpha ",
    "Beta",
    "open",
    "Inner",
    "Straße",
    "STRASSE",
    "🦊",
    "Gamma",
    "Delta",
    " ",
    "\uff21lpha",
    "open  door",
)
SLUGS = ("one", "Two", "open", "strasse-2", "a b")
NOTES = ("why", "")
ACCESSES = ("VIEWER", "DISCOVERABLE", "VIEWER", "OWNER", "VIEWER", "EDITOR")
STATUSES = ("RELEASED", "ARCHIVED", "RELEASED", "WITHDRAWN", "DRAFT", "RELEASED", "FAILED")
PRINCIPALS: tuple[Input, ...] = (
    *({"userId": person} for person in PEOPLE),
    {"groupId": "lab"},
    {"groupId": "core"},
    {"everyone": True},
    {"public": True},
    {"groupId": "olu"},
)


class ActionDrawing:
    """Random parts of inputs."""

    def __init__(self, chance: Random, world: World) -> None:
        """Take the random source and the world."""
        self._chance, self.world = chance, world

    def one(self, options: Sequence[T]) -> T:
        """Return one of the options; a repeated option is more likely."""
        return self._chance.choice(options)

    def is_so(self, chances: int, of: int = 8) -> bool:
        """Return True with the probability `chances / of`."""
        return self._chance.randrange(of) < chances

    def some(self, options: Sequence[T], most: int) -> list[T]:
        """Return at most that many of the options, one possibly twice; seldom none."""
        return (
            []
            if not options or self.is_so(1, 40)
            else [self.one(options) for _ in range(self._chance.randint(1, most))]
        )

    def mostly(self, likely: Sequence[str], *odd: str) -> str:
        """Return one of the likely options, seldom one of the odd ones."""
        return self.one(odd if not likely or self.is_so(1, 16) else likely)

    def topic(self) -> str:
        """Return a topic, seldom one that does not exist."""
        return self.mostly(list(self.world.topics), "gone", "open")

    def collection(self) -> str:
        """Return a collection, seldom one that does not exist."""
        return self.mostly(list(self.world.collections), "gone", "imaging")

    def collections(self, most: int) -> list[str]:
        """Return collections, one possibly twice."""
        return self.some([self.collection() for _ in range(most)], most)

    def members(self, label: str) -> list[str]:
        """Return the members of a collection."""
        return list(self.world.collections[label].members) if label in self.world.collections else []

    def owned(self, who: str) -> list[str]:
        """Return the assets of a viewer."""
        return [asset for asset in self.world.assets if self.world.owns(who, asset)]

    def assets(self, likely: Sequence[str], most: int = 4) -> list[str]:
        """Return assets, mostly likely ones."""
        if self.is_so(1, 4):
            likely = [self.mostly(list(self.world.assets), "nobody", "open") for _ in range(most)]
        return self.some(likely or ["blast"], most)

    def place(self, beside: Sequence[str], odd: str) -> Input:
        """Return a position at an end or next to a neighbour."""
        side = self.one(("atEnd", "atStart", "afterId", "beforeId", "afterId", "beforeId"))
        return {side: True if side.startswith("at") else self.mostly(beside, odd)}

    def position(self, beside: Sequence[str], odd: str) -> Input:
        """Return the field `position`, or no field."""
        return {"position": self.place(beside, odd)} if self.is_so(4) else {}

    def bulk(self) -> Input:
        """Return the options of a bulk mutation: mode, dry run and perhaps an idempotency key."""
        return {"mode": self.one(("BEST_EFFORT", "ATOMIC")), "dryRun": self.is_so(1)} | self.key()

    def key(self) -> Input:
        """Return no idempotency key, or one of two."""
        return {"idempotencyKey": self.one(("k1", "k2"))} if self.is_so(1) else {}

    def fields(self, **given: Sequence[Any]) -> Input:
        """Return some of the fields, each with one of its values."""
        return {name: self.one(values) for name, values in given.items() if self.is_so(3)}

    def version(self, things: Any, label: str) -> Input:
        """Return no expected version, the current one, or the one before."""
        if not self.is_so(2):
            return {}
        current = things[label].version if label in things else 1
        return {"expectedVersion": current - self.one((0, 0, 1))}


def add(draw: ActionDrawing, who: str) -> Input:
    """Draw assets to add to a collection."""
    to = draw.collection()
    fields = {"collectionId": to, "assetIds": draw.assets(draw.owned(who))} | draw.position(draw.members(to), "align")
    return fields | draw.bulk() | draw.fields(note=NOTES)


def remove(draw: ActionDrawing, _who: str) -> Input:
    """Draw assets to remove from a collection."""
    out_of = draw.collection()
    return {"collectionId": out_of, "assetIds": draw.assets(draw.members(out_of), 2)} | draw.bulk()


def move(draw: ActionDrawing, _who: str) -> Input:
    """Draw assets to move from one collection to another."""
    out_of = draw.collection()
    others = [label for label in draw.world.collections if label != out_of]
    to = draw.mostly(others, out_of, "gone")
    fields = {"fromCollectionId": out_of, "toCollectionId": to, "assetIds": draw.assets(draw.members(out_of), 3)}
    return fields | draw.position(draw.members(to), "align") | draw.bulk()


def reorder(draw: ActionDrawing, _who: str) -> Input:
    """Draw assets to reorder."""
    label = draw.collection()
    assets = draw.assets(draw.members(label), 2)
    return {"collectionId": label, "assetIds": assets, "position": draw.place(draw.members(label), "align")}


def update(draw: ActionDrawing, who: str) -> Input:
    """Draw collections to add one asset to and to remove it from."""
    (asset,) = draw.assets(draw.owned(who), 1) or ["nobody"]
    holding = [label for label in draw.world.collections if asset in draw.members(label)]
    remove_from = draw.some(holding or draw.collections(2), 2) if draw.is_so(5) else []
    add_to = [label for label in draw.collections(3) if label not in remove_from or draw.is_so(1)]
    return {"assetId": asset, "addTo": add_to, "removeFrom": remove_from, "dryRun": draw.is_so(1)} | draw.key()


def undo(draw: ActionDrawing, _who: str) -> Input:
    """Draw one of the last changes of members. The proof `undo` undoes all others."""
    likely = [change.label for change in draw.world.log if change.action in UNDOABLE][-8:]
    return {"changeId": draw.mostly(likely, "gone"), "dryRun": draw.is_so(1)} | draw.key()


def topic_create(draw: ActionDrawing, _who: str) -> Input:
    """Draw a topic to create."""
    topics = list(draw.world.topics)
    fields = {"name": draw.one(NAMES)} | draw.fields(slug=SLUGS, description=NOTES)
    return fields | draw.position(topics, "gone") | draw.key()


def topic_update(draw: ActionDrawing, _who: str) -> Input:
    """Draw changes of a topic."""
    label = draw.topic()
    fields = draw.fields(name=NAMES, slug=SLUGS, description=NOTES)
    return {"id": label} | fields | draw.version(draw.world.topics, label)


def topic_reorder(draw: ActionDrawing, _who: str) -> Input:
    """Draw a position of a topic."""
    return {"id": draw.topic(), "position": draw.place(list(draw.world.topics), "gone")}


def topic_merge(draw: ActionDrawing, _who: str) -> Input:
    """Draw topics to merge."""
    sources = draw.some([draw.topic(), draw.topic()], 2)
    return {"targetId": draw.topic(), "sourceIds": sources, "dryRun": draw.is_so(3)} | draw.key()


def topic_delete(draw: ActionDrawing, _who: str) -> Input:
    """Draw a topic to delete."""
    label = draw.topic()
    target = {"moveCollectionsTo": draw.topic()} if draw.is_so(5) else {}
    return {"id": label, "dryRun": draw.is_so(3)} | target | draw.version(draw.world.topics, label)


def collection_create(draw: ActionDrawing, _who: str) -> Input:
    """Draw a collection to create."""
    topic = draw.topic()
    fields = {"topicId": topic, "name": draw.one(NAMES), "visibility": draw.one(("PUBLIC", "INTERNAL"))}
    if draw.is_so(4):
        there = draw.world.in_topic(topic) if topic in draw.world.topics else []
        fields["parentId"] = draw.mostly(there, "bare", "gone")
    beside = draw.world.sisters((topic, fields.get("parentId")))
    return fields | draw.fields(slug=SLUGS, description=NOTES) | draw.position(beside, "open") | draw.key()


def collection_update(draw: ActionDrawing, _who: str) -> Input:
    """Draw changes of a collection."""
    label = draw.collection()
    fields = draw.fields(name=NAMES, slug=SLUGS, visibility=("PUBLIC", "INTERNAL"))
    if draw.is_so(3):
        fields["parentId"] = None if draw.is_so(2) else draw.collection()
    if draw.is_so(2):
        fields["topicId"] = draw.topic()
    return {"id": label} | fields | draw.version(draw.world.collections, label)


def collection_reorder(draw: ActionDrawing, _who: str) -> Input:
    """Draw a position of a collection."""
    label = draw.collection()
    known = draw.world.collections.get(label)
    sisters = [each for each in draw.world.sisters(known.place) if each != label] if known else []
    return {"id": label, "position": draw.place(sisters or [label], label)}


def collection_delete(draw: ActionDrawing, _who: str) -> Input:
    """Draw a collection to delete."""
    label = draw.collection()
    return {"id": label, "dryRun": draw.is_so(3)} | draw.version(draw.world.collections, label)


def share(draw: ActionDrawing, who: str) -> Input:
    """Draw grants to add and to revoke, mostly allowed ones."""
    (asset,) = draw.assets(draw.owned(who), 1) or ["nobody"]
    known, is_odd = draw.world.assets.get(asset), draw.is_so(1)
    held = known.grants if known else {}
    free = [named for named in PRINCIPALS if is_odd or not (known and _holder(named) == known.owner)]
    taken = draw.some([named for named in free if _holder(named) in held], 1) if draw.is_so(5) else []
    free = [named for named in free if is_odd or named not in taken]
    given = [
        {"to": named, "access": draw.one(ACCESSES if is_odd or "userId" in named else ACCESSES[:2])}
        for named in draw.some(free, 1)
        if not taken or draw.is_so(4)
    ]
    return {"assetId": asset, "set": given, "revoke": taken} | draw.key()


def _holder(named: Input) -> str:
    ((kind, value),) = named.items()
    return kind if value is True else str(value)


def award(draw: ActionDrawing, _who: str) -> Input:
    """Draw a gold standard to award or revoke."""
    (asset,) = draw.assets(list(draw.world.assets), 1) or ["nobody"]
    return {"assetId": asset, "awarded": draw.one((True, True, False))} | draw.fields(note=NOTES)


def share_publicly(draw: ActionDrawing, _who: str) -> Input:
    """Draw whether public sharing is on."""
    return {"publicSharing": draw.is_so(5)}


def status(draw: ActionDrawing, _who: str) -> Input:
    """Draw an asset's status."""
    return {"asset": draw.one(list(draw.world.assets)), "status": draw.one(STATUSES)}


def _user(draw: ActionDrawing) -> str:
    return draw.mostly(draw.world.people, "gone", "lab")


def _references(draw: ActionDrawing, likely: Sequence[str]) -> list[Input]:
    """Return references to users, mostly likely ones, in both forms."""
    users = [draw.mostly(likely, _user(draw)) for _ in range(2)]
    return [{draw.one(("userId", "userExternalId")): user} for user in draw.some(users, 2)]


def _renaming(draw: ActionDrawing, label: str) -> Input:
    """Return the fields of a new name, one of the label's own, so that the order is certain, and of a new source."""
    name = draw.one((label, label.upper(), f"{label} 2", f"A {label}"))
    return {"externalId": label, "name": name} | draw.fields(provisionedBy=("MANUAL", "MANUAL", "MANUAL", "SCIM"))


def user_upsert(draw: ActionDrawing, _who: str) -> Input:
    """Draw a new name, role or source of a user."""
    label = draw.mostly(draw.world.people, "lab", "everyone")
    return _renaming(draw, label) | draw.fields(isAdmin=(True, False)) | draw.key()


def user_deactivate(draw: ActionDrawing, _who: str) -> Input:
    """Draw a user to deactivate."""
    return {"userId": _user(draw)}


def user_reactivate(draw: ActionDrawing, _who: str) -> Input:
    """Draw a user to reactivate."""
    return {"userId": draw.mostly(sorted(draw.world.inactive), _user(draw))}


def group_upsert(draw: ActionDrawing, _who: str) -> Input:
    """Draw a new name or source of a group."""
    return _renaming(draw, draw.mostly(list(draw.world.groups), "olu", "public")) | draw.key()


def group_members_update(draw: ActionDrawing, _who: str) -> Input:
    """Draw users to add to a group, and members to remove."""
    group = draw.mostly(list(draw.world.groups), "gone", "olu")
    add = _references(draw, draw.world.people) if draw.is_so(5) else []
    members = sorted(draw.world.groups.get(group, ()))
    remove = _references(draw, [member for member in members if draw.is_so(1) or member not in str(add)])
    return {"groupId": group, "add": add, "remove": remove if draw.is_so(5) or not add else []} | draw.key()


def transfer(draw: ActionDrawing, _who: str) -> Input:
    """Draw two users; the first one mostly owns assets."""
    owners = [user for user in draw.world.people if draw.owned(user)]
    [source], [target] = (
        [{draw.one(("userId", "userExternalId")): draw.mostly(users, _user(draw))}]
        for users in (owners, draw.world.people)
    )
    return {"from": source, "to": target, "keepEditor": draw.is_so(3), "dryRun": draw.is_so(3)} | draw.key()


MEMBERS_MAY = ("olu", "ada", "olu", "ada", "olu", "lou", "sam", "mei", "eve", "lou", "sam", "anonymous")
OWNERS_MAY = ("olu", "olu", "lou", "sam", "olu", "ada", "mei", "eve")
ADMINS_MAY = (*["ada"] * 14, "olu", "anonymous")

# Weight, mutation, viewer, and the function that draws the input.
ACTIONS: tuple[tuple[int, str, Sequence[str], Callable[[ActionDrawing, str], Input]], ...] = (
    (6, "collectionAssetsAdd", MEMBERS_MAY, add),
    (5, "collectionAssetsRemove", MEMBERS_MAY, remove),
    (5, "collectionAssetsMove", OWNERS_MAY, move),
    (3, "collectionAssetsReorder", ADMINS_MAY, reorder),
    (3, "assetCollectionsUpdate", OWNERS_MAY, update),
    (6, "changeUndo", MEMBERS_MAY, undo),
    (2, "topicCreate", ADMINS_MAY, topic_create),
    (1, "topicUpdate", ADMINS_MAY, topic_update),
    (1, "topicReorder", ADMINS_MAY, topic_reorder),
    (1, "topicMerge", ADMINS_MAY, topic_merge),
    (1, "topicDelete", ADMINS_MAY, topic_delete),
    (2, "collectionCreate", ADMINS_MAY, collection_create),
    (3, "collectionUpdate", ADMINS_MAY, collection_update),
    (2, "collectionReorder", ADMINS_MAY, collection_reorder),
    (1, "collectionDelete", ADMINS_MAY, collection_delete),
    (4, "assetGrantsUpdate", OWNERS_MAY, share),
    (1, "assetGoldStandardSet", ADMINS_MAY, award),
    (1, "deploymentUpdate", ADMINS_MAY, share_publicly),
    (2, "status", ("ada",), status),
    (1, "userUpsert", ADMINS_MAY, user_upsert),
    (1, "userDeactivate", ADMINS_MAY, user_deactivate),
    (2, "userReactivate", ADMINS_MAY, user_reactivate),
    (2, "groupUpsert", ADMINS_MAY, group_upsert),
    (3, "groupMembersUpdate", ADMINS_MAY, group_members_update),
    (1, "assetsTransfer", ADMINS_MAY, transfer),
)
OFTEN = tuple(act for act in ACTIONS for _ in range(act[0]))


def actions(world: World) -> st.SearchStrategy[Action]:
    """Return a strategy for the next action in the world.

    Hypothesis draws one number per action, the seed of the action's random parts: when it drew each part itself, most
    steps were repetitions. Zero, the number that it tries most, is the action that does nothing.
    """
    return st.integers(0, 0xFFFF).flatmap(
        lambda number: st.just(_act(ActionDrawing(Random(number), world)) if number else IDLE)
    )


def _act(draw: ActionDrawing) -> Action:
    _, mutation, people, input_of = draw.one(OFTEN)
    who = draw.one(people)
    if people is ADMINS_MAY and who == ADMINS_MAY[0]:
        who = draw.one(draw.world.administrators())
    return who, mutation, input_of(draw, who)
