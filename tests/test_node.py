"""`node` and `nodes`: an object by its id, and one answer for hidden, unknown and malformed ids."""

import pytest

from tests.conftest import ANONYMOUS, VIEWERS, GraphQLClient
from tests.oracle import TYPES, Model
from tests.test_listing import load_model

NODE = "query($id: ID!) { node(id: $id) { __typename id } }"
NODES = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"
UNKNOWN_IDS = ["", "x", "ast_", *("ast_" + "0" * length for length in (23, 24, 25, 10_000)), "ast_" + "Z" * 24]
UNKNOWN_IDS += [
    "everyone",
    "1",
    "'",
    "é" * 28,
    "🦊",
    "usr_" + "0" * 24,
    "zzz_" + "0" * 24,
    "public",
    "null",
    "%",
    "\x01",
]


def seen_by(model: Model, who: str) -> dict[str, str]:
    """Return the type of every object that the viewer sees, by its id."""
    people = set(model.users)
    if who == ANONYMOUS:
        people = {model.asset[asset]["owner"] for asset in model.assets(who)}
    seen = {model.ids[asset]: TYPES[model.asset[asset]["type"]] for asset in model.assets(who)}
    seen |= {model.ids[slug]: "Collection" for slug in model.collections(who)}
    seen |= {model.ids[slug]: "Topic" for slug in model.topics(who)}
    seen |= {model.ids[group]: "Group" for group in model.groups if who != ANONYMOUS}
    return seen | {model.ids[user]: "User" for user in people}


@pytest.mark.parametrize("who", VIEWERS)
async def test_every_visible_object_is_returned_by_its_id_and_no_hidden_one(ask: GraphQLClient, who: str) -> None:
    model = await load_model(ask)
    seen, ids = seen_by(model, who), [id_ for id_ in model.ids.values() if "_" in id_]
    found = (await ask(who, NODES, ids=ids))["nodes"]
    assert found == [{"__typename": seen[id_], "id": id_} if id_ in seen else None for id_ in ids]
    for id_ in ids[::4]:
        expected = {"__typename": seen[id_], "id": id_} if id_ in seen else None
        assert await ask(who, NODE, id=id_) == {"node": expected}


async def test_hidden_unknown_and_malformed_ids_answer_alike_byte_for_byte(ask: GraphQLClient) -> None:
    model = await load_model(ask)
    tail = model.ids["align"].partition("_")[2]
    wrong = [f"{prefix}_{tail}" for prefix in ("col", "top", "usr", "grp", "chg", "AST")] + [tail]
    for who, hidden in (
        ("eve", "hidden"),
        ("sam", "genomes"),
        (ANONYMOUS, "blast"),
        (ANONYMOUS, "inner"),
        (ANONYMOUS, "mei"),
    ):
        answers = {(await ask.response(who, NODE, id=id_)).content for id_ in (model.ids[hidden], *wrong, *UNKNOWN_IDS)}
        (answer,) = answers
        assert answer.startswith(b'{"data":{"node":null},"extensions":{"cost":')
    for kind in ("topic", "collection", "asset"):
        query = f"query($id: ID!) {{ {kind}(by: {{id: $id}}) {{ __typename }} }}"
        hidden = {"topic": "empty", "collection": "members", "asset": "kept"}[kind]
        answers = {
            (await ask.response(ANONYMOUS, query, id=id_)).content for id_ in (model.ids[hidden], *wrong, *UNKNOWN_IDS)
        }
        assert len(answers) == 1, kind
        assert b"null" in answers.pop()


async def test_nodes_keep_the_order_and_the_duplicates_of_the_ids(ask: GraphQLClient) -> None:
    model = await load_model(ask)
    names = ["lens", "open", "hidden", "lens", "align", "imaging", "genomes", "olu", "open"]
    ids = [model.ids[name] for name in names]
    found = (await ask("eve", NODES, ids=[ids[0], "x", *ids[1:]]))["nodes"]
    assert [node and node["id"] for node in found] == [
        None if name in {"hidden", "genomes", "x"} else model.ids[name] for name in ["lens", "x", *names[1:]]
    ]
    assert (await ask("eve", NODES, ids=[]))["nodes"] == []


async def test_nodes_accepts_at_most_100_ids(ask: GraphQLClient) -> None:
    assert (await ask("eve", NODES, ids=["x"] * 100))["nodes"] == [None] * 100
    refused = ("LIMIT_EXCEEDED", "ids has 101 values; at most 100 are allowed. Send several requests.")
    assert await ask.errors("eve", NODES, ids=["x"] * 101) == [refused]


async def test_a_reference_takes_exactly_one_of_its_fields(ask: GraphQLClient) -> None:
    for by in ("{}", '{id: "x", externalId: "align"}', "{id: null}", '{id: "x", externalId: null}'):
        (code, _message), *rest = await ask.errors("eve", f"{{ asset(by: {by}) {{ __typename }} }}")
        assert (code, rest) == ("GRAPHQL_VALIDATION_FAILED", []), by
    query = "query($by: AssetRef!) { asset(by: $by) { __typename } }"
    both, neither = {"id": "x", "externalId": "align"}, dict[str, str]()
    for given in (both, neither, {"id": None}, {"id": "x", "externalId": None}):
        (code, _message), *_ = await ask.errors("eve", query, by=given)
        assert code == "BAD_USER_INPUT", given
    assert await ask("eve", query, by={"externalId": "align"}) == {"asset": {"__typename": "Capsule"}}


@pytest.mark.parametrize(
    ("definition", "problem"),
    [("$id: String!", None), ("$id: String", "must be non-nullable"), ("$other: String", "is not defined")],
)
async def test_a_reference_in_a_fragment_may_be_a_variable_of_any_operation(
    ask: GraphQLClient, definition: str, problem: str | None
) -> None:
    fragment = "fragment F on Query { asset(by: {externalId: $id}) { __typename } }"
    query = f"{fragment} query({definition}) {{ ...F }}"
    if problem is None:
        assert await ask("eve", query, id="align") == {"asset": {"__typename": "Capsule"}}
    else:
        errors = await ask.errors("eve", query, id="align")
        assert {code for code, _ in errors} == {"GRAPHQL_VALIDATION_FAILED"}
        assert any(problem in message for _, message in errors)
