"""This file is filters made at random, of what there is in a world and of what lies right beside it."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from proofs.oracle.expected import instant
from tests.oracle import KINDS, Line, Model

STATUSES = ("RELEASED", "DRAFT", "ARCHIVED", "WITHDRAWN", "FAILED")
EVEN, MOSTLY = 0.5, 0.7  # chances
NO_IDS = ("ast_" + "0" * 24, "col_" + "0" * 24, "no id", "")


def asset_filter(chance: Random, model: Model) -> Line:
    """Return a filter of assets: mostly one field or two, some of them null."""
    made = [model.created_at(asset) for asset in model.asset]
    changed = [model.updated_at(asset) for asset in model.asset]
    tags = [tag for line in model.asset.values() for tag in line.get("tags", ())]
    collections = [*(model.ids[slug] for slug in model.collection), *NO_IDS]
    return _some(
        chance,
        {
            "kinds": _any_of(chance, KINDS),
            "statuses": _any_of(chance, STATUSES),
            "tags": _any_of(chance, [*tags, "", "a"]),
            "ownerIds": _any_of(chance, [*(model.ids[user] for user in model.users), *NO_IDS]),
            "goldStandard": chance.random() < EVEN,
            "createdAt": _span(chance, made),
            "updatedAt": _span(chance, changed),
            "inCollectionIds": _any_of(chance, collections),
            "notInCollectionIds": _any_of(chance, collections),
        },
    )


def collection_filter(chance: Random, model: Model) -> Line:
    """Return a filter of collections: mostly one field or two, some of them null."""
    topics = [model.topic_id(slug) for slug in model.topic]
    return _some(
        chance,
        {
            "visibility": chance.choice(("PUBLIC", "INTERNAL")),
            "topicIds": _any_of(chance, [*topics, *topics, NO_IDS[0]]),
            "topLevelOnly": chance.random() < MOSTLY,
            "containsAssetId": chance.choice([*(model.ids[asset] for asset in model.asset), *NO_IDS]),
            "updatedAt": _span(chance, list(model.changed_at.values())),
        },
    )


def _some(chance: Random, values: Mapping[str, Any]) -> Line:
    names = chance.sample(list(values), chance.choice((0, 1, 1, 1, 2, 2, 3)))
    return {name: values[name] if chance.randrange(8) else None for name in names}


def _any_of(chance: Random, values: Sequence[str]) -> list[str]:
    """Return a few of the values, perhaps one of them twice; seldom none."""
    return chance.choices(values, k=chance.choice((0, 1, 1, 2, 2, 3, 4)))


def _span(chance: Random, instants: Sequence[int]) -> Line:
    """Return a span whose ends are an instant of the world, or a millisecond beside one; either may be missing."""
    ends = {end: chance.choice([*instants, 0]) + chance.choice((-1, 0, 0, 1)) for end in ("from", "until")}
    return {end: instant(at) for end, at in ends.items() if chance.randrange(4)}
