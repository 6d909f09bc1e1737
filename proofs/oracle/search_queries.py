"""This file is searches and facets as they are asked for, each with the whole answer that the oracle gives."""

from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from proofs.oracle.filters import asset_filter
from proofs.oracle.object_queries import Question
from tests.oracle import ANONYMOUS, Line, Model, Names
from tests.oracle_search import asset_fields, heading_fields, match_ranks, relevance_key

SEARCHES = 4  # of a viewer
FEW = 2  # values of a facet
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
PANEL = """query($q: String, $f: AssetFilter, $few: Int) { collections(first: 100) { nodes { slug
  addableAssets(query: $q, filter: $f, first: 100) { totalCount nodes { ... on AssetFields { externalId } }
    facets { kinds { kind count } tags(first: $few) { tag count } owners(first: $few) { count owner { name } } }
  } } } }"""


def searches(chance: Random, model: Model, who: str) -> Iterator[Question]:
    """Yield what the viewer looks for."""
    for _ in range(SEARCHES):
        typed, kept = typed_of(chance, model), asset_filter(chance, model)
        variables = {"q": typed, "f": kept, "few": FEW}
        search = _Searching(model, who, typed, kept)
        yield Question(DOCUMENT, variables, search.everything(), 6 + 2 * len(search.slugs))
        if who != ANONYMOUS:
            yield Question(PANEL, variables, search.panels(), 2 * len(search.slugs))


def typed_of(chance: Random, model: Model) -> str:
    """Return what is typed: words of the world, begun, joined, quoted, misspelt, or of a place."""
    told = [line.get(name) for line in model.lines for name in ("name", "slug", "id", "description", "doi")]
    words = [word for text in told if text for word in text.split()] or ["x"]
    return " ".join(_mistyped(chance, chance.choice(words)) for _ in range(chance.choice((1, 1, 1, 2, 3))))


def _mistyped(chance: Random, word: str) -> str:
    at = chance.randrange(len(word))
    ways = (
        *(word, word, word.upper(), word[: at + 1], f'"{word}"', f'"{word}', word[at:], f"{word} "),
        *(
            word[:at] + word[at + 1 :],
            word[:at] + word[at : at + 2][::-1] + word[at + 2 :],
            word[:at] + "e" + word[at:],
        ),
        *(f"tag:{word}", f"owner:{word}", "kind:model", "kind:data kind:app", f"doi:{word}"),
    )
    return chance.choice(ways)


class _Searching:
    """One search of one viewer, by the oracle."""

    def __init__(self, model: Model, who: str, typed: str, kept: Line) -> None:
        self.model, self.who, self.kept = model, who, kept
        fields = {name: asset_fields(line, model.users[line["owner"]]) for name, line in model.asset.items()}
        self.assets = match_ranks(typed, fields)
        self.collections = match_ranks(typed, {slug: heading_fields(line) for slug, line in model.collection.items()})
        self.topics = match_ranks(typed, {slug: heading_fields(line) for slug, line in model.topic.items()})
        self.slugs = model.collections(who)

    def everything(self) -> dict[str, Any]:
        """Return the answer of all lists but the panels'."""
        model, who, kept = self.model, self.who, self.kept
        named = _of(model.assets(who, "NAME", kept, descending=False), self.assets)
        collections = _slugs(_of(self.slugs, self.collections))
        return {
            "best": self._list(model.assets(who, "RELEVANCE", kept), model.assets(who)),
            "named": {"nodes": _nodes(named)},
            "topics": _slugs(_of(model.topics(who), self.topics)),
            "collections": collections,
            "viewer": None if who == ANONYMOUS else {"collections": collections},
            "every": {"nodes": [{"slug": slug, "assets": self._held(slug)} for slug in self.slugs]},
        }

    def panels(self) -> dict[str, Any]:
        """Return the answer of the panels of all collections."""
        model, who, kept = self.model, self.who, self.kept
        lists = {
            slug: self._list(model.addable_assets(who, slug, "RELEVANCE", kept), model.addable_assets(who, slug))
            for slug in self.slugs
        }
        return {"collections": {"nodes": [{"slug": slug, "addableAssets": told} for slug, told in lists.items()]}}

    def _held(self, slug: str) -> dict[str, Any]:
        model, who = self.model, self.who
        held = _of(model.collection_assets(who, slug, filter=self.kept), self.assets)
        return {
            "totalCount": len(held),
            "nodes": _nodes(held),
            "facets": self._facets(model.collection_assets(who, slug)),
        }

    def _list(self, by_relevance: Names, every: Names) -> dict[str, Any]:
        # What matches better comes first; among equals the order of relevance stays.
        listed = _of(by_relevance, self.assets)
        if self.assets is not None:
            levels, named = self.assets, self.model.asset
            listed = sorted(listed, key=lambda each: relevance_key(levels[each], named[each]["name"]), reverse=True)
        return {"totalCount": len(listed), "nodes": _nodes(listed), "facets": self._facets(every)}

    def _facets(self, every: Names) -> dict[str, Any]:
        """Return the facets of a list, each without the filter that it could set."""
        model = self.model
        kinds = Counter(model.asset[name]["type"] for name in self._without("kinds", every))
        tags = Counter(tag for name in self._without("tags", every) for tag in set(model.asset[name].get("tags", ())))
        owners = Counter(model.asset[name]["owner"] for name in self._without("ownerIds", every))

        def by_name(owner: str) -> Any:
            return (-owners[owner], model.users[owner]["name"], model.ids[owner])

        return {
            "kinds": [{"kind": kind, "count": count} for kind, count in _most(kinds)],
            "tags": [{"tag": tag, "count": count} for tag, count in _most(tags)[:FEW]],
            "owners": [
                {"count": owners[owner], "owner": {"name": model.users[owner]["name"]}}
                for owner in sorted(owners, key=by_name)[:FEW]
            ],
        }

    def _without(self, name: str, every: Names) -> Names:
        kept = {other: value for other, value in self.kept.items() if other != name}
        return _of([asset for asset in every if self.model.asset_matches(self.who, asset, kept)], self.assets)


def _of(names: Names, found: dict[str, int] | None) -> Names:
    return names if found is None else [name for name in names if name in found]


def _most(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))


def _nodes(assets: Sequence[str]) -> list[Line]:
    return [{"externalId": asset} for asset in assets]


def _slugs(slugs: Sequence[str]) -> Line:
    return {"totalCount": len(slugs), "nodes": [{"slug": slug} for slug in slugs]}
