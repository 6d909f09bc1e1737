"""Tests of SCIM 2.0 by the requests that Okta and Microsoft Entra document, and of its errors and limits."""

import logging
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from sqlalchemy import delete, insert, select, update

from app.export import export_catalogue, identify
from app.scim.endpoint import MAX_BODY_BYTES, PATH, POINTS
from app.scim.token import read_token
from app.scim.user_id import UserId
from app.settings import SettingError, Settings
from app.tokens import create_token
from store import sql
from store.catalogue.importer import import_catalogue
from store.tables import PrincipalSource
from tests.conftest import GraphQLClient, World, settings_of
from tests.mutations import Mutation, assert_unchanged

TOKEN = "0123456789abcdef" * 4
USER, GROUP = ("urn:ietf:params:scim:schemas:core:2.0:" + name for name in ("User", "Group"))
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
JSON = dict[str, Any]


class Provider:
    """Client of SCIM, as an identity provider is one."""

    def __init__(self, ask: GraphQLClient) -> None:
        self.ask = ask

    async def send(self, method: str, path: str, body: object = None, **query: str | int) -> httpx.Response:
        """Send a request with the token of the provider."""
        headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/scim+json"}
        return await self.ask.client.request(method, PATH + path, json=body, params=query, headers=headers)

    async def __call__(self, method: str, path: str, body: object = None, *, status: int = 200, **query: Any) -> Any:
        """Send a request, expect the status, and return the JSON of the response."""
        response = await self.send(method, path, body, **query)
        assert response.status_code == status, response.text
        assert response.headers["content-type"].startswith("application/scim+json")
        return response.json() if response.content else None

    async def patch(self, path: str, *operations: JSON, status: int = 200) -> Any:
        """Send the operations of a PATCH."""
        return await self("PATCH", path, {"schemas": [PATCH], "Operations": list(operations)}, status=status)

    async def create_user(self, name: str, **members: Any) -> JSON:
        """Create a user and return it."""
        body = {"schemas": [USER], "userName": f"{name}@example.org", "externalId": name, "displayName": name}
        return dict(await self("POST", "/Users", body | members, status=201))

    async def create_group(self, name: str, *members: str) -> JSON:
        """Create a group with these members and return it."""
        body = {"schemas": [GROUP], "displayName": name, "members": [{"value": id_} for id_ in members]}
        return dict(await self("POST", "/Groups", body, status=201))

    async def principal(self, external_id: str) -> tuple[Any, ...]:
        """Return name, e-mail address, role, state and source of a principal."""
        columns = [sql.principal.c[name] for name in ("name", "email", "is_admin", "is_active", "source")]
        async with self.ask.database.snapshot() as snapshot:
            found = select(*columns).where(sql.principal.c.external_id == external_id)
            (row,) = await snapshot.rows(found)
        return tuple(row)

    async def token(self, external_id: str) -> None:
        """Let a user sign in by a token under the same name."""
        token = await create_token(self.ask.database, external_id, 3_600)
        self.ask.tokens = self.ask.tokens | {external_id: token}


def scim_settings(world: World) -> Settings:
    """Return the settings of a deployment with SCIM."""
    return replace(settings_of(world.url), scim_token=TOKEN)


@pytest.fixture
async def scim(own_world: World) -> AsyncIterator[Provider]:
    """Yield a client of the test's own world."""
    ask = GraphQLClient(own_world, scim_settings(own_world))
    yield Provider(ask)
    await ask.close()


def members(group: JSON) -> list[str]:
    """Return the ids of a group's members."""
    return [member["value"] for member in group.get("members", ())]


# Okta


async def test_okta_imports_a_user_updates_and_deactivates_them(scim: Provider) -> None:
    found = await scim("GET", "/Users", filter='userName eq "test.user@okta.local"', startIndex=1, count=100)
    assert (found["totalResults"], found["Resources"]) == (0, [])
    user = await scim(
        "POST",
        "/Users",
        {
            "schemas": [USER],
            "userName": "test.user@okta.local",
            "name": {"givenName": "Test", "familyName": "User"},
            "emails": [{"primary": True, "value": "test.user@okta.local", "type": "work"}],
            "displayName": "Test User",
            "locale": "en-US",
            "externalId": "00ujl29u0le5T6Aj10h7",
            "groups": [],
            "password": "1mz050nq",
            "active": True,
        },
        status=201,
    )
    assert "password" not in user
    assert await scim.principal("00ujl29u0le5T6Aj10h7") == (
        "Test User", "test.user@okta.local", False, True, PrincipalSource.SCIM,
    )  # fmt: skip
    path = f"/Users/{user['id']}"
    assert await scim("GET", path) == user
    replaced = {
        "schemas": [USER],
        "id": user["id"],
        "userName": "test.user@okta.local",
        "name": {"givenName": "Another", "middleName": "", "familyName": "User"},
        "emails": [{"primary": True, "value": "another@okta.local", "type": "work", "display": "x"}],
        "active": True,
        "groups": [],
        "meta": {"resourceType": "User"},
    }
    assert (await scim("PUT", path, replaced))["name"]["givenName"] == "Another"
    assert (await scim.principal("00ujl29u0le5T6Aj10h7"))[:2] == ("Another User", "another@okta.local")
    assert (await scim.patch(path, {"op": "replace", "value": {"active": False}}))["active"] is False
    assert (await scim.principal("00ujl29u0le5T6Aj10h7"))[3] is False


async def test_okta_pushes_a_group_and_changes_its_members(scim: Provider) -> None:
    ann, bob = [(await scim.create_user(name))["id"] for name in ("ann", "bob")]
    group = await scim("POST", "/Groups", {"schemas": [GROUP], "displayName": "Test SCIMv2", "members": []}, status=201)
    path = f"/Groups/{group['id']}"
    await scim.patch(path, {"op": "replace", "value": {"id": group["id"], "displayName": "Renamed"}})
    await scim.patch(path, {"op": "add", "path": "members", "value": [{"value": ann, "display": "ann@example.org"}]})
    changed = await scim.patch(
        path,
        {"op": "remove", "path": f'members[value eq "{ann}"]'},
        {"op": "add", "path": "members", "value": [{"value": bob, "display": "bob@example.org"}]},
    )
    assert (changed["displayName"], members(changed)) == ("Renamed", [bob])
    replaced = {"schemas": [GROUP], "id": group["id"], "displayName": "Renamed", "members": [{"value": ann}]}
    assert members(await scim("PUT", path, replaced)) == [ann]
    await scim("DELETE", path, status=204)
    await scim("GET", path, status=404)


# Microsoft Entra


async def test_entra_creates_updates_and_disables_a_user(scim: Provider) -> None:
    user = await scim(
        "POST",
        "/Users",
        {
            "schemas": [USER, ENTERPRISE],
            "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
            "userName": "Test_User_ab6490ee",
            "active": True,
            "emails": [{"primary": True, "type": "work", "value": "Test_User_fd0ea19b@testuser.com"}],
            "meta": {"resourceType": "User"},
            "name": {"formatted": "givenName familyName", "familyName": "familyName", "givenName": "givenName"},
            "roles": [],
            ENTERPRISE: {"department": "x", "manager": {"value": "y"}},
        },
        status=201,
    )
    path, id_ = f"/Users/{user['id']}", "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef"
    found = await scim("GET", "/Users?aadOptscim062020", filter='userName eq "TEST_user_ab6490ee"')
    assert [each["id"] for each in found["Resources"]] == [user["id"]]
    found = await scim("GET", "/Users", filter=f'externalId eq "{id_}"', attributes="userName,externalId")
    assert {"userName", "externalId", "id"} <= found["Resources"][0].keys()
    assert "emails" not in found["Resources"][0]
    await scim.patch(
        path,
        {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "updatedEmail@microsoft.com"},
        {"op": "Replace", "path": "name.familyName", "value": "updatedFamilyName"},
        {"op": "Add", "path": f"{ENTERPRISE}:department", "value": "z"},
        {"op": "Replace", "path": "displayName", "value": "New name"},
    )
    assert (await scim.principal(id_))[:2] == ("New name", "updatedEmail@microsoft.com")
    added = await scim.patch(path, {"op": "Add", "path": 'emails[type eq "other"].value', "value": "o@example.org"})
    assert [email["value"] for email in added["emails"]] == ["updatedEmail@microsoft.com", "o@example.org"]
    renamed = await scim.patch(path, {"op": "Replace", "path": "userName", "value": "5b50642d"})
    assert renamed["userName"] == "5b50642d"
    assert (await scim.patch(path, {"op": "Replace", "path": "active", "value": "False"}))["active"] is False
    assert (await scim.principal(id_))[3] is False
    assert (await scim.patch(path, {"op": "Replace", "path": "active", "value": "True"}))["active"] is True
    assert (await scim.principal(id_))[3] is True
    await scim("DELETE", path, status=204)
    assert (await scim.principal(id_))[3:] == (False, PrincipalSource.SCIM)


async def test_entra_creates_a_group_and_adds_and_removes_members(scim: Provider) -> None:
    ann, bob = [(await scim.create_user(name))["id"] for name in ("ann", "bob")]
    body = {
        "schemas": [GROUP, "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
        "externalId": "8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159",
        "displayName": "displayName",
        "meta": {"resourceType": "Group"},
    }
    group = await scim("POST", "/Groups", body, status=201)
    path = f"/Groups/{group['id']}"
    found = await scim("GET", "/Groups", excludedAttributes="members", filter='displayName eq "DISPLAYNAME"')
    assert [each["id"] for each in found["Resources"]] == [group["id"]]
    await scim.patch(path, {"op": "Replace", "path": "displayName", "value": "1879db59"})
    added = await scim.patch(
        path, {"op": "Add", "path": "members", "value": [{"$ref": None, "value": ann}, {"$ref": None, "value": bob}]}
    )
    assert members(added) == [ann, bob]
    assert "members" not in await scim("GET", path, excludedAttributes="members")
    removed = await scim.patch(path, {"op": "Remove", "path": "members", "value": [{"$ref": None, "value": ann}]})
    assert members(removed) == [bob]


# Both


async def test_a_deactivated_user_is_signed_out_at_once_and_keeps_grants(scim: Provider) -> None:
    user = await scim.create_user("ann")
    await scim.token("ann")
    share = Mutation("assetGrantsUpdate", "__typename")
    asset = await scim.ask("olu", '{ assets(query: "blast") { nodes { ... on Node { id } } } }')
    grants = [{"to": {"userId": user["id"]}, "access": "VIEWER"}]
    await share(scim.ask, "olu", assetId=asset["assets"]["nodes"][0]["id"], set=grants)
    seen = await scim.ask("ann", "{ assets { nodes { ... on Node { id } } } }")
    assert seen["assets"]["nodes"]
    await scim("DELETE", f"/Users/{user['id']}", status=204)
    assert (await scim.ask.response("ann", "{ __typename }")).status_code == 401
    again = await scim.create_user("ann")
    assert again["id"] == user["id"]
    await scim.token("ann")
    assert await scim.ask("ann", "{ assets { nodes { ... on Node { id } } } }") == seen


async def test_a_member_of_a_group_has_its_grants_until_removed(scim: Provider) -> None:
    user = await scim.create_user("ann")
    group = await scim.create_group("team", user["id"])
    await scim.token("ann")
    query = "{ viewer { groups { nodes { name } } } }"
    assert (await scim.ask("ann", query))["viewer"]["groups"]["nodes"] == [{"name": "team"}]
    assert (await scim("GET", f"/Users/{user['id']}"))["groups"] == [{"value": group["id"], "display": "team"}]
    await scim("DELETE", f"/Groups/{group['id']}", status=204)
    assert (await scim.ask("ann", query))["viewer"]["groups"]["nodes"] == []


async def test_a_deleted_user_leaves_the_groups_of_the_provider(scim: Provider) -> None:
    user = await scim.create_user("ann")
    group = await scim.create_group("team", user["id"])
    await scim("DELETE", f"/Users/{user['id']}", status=204)
    await scim.create_user("ann")
    assert members(await scim("GET", f"/Groups/{group['id']}")) == []


async def test_names_and_ids_are_unique(scim: Provider) -> None:
    user = await scim.create_user("ann")
    bob = await scim.create_user("bob")
    async with assert_unchanged(scim.ask):
        for body in (
            {"userName": "ANN@example.org"},
            {"userName": "other", "externalId": "ann"},
            {"userName": "other", "externalId": "mei"},  # of the catalogue
            {"userName": "other", "externalId": "lab"},  # a group
            {"userName": "other", "externalId": "everyone"},
        ):
            refused = await scim("POST", "/Users", {"schemas": [USER], **body}, status=409)
            assert (refused["schemas"], refused["status"], refused["scimType"]) == ([ERROR], "409", "uniqueness")
        rename = {"op": "replace", "path": "userName", "value": user["userName"]}
        assert (await scim.patch(f"/Users/{bob['id']}", rename, status=409))["scimType"] == "uniqueness"
        lab = {"schemas": [GROUP], "displayName": "lab", "externalId": "lab"}
        refused = await scim("POST", "/Groups", lab, status=409)
    assert refused["detail"].startswith('The group "lab" belongs to the source CATALOGUE.')


async def test_users_of_other_sources_are_neither_listed_nor_written(scim: Provider) -> None:
    mei = (await scim.ask("mei", "{ viewer { user { id } } }"))["viewer"]["user"]["id"]
    assert (await scim("GET", "/Users"))["totalResults"] == 0
    async with assert_unchanged(scim.ask):
        await scim("GET", f"/Users/{mei}", status=404)
        await scim("DELETE", f"/Users/{mei}", status=404)
        group = {"schemas": [GROUP], "displayName": "team", "members": [{"value": mei}]}
        assert (await scim("POST", "/Groups", group, status=400))["scimType"] == "invalidValue"


async def test_a_user_given_to_another_source_is_no_longer_written(scim: Provider) -> None:
    user = await scim.create_user("ann")
    async with scim.ask.database.write() as connection:
        given = update(sql.principal).where(sql.principal.c.external_id == "ann")
        await connection.execute(given.values(source=PrincipalSource.MANUAL))
    async with assert_unchanged(scim.ask):
        change = {"op": "replace", "path": "displayName", "value": "Other"}
        refused = await scim.patch(f"/Users/{user['id']}", change, status=409)
    assert refused["detail"].startswith('The user "ann" belongs to the source MANUAL.')


async def test_the_role_admin_makes_an_administrator_and_the_last_one_stays(scim: Provider) -> None:
    user = await scim.create_user("ann", roles=[{"value": "Admin"}])
    assert (await scim.principal("ann"))[2] is True
    path = f"/Users/{user['id']}"
    async with scim.ask.database.write() as connection:
        others = sql.principal.c.external_id != "ann"
        await connection.execute(update(sql.principal).where(others).values(is_admin=False))
    async with assert_unchanged(scim.ask):
        for operation in ({"op": "remove", "path": "roles"}, {"op": "replace", "path": "active", "value": False}):
            assert "last active administrator" in (await scim.patch(path, operation, status=409))["detail"]
        assert "last active administrator" in (await scim("DELETE", path, status=409))["detail"]
    await scim.create_user("bob", roles=[{"value": "admin"}])
    await scim.patch(path, {"op": "remove", "path": "roles"})
    assert (await scim.principal("ann"))[2] is False


async def test_the_setting_decides_which_attribute_is_the_id(own_world: World) -> None:
    settings = replace(scim_settings(own_world), scim_user_id=UserId.USER_NAME)
    ask = GraphQLClient(own_world, settings)
    scim = Provider(ask)
    user = await scim.create_user("ann")
    assert (await scim.principal("ann@example.org"))[0] == "ann"
    await scim.patch(f"/Users/{user['id']}", {"op": "replace", "path": "userName", "value": "new@example.org"})
    assert (await scim.principal("ann@example.org"))[0] == "ann"
    await ask.close()


async def test_lists_have_pages(scim: Provider) -> None:
    ids = [(await scim.create_user(name))["id"] for name in ("ann", "bob", "cy")]

    async def page(**query: int) -> tuple[list[str], int, int, int]:
        found = await scim("GET", "/Users", **query)
        numbers = (found["totalResults"], found["startIndex"], found["itemsPerPage"])
        return [each["id"] for each in found["Resources"]], *numbers

    assert await page() == (ids, 3, 1, 3)
    assert await page(startIndex=2, count=1) == (ids[1:2], 3, 2, 1)
    assert await page(startIndex=-5, count=2) == (ids[:2], 3, 1, 2)
    assert await page(startIndex=9) == ([], 3, 9, 0)
    assert await page(count=0) == ([], 3, 1, 0)
    assert await page(count=-1) == ([], 3, 1, 0)
    assert await page(count=10**6) == (ids, 3, 1, 3)
    assert (await page(startIndex=10**30))[:2] == ([], 3)


@pytest.mark.parametrize(
    "filter_",
    ['userName co "a"', "userName pr", 'userName eq "a" or userName eq "b"', 'name.givenName eq "a"', "active eq true",
     'not (userName eq "a")', "userName eq", "(", 'unknown eq "a"', 'emails[type eq "work"]', "externalId eq null"],
)  # fmt: skip
async def test_other_filters_are_refused(scim: Provider, filter_: str) -> None:
    refused = await scim("GET", "/Users", filter=filter_, status=400)
    assert (refused["schemas"], refused["scimType"]) == ([ERROR], "invalidFilter")


@pytest.mark.parametrize(
    ("body", "scim_type"),
    [
        ({"schemas": [USER]}, "invalidValue"),
        ({"schemas": [USER], "userName": ""}, "invalidValue"),
        ({"schemas": [USER], "userName": "x" * 300}, "invalidValue"),
        ({"schemas": [USER], "userName": "a\nb"}, "invalidValue"),
        ({"schemas": [USER], "userName": "a", "displayName": "\ud800"}, None),
        ({"schemas": [USER], "userName": "a", "emails": [{"value": "x" * 10_000}]}, "invalidValue"),
        ({"schemas": [USER], "userName": ["a"]}, "invalidValue"),
        ({"schemas": [USER], "userName": "a", "active": "perhaps"}, "invalidValue"),
        ([], None),
        ("text", None),
    ],
)
async def test_invalid_users_are_refused_with_the_form_of_scim(
    scim: Provider, body: Any, scim_type: str | None
) -> None:
    async with assert_unchanged(scim.ask):
        try:
            refused = await scim("POST", "/Users", body, status=400)
        except UnicodeEncodeError:  # the client cannot send it
            return
    assert (refused["schemas"], refused["status"], refused.get("scimType")) == ([ERROR], "400", scim_type)


async def test_a_patch_is_applied_as_a_whole_or_not_at_all(scim: Provider) -> None:
    user = await scim.create_user("ann")
    async with assert_unchanged(scim.ask):
        await scim.patch(
            f"/Users/{user['id']}",
            {"op": "replace", "path": "displayName", "value": "Other"},
            {"op": "replace", "path": "userName", "value": ""},
            status=400,
        )
        await scim.patch(f"/Users/{user['id']}", {"op": "move", "path": "displayName"}, status=400)
        await scim.patch(f"/Users/{user['id']}", {"op": "replace", "path": "id", "value": "x"}, status=400)


@pytest.mark.parametrize("escape", ["\\u0000", "\\ud800"])
async def test_characters_that_no_database_stores_find_nothing_and_are_not_written(scim: Provider, escape: str) -> None:
    user = await scim.create_user("ann")
    group = await scim.create_group("team", user["id"])
    for name in ("userName", "externalId", "id"):
        assert (await scim("GET", "/Users", filter=f'{name} eq "{escape}"'))["totalResults"] == 0
    await scim("GET", "/Users/%00", status=404)
    async with assert_unchanged(scim.ask):
        operation = {"op": "add", "path": f'emails[type eq "{escape}"].value', "value": "ann@example.org"}
        await scim.patch(f"/Users/{user['id']}", operation, status=400)
        operation = {"op": "add", "path": f'members[value eq "{escape}"].display', "value": "ann"}
        await scim.patch(f"/Groups/{group['id']}", operation, status=400)


async def test_provisioned_people_are_exported_in_a_form_that_is_imported(scim: Provider, tmp_path: Path) -> None:
    names = {"displayName": "Ann\u200b  Lee", "externalId": "a" * 255}
    user = await scim.create_user("ann", **names)
    await scim.create_group("New \u200b lab " + "g" * 190, user["id"])
    file = tmp_path / "export.jsonl"
    await export_catalogue(scim.ask.database, file, identify(None, is_anonymous=False))
    result = await import_catalogue(scim.ask.database, file, "again", lambda _bytes: None)
    assert not result.has_changes
    assert (await scim.principal("a" * 255))[0] == "Ann Lee"


async def test_members_are_added_removed_and_replaced_in_every_form(scim: Provider) -> None:
    ann, bob, cy = [(await scim.create_user(name))["id"] for name in ("ann", "bob", "cy")]
    path = f"/Groups/{(await scim.create_group('team', ann))['id']}"

    async def patched(*operations: JSON) -> list[str]:
        changed = await scim.patch(path, *operations)
        assert await scim("GET", path) == changed
        return members(changed)

    values = {id_: {"value": id_, "display": "x", "type": "User"} for id_ in (ann, bob, cy)}
    assert await patched({"op": "ADD", "path": "Members", "value": values[bob]}) == [ann, bob]
    assert await patched({"op": "add", "value": {"members": [values[cy], values[bob]]}}) == [ann, bob, cy]
    assert await patched({"op": "remove", "path": f'{GROUP}:members[VALUE eq "{ann}"]'}) == [bob, cy]
    assert await patched({"op": "remove", "path": "members", "value": {"value": ann}}) == [bob, cy]
    both = {"op": "replace", "value": {"displayName": "Both", f"{GROUP}:members": [values[ann], values[bob]]}}
    assert await patched(both) == [ann, bob]
    assert (await scim("GET", path))["displayName"] == "Both"
    # The order of operations counts.
    add, remove = [{"op": op, "path": "members", "value": [{"value": cy}]} for op in ("add", "remove")]
    assert await patched(add, remove) == [ann, bob]
    assert await patched(remove, add) == [ann, bob, cy]
    assert await patched({"op": "remove", "path": "members"}, add) == [cy]
    assert await patched({"op": "replace", "path": "members", "value": []}) == []
    # Attributes of the schema, as its path or a name in the value, include the members.
    attributes = {"members": [values[bob]]}
    for in_schema in ({"path": GROUP, "value": attributes}, {"value": {GROUP: attributes}}):
        assert await patched({"op": "remove", "path": "members"}, {"op": "add", **in_schema}) == [bob]
    assert await patched({"op": "remove", "path": "members"}) == []
    # The library applies the others.
    by_other_filter = {"op": "remove", "path": f'members[value eq "{bob}" or value eq "{cy}"]'}
    assert await patched({"op": "add", "path": "members", "value": list(values.values())}, by_other_filter) == [ann]
    assert await patched({"op": "add", "path": f'members[value eq "{bob}"].display', "value": "x"}) == [ann, bob]
    assert await patched({"op": "remove", "path": 'members[value sw "usr_"]'}) == []


async def test_attributes_of_members_are_selected(scim: Provider) -> None:
    users = [await scim.create_user(name) for name in ("ann", "bob")]
    path = f"/Groups/{(await scim.create_group('team', *(user['id'] for user in users)))['id']}"
    selected = await scim("GET", path, attributes="members.value")
    assert selected["members"] == [{"value": user["id"]} for user in users]
    selected = await scim("GET", path, excludedAttributes="members.value")
    assert selected["members"] == [{"display": user["displayName"]} for user in users]


@pytest.mark.parametrize(
    ("operation", "scim_type"),
    [
        ({"op": "add", "path": "members", "value": [{"value": 5}]}, "invalidValue"),
        ({"op": "add", "path": "members", "value": [{"value": "usr_unknown"}]}, "invalidValue"),
        ({"op": "add", "path": "members", "value": ["usr_unknown"]}, "invalidValue"),
        ({"op": "add", "path": "members", "value": [{"value": "x", "type": 5}]}, "invalidValue"),
        ({"op": "add", "path": "members"}, "invalidValue"),
        ({"op": "remove", "path": "members", "value": ["x"]}, "invalidValue"),
        ({"op": "remove", "path": 'members[value eq "x'}, "invalidPath"),
        ({"op": "move", "path": "members", "value": []}, "invalidValue"),
    ],
)
async def test_invalid_changes_of_members_are_refused(scim: Provider, operation: JSON, scim_type: str) -> None:
    group = await scim.create_group("team", (await scim.create_user("ann"))["id"])
    async with assert_unchanged(scim.ask):
        refused = await scim.patch(f"/Groups/{group['id']}", operation, status=400)
    assert refused["scimType"] == scim_type


async def test_a_patch_has_limits(scim: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    users = [(await scim.create_user(name))["id"] for name in ("ann", "bob", "cy")]
    path = f"/Groups/{(await scim.create_group('team', *users[:2]))['id']}"
    monkeypatch.setattr("app.scim.patch.MAX_OPERATIONS", 2)
    monkeypatch.setattr("app.scim.patch.MAX_COMPARISONS", 3)
    monkeypatch.setattr("app.scim.group.MAX_MEMBERS", 2)
    rename = {"op": "replace", "path": "displayName", "value": "team"}
    compare = {"op": "remove", "path": 'members[value ew "x"]'}
    async with assert_unchanged(scim.ask):
        for operations, message in (
            ([rename] * 3, "at most 2 operations"),
            ([compare, rename], "compare too many values"),
            ([{"op": "remove", "path": "members", "value": [{"value": "x", "display": "y"}]}], "compare too many"),
            ([{"op": "add", "path": "members", "value": [{"value": users[2]}]}], "at most 2 members"),
        ):
            refused = await scim.patch(path, *operations, status=413)
            assert (refused["schemas"], refused["status"]) == ([ERROR], "413")
            assert message in refused["detail"]
    await scim.patch(path, compare)
    await scim.patch(path, rename, {"op": "replace", "path": "members", "value": [{"value": users[2]}]})


MEMBERS = 10_000
OPERATIONS = 1_000


async def test_a_patch_takes_time_for_its_operations_and_members_but_not_for_their_product(scim: Provider) -> None:
    path, ids = await _create_large_group(scim)
    removals = [{"op": "remove", "path": f'members[value eq "{id_}"]'} for id_ in ids[: OPERATIONS + 1]]
    additions = [{"op": "add", "path": "members", "value": [{"value": id_}]} for id_ in ids[: OPERATIONS + 1]]
    for first, *others in (removals, additions):
        one, many = await _measure(scim, path, [first]), await _measure(scim, path, others)
        assert many.statements == one.statements
        assert many.calls - one.calls < 200 * OPERATIONS  # a call for each member in each operation is ten million
    assert members(await scim("GET", path)) == ids


class Work(NamedTuple):
    """Work of a request: statements, and calls of functions in the thread of the event loop."""

    statements: int
    calls: int


async def _measure(scim: Provider, path: str, operations: list[JSON]) -> Work:
    calls = count()

    def profile(_frame: object, event: str, _argument: object) -> None:
        if event == "call":
            next(calls)

    scim.ask.statements.clear()
    sys.setprofile(profile)
    try:
        await scim.patch(path, *operations)
    finally:
        sys.setprofile(None)
    return Work(len(scim.ask.statements), next(calls))


async def _create_large_group(scim: Provider) -> tuple[str, list[str]]:
    """Create a group of MEMBERS users; return its path and their ids."""
    group = await scim.create_group("large")
    ids = [f"usr_{number:024}" for number in range(MEMBERS)]
    async with scim.ask.database.engines[0].begin() as connection:  # `write` would index the users
        columns = {"kind": "USER", "name": "user", "sort_key": "user", "source": PrincipalSource.SCIM}
        await connection.execute(insert(sql.principal), [{"id": id_, "external_id": id_, **columns} for id_ in ids])
        await connection.execute(delete(sql.search_unindexed))
        pk = {row.id: row.pk for row in await connection.execute(select(sql.principal.c.id, sql.principal.c.pk))}
        stored = {"kind": "USER", "resource": {}, "created_at": 0, "updated_at": 0}
        rows = [{"principal_pk": pk[id_], "name_key": id_, **stored} for id_ in ids]
        await connection.execute(insert(sql.scim_resource), rows)
        held = [{"group_pk": pk[group["id"]], "user_pk": pk[id_]} for id_ in ids]
        await connection.execute(insert(sql.group_member), held)
    return f"/Groups/{group['id']}", ids


async def test_the_service_describes_itself(scim: Provider) -> None:
    config = await scim("GET", "/ServiceProviderConfig")
    assert (config["patch"], config["bulk"]["supported"]) == ({"supported": True}, False)
    assert config["etag"] == {"supported": False}
    types = await scim("GET", "/ResourceTypes")
    assert [each["endpoint"] for each in types["Resources"]] == ["/Users", "/Groups"]
    assert await scim("GET", "/ResourceTypes/User") == types["Resources"][0]
    schemas = await scim("GET", "/Schemas")
    assert [each["id"] for each in schemas["Resources"]] == [USER, GROUP]
    assert (await scim("GET", f"/Schemas/{GROUP}"))["name"] == "Group"
    for path in ("/Schemas/x", "/Nothing", "/Users/a/b", "/Bulk", "/ServiceProviderConfig/x", "/"):
        await scim("GET", path, status=404)
    for method, path in (("DELETE", "/Users"), ("POST", "/Users/x")):
        assert "allow" in (await scim.send(method, path)).headers


async def test_only_the_token_of_the_provider_is_accepted(scim: Provider) -> None:
    client = scim.ask.client
    values = [None, "", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer "]
    values += [f"Bearer {scim.ask.tokens['ada']}", f"Bearer {TOKEN.upper()}"]
    async with assert_unchanged(scim.ask):
        for value in values:
            headers = {} if value is None else {"authorization": value}
            response = await client.post(f"{PATH}/Users", json={"schemas": [USER], "userName": "a"}, headers=headers)
            assert (response.status_code, response.json()["schemas"]) == (401, [ERROR])
            assert response.headers["www-authenticate"].startswith("Bearer")
        twice = [("authorization", f"Bearer {TOKEN}"), ("authorization", "Bearer x")]
        assert (await client.get(f"{PATH}/Users", headers=twice)).status_code == 401
    assert (await scim.ask.response("ada", "{ __typename }")).status_code == 200
    graphql = {"authorization": f"Bearer {TOKEN}"}
    assert (await client.post("/graphql", json={"query": "{ __typename }"}, headers=graphql)).status_code == 401


async def test_without_a_token_there_is_no_scim(ask: GraphQLClient) -> None:
    response = await ask.client.get(f"{PATH}/Users", headers={"authorization": f"Bearer {TOKEN}"})
    assert response.status_code == 404


async def test_a_large_body_and_too_many_requests_are_refused(own_world: World) -> None:
    burst = 4 * POINTS
    ask = GraphQLClient(own_world, replace(scim_settings(own_world), rate_points=1, rate_burst=burst))
    scim = Provider(ask)
    assert (await scim.send("POST", "/Users", {"userName": "x" * MAX_BODY_BYTES})).status_code == 413
    statuses = [(await scim.send("GET", "/ServiceProviderConfig")).status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    wrong = {"authorization": "Bearer x"}
    statuses = [(await ask.client.get(f"{PATH}/Users", headers=wrong)).status_code for _ in range(2)]
    assert statuses == [401, 429]
    await ask.close()


async def test_the_log_has_no_names(scim: Provider, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "app"):
        user = await scim.create_user("Zebra")
        await scim("GET", "/Users", filter='userName eq "Zebra"')
        await scim("GET", "/Zebra", status=404)
    assert "SCIM, POST Users, got status 201." in caplog.text
    assert not any(word in caplog.text for word in ("Zebra", user["id"], TOKEN))


def test_the_token_comes_from_a_setting_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    for settings in (Settings(scim_token=TOKEN), Settings(scim_token_file=str(file))):
        token = read_token(settings)
        assert token is not None
        assert token.is_in([f"Bearer {TOKEN}".encode()])
    assert read_token(Settings()) is None
    assert ("ATOLL_SCIM_TOKEN", "***", "default") in Settings(scim_token=TOKEN).describe({})
    bad = [Settings(scim_token=TOKEN, scim_token_file=str(file)), Settings(scim_token_file=str(tmp_path / "absent"))]
    bad += [Settings(scim_token="short"), Settings(scim_token="a b" * 20), Settings(scim_token="é" * 40)]
    for settings in bad:
        with pytest.raises(SettingError, match=r"ATOLL_SCIM_TOKEN"):
            read_token(settings)
