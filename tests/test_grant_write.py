"""Sharing: grants that owners add, change and revoke, in effect for the next operation."""

from typing import Any

import pytest
from sqlalchemy import select

from store import sql
from tests.conftest import ANONYMOUS, GraphQLClient
from tests.mutations import Mutation, assert_unchanged, error_paths, refusal_code

SHARE = Mutation("assetGrantsUpdate", "asset { ... on AssetFields { name } }")
GRANTS = "{ access principal { __typename ... on User { name } ... on Group { name } } }"
UNKNOWN = "ast_" + "0" * 24
EVERYONE, PUBLIC = {"everyone": True}, {"public": True}
Held = dict[str, str]


async def ids(ask: GraphQLClient) -> dict[str, str]:
    """Return the public id of every asset, user and group, by external id."""
    found: dict[str, str] = {}
    async with ask.database.snapshot() as snapshot:
        for table in (sql.asset, sql.principal):
            found |= {row.external_id: row.id for row in await snapshot.rows(select(table.c.external_id, table.c.id))}
    return found


async def held(ask: GraphQLClient, asset: str, who: str = "olu") -> Held:
    """Return the access of each principal, as the owner sees it."""
    query = f"query($id: String!) {{ asset(by: {{externalId: $id}}) {{ ... on AssetFields {{ grants {GRANTS} }} }} }}"
    grants = (await ask(who, query, id=asset))["asset"]["grants"]
    return {each["principal"].get("name", each["principal"]["__typename"]): each["access"] for each in grants}


async def sees(ask: GraphQLClient, who: str, asset: str) -> bool:
    query = "query($id: String!) { asset(by: {externalId: $id}) { __typename } }"
    return (await ask(who, query, id=asset))["asset"] is not None


async def logged(ask: GraphQLClient) -> list[tuple[Any, ...]]:
    """Return action, subject, fields and least access of the changes since the world was made."""
    change = sql.change.c
    rows = select(change.action, change.subject_id, change.fields, change.least_access)
    async with ask.database.snapshot() as snapshot:
        return [tuple(row) for row in await snapshot.rows(rows.where(change.revision > 1).order_by(change.pk))]


def grant(access: str, **to: Any) -> dict[str, Any]:
    return {"to": to, "access": access}


async def test_an_owner_adds_and_revokes_grants_in_one_mutation(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    answer = await SHARE(
        ask_own,
        "olu",
        assetId=id_["images"],
        set=[grant("VIEWER", userId=id_["eve"]), grant("VIEWER", groupId=id_["lab"]), grant("DISCOVERABLE", **PUBLIC)],
        revoke=[{"groupId": id_["core"]}, EVERYONE],
    )
    assert answer == {"asset": {"name": "images"}, "userErrors": []}
    assert await held(ask_own, "images") == {"olu": "OWNER", "eve": "VIEWER", "lab": "VIEWER", "Public": "DISCOVERABLE"}
    given = [
        {"field": f"user:{id_['eve']}", "before": None, "after": "VIEWER"},
        {"field": f"group:{id_['lab']}", "before": "EDITOR", "after": "VIEWER"},
        {"field": "public", "before": None, "after": "DISCOVERABLE"},
    ]
    taken = [{"field": f"group:{id_['core']}", "before": "OWNER", "after": None}]
    assert await logged(ask_own) == [("SHARED", id_["images"], given, 4), ("UNSHARED", id_["images"], taken, 4)]


async def test_sharing_does_not_change_fields_that_others_see(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    query = '{ asset(by: {externalId: "blast"}) { ... on AssetFields { name updatedAt viewerAccess } } assets {'
    query += " totalCount nodes { ... on AssetFields { id updatedAt } } } }"
    before = (await ask_own.response("eve", query)).content
    await SHARE(ask_own, "olu", assetId=id_["blast"], set=[grant("EDITOR", userId=id_["sam"])])
    assert (await ask_own.response("eve", query)).content == before


async def test_grants_and_revocations_hold_for_the_next_operation(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    assert await sees(ask_own, "mei", "genomes")
    assert not await sees(ask_own, "eve", "genomes")
    await SHARE(
        ask_own,
        "olu",
        assetId=id_["genomes"],
        set=[grant("VIEWER", userId=id_["eve"])],
        revoke=[{"groupId": id_["lab"]}],
    )
    assert not await sees(ask_own, "mei", "genomes")
    assert await sees(ask_own, "eve", "genomes")


async def test_revoking_ones_own_access_hides_the_asset(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    answer = await SHARE(ask_own, "lou", assetId=id_["images"], revoke=[{"groupId": id_["core"]}])
    assert answer == {"asset": None, "userErrors": []}
    assert not await sees(ask_own, "lou", "images")
    assert error_paths(await SHARE(ask_own, "lou", assetId=id_["images"], revoke=[EVERYONE])) == [
        ("NOT_FOUND", ["assetId"])
    ]


async def test_members_of_an_owning_group_share_and_revoke(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    await SHARE(ask_own, "lou", assetId=id_["images"], set=[grant("OWNER", userId=id_["eve"])])
    await SHARE(ask_own, "eve", assetId=id_["images"], revoke=[{"groupId": id_["core"]}, {"groupId": id_["lab"]}])
    assert await held(ask_own, "images") == {"eve": "OWNER", "olu": "OWNER"}


async def test_an_existing_grant_is_unchanged(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    async with assert_unchanged(ask_own):
        answer = await SHARE(
            ask_own,
            "olu",
            assetId=id_["genomes"],
            set=[grant("VIEWER", groupId=id_["lab"]), grant("OWNER", userId=id_["olu"])],
            revoke=[EVERYONE, {"userId": id_["eve"]}],
        )
        assert answer == {"asset": {"name": "genomes"}, "userErrors": []}


async def test_hidden_and_unknown_assets_get_the_same_error(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    async with assert_unchanged(ask_own):
        answers = [
            (await ask_own.response("eve", SHARE.query, input={"assetId": each, "revoke": [EVERYONE]})).json()["data"]
            for each in (id_["hidden"], id_["junk"], UNKNOWN, "", id_["eve"])
        ]
        assert all(answer == answers[0] for answer in answers)
        assert error_paths(answers[0]["assetGrantsUpdate"]) == [("NOT_FOUND", ["assetId"])]


async def test_hidden_and_unknown_assets_send_the_same_statements(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    given = {"set": [grant("VIEWER", userId=id_["sam"])]}
    sent = []
    for each in (id_["hidden"], UNKNOWN):
        await SHARE(ask_own, "eve", assetId=each, **given)
        sent.append(list(ask_own.statements))
    assert sent[0] == sent[1]


@pytest.mark.parametrize(("who", "asset"), [("mei", "images"), ("eve", "blast"), ("ada", "hidden")])
async def test_only_owners_share_not_editors_nor_administrators(ask_own: GraphQLClient, who: str, asset: str) -> None:
    id_ = await ids(ask_own)
    async with assert_unchanged(ask_own):
        answer = await SHARE(ask_own, who, assetId=id_[asset], set=[grant("VIEWER", **EVERYONE)])
        assert (answer["asset"], error_paths(answer)) == (None, [("NOT_OWNER", ["assetId"])])


async def test_anonymous_visitors_share_nothing(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    async with assert_unchanged(ask_own):
        given = {"assetId": id_["align"], "revoke": [PUBLIC]}
        assert await refusal_code(ask_own, ANONYMOUS, SHARE, **given) == "UNAUTHENTICATED"


REFUSED: list[tuple[str, dict[str, Any], list[tuple[str, list[str]]]]] = [
    ("nothing", {}, [("REQUIRED", ["set"])]),
    (
        "an unknown user, group and user that is a group",
        {
            "set": [grant("VIEWER", userId="usr_x"), grant("VIEWER", groupId="$eve")],
            "revoke": [{"userId": "$lab"}, {"userId": "everyone"}],
        },
        [
            ("NOT_FOUND", ["set", "0", "to"]),
            ("NOT_FOUND", ["set", "1", "to"]),
            ("NOT_FOUND", ["revoke", "0"]),
            ("NOT_FOUND", ["revoke", "1"]),
        ],
    ),
    (
        "one twice",
        {
            "set": [grant("VIEWER", **EVERYONE), grant("DISCOVERABLE", **EVERYONE), grant("VIEWER", userId="$eve")],
            "revoke": [{"userId": "$eve"}, PUBLIC, PUBLIC],
        },
        [("INVALID", ["set", "1", "to"]), ("INVALID", ["revoke", "0"]), ("INVALID", ["revoke", "2"])],
    ),
    (
        "more than VIEWER for many",
        {"set": [grant("EDITOR", **EVERYONE), grant("OWNER", **PUBLIC)]},
        [("INVALID", ["set", "0", "access"]), ("INVALID", ["set", "1", "access"])],
    ),
    (
        "false",
        {"set": [grant("VIEWER", everyone=False)], "revoke": [{"public": False}]},
        [("INVALID", ["set", "0", "to", "everyone"]), ("INVALID", ["revoke", "0", "public"])],
    ),
    (
        "less for the owner",
        {"set": [grant("EDITOR", userId="$olu")]},
        [("INVALID", ["set", "0", "access"])],
    ),
    ("nothing for the owner", {"revoke": [{"userId": "$olu"}]}, [("INVALID", ["revoke", "0"])]),
    (
        "no owner at all",
        {"set": [grant("VIEWER", groupId="$core")], "revoke": [{"userId": "$olu"}]},
        [("INVALID", ["revoke", "0"])],
    ),
]


def filled(value: Any, id_: dict[str, str]) -> Any:
    """Return the value with the public id in place of each `$` followed by an external id."""
    if isinstance(value, dict):
        return {name: filled(each, id_) for name, each in value.items()}
    if isinstance(value, list):
        return [filled(each, id_) for each in value]
    return id_[value[1:]] if isinstance(value, str) and value.startswith("$") else value


@pytest.mark.parametrize(("given", "expected"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
async def test_an_invalid_grant_reports_the_element(
    ask_own: GraphQLClient, given: dict[str, Any], expected: list[tuple[str, list[str]]]
) -> None:
    id_ = await ids(ask_own)
    async with assert_unchanged(ask_own):
        answer = await SHARE(ask_own, "lou", assetId=id_["images"], **filled(given, id_))
        assert (answer["asset"], error_paths(answer)) == (None, expected)


async def test_errors_of_grants_have_a_reason(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    answer = await SHARE(
        ask_own,
        "olu",
        assetId=id_["images"],
        set=[grant("EDITOR", **EVERYONE)],
        revoke=[{"userId": id_["olu"]}, EVERYONE],
    )
    assert [error["message"] for error in answer["userErrors"]] == [
        "Everyone can hold VIEWER at most.",
        "The asset's owner keeps OWNER: every asset has an owner.",
        "Everyone occurs twice.",
    ]


async def test_a_replay_is_filtered_by_current_permissions(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    given = {"assetId": id_["images"], "revoke": [{"groupId": id_["core"]}], "idempotencyKey": "k1"}
    first = await SHARE(ask_own, "lou", **given)
    await SHARE(ask_own, "olu", assetId=id_["images"], set=[grant("OWNER", groupId=id_["core"])])
    async with assert_unchanged(ask_own):
        again = await SHARE(ask_own, "lou", **given)
    assert (first["asset"], again["asset"]) == (None, {"name": "images"})
    assert (await held(ask_own, "images"))["core"] == "OWNER"
