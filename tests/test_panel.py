"""The Manage Assets panel and the Add to Collection button: addable assets, and those that are members."""

import pytest
from sqlalchemy import update

from store import sql
from store.tables import AssetStatus
from tests.conftest import ANONYMOUS, MEMBERS, GraphQLClient
from tests.oracle import milliseconds
from tests.test_listing import load_model, vary_world

PANEL = """query($s: String!, $new: Boolean) { collection(by: {slug: $s}) { addableAssets(excludeMembers: $new) {
  totalCount edges { isMember addedAt node { ... on AssetFields { externalId viewerAccess status } } } } } }"""
BUTTON = (
    """query($id: ID) { viewer { collections(assetId: $id) { totalCount edges { containsAsset node { slug } } } } }"""
)
CONTAINS = "query($id: ID!) { collections { nodes { slug containsAsset(assetId: $id) } } }"


@pytest.mark.parametrize("who", MEMBERS)
async def test_the_panel_lists_owned_assets_and_marks_members(ask_own: GraphQLClient, who: str) -> None:
    model = await vary_world(ask_own)
    for slug in model.collections(who):
        for new in (False, True):
            found = (await ask_own(who, PANEL, s=slug, new=new))["collection"]["addableAssets"]
            listed = [edge["node"]["externalId"] for edge in found["edges"]]
            assert listed == model.addable_assets(who, slug, exclude_members=new)
            assert found["totalCount"] == len(listed)
            for edge, asset in zip(found["edges"], listed, strict=True):
                is_member = asset in model.members[slug]
                assert edge["isMember"] == is_member
                assert edge["node"]["viewerAccess"] == "OWNER"
                added_at = edge["addedAt"] and milliseconds(edge["addedAt"])
                assert added_at == (model.added_at[slug, asset] if is_member else None)


async def test_an_ineligible_asset_is_listed_only_where_it_is_a_member(ask_own: GraphQLClient) -> None:
    for status in AssetStatus:
        async with ask_own.database.write() as connection:
            await connection.execute(update(sql.asset).where(sql.asset.c.name == "lens").values(status=status))
        listed = {}
        for slug in ("open", "bare"):
            found = (await ask_own("sam", PANEL, s=slug, new=False))["collection"]["addableAssets"]
            listed[slug] = [(edge["node"]["externalId"], edge["isMember"]) for edge in found["edges"]]
        assert listed == {"open": [("lens", True)], "bare": [("lens", False)] if status == "RELEASED" else []}, status


async def test_an_administrator_is_offered_only_assets_that_they_own(ask: GraphQLClient) -> None:
    assert (await ask("ada", PANEL, s="open", new=False))["collection"]["addableAssets"]["edges"] == []


async def test_the_panel_requires_signing_in(ask: GraphQLClient) -> None:
    errors = await ask.errors(ANONYMOUS, PANEL, s="open", new=False)
    assert errors == [("UNAUTHENTICATED", "Sign in first: send a bearer token.")]


@pytest.mark.parametrize("who", MEMBERS)
async def test_the_button_shows_which_collections_contain_the_asset(ask: GraphQLClient, who: str) -> None:
    model = await load_model(ask)
    slugs = model.collections(who)
    for asset in [*model.asset, None]:
        id_ = None if asset is None else model.ids[asset]
        found = (await ask(who, BUTTON, id=id_))["viewer"]["collections"]
        assert [edge["node"]["slug"] for edge in found["edges"]] == slugs
        assert found["totalCount"] == len(slugs)
        is_shown = asset is not None and model.sees_asset(who, asset)
        expected = [(asset in model.members[slug]) if is_shown else None for slug in slugs]
        assert [edge["containsAsset"] for edge in found["edges"]] == expected, asset
        if id_:
            contains = (await ask(who, CONTAINS, id=id_))["collections"]["nodes"]
            assert [each["containsAsset"] for each in contains] == expected, asset


async def test_a_hidden_asset_answers_like_an_unknown_one(ask: GraphQLClient) -> None:
    model = await load_model(ask)
    for query in (BUTTON, CONTAINS):
        answers = {
            (await ask.response("eve", query, id=id_)).content
            for id_ in (model.ids["hidden"], "ast_" + "0" * 24, "", "'🦊")
        }
        assert len(answers) == 1
