"""This file is the platform registering assets: made, changed or left as they are, each item judged for itself."""

from typing import Any

import pytest

from tests.conftest import ANONYMOUS, GraphQLClient
from tests.mutations import Mutation, assert_unchanged, error_paths, refusal_code
from tests.test_grant_write import filled, grant, held, ids, logged

REGISTER = Mutation(
    "assetsRegister",
    "results { assetId asset { ... on AssetFields { externalId } } status error { code path } }"
    " summary { requested changed unchanged failed dryRun }",
)
READ = """
query($id: String!) {
  asset(by: {externalId: $id}) {
    __typename
    ... on AssetFields {
      name status description owner { name } tags license doi version url updatedAt
      uses { nodes { ... on AssetFields { externalId } } }
    }
    ... on Model { framework source }
    ... on DataAsset { sizeBytes fileCount source dataKind }
  }
}
"""
NEW: dict[str, Any] = {"externalId": "new", "kind": "MODEL", "name": "New", "ownerId": "$sam"}
KNOWN: dict[str, Any] = {"externalId": "lens", "kind": "MODEL", "name": "lens", "ownerId": "$sam"}
OTHER: dict[str, Any] = {"externalId": "other", "kind": "CAPSULE", "name": "Other", "ownerId": "$olu"}


async def register(ask: GraphQLClient, *assets: dict[str, Any], **given: Any) -> dict[str, Any]:
    return await REGISTER(ask, "ada", assets=filled(list(assets), await ids(ask)), **given)


async def read(ask: GraphQLClient, external_id: str, who: str = "sam") -> dict[str, Any]:
    """Return the asset as its owner reads it, with what it uses as a list of the platform's ids."""
    asset = dict((await ask(who, READ, id=external_id))["asset"])
    asset["uses"] = [each["externalId"] for each in asset["uses"]["nodes"]]
    return asset


def statuses(answer: dict[str, Any]) -> list[str]:
    return [result["status"] for result in answer["results"]]


def errors(answer: dict[str, Any]) -> list[tuple[str, list[str]]]:
    found = [result["error"] for result in answer["results"] if result["error"]]
    return [(error["code"], error["path"][1:]) for error in found]


async def test_a_new_asset_has_all_that_it_was_registered_with(ask_own: GraphQLClient) -> None:
    asset = {
        **NEW,
        "description": "It learns.",
        "status": "DRAFT",
        "tags": ["b", "a"],
        "license": "MIT",
        "doi": "10.1/x",
        "version": "1.2",
        "url": "https://example.org/new",
        "uses": ["align", "new-data"],
        "source": "s3://bucket/new",
        "framework": "torch",
        "grants": [grant("VIEWER", everyone=True), grant("EDITOR", groupId="$lab"), grant("OWNER", userId="$eve")],
    }
    data = {**NEW, "externalId": "new-data", "kind": "DATA_ASSET", "sizeBytes": 2**40, "fileCount": 3}
    answer = await register(ask_own, asset, data | {"grants": [grant("VIEWER", userId="$eve")]})
    id_ = await ids(ask_own)
    assert answer == {
        "results": [
            {"assetId": id_[name], "asset": {"externalId": name}, "status": "CHANGED", "error": None}
            for name in ("new", "new-data")
        ],
        "summary": {"requested": 2, "changed": 2, "unchanged": 0, "failed": 0, "dryRun": False},
        "userErrors": [],
    }
    found = await read(ask_own, "new")
    assert found | {"updatedAt": ""} == {
        "__typename": "Model",
        "name": "New",
        "status": "DRAFT",
        "description": "It learns.",
        "owner": {"name": "sam"},
        "tags": ["b", "a"],
        "license": "MIT",
        "doi": "10.1/x",
        "version": "1.2",
        "url": "https://example.org/new",
        "updatedAt": "",
        "uses": ["align", "new-data"],
        "framework": "torch",
        "source": "s3://bucket/new",
    }
    assert await held(ask_own, "new", "sam") == {"sam": "OWNER", "eve": "OWNER", "lab": "EDITOR", "Everyone": "VIEWER"}
    of_data = await read(ask_own, "new-data")
    assert (of_data["sizeBytes"], of_data["fileCount"], of_data["dataKind"]) == (2**40, 3, "DATASET")


async def test_what_is_left_out_of_a_known_asset_is_kept(ask_own: GraphQLClient) -> None:
    before, shared = await read(ask_own, "lens"), await held(ask_own, "lens", "sam")
    async with assert_unchanged(ask_own):
        answer = await register(ask_own, KNOWN)
        assert (statuses(answer), answer["summary"]["unchanged"]) == (["UNCHANGED"], 1)
    await register(ask_own, KNOWN | {"name": "Glass"})
    after = await read(ask_own, "lens")
    assert after == before | {"name": "Glass", "updatedAt": after["updatedAt"]}
    assert after["updatedAt"] > before["updatedAt"]
    assert await held(ask_own, "lens", "sam") == shared


async def test_statuses_are_kept_and_changed(ask_own: GraphQLClient) -> None:
    kept = {"externalId": "kept", "kind": "MODEL", "name": "kept", "ownerId": "$olu"}
    async with assert_unchanged(ask_own):
        await register(ask_own, kept)
        await register(ask_own, kept | {"status": "WITHDRAWN"})
    for status in ("RELEASED", "DRAFT", "ARCHIVED", "WITHDRAWN", "FAILED"):
        await register(ask_own, kept | {"status": status})
        assert (await read(ask_own, "kept", "olu"))["status"] == status


async def test_null_takes_away_what_can_be_empty(ask_own: GraphQLClient) -> None:
    await register(ask_own, KNOWN | {"description": "x", "doi": "10.1/x"})
    await register(ask_own, KNOWN | {"description": None, "url": None, "uses": [], "tags": []})
    lens = await read(ask_own, "lens")
    assert (lens["description"], lens["url"], lens["uses"], lens["tags"], lens["doi"]) == (None, None, [], [], "10.1/x")


async def test_grants_become_what_is_given_and_the_owners(ask_own: GraphQLClient) -> None:
    await register(ask_own, KNOWN | {"grants": [grant("VIEWER", userId="$eve")]})
    assert await held(ask_own, "lens", "sam") == {"sam": "OWNER", "eve": "VIEWER"}
    await register(ask_own, KNOWN | {"grants": []})
    assert await held(ask_own, "lens", "sam") == {"sam": "OWNER"}
    await register(ask_own, KNOWN | {"ownerId": "$olu"})
    assert await held(ask_own, "lens", "sam") == {"sam": "OWNER", "olu": "OWNER"}
    assert (await read(ask_own, "lens"))["owner"] == {"name": "olu"}


async def test_the_log_tells_what_was_made_and_what_changed_from_what_to_what(ask_own: GraphQLClient) -> None:
    await register(ask_own, OTHER | {"url": "https://example.org/other"}, KNOWN | {"name": "Glass"})
    id_ = await ids(ask_own)
    assert await logged(ask_own) == [
        (
            "CREATED",
            id_["other"],
            [
                {"field": "kind", "before": None, "after": "CAPSULE"},
                {"field": "status", "before": None, "after": "RELEASED"},
                {"field": "name", "before": None, "after": "Other"},
                {"field": "owner", "before": None, "after": id_["olu"]},
            ],
            0,
        ),
        ("UPDATED", id_["lens"], [{"field": "name", "before": "lens", "after": "Glass"}], 0),
    ]
    log = "{ auditLog(first: 2) { nodes { actor { name } } } }"
    assert (await ask_own("ada", log))["auditLog"]["nodes"] == [{"actor": {"name": "ada"}}] * 2


REFUSED: list[tuple[str, dict[str, Any], str, list[str]]] = [
    ("an empty id", {"externalId": " "}, "REQUIRED", ["externalId"]),
    ("an empty name", {"name": ""}, "REQUIRED", ["name"]),
    ("a long name", {"name": "x" * 201}, "TOO_LONG", ["name"]),
    ("a long tag", {"tags": ["a", "x" * 201]}, "TOO_LONG", ["tags", "1"]),
    ("a control character", {"license": "a\u0007"}, "INVALID", ["license"]),
    ("a size below nothing", {"sizeBytes": -1}, "INVALID", ["sizeBytes"]),
    ("tags of null", {"tags": None}, "INVALID", ["tags"]),
    ("a status of null", {"status": None}, "REQUIRED", ["status"]),
    ("an unknown owner", {"ownerId": "usr_x"}, "NOT_FOUND", ["ownerId"]),
    ("a group for owner", {"ownerId": "$lab"}, "NOT_FOUND", ["ownerId"]),
    ("an unknown use", {"uses": ["align", "nothing"]}, "NOT_FOUND", ["uses", "1"]),
    ("an unknown holder", {"grants": [grant("VIEWER", groupId="grp_x")]}, "NOT_FOUND", ["grants", "0", "to"]),
    ("everyone as editor", {"grants": [grant("EDITOR", everyone=True)]}, "INVALID", ["grants", "0", "access"]),
    (
        "a holder twice",
        {"grants": [grant("VIEWER", userId="$eve"), grant("EDITOR", userId="$eve")]},
        "INVALID",
        ["grants", "1", "to"],
    ),
    ("too many grants", {"grants": [grant("VIEWER", public=True)] * 101}, "LIMIT_EXCEEDED", ["grants"]),
    ("another kind", {"externalId": "align"}, "INVALID", ["kind"]),
    ("an id twice", {"externalId": " other "}, "INVALID", ["externalId"]),
]


@pytest.mark.parametrize(("given", "code", "path"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
async def test_a_bad_item_stops_all_of_them_and_is_refused_at_the_very_element(
    ask_own: GraphQLClient, given: dict[str, Any], code: str, path: list[str]
) -> None:
    async with assert_unchanged(ask_own):
        answer = await register(ask_own, OTHER, NEW | given, KNOWN | {"name": "Glass"})
    assert error_paths(answer) == errors(answer) == [(code, ["assets", "1", *path])]
    assert statuses(answer) == ["ROLLED_BACK", "FAILED", "ROLLED_BACK"]
    asked = [OTHER["externalId"], (NEW | given)["externalId"]]
    known = await ids(ask_own)
    assert [result["assetId"] for result in answer["results"]] == [known.get(each, each) for each in (*asked, "lens")]


async def test_at_best_effort_the_good_items_are_written(ask_own: GraphQLClient) -> None:
    bad = NEW | {"ownerId": "usr_x"}
    answer = await register(ask_own, KNOWN, bad, OTHER, KNOWN | {"kind": "CAPSULE"}, mode="BEST_EFFORT")
    assert statuses(answer) == ["UNCHANGED", "FAILED", "CHANGED", "FAILED"]
    assert errors(answer) == [("NOT_FOUND", ["assets", "1", "ownerId"]), ("INVALID", ["assets", "3", "kind"])]
    assert answer["summary"] == {"requested": 4, "changed": 1, "unchanged": 1, "failed": 2, "dryRun": False}
    assert answer["userErrors"] == []
    assert "other" in await ids(ask_own)
    assert "new" not in await ids(ask_own)


async def test_what_uses_a_refused_item_is_refused_with_it_unless_that_one_is_known(ask_own: GraphQLClient) -> None:
    answer = await register(
        ask_own,
        OTHER | {"uses": ["middle"]},
        OTHER | {"externalId": "middle", "uses": ["align", "new"]},
        NEW | {"name": ""},
        KNOWN | {"name": ""},
        OTHER | {"externalId": "good", "uses": ["lens"]},
        mode="BEST_EFFORT",
    )
    assert statuses(answer) == ["FAILED", "FAILED", "FAILED", "FAILED", "CHANGED"]
    assert errors(answer)[:2] == [
        ("NOT_FOUND", ["assets", "0", "uses", "0"]),
        ("NOT_FOUND", ["assets", "1", "uses", "1"]),
    ]


async def test_what_uses_a_refused_item_is_not_at_fault_where_all_are_rolled_back(ask_own: GraphQLClient) -> None:
    answer = await register(ask_own, OTHER | {"uses": ["new"]}, NEW | {"name": ""})
    assert statuses(answer) == ["ROLLED_BACK", "FAILED"]
    assert error_paths(answer) == [("REQUIRED", ["assets", "1", "name"])]


async def test_a_call_has_at_least_one_asset_and_at_most_a_thousand(ask_own: GraphQLClient) -> None:
    async with assert_unchanged(ask_own):
        assert error_paths(await register(ask_own)) == [("REQUIRED", ["assets"])]
        answer = await register(ask_own, *([NEW] * 1_001))
        assert error_paths(answer) == [("LIMIT_EXCEEDED", ["assets"])]
        assert answer["results"] == []


async def test_how_many_statements_are_sent_depends_not_on_how_many_assets(ask_own: GraphQLClient) -> None:
    counts = []
    for count in (1, 7):
        await register(ask_own, *(NEW | {"externalId": f"{count}-{each}", "uses": ["align"]} for each in range(count)))
        counts.append(len(ask_own.statements))
    assert counts[0] == counts[1]


async def test_registering_is_the_administrators(ask_own: GraphQLClient) -> None:
    given = {"assets": filled([KNOWN], await ids(ask_own))}
    async with assert_unchanged(ask_own):
        assert await refusal_code(ask_own, "sam", REGISTER, **given) == "FORBIDDEN"
        assert await refusal_code(ask_own, ANONYMOUS, REGISTER, **given) == "UNAUTHENTICATED"


async def test_a_key_makes_a_retry_harmless(ask_own: GraphQLClient) -> None:
    first = await register(ask_own, NEW, idempotencyKey="k1")
    await register(ask_own, NEW | {"name": "Newer"})
    async with assert_unchanged(ask_own):
        assert await register(ask_own, NEW, idempotencyKey="k1") == first
        other = await register(ask_own, OTHER, idempotencyKey="k1")
        assert error_paths(other) == [("IDEMPOTENCY_MISMATCH", ["idempotencyKey"])]
