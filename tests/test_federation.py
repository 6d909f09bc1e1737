"""Apollo Federation: the subgraph's schema, `_entities` beside `nodes`, and a supergraph behind a gateway."""

import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from graphql import DefinitionNode, GraphQLUnionType, ObjectTypeDefinitionNode, parse, print_ast
from sqlalchemy import select

from app.settings import Executor
from schema.federation import build_subgraph, print_subgraph
from schema.graph import graphql_schema, print_schema
from store import sql
from tests.cli_process import environment, run_server
from tests.conftest import ANONYMOUS, VIEWERS, GraphQLClient, World, settings_of
from tests.node import node_for
from tests.oracle import TYPES, VIEWER, Model
from tests.test_job import ADD, FIVE
from tests.test_listing import load_model
from tests.test_node import UNKNOWN_IDS, seen_by

HERE = Path(__file__).parent / "federation"
GATEWAY_SECONDS = 60
COMMON_FIELDS = {"node", "nodes", "viewer"}
ASSET_TYPES = {*TYPES.values()}
KEYED_TYPES = {*ASSET_TYPES, "ApiToken", "Change", "Collection", "Group", "Job", "Topic", "User"}
REFERABLE = ("AssetFields", *sorted(KEYED_TYPES))
REPRESENTATIONS = 60
"""Number of representations in a request, whose cost is within the limit."""

OBJECT = """__typename
... on Node { id }
... on AssetFields { name status viewerAccess url owner { name email } grants { access } collections { totalCount } }
... on Collection { slug assetCounts { total } assets { totalCount } parent { slug } }
... on Topic { slug collections { totalCount } }
... on User { name email }
... on Group { name }
... on Change { action }
... on Job { state: status }"""
ENTITIES = f"query($representations: [_Any!]!) {{ _entities(representations: $representations) {{ {OBJECT} }} }}"
NODES = f"query($ids: [ID!]!) {{ nodes(ids: $ids) {{ {OBJECT} }} }}"
NAMES = """query($representations: [_Any!]!) { _entities(representations: $representations) {
  ... on AssetFields { name } ... on Collection { slug } ... on Topic { slug } ... on User { name } } }"""


@asynccontextmanager
async def serve(world: World, **settings: Any) -> AsyncIterator[GraphQLClient]:
    """Yield a client of the world's subgraph, with the common fields unless the settings say otherwise."""
    defaults: dict[str, Any] = {"federation": True, "federation_common_fields": True, "engine": Executor.ON}
    client = GraphQLClient(world, replace(settings_of(world.url), **(defaults | settings)))
    try:
        yield client
    finally:
        await client.close()


@pytest.fixture(params=[Executor.ON, Executor.REFERENCE])
async def ask_subgraph(own_world: World, request: pytest.FixtureRequest) -> AsyncIterator[GraphQLClient]:
    """Yield a client of a subgraph of its own, executed by the engine or by graphql-core."""
    async with serve(own_world, engine=request.param) as client:
        yield client


def representation(type_: str, id_: str) -> dict[str, str]:
    return {"__typename": type_, "id": id_}


# The schema


def definitions_of(sdl: str) -> dict[str, DefinitionNode]:
    return {getattr(getattr(each, "name", None), "value", each.kind): each for each in parse(sdl).definitions}


@pytest.mark.parametrize("has_common_fields", [False, True], ids=["own fields", "common fields"])
def test_the_subgraph_has_the_schema_and_keys(*, has_common_fields: bool) -> None:
    own, subgraph = definitions_of(print_schema()), definitions_of(print_subgraph(has_common_fields=has_common_fields))
    links = print_ast(subgraph.pop("schema_extension"))
    assert links.count("@link(") == 2
    assert '@composeDirective(name: "@permission")' in links
    if not has_common_fields:
        own["Query"] = without_common_fields(own["Query"])
        del own["Viewer"]
        for name in ("ApiToken", "Job", "ViewerCollection"):  # only the viewer has these lists
            del own[f"{name}Connection"], own[f"{name}Edge"]
    assert own.keys() == subgraph.keys()
    lines = {name: print_ast(each).splitlines() for name, each in subgraph.items()}
    changed: dict[str, str] = {}
    for name, definition in own.items():
        expected = print_ast(definition).splitlines()
        changed |= {line: was for line, was in zip(lines[name], expected, strict=True) if line != was}
    assert changed == {
        "type PageInfo @shareable {": "type PageInfo {",
        'interface AssetFields implements Node @key(fields: "id") {': "interface AssetFields implements Node {",
        **{f'{line} @key(fields: "id") {{': f"{line} {{" for line in map(first_line, KEYED_TYPES)},
    }


def without_common_fields(query: DefinitionNode) -> DefinitionNode:
    assert isinstance(query, ObjectTypeDefinitionNode)
    return replace(query, fields=tuple(each for each in query.fields or () if each.name.value not in COMMON_FIELDS))


def first_line(type_: str) -> str:
    return f"type {type_} implements {'AssetFields & ' if type_ in ASSET_TYPES else ''}Node"


def test_every_stored_node_is_an_entity() -> None:
    schema = graphql_schema(build_subgraph())
    entity = schema.type_map["_Entity"]
    assert isinstance(entity, GraphQLUnionType)
    node: Any = schema.type_map["Node"]
    stored = {each.name for each in schema.get_possible_types(node)} - {"Deployment"}
    assert {each.name for each in entity.types} == stored
    assert {each.name for each in entity.types} == KEYED_TYPES


async def test_the_service_returns_the_printed_schema(world: World) -> None:
    for has_common_fields in (False, True):
        sdl = print_subgraph(has_common_fields=has_common_fields)
        async with serve(world, federation_common_fields=has_common_fields) as ask:
            assert await ask(ANONYMOUS, "{ _service { sdl } }") == {"_service": {"sdl": sdl}}


async def test_without_the_setting_there_is_no_subgraph(ask: GraphQLClient) -> None:
    for query in ("{ _service { sdl } }", "{ _entities(representations: []) { __typename } }"):
        ((code, message),) = await ask.errors("olu", query)
        assert (code, "Cannot query field" in message) == ("GRAPHQL_VALIDATION_FAILED", True)


async def test_common_fields_are_served_by_their_setting_only(world: World) -> None:
    async with serve(world, federation_common_fields=False) as ask:
        for field in ('node(id: "x") { id }', 'nodes(ids: ["x"]) { id }', "viewer { isAdmin }"):
            assert [code for code, _ in await ask.errors("olu", f"{{ {field} }}")] == ["GRAPHQL_VALIDATION_FAILED"]
        assert await ask("olu", "{ topics { totalCount } }") == {"topics": {"totalCount": 3}}


# _entities


async def test_entities_are_the_nodes_of_their_type_for_every_viewer_and_object(
    ask_subgraph: GraphQLClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolvers.write.membership.INLINE_BULK_ITEMS", 2)
    model = await load_model(ask_subgraph)
    assets = [model.ids[name] for name in FIVE]
    job = await ADD(ask_subgraph, "olu", collectionId=model.ids["bare"], assetIds=assets)
    async with ask_subgraph.database.write() as connection:
        changes = await connection.scalars(select(sql.change.c.id).order_by(sql.change.c.pk))
    ids = [id_ for id_ in model.ids.values() if "_" in id_] + [job["job"]["id"], *list(changes)[:20], *UNKNOWN_IDS]
    for who in VIEWERS:
        nodes: dict[str, Any] = {}
        for chunk in chunks(ids):
            nodes |= dict(zip(chunk, (await ask_subgraph(who, NODES, ids=chunk))["nodes"], strict=True))
        pairs = [(type_, id_) for type_ in REFERABLE for id_ in ids]
        for chunk in chunks(pairs):
            found = await ask_subgraph(who, ENTITIES, representations=[representation(*pair) for pair in chunk])
            assert found["_entities"] == [
                nodes[id_] if nodes[id_] and is_of_type(nodes[id_], type_) else None for type_, id_ in chunk
            ]
        seen = {node["__typename"] for node in nodes.values() if node}
        assert {"Topic", "Collection", "User", "Capsule"} <= seen, "the comparison is not one of nothing"
        assert ("Job" in seen) == (who == "olu")


def chunks(values: list[Any]) -> list[list[Any]]:
    return [values[start : start + REPRESENTATIONS] for start in range(0, len(values), REPRESENTATIONS)]


def is_of_type(node: dict[str, Any], type_: str) -> bool:
    return node["__typename"] == type_ or (type_ == "AssetFields" and node["__typename"] in ASSET_TYPES)


async def test_hidden_unknown_and_malformed_ids_answer_alike_byte_for_byte(ask_subgraph: GraphQLClient) -> None:
    model = await load_model(ask_subgraph)
    for who, type_, hidden in (
        ("eve", "DataAsset", "hidden"),
        ("eve", "AssetFields", "hidden"),
        (ANONYMOUS, "Collection", "members"),
        (ANONYMOUS, "User", "mei"),
    ):
        id_ = model.ids[hidden]
        answers = set()
        for each in (id_, id_[:4] + "0" * (len(id_) - 4)):
            response = await ask_subgraph.response(who, NAMES, representations=[representation(type_, each)])
            answers.add((response.content, tuple(ask_subgraph.statements)))
        ((content, _statements),) = answers
        assert content.startswith(b'{"data":{"_entities":[null]},"extensions":{"cost":')
        for unknown in UNKNOWN_IDS:
            response = await ask_subgraph.response(who, NAMES, representations=[representation(type_, unknown)])
            assert response.content == content, unknown


async def test_entities_of_a_kind_take_one_statement(ask_subgraph: GraphQLClient) -> None:
    model = await load_model(ask_subgraph)
    assets = [representation("AssetFields", model.ids[name]) for name in model.asset]
    others = [representation("Collection", model.ids[name]) for name in model.collection]
    others += [representation("User", model.ids[name]) for name in model.users]
    counts = []
    for representations in (assets[:1], assets, [assets[0], *others[:1], others[-1]], assets + others):
        await ask_subgraph("olu", NAMES, representations=representations)
        counts.append(len(ask_subgraph.statements))
    one_kind, same_kind, three_kinds, all_rows = counts
    assert (same_kind, three_kinds, all_rows) == (one_kind, one_kind + 2, one_kind + 2)


async def test_entities_keep_order_and_duplicates(ask_subgraph: GraphQLClient) -> None:
    model = await load_model(ask_subgraph)
    pairs = [
        ("Model", "lens"),
        ("Collection", "open"),
        ("DataAsset", "hidden"),
        ("Model", "lens"),
        ("Capsule", "align"),
    ]
    representations = [representation(type_, model.ids[name]) | {"extra": [1]} for type_, name in pairs]
    found = (await ask_subgraph("eve", NAMES, representations=representations))["_entities"]
    assert found == [{"name": "lens"}, {"slug": "open"}, None, {"name": "lens"}, {"name": "align"}]
    assert await ask_subgraph("eve", NAMES, representations=[]) == {"_entities": []}


BAD_TYPES: list[Any] = ["Asset", "Node", "Grant", "Everyone", "", 1, [], {}]
BAD_IDS: list[Any] = [None, 1, True, [], {}]
MALFORMED: list[Any] = ["x", 1, True, [], {}, {"id": "x"}, {"__typename": "Topic"}]
MALFORMED += [{"__typename": type_, "id": "x"} for type_ in BAD_TYPES]
MALFORMED += [{"__typename": "Topic", "id": id_} for id_ in BAD_IDS]


async def test_a_malformed_representation_is_an_error(ask_subgraph: GraphQLClient) -> None:
    for malformed in MALFORMED:
        ((code, message),) = await ask_subgraph.errors("olu", ENTITIES, representations=[malformed])
        assert code == "BAD_USER_INPUT", malformed
        assert message.endswith(
            "A representation is an object with the id as a text, and as __typename one of ApiToken, Capsule, Change,"
            " Collection, DataAsset, Group, Job, Model, NoCodeApp, Pipeline, Topic, User, AssetFields."
        )


async def test_representations_may_stand_in_the_document(ask_subgraph: GraphQLClient) -> None:
    model = await load_model(ask_subgraph)
    query = '{ _entities(representations: [{__typename: "%s", id: "%s"}]) { ... on Capsule { name } } }'
    assert await ask_subgraph("eve", query % ("Capsule", model.ids["align"])) == {"_entities": [{"name": "align"}]}
    ((code, message),) = await ask_subgraph.errors("eve", query % ("Grant", model.ids["align"]))
    assert (code, "A representation is an object" in message) == ("GRAPHQL_VALIDATION_FAILED", True)


async def test_at_most_100_representations_with_the_cost_of_as_many_nodes(ask_subgraph: GraphQLClient) -> None:
    many = [representation("Topic", "x")] * 101
    refused = ("LIMIT_EXCEEDED", "representations has 101 values; at most 100 are allowed. Send several requests.")
    assert await ask_subgraph.errors("eve", NAMES, representations=many) == [refused]
    assert await ask_subgraph("eve", NAMES, representations=many[:100]) == {"_entities": [None] * 100}
    costs = []
    for count in (1, REPRESENTATIONS):
        for query, variables in (
            (ENTITIES, {"representations": many[:count]}),
            (NODES, {"ids": ["x"] * count}),
        ):
            costs.append((await ask_subgraph.response("eve", query, **variables)).json()["extensions"]["cost"])
    assert costs[0] == costs[1]
    assert costs[2] == costs[3]
    assert costs[2]["objects"] > costs[0]["objects"] * 50


async def test_the_engine_answers_entities_with_the_bytes_of_the_reference(
    world: World, engine_answers: list[bytes | None]
) -> None:
    async with serve(world) as ask, serve(world, engine=Executor.REFERENCE) as ask_reference:
        model = await load_model(ask)
        pairs = [(type_, model.ids[name]) for name in ("lens", "open", "sam", "hidden") for type_ in REFERABLE]
        variables = {"representations": [representation(*pair) for pair in pairs]}
        for who in VIEWERS:
            expected = await ask_reference.response(who, ENTITIES, **variables)
            assert engine_answers == []
            response = await ask.response(who, ENTITIES, **variables)
            assert engine_answers == [response.content] == [expected.content]
            engine_answers.clear()


# The supergraph


REVIEWS = """{ reviews {
  pageInfo { hasNextPage }
  nodes {
    author { name email }
    asset { name stars owner { name } ... on DataAsset { source } }
    collection { slug stars assets { nodes { ... on AssetFields { name stars } } } }
  }
} }"""
ASSETS = """{ assets(first: 20, orderBy: {field: NAME}) {
  totalCount pageInfo { hasNextPage } nodes { ... on AssetFields { name stars } } } }"""
STARS = {"genomes": [5, 4], "hidden": [1], "lens": [3]}


def run_gateway(url: str, reviews: list[dict[str, Any]], requests: list[dict[str, Any]]) -> dict[str, Any]:
    """Compose the supergraph, execute the requests behind a gateway, and return its output."""
    command = [node_for(HERE), str(HERE / "gateway.mjs")]
    given = json.dumps({"url": f"{url}/graphql", "reviews": reviews, "requests": requests})
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=GATEWAY_SECONDS, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return dict(json.loads(done.stdout))


async def test_a_supergraph_shows_each_viewer_the_visible_objects(
    world: World, ask: GraphQLClient, tmp_path: Path
) -> None:
    model = await load_model(ask)
    id_of = {**model.ids, "unknown": "ast_" + "0" * (len(model.ids["lens"]) - 4)}
    references = [("mei", name, "members", stars) for name, each in STARS.items() for stars in each]
    references.append(("olu", "unknown", "open", 2))
    reviews = [
        {"author": id_of[author], "asset": id_of[asset], "collection": id_of[slug], "stars": stars}
        for author, asset, slug, stars in references
    ]
    viewers = ["ada", "olu", "mei", "eve", ANONYMOUS]
    requests = [
        {"query": query, "authorization": None if who == ANONYMOUS else f"Bearer {world.tokens[who]}"}
        for who in viewers
        for query in (REVIEWS, ASSETS)
    ]
    with run_server(tmp_path, environment(DATABASE_URL=world.url, FEDERATION="1")) as server:
        output = run_gateway(server.url, reviews, requests)
    assert (output["errors"], output["hints"]) == ([], [])
    assert (
        "grants: [Grant!] @join__field(graph: ATOLL) @permission(requires: ASSET_GRANTS_VIEW, on: PARENT, denied: NULL)"
        in (output["supergraph"])
    )
    responses = iter(output["responses"])
    for who in viewers:
        nodes = [
            {
                "author": expected_user(model, who, author),
                "asset": expected_asset(model, who, asset),
                "collection": expected_collection(model, who, slug),
            }
            for author, asset, slug, _ in references
        ]
        page: dict[str, Any] = {"pageInfo": {"hasNextPage": False}, "nodes": nodes}
        assert next(responses) == {"data": {"reviews": page}, "errors": []}, who
        assets = sorted(model.assets(who))
        page = {"totalCount": len(assets), "pageInfo": {"hasNextPage": False}, "nodes": [*map(with_stars, assets)]}
        assert next(responses) == {"data": {"assets": page}, "errors": []}, who


def with_stars(asset: str) -> dict[str, Any]:
    return {"name": asset, "stars": STARS.get(asset, [])}


def expected_user(model: Model, who: str, user: str) -> dict[str, Any] | None:
    if model.ids[user] not in seen_by(model, who):
        return None
    return {"name": user, "email": None if who == ANONYMOUS else f"{user}@example.org"}


def expected_asset(model: Model, who: str, asset: str) -> dict[str, Any] | None:
    if asset not in model.assets(who):
        return None
    line = model.asset[asset]
    source = {"source": line["source"] if model.access(who, asset) >= VIEWER else None}
    return with_stars(asset) | {"owner": {"name": line["owner"]}} | (source if line["type"] == "DATA_ASSET" else {})


def expected_collection(model: Model, who: str, slug: str) -> dict[str, Any] | None:
    if slug not in model.collections(who):
        return None
    members = [name for name in model.members[slug] if name in model.assets(who)]
    stars = [2] if slug == "open" else [each for all_stars in STARS.values() for each in all_stars]
    return {"slug": slug, "stars": stars, "assets": {"nodes": [*map(with_stars, members)]}}
