"""Directory of users and groups: who may look people up, by which names, and who sees the members of a group."""

from typing import Any

import pytest

from store.people.writer import UserColumns
from store.tables import PrincipalSource
from tests.conftest import ANONYMOUS, MEMBERS, GraphQLClient
from tests.test_people import People

FIELDS = "externalId name email isAdmin isActive provisionedBy"
USER = f"query($by: UserRef!) {{ user(by: $by) {{ {FIELDS} }} }}"
GROUP = "query($by: GroupRef!) { group(by: $by) { externalId name provisionedBy members { nodes { name } } } }"
USERS = "query($q: String) { users(query: $q) { totalCount nodes { externalId } } }"
GROUPS = "query($q: String) { groups(query: $q) { totalCount nodes { externalId } } }"
OWNER = f'{{ asset(by: {{externalId: "align"}}) {{ ... on AssetFields {{ owner {{ {FIELDS} }} }} }} }}'
EVE = {
    "externalId": "eve",
    "name": "eve",
    "email": "eve@example.org",
    "isAdmin": False,
    "isActive": True,
    "provisionedBy": "CATALOGUE",
}


async def ids_of(ask: GraphQLClient) -> dict[str, str]:
    query = "{ users(first: 100) { nodes { id externalId } } groups { nodes { id externalId } } }"
    data = await ask("eve", query)
    return {node["externalId"]: node["id"] for found in data.values() for node in found["nodes"]}


async def add_users(ask: GraphQLClient, **users: UserColumns) -> None:
    await People(ask.database).users(users, PrincipalSource.SCIM)


@pytest.mark.parametrize("who", MEMBERS)
async def test_members_look_users_up_by_id_external_id_and_email(ask: GraphQLClient, who: str) -> None:
    for by in ({"id": (await ids_of(ask))["eve"]}, {"externalId": "eve"}, {"email": "eve@example.org"}):
        assert (await ask(who, USER, by=by))["user"] == EVE
    unknown: tuple[dict[str, str], ...] = ({"id": "usr_x"}, {"externalId": "no"}, {"email": "no"}, {"email": ""})
    wrong_kind = ({"id": (await ids_of(ask))["lab"]}, {"externalId": "lab"}, {"externalId": "everyone"})
    for by in (*unknown, *wrong_kind):
        assert (await ask(who, USER, by=by))["user"] is None


async def test_an_email_address_ignores_the_case_of_a_to_z_only(ask_own: GraphQLClient) -> None:
    await add_users(ask_own, jorg={"email": "Jörg.Maß@Example.org"})
    for email, is_found in (
        ("jörg.maß@example.ORG", True),
        ("JöRG.MAß@EXAMPLE.ORG", True),
        ("JÖRG.MAß@EXAMPLE.ORG", False),
        ("jörg.mass@example.org", False),
    ):
        found = (await ask_own("eve", USER, by={"email": email}))["user"]
        assert (found is not None) == is_found, email


async def test_an_email_address_of_several_users_finds_none(ask_own: GraphQLClient) -> None:
    await add_users(ask_own, twin={"email": "EVE@example.org"})
    assert (await ask_own("eve", USER, by={"email": "eve@example.org"}))["user"] is None


@pytest.mark.parametrize("who", MEMBERS)
async def test_members_of_a_group_are_visible_to_its_members_and_administrators(ask: GraphQLClient, who: str) -> None:
    for group, member in (("lab", "mei"), ("core", "lou")):
        for by in ({"externalId": group}, {"id": (await ids_of(ask))[group]}):
            members = {"nodes": [{"name": member}]} if who in {member, "ada"} else None
            expected = {"externalId": group, "name": group, "provisionedBy": "CATALOGUE", "members": members}
            assert (await ask(who, GROUP, by=by))["group"] == expected
    for by in ({"id": (await ids_of(ask))["eve"]}, {"externalId": "eve"}, {"externalId": "public"}):
        assert (await ask(who, GROUP, by=by))["group"] is None


async def test_visitors_see_the_names_of_owners_only(ask: GraphQLClient) -> None:
    ids = await ids_of(ask)
    for query, variables in (
        (USERS, {}),
        (GROUPS, {}),
        (USER, {"by": {"externalId": "olu"}}),
        (GROUP, {"by": {"id": ids["lab"]}}),
    ):
        assert [code for code, _ in await ask.errors(ANONYMOUS, query, **variables)] == ["UNAUTHENTICATED"]
    owner = (await ask(ANONYMOUS, OWNER))["asset"]["owner"]
    assert owner == {"name": "olu"} | dict.fromkeys(FIELDS.replace("name ", "").split())
    nodes = await ask(ANONYMOUS, "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=[ids["eve"], ids["lab"]])
    assert nodes["nodes"] == [None, None]


SEARCHES: list[tuple[str, list[str]]] = [
    ("ing", ["ingrid-7"]),
    ("müller", ["ingrid-7"]),
    ("muller", ["ingrid-7"]),
    ("Mullre", ["ingrid-7"]),  # one typing error
    ("ingrid-7", ["ingrid-7"]),
    ("im@lab.example.org", ["ingrid-7"]),
    ("lab.example", ["ingrid-7"]),
    ("eve ", ["eve"]),
    ("müller eve", []),
    ("kind:user", []),
]


@pytest.mark.parametrize(("query", "expected"), SEARCHES)
async def test_users_are_searched_by_name_email_and_external_id(
    ask_own: GraphQLClient, query: str, expected: list[str]
) -> None:
    ingrid: UserColumns = {"name": "Ingrid Müller", "email": "im@lab.example.org"}
    await add_users(ask_own, **{"ingrid-7": ingrid})
    found = (await ask_own("eve", USERS, q=query))["users"]
    assert [node["externalId"] for node in found["nodes"]] == expected
    assert found["totalCount"] == len(expected)


async def test_a_search_follows_changes_of_a_user(ask_own: GraphQLClient) -> None:
    async def find(query: str) -> list[Any]:
        return [node["externalId"] for node in (await ask_own("eve", USERS, q=query))["users"]["nodes"]]

    await add_users(ask_own, ida={"name": "Ida", "email": "ida@old.example"})
    await add_users(ask_own, ida={"name": "Renamed", "email": "ida@new.example"})
    assert [await find(query) for query in ("renamed", "new.example", "old.example")] == [["ida"], ["ida"], []]


async def test_groups_are_searched_by_name(ask: GraphQLClient) -> None:
    for query, expected in (("la", ["lab"]), (None, ["core", "lab"]), ("mei", [])):
        found = (await ask("eve", GROUPS, q=query))["groups"]
        assert [node["externalId"] for node in found["nodes"]] == expected
