"""Order by NAME: numbers by their value, without case and accents, the same on both databases."""

from collections.abc import Iterable
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from sqlalchemy import select, update

from store import sql
from store.search.sort_key import MAX_SORT_KEY_LENGTH, name_sort_key
from tests.conftest import GraphQLClient
from tests.oracle import sort_key

SORTED = (
    *("", "(a)", "2", "10", "10 b", "Alpha", "alpha 2", "ALPHA  10", "Élan", "Elf", "file-9.txt", "file-10.txt"),
    *("Łódź", "Sample 2", "sample 2b", "Sample 10", "Straße", "v1.9.0", "v1.10.0", "Zebra", "zebra 99999999"),
    *("zebra 100000000", "zebra 1000000000", f"zebra {10**30}", "データ2", "データ10"),
)
ASSETS = "query ($order: AssetOrder) { assets(first: 100, orderBy: $order) { nodes { ... on AssetFields { name } } } }"


def test_names_sort_naturally() -> None:
    shuffled = Random(1).sample(SORTED, len(SORTED))
    assert sorted(shuffled, key=name_sort_key) == list(SORTED)
    assert all(name_sort_key(name) < name_sort_key(following) for name, following in pairwise(SORTED))


@pytest.mark.parametrize(("name", "same"), [("Sample 2", "sample  02"), ("Élan", "elan"), ("\u0663 x", "3 X")])
def test_names_that_differ_in_case_accents_and_zeros_are_equal(name: str, same: str) -> None:
    assert name_sort_key(name) == name_sort_key(same)


def test_a_sort_key_is_short_enough_for_an_index() -> None:
    for letter in ("\ufdfa", "9", "\U0001d552", "\u0390"):
        assert len(name_sort_key(letter * 200)) <= MAX_SORT_KEY_LENGTH


def test_random_names_sort_as_the_oracle_sorts_them() -> None:
    random = Random(2)
    names = ["".join(random.choices("aÉ01 9-_:ß日\u0660", k=random.randint(0, 6))) for _ in range(3_000)]
    assert sorted(names, key=name_sort_key) == sorted(names, key=lambda name: sort_key({"name": name}))


async def test_assets_are_ordered_by_their_names_naturally(ask_own: GraphQLClient) -> None:
    names = ["Sample 10", "sample 2", "Zebra", "Élan", "elan", "Sample 1"]
    async with ask_own.database.write() as connection:
        rows = (await connection.execute(select(sql.asset.c.pk, sql.asset.c.id).order_by(sql.asset.c.id))).all()
        for index, row in enumerate(rows):
            named = update(sql.asset).where(sql.asset.c.pk == row.pk)
            await connection.execute(named.values(name=names[index] if index < len(names) else "zz"))
    await ask_own("ada", "{ topics { nodes { id } } }")
    ordered = ["Élan", "elan", "Sample 1", "sample 2", "Sample 10", "Zebra"]
    rest = ["zz"] * (len(rows) - len(names))
    for direction, expected in (("ASC", ordered + rest), ("DESC", rest + ordered[::-1])):
        answer = await ask_own("ada", ASSETS, order={"field": "NAME", "direction": direction})
        assert [node["name"] for node in answer["assets"]["nodes"]] == expected


async def test_a_renamed_collection_moves_to_its_place(ask_own: GraphQLClient) -> None:
    query = "{ collections(first: 100, orderBy: {field: NAME, direction: ASC}) { nodes { id name } } }"
    nodes = (await ask_own("ada", query))["collections"]["nodes"]
    rename = "mutation ($input: CollectionUpdateInput!) { collectionUpdate(input: $input) { userErrors { code } } }"
    names = [f"Plate {number}" for number in (10, 9, 100, 1, 2)]
    for node, name in zip(nodes, names, strict=True):
        given: dict[str, Any] = {"id": node["id"], "name": name}
        assert (await ask_own("ada", rename, input=given))["collectionUpdate"]["userErrors"] == []
    ordered = [node["name"] for node in (await ask_own("ada", query))["collections"]["nodes"]]
    assert ordered == ["Plate 1", "Plate 2", "Plate 9", "Plate 10", "Plate 100"]


PEOPLE = {"lou": "Élan", "eve": "elf", "mei": "Sample 1", "olu": "sample 2", "sam": "Sample 10", "ada": "Zebra"}
GROUPS = {"core": "lab 9", "lab": "Lab 10"}
LISTS = """{
  users { nodes { name } } groups { nodes { name } } viewer { groups { nodes { name } } }
  group(by: {externalId: "lab"}) { members { nodes { name } } }
  asset(by: {externalId: "hidden"}) { ... on AssetFields {
    grants { principal { ... on User { name } ... on Group { name } } }
  } }
  assets(filter: {kinds: [MODEL]}) { facets { owners { owner { name } } } }
}"""
PAGE = "query ($after: String) { users(first: 2, after: $after) { nodes { name } pageInfo { endCursor hasNextPage } } }"


async def _change(ask: GraphQLClient, mutation: str, who: str = "ada", **given: Any) -> None:
    kind = f"{mutation[0].upper()}{mutation[1:]}Input!"
    query = f"mutation ($input: {kind}) {{ {mutation}(input: $input) {{ userErrors {{ message }} }} }}"
    assert (await ask(who, query, input=given))[mutation]["userErrors"] == []


async def _rename_people(ask: GraphQLClient) -> None:
    for mutation, names in (("userUpsert", PEOPLE), ("groupUpsert", GROUPS)):
        for external_id, name in names.items():
            await _change(ask, mutation, externalId=external_id, name=name, provisionedBy="MANUAL")


def _names(nodes: Iterable[Any]) -> list[str]:
    return [node["name"] for node in nodes]


async def test_people_are_ordered_by_their_names_naturally_in_every_list(ask_own: GraphQLClient) -> None:
    await _rename_people(ask_own)
    users, groups = list(PEOPLE.values()), list(GROUPS.values())
    holders: list[dict[str, Any]] = [{"userExternalId": user} for user in PEOPLE if user != "olu"]
    for group in (await ask_own("ada", "{ groups { nodes { id } } }"))["groups"]["nodes"]:
        await _change(ask_own, "groupMembersUpdate", groupId=group["id"], add=[*holders, {"userExternalId": "olu"}])
    grants = [{"to": to, "access": "EDITOR"} for to in (*holders, *({"groupExternalId": group} for group in GROUPS))]
    hidden = await ask_own("olu", 'query { asset(by: {externalId: "hidden"}) { ... on AssetFields { id } } }')
    await _change(ask_own, "assetGrantsUpdate", "olu", assetId=hidden["asset"]["id"], set=grants)
    found = await ask_own("olu", LISTS)
    assert _names(found["users"]["nodes"]) == _names(found["group"]["members"]["nodes"]) == users
    assert _names(found["groups"]["nodes"]) == _names(found["viewer"]["groups"]["nodes"]) == groups
    granted = [name for name in (*users[:2], *groups, *users[2:]) if name != "sample 2"]
    assert _names(grant["principal"] for grant in found["asset"]["grants"]) == ["sample 2", *granted]
    owners = found["assets"]["facets"]["owners"]
    assert _names(facet["owner"] for facet in owners) == ["sample 2", "Sample 10"]


async def test_pages_of_users_join_in_the_order_of_their_names(ask_own: GraphQLClient) -> None:
    await _rename_people(ask_own)
    names: list[str] = []
    after: str | None = None
    while not names or after:
        page = (await ask_own("eve", PAGE, after=after))["users"]
        names += _names(page["nodes"])
        after = page["pageInfo"]["endCursor"] if page["pageInfo"]["hasNextPage"] else None
        if names[-1] == "elf":  # the user that the cursor marks moves to the end
            await _change(ask_own, "userUpsert", externalId="eve", name="Zoo")
    assert names == [*PEOPLE.values(), "Zoo"]
