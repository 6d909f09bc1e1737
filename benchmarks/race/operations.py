"""Operations of the race, in the dialect of each server.

Dialects differ in how a list is written (a connection with nodes, or a plain list) and in PostGraphile's generated
names. `plain` brings their answers into one form, so that they can be compared.
"""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from benchmarks.race.world import World

TITLES = {
    "D": "Dashboard: one topic, 20 collections, 20 assets of each with their owners",
    "N": "One asset by id",
    "T": "The tree of all collections",
    "C": "Asset counts by kind of all collections",
    "E": "Dashboard with only capsules and models, ordered by name",
    "ND": "One asset by id, while another connection sends the dashboard in a loop",
    "WD": "Dashboard, while another process adds and removes memberships, 30 writes a second",
    "WN": "One asset by id, with the same writes",
    "WT": "The tree, with the same writes",
}
ASSET = "id kind name description version createdAt doi"
ASSET_FIELDS = f"__typename ... on AssetFields {{ {ASSET}%s }}"
COUNTS = "total capsules pipelines noCodeApps dataAssets models"
NARROWED = "filter: {kinds: [CAPSULE, MODEL]}, orderBy: {field: NAME}"
POSTGRAPHILE_ASSET = "__typename id: rowId kind name description version createdAt doi"
MEASURED_TOPIC = 3
SKIPPED_ASSETS, COMPARED_ASSETS = 500, 40  # the viewer sees about half of the latter


class Operation(NamedTuple):
    """An operation of a server: its document, the measured variables, and further ones to compare the answers of."""

    query: str
    variables: Mapping[str, Any]
    others: Sequence[Mapping[str, Any]] = ()


class Variables(NamedTuple):
    """Variables of the operations that have any: the measured ones first."""

    topics: Sequence[Mapping[str, Any]]
    assets: Sequence[Mapping[str, Any]]


def draw_variables(world: World) -> Variables:
    """Return the variables of a world: all its topics, and assets of which the viewer sees the first."""
    topics = sorted(world.topics(), key=lambda topic: topic.pk != MEASURED_TOPIC)
    assets = list(islice((asset for asset in world.assets() if asset.pk > SKIPPED_ASSETS), COMPARED_ASSETS))
    assets.sort(key=lambda asset: 1 not in asset.grants)
    return Variables([{"id": topic.id} for topic in topics], [{"id": asset.id} for asset in assets])


def connections(variables: Variables) -> dict[str, Operation]:
    """Return the operations for servers whose lists are connections."""
    top_level, children = "(first: 100, filter: {topLevelOnly: true})", "(first: 100)"
    return _operations(variables, "{{ nodes {{ {0} }} }}", top_level, children)


def lists(variables: Variables) -> dict[str, Operation]:
    """Return the operations for servers whose lists are plain lists."""
    return _operations(variables, "{{ {0} }}", "(topLevelOnly: true)", "")


def postgraphile(variables: Variables) -> dict[str, Operation]:
    """Return the operations in the names that PostGraphile generates; it offers neither C nor E."""
    asset = f"assetByAssetPk {{ {POSTGRAPHILE_ASSET} owner: principalByOwnerPk {{ id: rowId name }} }}"
    members = f"assets: membershipsByCollectionPk(first: 20, orderBy: RANK_ASC) {{ nodes {{ {asset} }} }}"
    page = "collections: collectionsByTopicPk(first: 20, orderBy: RANK_ASC)"
    collections = f"{page} {{ nodes {{ id: rowId name description {members} }} }}"
    third = "children: collectionsByParentPk(orderBy: RANK_ASC) { nodes { id: rowId name } }"
    second = f"children: collectionsByParentPk(orderBy: RANK_ASC) {{ nodes {{ id: rowId name {third} }} }}"
    top = "collections: collectionsByTopicPk(condition: {parentPk: null}, orderBy: RANK_ASC)"
    tree = f"id: rowId name {top} {{ nodes {{ id: rowId name {second} }} }}"
    return {
        "D": _with_variables(
            f"query D($id: String!) {{ topic: topicByRowId(rowId: $id) {{ id: rowId name {collections} }} }}",
            variables.topics,
        ),
        "N": _with_variables(
            f"query N($id: String!) {{ asset: assetByRowId(rowId: $id) {{ {POSTGRAPHILE_ASSET} }} }}", variables.assets
        ),
        "T": Operation(f"query T {{ topics: allTopics(first: 20, orderBy: PK_ASC) {{ nodes {{ {tree} }} }} }}", {}),
    }


def _operations(variables: Variables, list_form: str, top_level: str, all_children: str) -> dict[str, Operation]:
    def page(fields: str) -> str:
        return list_form.format(fields)

    def dashboard(name: str, arguments: str) -> Operation:
        assets = f"assets({arguments}) {page(ASSET_FIELDS % ' owner { id name }')}"
        collections = f"collections(first: 20) {page(f'id name description {assets}')}"
        query = f"query {name}($id: ID!) {{ topic(by: {{id: $id}}) {{ id name {collections} }} }}"
        return _with_variables(query, variables.topics)

    third = f"id name children{all_children} {page('id name')}"
    second = f"id name children{all_children} {page(third)}"
    counted = f"collections(first: 100) {page(f'id assetCounts {{ {COUNTS} }}')}"
    one = f"query N($id: ID!) {{ asset(by: {{id: $id}}) {{ {ASSET_FIELDS % ''} }} }}"
    return {
        "D": dashboard("D", "first: 20"),
        "N": _with_variables(one, variables.assets),
        "T": Operation(f"query T {{ topics(first: 20) {page(f'id name collections{top_level} {page(second)}')} }}", {}),
        "C": Operation(f"query C {{ topics(first: 20) {page(counted)} }}", {}),
        "E": dashboard("E", f"first: 20, {NARROWED}"),
    }


def _with_variables(query: str, variables: Sequence[Mapping[str, Any]]) -> Operation:
    return Operation(query, variables[0], variables[1:])


OMITTED = {"__typename", "extensions"}
"""Keys of answers that are not compared."""


def plain(answer: Any) -> Any:
    """Return the answer with connections as lists and keys in order.

    It has no `__typename`, which `kind` repeats, and no `extensions`, which only Atoll has.
    """
    if isinstance(answer, dict):
        if list(answer) in (["nodes"], ["assetByAssetPk"]):
            return plain(next(iter(answer.values())))
        return {key: plain(value) for key, value in sorted(answer.items()) if key not in OMITTED}
    return [plain(each) for each in answer] if isinstance(answer, list) else answer
