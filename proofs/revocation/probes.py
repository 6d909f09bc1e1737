"""Probes: operations whose response shows whether the reader has access to an asset."""

import re
from dataclasses import dataclass
from typing import Any

SPARE, PART = "spare", "part"
"""A collection without assets, and an asset used by all others, which anyone may view."""

NAME = "... on AssetFields { name }"
VARIABLE_TYPES = {"name": "String!", "asset": "ID!", "part": "ID!", "collection": "ID!", "spare": "ID!"}


@dataclass(frozen=True)
class Probe:
    """Operation that shows whether the reader has an access.

    The reader has the access if the response contains a number other than 0, true, or a string that contains the
    needle, by default the access's name. Therefore the operation selects nothing else.
    """

    fields: str
    needle: str = ""

    @property
    def document(self) -> str:
        """The document, which declares only the variables that it uses."""
        declared = ", ".join(
            f"${name}: {kind}" for name, kind in VARIABLE_TYPES.items() if re.search(rf"\${name}\b", self.fields)
        )
        kind = "mutation" if self.fields.startswith(DRY_RUN) else "query"
        return f"{kind}{f'({declared})' if declared else ''} {{ {self.fields} }}"

    def is_positive(self, data: Any, name: str) -> bool:
        """Return whether the response data show the access of that name."""
        if isinstance(data, dict | list):
            return any(self.is_positive(value, name) for value in (data.values() if isinstance(data, dict) else data))
        return (self.needle or name) in data if isinstance(data, str) else bool(data)


def _of_collection(fields: str) -> str:
    return f"collection(by: {{slug: $name}}) {{ {fields} }}"


DRY_RUN = "collectionAssetsAdd"
_ADD = f"{DRY_RUN}(input: {{collectionId: $spare, assetIds: [$asset], mode: BEST_EFFORT, dryRun: true}})"

EXISTENCE_PROBES = tuple(
    Probe(fields)
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
"""Show whether the asset is visible."""

MEMBERS_ONLY_PROBES = (
    Probe(_of_collection(f"history {{ nodes {{ assets {{ nodes {{ {NAME} }} }} }} }}")),
    Probe(f"{_ADD} {{ results {{ asset {{ {NAME} }} }} }}"),
)
"""Show whether the asset is visible, by operations for signed-in users only."""

CONTENT_PROBES = tuple(
    Probe(fields)
    for fields in (
        "asset(by: {id: $asset}) { ... on AssetFields { url } }",
        "node(id: $asset) { ... on Model { source } }",
        "asset(by: {externalId: $name}) { ... on AssetFields { uses { totalCount } } }",
        f"asset(by: {{id: $part}}) {{ ... on AssetFields {{ usedBy(first: 100) {{ nodes {{ {NAME} }} }} }} }}",
        _of_collection("assets { nodes { ... on AssetFields { url } } }"),
    )
)
"""Show whether the asset's content is visible."""

OWNERSHIP_PROBES = (
    Probe("asset(by: {id: $asset}) { ... on AssetFields { grants { access } } }", needle="OWNER"),
    Probe("collection(by: {id: $spare}) { addableAssets(filter: {tags: [$name]}) { totalCount } }"),
    Probe("collection(by: {id: $spare}) { addableAssets(filter: {tags: [$name]}) { facets { kinds { count } } } }"),
    Probe(f"{_ADD} {{ summary {{ changed }} }}"),
)
"""Show whether the reader owns the asset."""

COLLECTION_PROBES = tuple(
    Probe(fields)
    for fields in (
        _of_collection("slug"),
        "node(id: $collection) { ... on Collection { slug } }",
        "collections(first: 100) { nodes { slug } }",
        "topics(first: 100) { nodes { slug } }",
        "collections(query: $name, first: 100) { nodes { slug } }",
    )
)
"""Show whether the collection and its topic are visible."""
