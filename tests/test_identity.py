"""The viewer and the deployment as objects with an id, the lists of the viewer, and membership seen from the asset."""

from typing import Any

import pytest

from resolvers.write import job as jobs
from tests.conftest import ANONYMOUS, MEMBERS, VIEWERS, GraphQLClient
from tests.mutations import Mutation
from tests.oracle import OWNER
from tests.test_listing import load_model
from tests.test_membership_write import ids

OBJECTS = "{ viewer { id user { id } } deployment { id } }"
NODE = "query($id: ID!) { node(id: $id) { __typename id ... on Viewer { isAdmin } ... on Deployment { version } } }"
NODES = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename } }"
NO_COLLECTION = "col_" + "0" * 24


@pytest.mark.parametrize("who", MEMBERS)
async def test_viewer_and_deployment_are_found_by_their_ids(ask: GraphQLClient, who: str) -> None:
    found = await ask(who, OBJECTS)
    viewer, deployment = found["viewer"]["id"], found["deployment"]["id"]
    assert viewer != found["viewer"]["user"]["id"]
    assert (await ask(who, NODE, id=viewer))["node"] == {
        "__typename": "Viewer",
        "id": viewer,
        "isAdmin": who == "ada",
    }
    assert (await ask(who, NODE, id=deployment))["node"]["__typename"] == "Deployment"
    both = (await ask(who, NODES, ids=[deployment, "vwr_" + "0" * 24, viewer]))["nodes"]
    assert both == [{"__typename": "Deployment"}, None, {"__typename": "Viewer"}]


async def test_no_viewer_is_found_by_another(ask: GraphQLClient) -> None:
    viewer = (await ask("olu", OBJECTS))["viewer"]["id"]
    for who in VIEWERS:
        if who != "olu":
            assert (await ask(who, NODE, id=viewer))["node"] is None
    for wrong in ("", "vwr_", "vwr_" + "0" * 24):
        assert (await ask(ANONYMOUS, NODE, id=wrong))["node"] is None


@pytest.mark.parametrize("who", VIEWERS)
async def test_membership_is_seen_from_the_asset(ask: GraphQLClient, who: str) -> None:
    model = await load_model(ask)
    slugs = list(model.collection)
    fields = " ".join(f'{slug}: isIn(collectionId: "{model.ids[slug]}")' for slug in slugs)
    query = (
        f"{{ assets(first: 100) {{ nodes {{ ... on AssetFields {{ externalId {fields}"
        f' no: isIn(collectionId: "{NO_COLLECTION}") }} }} }} }}'
    )
    nodes = (await ask(who, query))["assets"]["nodes"]
    visible = model.collections(who)
    assert nodes
    for node in nodes:
        name = node.pop("externalId")
        expected = {slug: name in model.members[slug] if slug in visible else None for slug in slugs}
        assert node == expected | {"no": None}, name


@pytest.mark.parametrize("who", MEMBERS)
async def test_the_viewer_lists_their_own_assets_and_groups(ask: GraphQLClient, who: str) -> None:
    model = await load_model(ask)
    found = (
        await ask(
            who,
            """{ viewer {
              groups { totalCount nodes { name } }
              assets(orderBy: {field: NAME}) { totalCount nodes { ... on AssetFields { externalId } } }
              models: assets(filter: {kinds: [MODEL]}) { totalCount facets { kinds { kind count } } }
              searched: assets(query: "lens") { nodes { ... on AssetFields { externalId } } }
            } }""",
        )
    )["viewer"]
    owned = [name for name in model.assets(who, "NAME", descending=False) if model.access(who, name) >= OWNER]
    assert [node["externalId"] for node in found["assets"]["nodes"]] == owned
    assert found["assets"]["totalCount"] == len(owned)
    assert found["models"]["totalCount"] == sum(model.asset[name]["type"] == "MODEL" for name in owned)
    assert [node["externalId"] for node in found["searched"]["nodes"]] == [name for name in owned if name == "lens"]
    groups = [name for name, group in model.groups.items() if who in group["members"]]
    assert found["groups"] == {"totalCount": len(groups), "nodes": [{"name": name} for name in groups]}


JOBS = """query($statuses: [JobStatus!], $after: String) { viewer {
  jobs(first: 1, after: $after, statuses: $statuses) {
    totalCount pageInfo { hasNextPage endCursor }
    nodes { status collections { slug } changes { action subject { ... on Collection { slug } } } }
  }
} }"""


async def test_the_viewer_lists_their_own_jobs_with_their_collections_and_changes(
    ask_own: GraphQLClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolvers.write.membership.INLINE_BULK_ITEMS", 1)
    monkeypatch.setattr("resolvers.write.job.CHUNK_SIZE", 2)
    id_ = await ids(ask_own)
    add, move = (Mutation(name, "job { id }") for name in ("collectionAssetsAdd", "collectionAssetsMove"))
    given = [id_[name] for name in ("blast", "align", "count")]
    await add(ask_own, "olu", collectionId=id_["bare"], assetIds=given, mode="BEST_EFFORT")
    assert await jobs.run_next_job(ask_own.database)
    where = {"fromCollectionId": id_["bare"], "toCollectionId": id_["members"]}
    await move(ask_own, "olu", **where, assetIds=given[1:])
    await add(ask_own, "olu", collectionId=id_["members"], assetIds=given)
    assert await jobs.run_next_job(ask_own.database)

    async def read(who: str, **page: Any) -> dict[str, Any]:
        return dict((await ask_own(who, JOBS, **page))["viewer"]["jobs"])

    def logged(action: str, slug: str) -> dict[str, Any]:
        return {"action": action, "subject": {"slug": slug}}

    assert (await read("sam"))["totalCount"] == (await read("ada"))["totalCount"] == 0
    assert (await read("olu", statuses=["QUEUED"]))["nodes"] == [
        {"status": "QUEUED", "collections": [{"slug": "members"}], "changes": []}
    ]
    first = await read("olu", statuses=["SUCCEEDED"])
    assert (first["totalCount"], first["pageInfo"]["hasNextPage"]) == (2, True)
    assert first["nodes"] == [
        {
            "status": "SUCCEEDED",
            "collections": [{"slug": "bare"}, {"slug": "members"}],
            "changes": [logged("ASSETS_MOVED", "members"), logged("ASSETS_MOVED", "bare")],
        }
    ]
    second = await read("olu", statuses=["SUCCEEDED"], after=first["pageInfo"]["endCursor"])
    assert second["nodes"] == [
        {
            "status": "SUCCEEDED",
            "collections": [{"slug": "bare"}],
            "changes": [logged("ASSETS_ADDED", "bare"), logged("ASSETS_ADDED", "bare")],
        }
    ]


SEARCHED = """{
  topic(by: {slug: "imaging"}) { collections(query: "deep") { nodes { slug } } }
  collection(by: {slug: "open"}) {
    children(query: "inn", orderBy: {field: NAME, direction: DESC}) { totalCount nodes { slug } }
  }
}"""


async def test_collections_of_a_topic_and_children_are_searched(ask: GraphQLClient) -> None:
    found = await ask("eve", SEARCHED)
    assert found["topic"]["collections"]["nodes"] == [{"slug": "deep"}]
    assert found["collection"]["children"] == {"totalCount": 1, "nodes": [{"slug": "inner"}]}
