"""Effects in payloads: changed edges and ids, by which a client updates its store without asking again."""

from typing import Any

import pytest
from sqlalchemy import delete, select

from resolvers.write import membership
from store import sql
from tests.conftest import GraphQLClient
from tests.mutations import Mutation, assert_unchanged, error_paths
from tests.test_membership_write import UNKNOWN, ids

EDGE = "cursor addedAt addedBy { name } note viewerCanRemove node { ... on AssetFields { name } }"
EFFECT = f"addedEdges {{ {EDGE} }} removedAssetIds"
COUNTED = "{ slug assetCounts { total } }"
OF_ONE = f"collection {COUNTED} {EFFECT} change {{ id }} results {{ status }}"
SUMMARY = "summary { requested changed unchanged failed dryRun }"
ADD = Mutation("collectionAssetsAdd", f"{OF_ONE} {SUMMARY} job {{ id }}")
REMOVE = Mutation("collectionAssetsRemove", OF_ONE)
MOVE = Mutation(
    "collectionAssetsMove",
    f"fromCollection {COUNTED} toCollection {COUNTED} {EFFECT} change {{ id }} results {{ status }}",
)
UNDO = Mutation(
    "changeUndo", f"subjects {{ ... on Collection {COUNTED} }} {EFFECT} changes {{ id }} results {{ status }}"
)
UPDATE = Mutation(
    "assetCollectionsUpdate",
    "addedEdges { cursor addedAt note node { slug } } removedCollectionIds changes { id subject { id } }",
)
PAGE = f"query($s: String!) {{ collection(by: {{slug: $s}}) {{ assets {{ edges {{ {EDGE} }} }} }} }}"
COLLECTIONS = """query($id: ID!) { node(id: $id) {
  ... on AssetFields { collections { edges { cursor addedAt note node { slug } } } }
} }"""
NOTHING: dict[str, Any] = {"addedEdges": [], "removedAssetIds": []}


async def edges_of(ask: GraphQLClient, who: str, slug: str) -> dict[str, Any]:
    """Return the edges of a collection, by the asset's name, as a fresh query reads them."""
    found = (await ask(who, PAGE, s=slug))["collection"]["assets"]["edges"]
    return {edge["node"]["name"]: edge for edge in found}


def effect(payload: dict[str, Any]) -> dict[str, Any]:
    return {name: payload[name] for name in NOTHING}


async def test_an_addition_returns_the_edges_of_the_added_assets_only(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    given = [id_["count"], id_["align"], id_["blast"], id_["lens"], UNKNOWN]  # blast is a member, lens is sam's
    added = await ADD(ask_own, "olu", collectionId=id_["members"], assetIds=given, mode="BEST_EFFORT", note="Why")
    edges = await edges_of(ask_own, "olu", "members")
    assert effect(added) == {"addedEdges": [edges["count"], edges["align"]], "removedAssetIds": []}
    assert edges["align"]["note"] == "Why"


async def test_a_removal_returns_the_ids_of_the_removed_assets_only(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    given = [id_["explore"], id_["align"], id_["lens"]]  # lens is no member
    removed = await REMOVE(ask_own, "olu", collectionId=id_["inner"], assetIds=given)
    assert effect(removed) == {"addedEdges": [], "removedAssetIds": [id_["explore"], id_["align"]]}


async def test_a_move_returns_the_effect_on_both_collections(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    where = {"fromCollectionId": id_["open"], "toCollectionId": id_["inner"]}
    moved = await MOVE(ask_own, "olu", **where, assetIds=[id_["count"], id_["align"]])  # align is in both
    edges = await edges_of(ask_own, "olu", "inner")
    assert effect(moved) == {"addedEdges": [edges["count"]], "removedAssetIds": [id_["count"], id_["align"]]}
    undone = await UNDO(ask_own, "olu", changeId=moved["change"]["id"])
    edges = await edges_of(ask_own, "olu", "open")
    assert effect(undone) == {"addedEdges": [edges["align"], edges["count"]], "removedAssetIds": [id_["count"]]}
    assert [each["slug"] for each in undone["subjects"]] == ["inner", "open"]
    assert len(undone["changes"]) == 2
    redone = await UNDO(ask_own, "olu", changeId=undone["changes"][0]["id"])
    edges = await edges_of(ask_own, "olu", "inner")
    assert effect(redone) == {"addedEdges": [edges["count"]], "removedAssetIds": [id_["align"], id_["count"]]}


async def test_a_dry_run_and_a_rollback_have_no_effect_and_return_what_is_stored(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    bare = {"collectionId": id_["bare"]}
    where = {"fromCollectionId": id_["open"], "toCollectionId": id_["bare"]}
    stored = {"slug": "bare", "assetCounts": {"total": 0}}
    async with assert_unchanged(ask_own):
        tried = await ADD(ask_own, "olu", **bare, assetIds=[id_["blast"]], dryRun=True)
        assert (effect(tried), tried["collection"], tried["change"]) == (NOTHING, stored, None)
        assert tried["summary"] == {"requested": 1, "changed": 1, "unchanged": 0, "failed": 0, "dryRun": True}
        tried = await ADD(ask_own, "olu", **bare, assetIds=[id_["blast"], UNKNOWN])
        assert (effect(tried), tried["collection"], tried["change"]) == (NOTHING, stored, None)
        tried = await MOVE(ask_own, "olu", **where, assetIds=[id_["count"]], dryRun=True)
        assert (effect(tried), tried["toCollection"], tried["change"]) == (NOTHING, stored, None)


@pytest.mark.parametrize("mode", ["ATOMIC", "BEST_EFFORT"])
async def test_user_errors_say_so_if_every_item_failed(ask_own: GraphQLClient, mode: str) -> None:
    id_ = await ids(ask_own)
    async with assert_unchanged(ask_own):
        given = {"collectionId": id_["bare"], "assetIds": [id_["lens"], UNKNOWN], "mode": mode}
        failed = await ADD(ask_own, "olu", **given)
        assert error_paths(failed) == [("NOT_OWNER", ["assetIds", "0"]), ("NOT_FOUND", ["assetIds", "1"])]
        assert [each["status"] for each in failed["results"]] == ["FAILED", "FAILED"]
        # UNCHANGED is a success.
        given = {"collectionId": id_["open"], "assetIds": [id_["align"]], "mode": mode}
        unchanged = await ADD(ask_own, "olu", **given)
        assert (unchanged["userErrors"], unchanged["results"]) == ([], [{"status": "UNCHANGED"}])


async def test_an_undo_that_was_made_before_is_a_conflict(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    given = {"collectionId": id_["bare"], "assetIds": [id_["blast"], id_["align"]]}
    change = (await ADD(ask_own, "olu", **given))["change"]["id"]
    assert (await UNDO(ask_own, "olu", changeId=change))["userErrors"] == []
    async with assert_unchanged(ask_own):
        again = await UNDO(ask_own, "olu", changeId=change)
    assert error_paths(again) == [("CONFLICT", ["changeId"])]
    assert effect(again) == NOTHING
    assert (again["subjects"], again["changes"]) == ([], [])
    assert [each["status"] for each in again["results"]] == ["FAILED", "FAILED"]


async def test_the_collections_of_an_asset_return_their_edges_and_changes(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    add_to, remove_from = [id_["open"], id_["inner"], id_["bare"]], [id_["members"]]
    given = {"assetId": id_["blast"], "addTo": add_to, "removeFrom": remove_from}
    tried = await UPDATE(ask_own, "olu", **given, dryRun=True)
    assert tried | {"userErrors": []} == {"addedEdges": [], "removedCollectionIds": [], "changes": [], "userErrors": []}
    done = await UPDATE(ask_own, "olu", **given)
    found = (await ask_own("olu", COLLECTIONS, id=id_["blast"]))["node"]["collections"]["edges"]
    edges = {edge["node"]["slug"]: edge for edge in found}
    assert done["addedEdges"] == [edges["bare"], edges["inner"]]  # it was in open
    assert done["removedCollectionIds"] == remove_from
    changed = {id_[name] for name in ("inner", "bare", "members")}
    assert {each["subject"]["id"] for each in done["changes"]} == changed
    for change in done["changes"]:
        assert (await UNDO(ask_own, "olu", changeId=change["id"]))["userErrors"] == []
    after = (await ask_own("olu", COLLECTIONS, id=id_["blast"]))["node"]["collections"]["edges"]
    assert {edge["node"]["slug"] for edge in after} == {"open", "members"}


async def test_effects_of_a_replay_are_read_by_current_permissions(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    given = {"collectionId": id_["bare"], "assetIds": [id_["images"]], "idempotencyKey": "again"}
    first = await ADD(ask_own, "lou", **given)
    assert [edge["node"]["name"] for edge in first["addedEdges"]] == ["images"]
    assert await ADD(ask_own, "lou", **given) == first
    async with ask_own.database.write() as connection:
        pk = await connection.scalar(select(sql.asset.c.pk).where(sql.asset.c.name == "images"))
        await connection.execute(delete(sql.grant).where(sql.grant.c.asset_pk == pk))
    assert (await ADD(ask_own, "lou", **given))["addedEdges"] == []


async def test_a_queued_job_has_no_effect_yet_and_its_summary_counts_the_items(
    ask_own: GraphQLClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(membership, "INLINE_BULK_ITEMS", 1)
    id_ = await ids(ask_own)
    queued = await ADD(ask_own, "olu", collectionId=id_["bare"], assetIds=[id_["blast"], id_["align"]])
    assert queued["job"] is not None
    assert effect(queued) == NOTHING
    assert queued["summary"] == {"requested": 2, "changed": 0, "unchanged": 0, "failed": 0, "dryRun": False}


FORMER = "collection { slug } formerTopic { slug } formerParent { slug }"


async def test_a_moved_collection_returns_where_it_was(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    update = Mutation("collectionUpdate", FORMER)
    topics = (await ask_own("ada", "{ topics { nodes { id slug } } }"))["topics"]["nodes"]
    empty = next(topic["id"] for topic in topics if topic["slug"] == "empty")
    renamed = await update(ask_own, "ada", id=id_["inner"], name="New")
    assert (renamed["formerTopic"], renamed["formerParent"]) == (None, None)
    raised = await update(ask_own, "ada", id=id_["deep"], parentId=id_["open"])
    assert (raised["formerTopic"], raised["formerParent"]) == ({"slug": "imaging"}, {"slug": "inner"})
    moved = await update(ask_own, "ada", id=id_["open"], topicId=empty)
    assert (moved["formerTopic"], moved["formerParent"]) == ({"slug": "imaging"}, None)


async def test_a_deleted_collection_returns_its_former_children(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    delete_ = Mutation(
        "collectionDelete", "deletedCollectionId movedCollections { slug } movedCollectionCount change { action }"
    )
    async with assert_unchanged(ask_own):
        tried = await delete_(ask_own, "ada", id=id_["inner"], dryRun=True)
    assert tried == {
        "deletedCollectionId": None,
        "movedCollections": [],
        "movedCollectionCount": 1,
        "change": None,
        "userErrors": [],
    }
    done = await delete_(ask_own, "ada", id=id_["inner"])
    assert done == {
        "deletedCollectionId": id_["inner"],
        "movedCollections": [{"slug": "deep"}],
        "movedCollectionCount": 1,
        "change": {"action": "DELETED"},
        "userErrors": [],
    }
