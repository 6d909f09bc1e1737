"""`assetsRegister`: assets are created, updated or left unchanged, with a result for each."""

from dataclasses import replace
from typing import Any

import pytest

from tests.conftest import ANONYMOUS, GraphQLClient, World, settings_of
from tests.mutations import Mutation, assert_unchanged, error_paths, refusal_code
from tests.test_grant_write import filled, grant, held, ids, logged

REGISTER = Mutation(
    "assetsRegister",
    "results { assetId asset { ... on AssetFields { externalId } } status error { code message path } }"
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
EXISTING: dict[str, Any] = {"externalId": "lens", "kind": "MODEL", "name": "lens", "ownerId": "$sam"}
OTHER: dict[str, Any] = {"externalId": "other", "kind": "CAPSULE", "name": "Other", "ownerId": "$olu"}


async def register(ask: GraphQLClient, *assets: dict[str, Any], **given: Any) -> dict[str, Any]:
    return await REGISTER(ask, "ada", assets=filled(list(assets), await ids(ask)), **given)


async def read(ask: GraphQLClient, external_id: str, who: str = "sam") -> dict[str, Any]:
    """Return the asset as its owner reads it, with its uses as a list of external ids."""
    asset = dict((await ask(who, READ, id=external_id))["asset"])
    asset["uses"] = [used["externalId"] for used in asset["uses"]["nodes"]]
    return asset


def statuses(payload: dict[str, Any]) -> list[str]:
    return [result["status"] for result in payload["results"]]


def errors(payload: dict[str, Any]) -> list[tuple[str, list[str]]]:
    results = [result["error"] for result in payload["results"] if result["error"]]
    return [(error["code"], error["path"][1:]) for error in results]


async def test_a_new_asset_has_all_registered_values(ask_own: GraphQLClient) -> None:
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
    payload = await register(ask_own, asset, data | {"grants": [grant("VIEWER", userId="$eve")]})
    id_ = await ids(ask_own)
    assert payload == {
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


async def test_an_existing_asset_keeps_the_values_of_omitted_fields(ask_own: GraphQLClient) -> None:
    before, shared = await read(ask_own, "lens"), await held(ask_own, "lens", "sam")
    async with assert_unchanged(ask_own):
        payload = await register(ask_own, EXISTING)
        assert (statuses(payload), payload["summary"]["unchanged"]) == (["UNCHANGED"], 1)
    await register(ask_own, EXISTING | {"name": "Glass"})
    after = await read(ask_own, "lens")
    assert after == before | {"name": "Glass", "updatedAt": after["updatedAt"]}
    assert after["updatedAt"] > before["updatedAt"]
    assert await held(ask_own, "lens", "sam") == shared


async def test_a_status_is_kept_when_omitted_and_changed_when_given(ask_own: GraphQLClient) -> None:
    kept = {"externalId": "kept", "kind": "MODEL", "name": "kept", "ownerId": "$olu"}
    async with assert_unchanged(ask_own):
        await register(ask_own, kept)
        await register(ask_own, kept | {"status": "WITHDRAWN"})
    for status in ("RELEASED", "DRAFT", "ARCHIVED", "WITHDRAWN", "FAILED"):
        await register(ask_own, kept | {"status": status})
        assert (await read(ask_own, "kept", "olu"))["status"] == status


async def test_null_removes_an_optional_value(ask_own: GraphQLClient) -> None:
    await register(ask_own, EXISTING | {"description": "x", "doi": "10.1/x"})
    await register(ask_own, EXISTING | {"description": None, "url": None, "uses": [], "tags": []})
    lens = await read(ask_own, "lens")
    assert (lens["description"], lens["url"], lens["uses"], lens["tags"], lens["doi"]) == (None, None, [], [], "10.1/x")


async def test_grants_are_replaced_by_those_of_the_input_and_the_owner(ask_own: GraphQLClient) -> None:
    await register(ask_own, EXISTING | {"grants": [grant("VIEWER", userId="$eve")]})
    assert await held(ask_own, "lens", "sam") == {"sam": "OWNER", "eve": "VIEWER"}
    await register(ask_own, EXISTING | {"grants": []})
    assert await held(ask_own, "lens", "sam") == {"sam": "OWNER"}


async def test_a_new_owner_takes_the_place_of_the_former_one(ask_own: GraphQLClient) -> None:
    await register(ask_own, EXISTING | {"ownerId": "$olu"})
    assert await held(ask_own, "lens") == {"olu": "OWNER", "Public": "VIEWER"}
    assert (await read(ask_own, "lens", "olu"))["owner"] == {"name": "olu"}
    actions = [action for action, *_ in await logged(ask_own)]
    assert sorted(actions) == ["SHARED", "UNSHARED", "UPDATED"]


async def test_the_log_has_created_assets_and_changed_fields_with_both_values(ask_own: GraphQLClient) -> None:
    await register(ask_own, OTHER | {"url": "https://example.org/other"}, EXISTING | {"name": "Glass"})
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


async def test_a_grant_to_oneself_is_logged_as_shared(ask_own: GraphQLClient) -> None:
    await register(ask_own, OTHER | {"grants": [grant("OWNER", userId="$ada")]})
    id_ = await ids(ask_own)
    shared = [change for change in await logged(ask_own) if change[0] == "SHARED"]
    fields = [{"field": f"user:{id_['ada']}", "before": None, "after": "OWNER"}]
    assert shared == [("SHARED", id_["other"], fields, 4)]


INVALID_ITEMS: list[tuple[str, dict[str, Any], str, list[str]]] = [
    ("an empty id", {"externalId": " "}, "REQUIRED", ["externalId"]),
    ("an empty name", {"name": ""}, "REQUIRED", ["name"]),
    ("a long name", {"name": "x" * 1_001}, "TOO_LONG", ["name"]),
    ("a long tag", {"tags": ["a", "x" * 201]}, "TOO_LONG", ["tags", "1"]),
    ("a control character", {"license": "a\u0007"}, "INVALID", ["license"]),
    ("a negative size", {"sizeBytes": -1}, "INVALID", ["sizeBytes"]),
    ("tags of null", {"tags": None}, "INVALID", ["tags"]),
    ("a status of null", {"status": None}, "REQUIRED", ["status"]),
    ("an unknown owner", {"ownerId": "usr_x"}, "NOT_FOUND", ["ownerId"]),
    ("a group as owner", {"ownerId": "$lab"}, "NOT_FOUND", ["ownerId"]),
    ("an unknown use", {"uses": ["align", "nothing"]}, "NOT_FOUND", ["uses", "1"]),
    ("a grant to an unknown group", {"grants": [grant("VIEWER", groupId="grp_x")]}, "NOT_FOUND", ["grants", "0", "to"]),
    ("everyone as editor", {"grants": [grant("EDITOR", everyone=True)]}, "INVALID", ["grants", "0", "access"]),
    (
        "two grants to one user",
        {"grants": [grant("VIEWER", userId="$eve"), grant("EDITOR", userId="$eve")]},
        "INVALID",
        ["grants", "1", "to"],
    ),
    ("another kind", {"externalId": "align"}, "INVALID", ["kind"]),
    ("an id twice", {"externalId": " other "}, "INVALID", ["externalId"]),
]


@pytest.mark.parametrize(
    ("given", "code", "path"), [case[1:] for case in INVALID_ITEMS], ids=[case[0] for case in INVALID_ITEMS]
)
async def test_an_invalid_item_rolls_back_all_and_is_reported_with_its_path(
    ask_own: GraphQLClient, given: dict[str, Any], code: str, path: list[str]
) -> None:
    async with assert_unchanged(ask_own):
        payload = await register(ask_own, OTHER, NEW | given, EXISTING | {"name": "Glass"})
    assert error_paths(payload) == errors(payload) == [(code, ["assets", "1", *path])]
    assert statuses(payload) == ["ROLLED_BACK", "FAILED", "ROLLED_BACK"]
    input_ids = [OTHER["externalId"], (NEW | given)["externalId"], "lens"]
    id_ = await ids(ask_own)
    assert [result["assetId"] for result in payload["results"]] == [id_.get(name, name) for name in input_ids]


async def test_best_effort_writes_the_valid_items(ask_own: GraphQLClient) -> None:
    bad = NEW | {"ownerId": "usr_x"}
    payload = await register(ask_own, EXISTING, bad, OTHER, EXISTING | {"kind": "CAPSULE"}, mode="BEST_EFFORT")
    assert statuses(payload) == ["UNCHANGED", "FAILED", "CHANGED", "FAILED"]
    assert errors(payload) == [("NOT_FOUND", ["assets", "1", "ownerId"]), ("INVALID", ["assets", "3", "kind"])]
    assert payload["summary"] == {"requested": 4, "changed": 1, "unchanged": 1, "failed": 2, "dryRun": False}
    assert payload["userErrors"] == []
    assert "other" in await ids(ask_own)
    assert "new" not in await ids(ask_own)


async def test_best_effort_rejects_items_that_use_a_rejected_new_asset(ask_own: GraphQLClient) -> None:
    payload = await register(
        ask_own,
        OTHER | {"uses": ["middle"]},
        OTHER | {"externalId": "middle", "uses": ["align", "new"]},
        NEW | {"name": ""},
        EXISTING | {"name": ""},
        OTHER | {"externalId": "good", "uses": ["lens"]},
        mode="BEST_EFFORT",
    )
    assert statuses(payload) == ["FAILED", "FAILED", "FAILED", "FAILED", "CHANGED"]
    assert errors(payload)[:2] == [
        ("NOT_FOUND", ["assets", "0", "uses", "0"]),
        ("NOT_FOUND", ["assets", "1", "uses", "1"]),
    ]


async def test_atomic_reports_the_invalid_item_but_not_items_that_use_it(ask_own: GraphQLClient) -> None:
    payload = await register(ask_own, OTHER | {"uses": ["new"]}, NEW | {"name": ""})
    assert statuses(payload) == ["ROLLED_BACK", "FAILED"]
    assert error_paths(payload) == [("REQUIRED", ["assets", "1", "name"])]


async def test_urls_have_the_schemes_of_the_deployment(own_world: World) -> None:
    settings = replace(settings_of(own_world.url), url_schemes=("https", "dx"))
    ask = GraphQLClient(own_world, settings)
    try:
        assert statuses(await register(ask, NEW | {"url": "DX://project/file"})) == ["CHANGED"]
        assert (await read(ask, "new"))["url"] == "dx://project/file"
        refused = await register(ask, NEW | {"url": "ftp://example.org"})
        assert errors(refused) == [("INVALID", ["assets", "0", "url"])]
        [error] = [result["error"] for result in refused["results"]]
        assert error["message"] == "url must begin with https:// or dx://, not 'ftp://example.org'."
    finally:
        await ask.close()


async def test_a_call_has_at_least_one_asset(ask_own: GraphQLClient) -> None:
    async with assert_unchanged(ask_own):
        assert error_paths(await register(ask_own)) == [("REQUIRED", ["assets"])]


async def test_the_number_of_statements_is_independent_of_the_number_of_assets(ask_own: GraphQLClient) -> None:
    counts = []
    for count in (1, 7):
        await register(
            ask_own, *(NEW | {"externalId": f"{count}-{index}", "uses": ["align"]} for index in range(count))
        )
        counts.append(len(ask_own.statements))
    assert counts[0] == counts[1]


async def test_only_administrators_register_assets(ask_own: GraphQLClient) -> None:
    given = {"assets": filled([EXISTING], await ids(ask_own))}
    async with assert_unchanged(ask_own):
        assert await refusal_code(ask_own, "sam", REGISTER, **given) == "FORBIDDEN"
        assert await refusal_code(ask_own, ANONYMOUS, REGISTER, **given) == "UNAUTHENTICATED"


async def test_a_retry_with_the_same_idempotency_key_returns_the_first_result(ask_own: GraphQLClient) -> None:
    first = await register(ask_own, NEW, idempotencyKey="k1")
    await register(ask_own, NEW | {"name": "Newer"})
    async with assert_unchanged(ask_own):
        assert await register(ask_own, NEW, idempotencyKey="k1") == first
        other = await register(ask_own, OTHER, idempotencyKey="k1")
        assert error_paths(other) == [("IDEMPOTENCY_MISMATCH", ["idempotencyKey"])]
