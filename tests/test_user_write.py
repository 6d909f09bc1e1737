"""Provisioning by administrators: userUpsert, userDeactivate, userReactivate, groupUpsert and groupMembersUpdate."""

from typing import Any

import pytest

from app.tokens import create_token
from store.people.members import GroupWrite
from store.tables import PrincipalSource
from tests.conftest import GraphQLClient
from tests.mutations import Mutation, assert_unchanged, error_paths
from tests.test_people import People
from tests.test_user import FIELDS, ids_of

UPSERT = Mutation("userUpsert", f"user {{ {FIELDS} }}")
DEACTIVATE = Mutation("userDeactivate", "user { externalId isActive }")
REACTIVATE = Mutation("userReactivate", "user { externalId isActive }")
GROUP_UPSERT = Mutation("groupUpsert", "group { externalId name provisionedBy members { nodes { externalId } } }")
MEMBERS_UPDATE = Mutation("groupMembersUpdate", "group { members { totalCount nodes { externalId } } }")
IDA = {"externalId": "ida", "name": "Ida", "email": "ida@example.org", "isAdmin": True}
VIEWER = "{ viewer { isAdmin user { externalId } groups { nodes { externalId } } } }"


async def test_a_new_user_belongs_to_the_administrators(ask_own: GraphQLClient) -> None:
    payload = await UPSERT(ask_own, "ada", externalId=" ida ", name="Ida")
    expected = {"externalId": "ida", "name": "Ida", "email": None, "isAdmin": False, "isActive": True}
    assert payload == {"user": expected | {"provisionedBy": "MANUAL"}, "userErrors": []}


async def test_an_update_keeps_omitted_fields(ask_own: GraphQLClient) -> None:
    await UPSERT(ask_own, "ada", **IDA)
    payload = await UPSERT(ask_own, "ada", externalId="ida", name="Ida B.")
    assert payload["user"] == IDA | {"name": "Ida B.", "isActive": True, "provisionedBy": "MANUAL"}
    payload = await UPSERT(ask_own, "ada", externalId="ida", name="Ida B.", email=None, isAdmin=False)
    assert (payload["user"]["email"], payload["user"]["isAdmin"]) == (None, False)
    async with assert_unchanged(ask_own):
        await UPSERT(ask_own, "ada", externalId="ida", name="Ida B.", email="", isAdmin=False)


@pytest.mark.parametrize(
    ("given", "errors"),
    [
        ({"externalId": "", "name": ""}, [("REQUIRED", ["externalId"]), ("REQUIRED", ["name"])]),
        ({"externalId": "x" * 256, "name": "\x07"}, [("TOO_LONG", ["externalId"]), ("INVALID", ["name"])]),
        ({"externalId": "ida", "name": "Ida", "isAdmin": None}, [("REQUIRED", ["isAdmin"])]),
        ({"externalId": "ida", "name": "Ida", "email": "x" * 1_001}, [("TOO_LONG", ["email"])]),
        ({"externalId": "lab", "name": "Ida"}, [("TAKEN", ["externalId"])]),
        ({"externalId": "everyone", "name": "Ida"}, [("TAKEN", ["externalId"])]),
        ({"externalId": "eve", "name": "Eve"}, [("OTHER_SOURCE", ["externalId"])]),
        (
            {"externalId": "ada", "name": "ada", "isAdmin": False, "provisionedBy": "MANUAL"},
            [("LAST_ADMINISTRATOR", ["externalId"])],
        ),
    ],
)
async def test_faulty_users_are_refused(ask: GraphQLClient, given: dict[str, Any], errors: Any) -> None:
    async with assert_unchanged(ask):
        payload = await UPSERT(ask, "ada", **given)
    assert error_paths(payload) == errors
    assert payload["user"] is None


async def test_a_user_of_another_source_is_handed_over_by_naming_the_new_one(ask_own: GraphQLClient) -> None:
    payload = await UPSERT(ask_own, "ada", externalId="eve", name="Eve", provisionedBy="SCIM")
    assert (payload["user"]["name"], payload["user"]["provisionedBy"]) == ("Eve", "SCIM")
    payload = await UPSERT(ask_own, "ada", externalId="eve", name="Eve!")
    assert error_paths(payload) == [("OTHER_SOURCE", ["externalId"])]


async def test_a_deactivated_user_is_refused_until_reactivated_with_a_new_token(ask_own: GraphQLClient) -> None:
    eve = (await ids_of(ask_own))["eve"]
    assert await DEACTIVATE(ask_own, "ada", userId=eve) == {
        "user": {"externalId": "eve", "isActive": False},
        "userErrors": [],
    }
    for _ in range(2):
        response = await ask_own.response("eve", VIEWER)
        assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (401, "UNAUTHENTICATED")
        assert (await REACTIVATE(ask_own, "ada", userId=eve))["user"]["isActive"]
    ask_own.tokens = {**ask_own.tokens, "eve": await create_token(ask_own.database, "eve", 60)}
    assert (await ask_own("eve", VIEWER))["viewer"]["user"]["externalId"] == "eve"


async def test_grants_of_a_deactivated_user_stay(ask_own: GraphQLClient) -> None:
    mei = (await ids_of(ask_own))["sam"]
    query = '{ asset(by: {externalId: "lens"}) { ... on AssetFields { owner { externalId isActive } } } }'
    await DEACTIVATE(ask_own, "ada", userId=mei)
    assert (await ask_own("ada", query))["asset"]["owner"] == {"externalId": "sam", "isActive": False}


async def test_the_last_active_administrator_cannot_be_deactivated(ask_own: GraphQLClient) -> None:
    ada = (await ids_of(ask_own))["ada"]
    assert error_paths(await DEACTIVATE(ask_own, "ada", userId=ada)) == [("LAST_ADMINISTRATOR", ["userId"])]
    await UPSERT(ask_own, "ada", **IDA)
    assert (await DEACTIVATE(ask_own, "ada", userId=ada))["user"]["isActive"] is False


async def test_a_new_group_and_its_members(ask_own: GraphQLClient) -> None:
    payload = await GROUP_UPSERT(ask_own, "ada", externalId="crew", name="Crew")
    assert payload["group"] == {
        "externalId": "crew",
        "name": "Crew",
        "provisionedBy": "MANUAL",
        "members": {"nodes": []},
    }
    ids = await ids_of(ask_own)
    named = [{"userId": ids["eve"]}, {"userExternalId": "sam"}, {"userExternalId": "eve"}]
    payload = await MEMBERS_UPDATE(ask_own, "ada", groupId=ids["crew"], add=named)
    assert [node["externalId"] for node in payload["group"]["members"]["nodes"]] == ["eve", "sam"]
    assert (await ask_own("eve", VIEWER))["viewer"]["groups"]["nodes"] == [{"externalId": "crew"}]
    async with assert_unchanged(ask_own):
        await MEMBERS_UPDATE(ask_own, "ada", groupId=ids["crew"], add=named, remove=[{"userExternalId": "mei"}])
    payload = await MEMBERS_UPDATE(ask_own, "ada", groupId=ids["crew"], remove=[{"userExternalId": "eve"}])
    assert [node["externalId"] for node in payload["group"]["members"]["nodes"]] == ["sam"]
    assert (await ask_own("eve", VIEWER))["viewer"]["groups"]["nodes"] == []


async def test_faulty_changes_of_members_are_refused(ask_own: GraphQLClient) -> None:
    await People(ask_own.database).groups({"crew": GroupWrite()}, PrincipalSource.MANUAL)
    ids = await ids_of(ask_own)
    eve, sam, lab = {"userExternalId": "eve"}, {"userExternalId": "sam"}, {"groupExternalId": "lab"}
    for given, errors in (
        ({}, [("REQUIRED", ["add"])]),
        (
            {"add": [eve, lab], "remove": [{"public": True}]},
            [("NOT_FOUND", ["add", "1"]), ("NOT_FOUND", ["remove", "0"])],
        ),
        ({"add": [eve], "remove": [sam, eve]}, [("INVALID", ["remove", "1"])]),
    ):
        async with assert_unchanged(ask_own):
            assert error_paths(await MEMBERS_UPDATE(ask_own, "ada", groupId=ids["crew"], **given)) == errors
    async with assert_unchanged(ask_own):
        payload = await MEMBERS_UPDATE(ask_own, "ada", groupId=ids["lab"], add=[eve])
    assert error_paths(payload) == [("OTHER_SOURCE", ["groupId"])]
    assert error_paths(await GROUP_UPSERT(ask_own, "ada", externalId="eve", name="x")) == [("TAKEN", ["externalId"])]
