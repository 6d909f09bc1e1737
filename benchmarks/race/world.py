"""The world that all servers answer from: one graph, written to Atoll's tables and to the peers'.

Equal sizes give an equal world, public ids included. The viewer is the first user, a member of three groups, and sees
about half of the assets.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import NamedTuple

from store.tables import EVERYONE_PK, PUBLIC_PK, AssetAccess, AssetKind

NOW = 1_767_225_600_000  # milliseconds
WORDS = [first + last for first in ("bal", "cor", "dim", "fen", "gar") for last in ("ato", "ine", "ura", "osk", "eth")]
TAGS = ["rna", "seq"]
COLLECTIONS_PER_TOPIC = 20
# Of each topic's collections 4 are at the top, 8 below those, 2 each, and 8 on a third level, 1 each.
PARENT_PLACES = (*[None] * 4, 0, 0, 1, 1, 2, 2, 3, 3, *range(4, 12))
GROUP_SHARE = 0.7  # of the grants to a group or a user
VIEWER_GROUPS = 3
VIEWER_ASSETS = 10  # the last ones; the viewer may add and remove them
MIN_ASSETS, MAX_FACTOR = 2_000, 10
FIRST_USER_PK = 11  # everyone and public come first
ID_LETTERS = "0123456789abcdefghijklmnopqrstuv"


@dataclass(frozen=True)
class Sizes:
    """Row counts of a world."""

    assets: int = 100_000
    collections: int = 400
    members: int = 500  # of each collection
    users: int = 1_000
    groups: int = 50

    def scaled(self, factor: int) -> "Sizes":
        """Return the sizes with `factor` times as many assets, users and groups; collections stay as they are."""
        return replace(self, assets=self.assets * factor, users=self.users * factor, groups=self.groups * factor)


class Principal(NamedTuple):
    """A user or a group."""

    pk: int
    id: str
    external_id: str
    kind: str
    name: str
    email: str | None


class Topic(NamedTuple):
    """A topic; its rank is its pk."""

    pk: int
    id: str
    name: str


class Collection(NamedTuple):
    """A collection; its rank is its pk."""

    pk: int
    id: str
    name: str
    description: str
    topic_pk: int
    parent_pk: int | None


class Asset(NamedTuple):
    """A released asset with its grants: accesses by principal pk."""

    pk: int
    id: str
    kind: AssetKind
    name: str
    description: str
    owner_pk: int
    version: str
    doi: str
    created_at: int
    grants: dict[int, int]


class Membership(NamedTuple):
    """An asset in a collection."""

    collection_pk: int
    asset_pk: int
    rank: int


class World:
    """The rows of a world, generated in order; each call draws the same ones again."""

    def __init__(self, sizes: Sizes) -> None:
        """Take the sizes; nothing is kept in memory."""
        self.sizes = sizes
        self.first_group_pk = FIRST_USER_PK + sizes.users

    @property
    def viewer_pk(self) -> int:
        """The pk of the user who sends all requests."""
        return FIRST_USER_PK

    @property
    def viewer_group_pks(self) -> list[int]:
        """The pks of the viewer's groups."""
        return list(range(self.first_group_pk, self.first_group_pk + VIEWER_GROUPS))

    def principals(self) -> Iterator[Principal]:
        """Yield the users, then the groups."""
        for number in range(1, self.sizes.users + 1):
            pk = FIRST_USER_PK + number - 1
            yield Principal(pk, public_id("usr", pk), f"user:{number}", "USER", f"User {number}", f"u{number}@x.test")
        for number in range(1, self.sizes.groups + 1):
            pk = self.first_group_pk + number - 1
            yield Principal(pk, public_id("grp", pk), f"group:{number}", "GROUP", f"Group {number}", None)

    def topics(self) -> Iterator[Topic]:
        """Yield the topics."""
        for pk in range(1, self.sizes.collections // COLLECTIONS_PER_TOPIC + 1):
            yield Topic(pk, public_id("top", pk), f"Topic {pk}")

    def collections(self) -> Iterator[Collection]:
        """Yield the collections, in three levels."""
        for pk in range(1, self.sizes.collections + 1):
            topic, place = divmod(pk - 1, COLLECTIONS_PER_TOPIC)
            first = pk - place
            parent_place = PARENT_PLACES[place]
            parent = None if parent_place is None else first + parent_place
            text = " ".join(["Lorem ipsum"] * 5)
            yield Collection(pk, public_id("col", pk), f"Collection {pk}", text, topic + 1, parent)

    def assets(self) -> Iterator[Asset]:
        """Yield the assets: half of them shared with two principals only, the others with everyone or public too."""
        chance = Random(1)
        kinds = list(AssetKind)
        for pk in range(1, self.sizes.assets + 1):
            owner_pk = chance.randrange(FIRST_USER_PK, self.first_group_pk)
            if pk > self.sizes.assets - VIEWER_ASSETS:
                owner_pk = self.viewer_pk
            grants = {owner_pk: AssetAccess.OWNER.value}
            audience = chance.choices([None, EVERYONE_PK, PUBLIC_PK], [0.5, 0.4, 0.1])[0]
            for _ in range(1 if audience else 2):
                first, count = (
                    (self.first_group_pk, self.sizes.groups)
                    if chance.random() < GROUP_SHARE
                    else (FIRST_USER_PK, self.sizes.users)
                )
                grants.setdefault(first + chance.randrange(count), AssetAccess.VIEWER.value)
            if audience:
                grants[audience] = AssetAccess.VIEWER.value
            yield Asset(
                pk,
                public_id("ast", pk),
                chance.choice(kinds),
                f"Asset {chance.choice(WORDS)} {pk}",
                " ".join(["Description of an asset"] * 4),
                owner_pk,
                f"{chance.randint(1, 5)}.0",
                f"10.24433/CO.{pk}",
                NOW + pk,
                grants,
            )

    def memberships(self) -> Iterator[Membership]:
        """Yield the memberships, collection by collection, in their order."""
        chance = Random(2)
        for collection_pk in range(1, self.sizes.collections + 1):
            sample = chance.sample(range(1, self.sizes.assets + 1), self.sizes.members)
            for place, asset_pk in enumerate(sample, start=1):
                yield Membership(collection_pk, asset_pk, place * 1024)


def public_id(prefix: str, pk: int) -> str:
    """Return the id of a row, in the form of Atoll's ids."""
    chance = Random(f"{prefix}{pk}")
    return f"{prefix}_{''.join(chance.choices(ID_LETTERS, k=24))}"
