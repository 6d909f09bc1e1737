"""This file is objects and counts as they are asked for, each question with the whole answer that the oracle gives."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from proofs.oracle import expected
from proofs.oracle.filters import EVEN, NO_IDS, asset_filter
from proofs.oracle.list_requests import REFERENCES, reference
from tests.oracle import ANONYMOUS, Line, Model

TOGETHER = 16  # references of one document
ASSETS_TOGETHER = 8  # that each collection is asked for
COUNTINGS = 5  # each with a filter of its own
UNKNOWN = "unknown"
COUNTS = "total capsules pipelines noCodeApps dataAssets models goldStandards"
NODES = f"""query($ids: [ID!]!) {{ nodes(ids: $ids) {{ __typename id
  ... on User {{ name email }} ... on Group {{ name }} ... on Topic {{ {expected.TOPIC} }}
  ... on Collection {{ {expected.COLLECTION} }} {expected.ASSET} }} }}"""
NODE = "query($id: ID!) { node(id: $id) { __typename id } }"
VIEWER = f"{{ viewer {{ isAdmin user {expected.PERSON} }} }}"
COUNTED = f"""query($f: AssetFilter) {{
  topics(first: 100) {{ nodes {{ slug assetCounts {{ ...C }} }} }}
  collections(first: 100) {{ nodes {{ slug
    own: assetCounts {{ ...C }} below: assetCounts(includeDescendants: true) {{ ...C }}
    kept: assetCounts(filter: $f) {{ ...C }} keptBelow: assetCounts(filter: $f, includeDescendants: true) {{ ...C }}
  }} }}
}} fragment C on AssetCounts {{ {COUNTS} }}"""

# What is asked of each kind of object, and what is told of it.
KINDS: dict[str, tuple[str, Callable[[Model, str, str], Any]]] = {
    "asset": (expected.ASSET, expected.asset),
    "collection": (expected.COLLECTION, expected.collection),
    "topic": (expected.TOPIC, expected.topic),
}


@dataclass(frozen=True)
class Question:
    """A document with its variables, its whole answer by the oracle, and how many answers are compared in it."""

    query: str
    variables: dict[str, Any]
    expected: dict[str, Any]
    answers: int

    def alone(self) -> tuple[str, dict[str, Any]]:
        """Return the document and its variables."""
        return self.query, self.variables


def questions(chance: Random, model: Model, who: str) -> Iterator[Question]:
    """Yield what the viewer asks of every object, whether they see it or not, and of some that are not there."""
    yield Question(VIEWER, {}, {"viewer": _viewer(model, who)}, 1)
    told = {**_people(model, who), **_things(model, who), **dict.fromkeys(NO_IDS)}
    ids = chance.sample(list(told), len(told))
    for some in _parts(ids, 100):
        yield Question(NODES, {"ids": some}, {"nodes": [told[id_] for id_ in some]}, len(some))
    id_ = chance.choice(ids)
    short = {name: told[id_][name] for name in ("__typename", "id")} if told[id_] else None
    yield Question(NODE, {"id": id_}, {"node": short}, 1)
    for kind in REFERENCES:
        yield from _references(chance, model, who, kind)
    for some in _parts([*model.asset, UNKNOWN], ASSETS_TOGETHER):
        yield _holding(model, who, some)
    for _ in range(COUNTINGS):
        yield _counting(model, who, asset_filter(chance, model))


def _viewer(model: Model, who: str) -> Line | None:
    return None if who == ANONYMOUS else {"isAdmin": model.is_admin(who), "user": expected.person(model, who, who)}


def _people(model: Model, who: str) -> dict[str, Any]:
    told = {model.ids[user]: expected.person(model, who, user) for user in model.users}
    return told | {model.ids[group]: expected.group(model, who, group) for group in model.groups}


def _things(model: Model, who: str) -> dict[str, Any]:
    told = {model.ids[name]: expected.asset(model, who, name) for name in model.asset}
    told |= {model.ids[slug]: expected.collection(model, who, slug) for slug in model.collection}
    return told | {model.topic_id(slug): expected.topic(model, who, slug) for slug in model.topic}


def _references(chance: Random, model: Model, who: str, kind: str) -> Iterator[Question]:
    """Yield questions for all objects of a kind, each by its id or its other name."""
    body, tell = KINDS[kind]
    names = getattr(model, kind)
    refer = [(reference(model, kind, name, by_id=chance.random() < EVEN), tell(model, who, name)) for name in names]
    refer += [({"id": NO_IDS[0]}, None), ({"externalId" if kind == "asset" else "slug": UNKNOWN}, None)]
    for some in _parts(refer, TOGETHER):
        padded = [some[min(place, len(some) - 1)] for place in range(TOGETHER)]
        declared = " ".join(f"$r{place}: {REFERENCES[kind]}!" for place in range(TOGETHER))
        texts = " ".join(f"l{place}: {kind}(by: $r{place}) {{ ...F }}" for place in range(TOGETHER))
        variables = {f"r{place}": by for place, (by, _) in enumerate(padded)}
        answer = {f"l{place}": told for place, (_, told) in enumerate(padded)}
        fragment = f"fragment F on {kind.capitalize()} {{ {body} }}"
        yield Question(f"query({declared}) {{ {texts} }} {fragment}", variables, answer, len(some))


def _holding(model: Model, who: str, names: Sequence[str]) -> Question:
    """Return the question which collections hold the assets, asked of the collections and of the viewer."""
    padded = [names[min(place, len(names) - 1)] for place in range(ASSETS_TOGETHER)]
    declared = " ".join(f"$a{place}: ID!" for place in range(ASSETS_TOGETHER))
    texts = " ".join(f"a{place}: containsAsset(assetId: $a{place})" for place in range(ASSETS_TOGETHER))
    query = f"""query({declared}) {{ collections(first: 100) {{ nodes {{ slug {texts} }} }}
      viewer {{ collections(first: 100, assetId: $a0) {{ edges {{ containsAsset node {{ slug }} }} }} }} }}"""
    slugs = model.collections(who)
    held = {
        slug: {f"a{place}": expected.contains(model, who, slug, name) for place, name in enumerate(padded)}
        for slug in slugs
    }
    edges = [{"containsAsset": held[slug]["a0"], "node": {"slug": slug}} for slug in slugs]
    answer = {
        "collections": {"nodes": [{"slug": slug, **held[slug]} for slug in slugs]},
        "viewer": None if who == ANONYMOUS else {"collections": {"edges": edges}},
    }
    variables = {f"a{place}": model.ids.get(name, NO_IDS[0]) for place, name in enumerate(padded)}
    return Question(query, variables, answer, len(slugs) * (len(names) + 1) + 1)


def _counting(model: Model, who: str, kept: Line) -> Question:
    """Return the question how many assets there are in each topic and collection."""
    topics, collections = model.topics(who), model.collections(who)
    of_topics = [{"slug": slug, "assetCounts": model.counts(model.topic_assets(who, slug))} for slug in topics]
    of_collections = [
        {
            "slug": slug,
            "own": model.counts(model.collection_assets(who, slug)),
            "below": model.counts(model.collection_assets(who, slug, include_descendants=True)),
            "kept": model.counts(model.collection_assets(who, slug, filter=kept)),
            "keptBelow": model.counts(model.collection_assets(who, slug, filter=kept, include_descendants=True)),
        }
        for slug in collections
    ]
    answer = {"topics": {"nodes": of_topics}, "collections": {"nodes": of_collections}}
    return Question(COUNTED, {"f": kept}, answer, len(topics) + 4 * len(collections))


def _parts(whole: Sequence[Any], most: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(whole), most):
        yield whole[start : start + most]
