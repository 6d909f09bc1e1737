"""The operations that are raced, in the dialect of each server.

Dialects differ in how a list is written (a connection with nodes, or a plain list) and in PostGraphile's generated
names. `plain` brings their answers into one form, so that they can be compared.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from benchmarks.race.world import World, public_id

ASSET = "id kind name description version createdAt doi"
ASSET_FIELDS = f"__typename ... on AssetFields {{ {ASSET}%s }}"
COUNTS = "total capsules pipelines noCodeApps dataAssets models"
POSTGRAPHILE_ASSET = "__typename id: rowId kind name description version createdAt doi"


class Operation(NamedTuple):
    """An operation of a server: its document and variables."""

    query: str
    variables: Mapping[str, Any]


def connections(world: World) -> dict[str, Operation]:
    """Return the operations for servers whose lists are connections."""
    return _operations(world, "{{ nodes {{ {0} }} }}", "(first: 100, filter: {topLevelOnly: true})", "(first: 100)")


def lists(world: World) -> dict[str, Operation]:
    """Return the operations for servers whose lists are plain lists."""
    return _operations(world, "{{ {0} }}", "(topLevelOnly: true)", "")


def postgraphile(world: World) -> dict[str, Operation]:
    """Return the operations in the names that PostGraphile generates."""
    owner = "owner: principalByOwnerPk { id: rowId name }"
    members = f"assets: membershipsByCollectionPk(first: 20, orderBy: RANK_ASC) {{ nodes {{ assetByAssetPk {{ {POSTGRAPHILE_ASSET} {owner} }} }} }}"
    page = f"collections: collectionsByTopicPk(first: 20, orderBy: RANK_ASC) {{ nodes {{ id: rowId name description {members} }} }}"
    third = "children: collectionsByParentPk(orderBy: RANK_ASC) { nodes { id: rowId name } }"
    second = f"children: collectionsByParentPk(orderBy: RANK_ASC) {{ nodes {{ id: rowId name {third} }} }}"
    top = f"collections: collectionsByTopicPk(condition: {{parentPk: null}}, orderBy: RANK_ASC) {{ nodes {{ id: rowId name {second} }} }}"
    return {
        "D": Operation(f"query D($id: String!) {{ topic: topicByRowId(rowId: $id) {{ id: rowId name {page} }} }}", _topic(world)),
        "N": Operation(f"query N($id: String!) {{ asset: assetByRowId(rowId: $id) {{ {POSTGRAPHILE_ASSET} }} }}", _asset(world)),
        "T": Operation(f"query T {{ topics: allTopics(first: 20, orderBy: PK_ASC) {{ nodes {{ id: rowId name {top} }} }} }}", {}),
    }


def _operations(world: World, list_form: str, top_level: str, all_children: str) -> dict[str, Operation]:
    def page(fields: str) -> str:
        return list_form.format(fields)

    asset = ASSET_FIELDS % " owner { id name }"
    collection = f"id name description assets(first: 20) {page(asset)}"
    third = f"id name children{all_children} {page('id name')}"
    second = f"id name children{all_children} {page(third)}"
    counted = f"collections(first: 100) {page(f'id assetCounts {{ {COUNTS} }}')}"
    return {
        "D": Operation(
            f"query D($id: ID!) {{ topic(by: {{id: $id}}) {{ id name collections(first: 20) {page(collection)} }} }}",
            _topic(world),
        ),
        "N": Operation(f"query N($id: ID!) {{ asset(by: {{id: $id}}) {{ {ASSET_FIELDS % ''} }} }}", _asset(world)),
        "T": Operation(f"query T {{ topics(first: 20) {page(f'id name collections{top_level} {page(second)}')} }}", {}),
        "C": Operation(f"query C {{ topics(first: 20) {page(counted)} }}", {}),
    }


def _topic(_world: World) -> Mapping[str, Any]:
    return {"id": public_id("top", 3)}


def _asset(world: World) -> Mapping[str, Any]:
    return {"id": next(asset.id for asset in world.assets() if asset.pk > 500 and 1 in asset.grants)}


def plain(answer: Any) -> Any:
    """Return the answer with connections as lists, keys in order, and no `__typename`, which `kind` repeats."""
    if isinstance(answer, dict):
        if list(answer) in (["nodes"], ["assetByAssetPk"]):
            return plain(next(iter(answer.values())))
        return {key: plain(value) for key, value in sorted(answer.items()) if key != "__typename"}
    return [plain(each) for each in answer] if isinstance(answer, list) else answer
