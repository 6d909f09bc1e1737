"""This file is where one may come to know of an asset: operations that tell of it if they may, and how it is told."""

import re
from dataclasses import dataclass
from typing import Any

SPARE, PART = "spare", "part"
"""A collection without assets, and an asset that all others are made from, which anyone may view."""

NAME = "... on AssetFields { name }"
TYPES = {"name": "String!", "asset": "ID!", "part": "ID!", "collection": "ID!", "spare": "ID!"}


@dataclass(frozen=True)
class Surface:
    """An operation in which a sight may show.

    It selects nothing else: the sight shows in any number but 0, in true, and in a text that has the sight's name, or
    else the needle, in it.
    """

    fields: str
    needle: str = ""

    @property
    def document(self) -> str:
        """The operation, whose variables are of those named above."""
        declared = ", ".join(
            f"${name}: {kind}" for name, kind in TYPES.items() if re.search(rf"\${name}\b", self.fields)
        )
        kind = "mutation" if self.fields.startswith(DRY_RUN) else "query"
        return f"{kind}{f'({declared})' if declared else ''} {{ {self.fields} }}"

    def shows(self, data: Any, name: str) -> bool:
        """Return whether the answer's data show the sight of that name."""
        if isinstance(data, dict | list):
            return any(self.shows(value, name) for value in (data.values() if isinstance(data, dict) else data))
        return (self.needle or name) in data if isinstance(data, str) else bool(data)


def _of_collection(fields: str) -> str:
    return f"collection(by: {{slug: $name}}) {{ {fields} }}"


DRY_RUN = "collectionAssetsAdd"
_ADD = f"{DRY_RUN}(input: {{collectionId: $spare, assetIds: [$asset], mode: BEST_EFFORT, dryRun: true}})"

EXISTENCE = tuple(
    Surface(fields)
    for fields in (
        f"asset(by: {{id: $asset}}) {{ {NAME} }}",
        f"asset(by: {{externalId: $name}}) {{ {NAME} }}",
        f"node(id: $asset) {{ {NAME} }}",
        f"nodes(ids: [$part, $asset]) {{ {NAME} }}",
        f"assets(first: 100) {{ nodes {{ {NAME} }} }}",
        "assets(filter: {tags: [$name]}) { totalCount }",
        f"assets(filter: {{inCollectionIds: [$collection]}}) {{ totalCount nodes {{ {NAME} }} }}",
        _of_collection(f"assets {{ nodes {{ {NAME} }} }}"),
        _of_collection("assets { totalCount }"),
        _of_collection("assets(includeDescendants: true) { totalCount }"),
        f"assets(query: $name, first: 100) {{ nodes {{ {NAME} }} }}",
        "assets(query: $name) { facets { kinds { count } tags { count } owners { count } } }",
        _of_collection("assetCounts { total }"),
        _of_collection("containsAsset(assetId: $asset)"),
        "collections(filter: {containsAssetId: $asset}) { nodes { slug } }",
        "topic(by: {slug: $name}) { assetCounts { total } }",
    )
)
"""That the asset is there, for whoever it is there for."""

FOR_MEMBERS = (
    Surface(_of_collection(f"history {{ nodes {{ assets {{ nodes {{ {NAME} }} }} }} }}")),
    Surface(f"{_ADD} {{ results {{ asset {{ {NAME} }} }} }}"),
)
"""The same, where members alone may look."""

CONTENT = tuple(
    Surface(fields)
    for fields in (
        "asset(by: {id: $asset}) { ... on AssetFields { url } }",
        "node(id: $asset) { ... on Model { source } }",
        "asset(by: {externalId: $name}) { ... on AssetFields { uses { totalCount } } }",
        f"asset(by: {{id: $part}}) {{ ... on AssetFields {{ usedBy(first: 100) {{ nodes {{ {NAME} }} }} }} }}",
        _of_collection("assets { nodes { ... on AssetFields { url } } }"),
    )
)
"""What the asset holds."""

OWNERSHIP = (
    Surface("asset(by: {id: $asset}) { ... on AssetFields { grants { access } } }", needle="OWNER"),
    Surface("collection(by: {id: $spare}) { addableAssets(filter: {tags: [$name]}) { totalCount } }"),
    Surface("collection(by: {id: $spare}) { addableAssets(filter: {tags: [$name]}) { facets { kinds { count } } } }"),
    Surface(f"{_ADD} {{ summary {{ changed }} }}"),
)
"""What owners see and may do."""

COLLECTION = tuple(
    Surface(fields)
    for fields in (
        _of_collection("slug"),
        "node(id: $collection) { ... on Collection { slug } }",
        "collections(first: 100) { nodes { slug } }",
        "topics(first: 100) { nodes { slug } }",
        "collections(query: $name, first: 100) { nodes { slug } }",
    )
)
"""That the collection is there, and its topic with it."""
