"""Mutations of gold standards and public sharing."""

from typing import Any

import pytest
from sqlalchemy import func, select

from store import sql
from tests.conftest import ANONYMOUS, GraphQLClient
from tests.mutations import Mutation, assert_unchanged, error_paths, refusal_code

GOLD = "asset { ... on AssetFields { name updatedAt goldStandard { awardedBy { name } note } } }"
SET = Mutation("assetGoldStandardSet", GOLD)
SHARE = Mutation("deploymentUpdate", "deployment { publicSharing }")
UPDATED_AT = "2025-01-12T00:00:00.000Z"


async def asset_id(ask: GraphQLClient, name: str) -> str:
    query = "query($name: String!) { asset(by: {externalId: $name}) { ... on AssetFields { id } } }"
    return str((await ask("ada", query, name=name))["asset"]["id"])


async def last_change(ask: GraphQLClient) -> tuple[Any, ...]:
    """Return revision, action, subject and fields of the last change."""
    change = sql.change.c
    last = select(change.revision, change.action, change.subject_id, change.fields, change.least_access)
    async with ask.database.snapshot() as snapshot:
        (row,) = await snapshot.rows(last.order_by(change.pk.desc()).limit(1))
    return tuple(row)


async def test_an_award_is_visible_to_all_and_does_not_change_updated_at(ask_own: GraphQLClient) -> None:
    id_ = await asset_id(ask_own, "lens")
    answer = await SET(ask_own, "ada", assetId=id_, awarded=True, note=" The one to follow. ")
    award = {"awardedBy": {"name": "ada"}, "note": "The one to follow."}
    lens = {"name": "lens", "updatedAt": UPDATED_AT, "goldStandard": award}
    assert answer == {"asset": lens, "userErrors": []}
    told = {"field": "note", "before": None, "after": "The one to follow."}
    assert await last_change(ask_own) == (2, "AWARDED", id_, [told], 0)
    query = f"query($id: ID!) {{ {GOLD.replace('asset', 'asset(by: {id: $id})', 1)} }}"
    assert (await ask_own("sam", query, id=id_))["asset"] == lens
    visitors = (await ask_own(ANONYMOUS, query, id=id_))["asset"]
    assert visitors["goldStandard"] == {"awardedBy": None, "note": "The one to follow."}


async def test_repeating_an_award_changes_nothing_for_any_administrator(ask_own: GraphQLClient) -> None:
    id_ = await asset_id(ask_own, "lens")
    await SET(ask_own, "ada", assetId=id_, awarded=True, note="Good.")
    async with assert_unchanged(ask_own):
        await SET(ask_own, "ada", assetId=id_, awarded=True, note="Good. ")
        answer = await SET(ask_own, "ada", assetId=id_, awarded=True)
        assert answer["asset"]["goldStandard"]["note"] == "Good."
    await SET(ask_own, "ada", assetId=id_, awarded=True, note="")
    assert await last_change(ask_own) == (3, "AWARDED", id_, [{"field": "note", "before": "Good.", "after": None}], 0)


async def test_revoking_an_award_clears_date_note_and_administrator(ask_own: GraphQLClient) -> None:
    id_ = await asset_id(ask_own, "lens")
    async with assert_unchanged(ask_own):
        await SET(ask_own, "ada", assetId=id_, awarded=False)
    await SET(ask_own, "ada", assetId=id_, awarded=True, note="Good.")
    answer = await SET(ask_own, "ada", assetId=id_, awarded=False)
    assert answer["asset"] == {"name": "lens", "updatedAt": UPDATED_AT, "goldStandard": None}
    assert await last_change(ask_own) == (3, "REVOKED", id_, [{"field": "note", "before": "Good.", "after": None}], 0)
    asset = sql.asset.c
    awards = select(asset.gold_at, asset.gold_by_pk, asset.gold_note).where(asset.external_id == "lens")
    async with ask_own.database.snapshot() as snapshot:
        assert [tuple(row) for row in await snapshot.rows(awards)] == [(None, None, None)]


async def test_an_invalid_award_reports_the_field(ask_own: GraphQLClient) -> None:
    id_ = await asset_id(ask_own, "lens")
    async with assert_unchanged(ask_own):
        unknown = await SET(ask_own, "ada", assetId="ast_" + "0" * 24, awarded=True)
        assert (unknown["asset"], error_paths(unknown)) == (None, [("NOT_FOUND", ["assetId"])])
        assert error_paths(await SET(ask_own, "ada", assetId=id_, awarded=True, note="x" * 1_001)) == [
            ("TOO_LONG", ["note"])
        ]


async def test_turning_sharing_off_hides_public_collections_at_once_and_deletes_nothing(ask_own: GraphQLClient) -> None:
    query = '{ collections { nodes { slug } } asset(by: {externalId: "align"}) { __typename } }'
    shown = {who: await ask_own(who, query) for who in ("ada", "eve", ANONYMOUS)}
    counted = select(func.count()).select_from(sql.collection.join(sql.membership))
    async with ask_own.database.snapshot() as snapshot:
        before = [tuple(row) for row in await snapshot.rows(counted)]
    answer = await SHARE(ask_own, "ada", publicSharing=False)
    assert answer == {"deployment": {"publicSharing": False}, "userErrors": []}
    told = {"field": "publicSharing", "before": "true", "after": "false"}
    assert await last_change(ask_own) == (2, "UPDATED", "deployment", [told], 0)
    assert await ask_own("ada", query) == shown["ada"]
    assert (await ask_own("eve", query))["collections"]["nodes"] == [{"slug": "inner"}, {"slug": "members"}]
    assert await ask_own(ANONYMOUS, query) == {"collections": {"nodes": []}, "asset": None}
    async with ask_own.database.snapshot() as snapshot:
        assert [tuple(row) for row in await snapshot.rows(counted)] == before
    await SHARE(ask_own, "ada", publicSharing=True)
    assert {who: await ask_own(who, query) for who in shown} == shown


async def test_turning_sharing_on_or_off_reports_for_whom_it_changes_how_much(ask_own: GraphQLClient) -> None:
    query = "{ collections { totalCount } assets { totalCount } }"
    share = Mutation("deploymentUpdate", "deployment { publicSharing } effects { audience appears collections assets }")
    shared = {who: await ask_own(who, query) for who in (ANONYMOUS, "eve")}
    async with assert_unchanged(ask_own):
        forecast = await share(ask_own, "ada", publicSharing=False, dryRun=True)
        assert forecast["deployment"] == {"publicSharing": True}
        assert (await share(ask_own, "ada", publicSharing=True))["effects"] == []
    assert (await share(ask_own, "ada", publicSharing=False))["effects"] == forecast["effects"]
    visitors, members = ({kind: count["totalCount"] for kind, count in shared[who].items()} for who in shared)
    expected = [
        {"audience": "ANONYMOUS", "appears": False, **visitors},
        {"audience": "MEMBERS", "appears": False, "collections": members["collections"] - 2, "assets": 0},
    ]
    assert forecast["effects"] == expected
    assert (await share(ask_own, "ada", publicSharing=True))["effects"] == [
        effect | {"appears": True} for effect in expected
    ]


async def test_repeating_a_setting_changes_nothing_and_an_empty_input_is_rejected(ask_own: GraphQLClient) -> None:
    async with assert_unchanged(ask_own):
        assert (await SHARE(ask_own, "ada", publicSharing=True))["deployment"] == {"publicSharing": True}
        for given in ({}, {"publicSharing": None}):
            answer = await SHARE(ask_own, "ada", **given)
            assert (answer["deployment"], error_paths(answer)) == (None, [("REQUIRED", ["publicSharing"])])


@pytest.mark.parametrize("mutation", [SET, SHARE], ids=lambda mutation: mutation.name)
async def test_only_administrators_change_awards_and_settings(ask_own: GraphQLClient, mutation: Mutation) -> None:
    award = {"assetId": await asset_id(ask_own, "lens"), "awarded": True}
    given: dict[str, Any] = award if mutation is SET else {"publicSharing": False}
    async with assert_unchanged(ask_own):
        assert await refusal_code(ask_own, "sam", mutation, **given) == "FORBIDDEN"
        assert await refusal_code(ask_own, ANONYMOUS, mutation, **given) == "UNAUTHENTICATED"
