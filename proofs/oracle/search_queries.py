"""Searches and facets, each query with its expected response."""

from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from proofs.oracle.filters import random_asset_filter
from proofs.oracle.object_queries import ExpectedQuery
from tests.oracle import ANONYMOUS, Line, Model, Names, sort_key
from tests.oracle_search import asset_fields, heading_fields, match_ranks, principal_fields, relevance_key

SEARCHES_PER_VIEWER = 4
OPERATOR_CHANCE = 0.2
FACET_SIZE = 2
ASSETS = "{ totalCount nodes { ... on AssetFields { externalId } } ...F }"
DOCUMENT = f"""query($q: String, $f: AssetFilter, $few: Int) {{
  best: assets(query: $q, filter: $f, first: 100) {ASSETS}
  named: assets(query: $q, filter: $f, first: 100, orderBy: {{field: NAME, direction: ASC}}) {{
    nodes {{ ... on AssetFields {{ externalId }} }} }}
  topics(query: $q, first: 100) {{ totalCount nodes {{ slug }} }}
  collections(query: $q, first: 100) {{ totalCount nodes {{ slug }} }}
  viewer {{ collections(query: $q, first: 100) {{ totalCount nodes {{ slug }} }} }}
  every: collections(first: 100) {{ nodes {{ slug assets(query: $q, filter: $f, first: 100) {{
    totalCount nodes {{ ... on AssetFields {{ externalId }} }} ...G }} }} }}
}}
fragment F on AssetConnection {{ facets {{ ...V }} }}
fragment G on CollectionAssetConnection {{ facets {{ ...V }} }}
fragment V on AssetFacets {{
  kinds {{ kind count }} tags(first: $few) {{ tag count }} owners(first: $few) {{ count owner {{ name }} }} }}"""
FOR_MEMBERS = """query($q: String, $f: AssetFilter, $few: Int) { collections(first: 100) { nodes { slug
  addableAssets(query: $q, filter: $f, first: 100) { totalCount nodes { ... on AssetFields { externalId } }
    facets { kinds { kind count } tags(first: $few) { tag count } owners(first: $few) { count owner { name } } }
  } } }
  users(query: $q, first: 100) { totalCount nodes { externalId } }
  groups(query: $q, first: 100) { totalCount nodes { externalId } } }"""


def search_queries(random: Random, model: Model, who: str) -> Iterator[ExpectedQuery]:
    """Yield random searches of the viewer."""
    for _ in range(SEARCHES_PER_VIEWER):
        text, asset_filter = random_search_text(random, model), random_asset_filter(random, model)
        variables = {"q": text, "f": asset_filter, "few": FACET_SIZE}
        search = _Search(model, who, text, asset_filter)
        yield ExpectedQuery(DOCUMENT, variables, search.lists(), 6 + 2 * len(search.slugs))
        if who != ANONYMOUS:
            yield ExpectedQuery(FOR_MEMBERS, variables, search.lists_of_members(), 2 + 2 * len(search.slugs))


def random_search_text(random: Random, model: Model) -> str:
    """Return a random search: words of the world, cut to a prefix, quoted, misspelt or limited to a field."""
    texts = [line.get(name) for line in model.lines for name in ("name", "slug", "id", "description", "doi")]
    words = [word for text in texts if text for word in text.split()] or ["x"]
    words += [tag for line in model.asset.values() for tag in line.get("tags", ())]
    varied = [_vary(random, random.choice(words)) for _ in range(random.choice((1, 1, 1, 2, 3)))]
    if random.random() < OPERATOR_CHANCE:
        varied.insert(random.randint(0, len(varied)), random.choice(("AND", "OR", "NOT")))
    return " ".join(varied)


def _vary(random: Random, word: str) -> str:
    at = random.randrange(len(word))
    ways = (
        *(word, word, word.upper(), word[: at + 1], f'"{word}"', f'"{word}', word[at:], f"{word} "),
        *(
            word[:at] + word[at + 1 :],
            word[:at] + word[at : at + 2][::-1] + word[at + 2 :],
            word[:at] + "e" + word[at:],
        ),
        *(f"tag:{word}", f"owner:{word}", "kind:model", "kind:data kind:app", f"doi:{word}"),
        *(f"-{word}", f'-"{word}"', f"-tag:{word}", f"{word}++", f"{word}.2.0"),
    )
    return random.choice(ways)


class _Search:
    """Expected responses for one search by one viewer."""

    def __init__(self, model: Model, who: str, text: str, asset_filter: Line) -> None:
        self.model, self.who, self.filter = model, who, asset_filter
        fields = {name: asset_fields(line, model.users[line["owner"]]) for name, line in model.asset.items()}
        self.assets = match_ranks(text, fields)
        self.collections = match_ranks(text, {slug: heading_fields(line) for slug, line in model.collection.items()})
        self.topics = match_ranks(text, {slug: heading_fields(line) for slug, line in model.topic.items()})
        self.users = match_ranks(text, {name: principal_fields(line) for name, line in model.users.items()})
        self.groups = match_ranks(text, {name: principal_fields(line) for name, line in model.groups.items()})
        self.slugs = model.collections(who)

    def lists(self) -> dict[str, Any]:
        """Return the expected response of all lists except `addableAssets`."""
        model, who, asset_filter = self.model, self.who, self.filter
        named = _matching(model.assets(who, "NAME", asset_filter, descending=False), self.assets)
        collections = _slugs(_matching(self.slugs, self.collections))
        return {
            "best": self._list(model.assets(who, "RELEVANCE", asset_filter), model.assets(who)),
            "named": {"nodes": _nodes(named)},
            "topics": _slugs(_matching(model.topics(who), self.topics)),
            "collections": collections,
            "viewer": None if who == ANONYMOUS else {"collections": collections},
            "every": {"nodes": [{"slug": slug, "assets": self._members(slug)} for slug in self.slugs]},
        }

    def lists_of_members(self) -> dict[str, Any]:
        """Return the expected `addableAssets` of all collections, users and groups."""
        model, who, asset_filter = self.model, self.who, self.filter
        lists = {
            slug: self._list(
                model.addable_assets(who, slug, "RELEVANCE", asset_filter), model.addable_assets(who, slug)
            )
            for slug in self.slugs
        }
        users = _matching(model.users_by_name(who), self.users)
        groups = _matching(model.groups_by_name(who), self.groups)
        return {
            "collections": {"nodes": [{"slug": slug, "addableAssets": result} for slug, result in lists.items()]},
            "users": {"totalCount": len(users), "nodes": _nodes(users)},
            "groups": {"totalCount": len(groups), "nodes": _nodes(groups)},
        }

    def _members(self, slug: str) -> dict[str, Any]:
        model, who = self.model, self.who
        members = _matching(model.collection_assets(who, slug, filter=self.filter), self.assets)
        return {
            "totalCount": len(members),
            "nodes": _nodes(members),
            "facets": self._facets(model.collection_assets(who, slug)),
        }

    def _list(self, by_relevance: Names, unfiltered: Names) -> dict[str, Any]:
        # Better matches come first; equal ones keep their order.
        matches = _matching(by_relevance, self.assets)
        if self.assets is not None:
            ranks, lines = self.assets, self.model.asset
            matches = sorted(matches, key=lambda name: relevance_key(ranks[name], lines[name]["name"]), reverse=True)
        return {"totalCount": len(matches), "nodes": _nodes(matches), "facets": self._facets(unfiltered)}

    def _facets(self, unfiltered: Names) -> dict[str, Any]:
        """Return the facets of a list, each counted without the filter by the same field."""
        model = self.model
        kinds = Counter(model.asset[name]["type"] for name in self._without("kinds", unfiltered))
        tags = model.tag_counts(self._without("tags", unfiltered))
        owners = Counter(model.asset[name]["owner"] for name in self._without("ownerIds", unfiltered))

        def by_name(owner: str) -> Any:
            return (-owners[owner], sort_key(model.users[owner]), model.ids[owner])

        return {
            "kinds": [{"kind": kind, "count": count} for kind, count in _most_frequent(kinds)],
            "tags": [{"tag": tag, "count": count} for tag, count in _most_frequent(tags)[:FACET_SIZE]],
            "owners": [
                {"count": owners[owner], "owner": {"name": model.users[owner]["name"]}}
                for owner in sorted(owners, key=by_name)[:FACET_SIZE]
            ],
        }

    def _without(self, name: str, unfiltered: Names) -> Names:
        asset_filter = {other: value for other, value in self.filter.items() if other != name}
        return _matching(
            [asset for asset in unfiltered if self.model.asset_matches(self.who, asset, asset_filter)], self.assets
        )


def _matching(names: Names, matches: dict[str, int] | None) -> Names:
    return names if matches is None else [name for name in names if name in matches]


def _most_frequent(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda name: (-name[1], name[0]))


def _nodes(names: Sequence[str]) -> list[Line]:
    return [{"externalId": name} for name in names]


def _slugs(slugs: Sequence[str]) -> Line:
    return {"totalCount": len(slugs), "nodes": [{"slug": slug} for slug in slugs]}
