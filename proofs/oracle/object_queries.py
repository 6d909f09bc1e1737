"""Queries for objects and counts, each with its expected response."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from proofs.oracle import expected
from proofs.oracle.filters import EVEN, UNKNOWN_IDS, random_asset_filter
from proofs.oracle.list_requests import REFERENCES, reference_to
from tests.oracle import ANONYMOUS, COUNT_FIELDS, Line, Model

BATCH_SIZE = 16
ASSETS_PER_QUERY = 8
COUNTS_QUERIES = 5
UNKNOWN = "unknown"
COUNTS = " ".join(("total", *COUNT_FIELDS.values(), "goldStandards"))
NODES = f"""query($ids: [ID!]!) {{ nodes(ids: $ids) {{ __typename id
  ... on User {{ {expected.USER} }} ... on Group {{ {expected.GROUP} }} ... on Topic {{ {expected.TOPIC} }}
  ... on Collection {{ {expected.COLLECTION} }} {expected.ASSET} }} }}"""
NODE = "query($id: ID!) { node(id: $id) { __typename id } }"
VIEWER = f"{{ viewer {{ isAdmin user {expected.PERSON} }} }}"
COUNTS_QUERY = f"""query($f: AssetFilter) {{
  topics(first: 100) {{ nodes {{ slug assetCounts {{ ...C }} }} }}
  collections(first: 100) {{ nodes {{ slug
    own: assetCounts {{ ...C }} below: assetCounts(includeDescendants: true) {{ ...C }}
    kept: assetCounts(filter: $f) {{ ...C }} keptBelow: assetCounts(filter: $f, includeDescendants: true) {{ ...C }}
  }} }}
}} fragment C on AssetCounts {{ {COUNTS} }}"""

# The selections of each type of object, and its expected response.
EXPECTED_BY_KIND: dict[str, tuple[str, Callable[[Model, str, str], Any]]] = {
    "asset": (expected.ASSET, expected.asset),
    "collection": (expected.COLLECTION, expected.collection),
    "topic": (expected.TOPIC, expected.topic),
}
EXPECTED_PEOPLE: dict[str, tuple[str, Callable[[Model, str, str], Any]]] = {
    "user": (f"__typename id {expected.USER}", expected.user),
    "group": (f"__typename id {expected.GROUP}", expected.group),
}
"""The same for members, who alone may look people up."""


@dataclass(frozen=True)
class ExpectedQuery:
    """Document with its variables, its expected response, and the number of answers compared in it."""

    query: str
    variables: dict[str, Any]
    expected: dict[str, Any]
    answers: int

    def standalone(self) -> tuple[str, dict[str, Any]]:
        """Return the document and its variables."""
        return self.query, self.variables


def object_queries(random: Random, model: Model, who: str) -> Iterator[ExpectedQuery]:
    """Yield queries for every object, visible or not, and for some that do not exist."""
    yield ExpectedQuery(VIEWER, {}, {"viewer": _expected_viewer(model, who)}, 1)
    expected_by_id = {**_expected_people(model, who), **_expected_objects(model, who), **dict.fromkeys(UNKNOWN_IDS)}
    ids = random.sample(list(expected_by_id), len(expected_by_id))
    for chunk in _chunks(ids, 100):
        yield ExpectedQuery(NODES, {"ids": chunk}, {"nodes": [expected_by_id[id_] for id_ in chunk]}, len(chunk))
    id_ = random.choice(ids)
    node = {name: expected_by_id[id_][name] for name in ("__typename", "id")} if expected_by_id[id_] else None
    yield ExpectedQuery(NODE, {"id": id_}, {"node": node}, 1)
    for kind, (selections, expected_object) in (
        EXPECTED_BY_KIND | (EXPECTED_PEOPLE if who != ANONYMOUS else {})
    ).items():
        expect = partial(expected_object, model, who)
        yield from _reference_queries(random, model, kind, selections, expect)
    for chunk in _chunks([*model.asset, UNKNOWN], ASSETS_PER_QUERY):
        yield _contains_query(model, who, chunk)
    for _ in range(COUNTS_QUERIES):
        yield _counts_query(model, who, random_asset_filter(random, model))


def _expected_viewer(model: Model, who: str) -> Line | None:
    return None if who == ANONYMOUS else {"isAdmin": model.is_admin(who), "user": expected.person(model, who, who)}


def _expected_people(model: Model, who: str) -> dict[str, Any]:
    expected_by_id = {model.ids[user]: expected.user(model, who, user) for user in model.users}
    return expected_by_id | {model.ids[group]: expected.group(model, who, group) for group in model.groups}


def _expected_objects(model: Model, who: str) -> dict[str, Any]:
    expected_by_id = {model.ids[name]: expected.asset(model, who, name) for name in model.asset}
    expected_by_id |= {model.ids[slug]: expected.collection(model, who, slug) for slug in model.collection}
    return expected_by_id | {model.topic_id(slug): expected.topic(model, who, slug) for slug in model.topic}


def _reference_queries(
    random: Random, model: Model, kind: str, selections: str, expect: Callable[[str], Any]
) -> Iterator[ExpectedQuery]:
    """Yield queries for all objects of a type, each by id, or by slug, external id or e-mail address."""
    names = getattr(model, f"{kind}s" if kind in EXPECTED_PEOPLE else kind)
    references = [(reference_to(model, kind, name, by_id=random.random() < EVEN), expect(name)) for name in names]
    references += [({"id": UNKNOWN_IDS[0]}, None), (reference_to(model, kind, UNKNOWN, by_id=False), None)]
    for chunk in _chunks(references, BATCH_SIZE):
        padded = [chunk[min(index, len(chunk) - 1)] for index in range(BATCH_SIZE)]
        declarations = " ".join(f"$r{index}: {REFERENCES[kind]}!" for index in range(BATCH_SIZE))
        fields = " ".join(f"l{index}: {kind}(by: $r{index}) {{ ...F }}" for index in range(BATCH_SIZE))
        variables = {f"r{index}": by for index, (by, _) in enumerate(padded)}
        answer = {f"l{index}": result for index, (_, result) in enumerate(padded)}
        fragment = f"fragment F on {kind.capitalize()} {{ {selections} }}"
        yield ExpectedQuery(f"query({declarations}) {{ {fields} }} {fragment}", variables, answer, len(chunk))


def _contains_query(model: Model, who: str, names: Sequence[str]) -> ExpectedQuery:
    """Return the query that reads from all collections and from the viewer where the assets are contained."""
    padded = [names[min(index, len(names) - 1)] for index in range(ASSETS_PER_QUERY)]
    declarations = " ".join(f"$a{index}: ID!" for index in range(ASSETS_PER_QUERY))
    fields = " ".join(f"a{index}: containsAsset(assetId: $a{index})" for index in range(ASSETS_PER_QUERY))
    query = f"""query({declarations}) {{ collections(first: 100) {{ nodes {{ slug {fields} }} }}
      viewer {{ collections(first: 100, assetId: $a0) {{ edges {{ containsAsset node {{ slug }} }} }} }} }}"""
    slugs = model.collections(who)
    contains_by_slug = {
        slug: {f"a{index}": expected.contains(model, who, slug, name) for index, name in enumerate(padded)}
        for slug in slugs
    }
    edges = [{"containsAsset": contains_by_slug[slug]["a0"], "node": {"slug": slug}} for slug in slugs]
    answer = {
        "collections": {"nodes": [{"slug": slug, **contains_by_slug[slug]} for slug in slugs]},
        "viewer": None if who == ANONYMOUS else {"collections": {"edges": edges}},
    }
    variables = {f"a{index}": model.ids.get(name, UNKNOWN_IDS[0]) for index, name in enumerate(padded)}
    return ExpectedQuery(query, variables, answer, len(slugs) * (len(names) + 1) + 1)


def _counts_query(model: Model, who: str, asset_filter: Line) -> ExpectedQuery:
    """Return the query for the asset counts of all topics and collections."""
    topics, collections = model.topics(who), model.collections(who)
    of_topics = [{"slug": slug, "assetCounts": model.counts(model.topic_assets(who, slug))} for slug in topics]
    of_collections = [
        {
            "slug": slug,
            "own": model.counts(model.collection_assets(who, slug)),
            "below": model.counts(model.collection_assets(who, slug, include_descendants=True)),
            "kept": model.counts(model.collection_assets(who, slug, filter=asset_filter)),
            "keptBelow": model.counts(
                model.collection_assets(who, slug, filter=asset_filter, include_descendants=True)
            ),
        }
        for slug in collections
    ]
    answer = {"topics": {"nodes": of_topics}, "collections": {"nodes": of_collections}}
    return ExpectedQuery(COUNTS_QUERY, {"f": asset_filter}, answer, len(topics) + 4 * len(collections))


def _chunks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
