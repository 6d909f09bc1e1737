"""Random filters, whose values exist in a world or are close to existing ones."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from proofs.oracle.expected import format_instant
from tests.oracle import ACCESS, KINDS, Line, Model

STATUSES = ("RELEASED", "DRAFT", "ARCHIVED", "WITHDRAWN", "FAILED")
EVEN, MOSTLY = 0.5, 0.7  # probabilities
UNKNOWN_IDS = ("ast_" + "0" * 24, "col_" + "0" * 24, "no id", "")


def random_asset_filter(random: Random, model: Model) -> Line:
    """Return a filter of assets, usually with one or two fields, some of them null."""
    created = [model.created_at(asset) for asset in model.asset]
    updated = [model.updated_at(asset) for asset in model.asset]
    tags = [tag for line in model.asset.values() for tag in line.get("tags", ())]
    licenses = [line["license"] for line in model.asset.values() if line.get("license")]
    collections = [*(model.ids[slug] for slug in model.collection), *UNKNOWN_IDS]
    return _some_fields(
        random,
        {
            "ids": _a_few(random, [*(model.ids[asset] for asset in model.asset), *UNKNOWN_IDS]),
            "externalIds": _a_few(random, [*model.asset, *UNKNOWN_IDS]),
            "kinds": _a_few(random, KINDS),
            "statuses": _a_few(random, STATUSES),
            "tags": _a_few(random, [*tags, "", "a"]),
            "allTags": _a_few(random, [*tags, "a"]),
            "licenses": _a_few(random, [*licenses, ""]),
            "viewerAccess": random.choice(tuple(ACCESS)),
            "ownerIds": _a_few(random, [*(model.ids[user] for user in model.users), *UNKNOWN_IDS]),
            "goldStandard": random.random() < EVEN,
            "createdAt": _date_range(random, created),
            "updatedAt": _date_range(random, updated),
            "inCollectionIds": _a_few(random, collections),
            "notInCollectionIds": _a_few(random, collections),
            "inNoCollection": random.random() < EVEN,
        },
    )


def random_collection_filter(random: Random, model: Model) -> Line:
    """Return a filter of collections, usually with one or two fields, some of them null."""
    collections = [*(model.ids[slug] for slug in model.collection), *UNKNOWN_IDS]
    topics = [model.topic_id(slug) for slug in model.topic]
    return _some_fields(
        random,
        {
            "ids": _a_few(random, collections),
            "slugs": _a_few(random, [*model.collection, *UNKNOWN_IDS]),
            "parentIds": _a_few(random, collections),
            "visibility": random.choice(("PUBLIC", "INTERNAL")),
            "topicIds": _a_few(random, [*topics, *topics, UNKNOWN_IDS[0]]),
            "topLevelOnly": random.random() < MOSTLY,
            "containsAssetId": random.choice([*(model.ids[asset] for asset in model.asset), *UNKNOWN_IDS]),
            "updatedAt": _date_range(random, list(model.changed_at.values())),
        },
    )


def random_user_filter(random: Random, model: Model) -> Line:
    """Return a filter of users, usually with one or two fields, some of them null."""
    return _some_fields(
        random,
        {
            "isAdmin": random.random() < EVEN,
            "isActive": random.random() < MOSTLY,
            "groupIds": _a_few(random, [*(model.ids[group] for group in model.groups), UNKNOWN_IDS[0]]),
        },
    )


def _some_fields(random: Random, values: Mapping[str, Any]) -> Line:
    names = random.sample(list(values), random.choice((0, 1, 1, 1, 2, 2, 3)))
    return {name: values[name] if random.randrange(8) else None for name in names}


def _a_few(random: Random, values: Sequence[str]) -> list[str]:
    """Return a few of the values, possibly with repetitions or none."""
    return random.choices(values, k=random.choice((0, 1, 1, 2, 2, 3, 4)))


def _date_range(random: Random, instants: Sequence[int]) -> Line:
    """Return a range whose bounds are instants of the world, or a millisecond off; each bound may be missing."""
    bounds = {bound: random.choice([*instants, 0]) + random.choice((-1, 0, 0, 1)) for bound in ("from", "until")}
    return {bound: format_instant(at) for bound, at in bounds.items() if random.randrange(4)}
