"""Errors of a field end at that field: the fields beside it are answered."""

from typing import Any

import httpx
import pytest

from tests.conftest import ANONYMOUS, GraphQLClient, set_public_sharing


def codes(response: httpx.Response) -> list[tuple[list[str | int], str]]:
    """Return the path and the code of each error."""
    return [(error["path"], error["extensions"]["code"]) for error in response.json()["errors"]]


async def test_a_refused_mutation_leaves_the_answer_of_the_one_before(ask_own: GraphQLClient) -> None:
    found = await ask_own(
        "sam", '{ collection(by: {slug: "members"}) { id } asset(by: {externalId: "lens"}) { ...on Node { id } } }'
    )
    add = {"collectionId": found["collection"]["id"], "assetIds": [found["asset"]["id"]]}
    response = await ask_own.response(
        "sam",
        """mutation($add: CollectionAssetsAddInput!) {
          added: collectionAssetsAdd(input: $add) { change { id } results { status } userErrors { message } }
          refused: topicCreate(input: {name: "New"}) { topic { id } }
          again: collectionAssetsAdd(input: $add) { results { status } }
        }""",
        add=add,
    )
    assert response.status_code == 200
    data = response.json()["data"]
    assert data["added"].pop("change")["id"].startswith("chg_")
    assert data == {
        "added": {"results": [{"status": "CHANGED"}], "userErrors": []},
        "refused": None,
        "again": {"results": [{"status": "UNCHANGED"}]},
    }
    assert codes(response) == [(["refused"], "FORBIDDEN")]


@pytest.mark.parametrize(
    ("who", "query", "data", "errors"),
    [
        (
            "eve",
            "{ auditLog(first: 1) { nodes { id } } topics { totalCount } }",
            {"auditLog": None, "topics": {"totalCount": 3}},
            [(["auditLog"], "FORBIDDEN")],
        ),
        (
            ANONYMOUS,
            '{ collection(by: {slug: "open"}) { name addableAssets { totalCount } history { nodes { id } } } }',
            {"collection": {"name": "open", "addableAssets": None, "history": None}},
            [(["collection", "addableAssets"], "UNAUTHENTICATED"), (["collection", "history"], "UNAUTHENTICATED")],
        ),
        (
            "eve",
            '{ topic(by: {slug: "imaging"}) { name history { nodes { id } } } }',
            {"topic": {"name": "imaging", "history": None}},
            [(["topic", "history"], "FORBIDDEN")],
        ),
        (
            "eve",
            '{ assets(after: "no cursor") { totalCount } topics { totalCount } }',
            {"assets": None, "topics": {"totalCount": 3}},
            [(["assets"], "BAD_CURSOR")],
        ),
    ],
    ids=["audit log", "panel and history", "history of a topic", "cursor"],
)
async def test_a_refused_field_leaves_the_fields_beside_it(
    ask_own: GraphQLClient, who: str, query: str, data: Any, errors: list[tuple[list[str], str]]
) -> None:
    await set_public_sharing(ask_own.database)
    response = await ask_own.response(who, query)
    assert response.json()["data"] == data
    assert sorted(codes(response)) == sorted(errors)
